"""Tiny random checkpoints, a LoRA adapter for each, and what transformers computes with them.

usage: python make.py            (writes beside itself)
made with: python 3.11, torch 2.15.0 (CPU), transformers 5.23.0, peft 0.21.2, tokenizers 0.23.3

Each folder NAME/ holds what a Hugging Face checkpoint holds, NAME/adapter/ a PEFT adapter, and
NAME/expected.json the token ids, the float32 logits after each of them and 16 greedy ids, without and
with the adapter. Sizes are odd on purpose: nothing is a multiple of a vector.
"""
import json
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config,
                          Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

HERE = pathlib.Path(__file__).parent
QWEN_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
              r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
SIZES = dict(hidden_size=28, intermediate_size=50, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5, vocab_size=263)


def write_tokenizer(folder, gpt2_split):
    """One token for each byte, two merges, three special tokens: 261 of the 263 rows."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(letters + ["he", "hel"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[("h", "e"), ("he", "l")]))
    if gpt2_split:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>",
                                   pad_token="<|endoftext|>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)


def randomise(module, scale):
    """Default initialisation leaves norms at one and biases at zero, which would hide mistakes."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "norm" in name:
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            else:
                parameter.copy_(scale * torch.randn_like(parameter))


def expected(model, ids):
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
        greedy = list(ids)
        for _ in range(16):
            greedy.append(int(model(torch.tensor([greedy])).logits[0, -1].argmax()))
    return {"logits": [[float(f"{x:.8g}") for x in row] for row in logits.tolist()],
            "greedy": greedy[len(ids):]}


def make(name, model, lora, dtype=torch.float32, shard="1GB"):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(sum(name.encode()))
    randomise(model, 0.2)
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_tokenizer(folder, gpt2_split=name == "llama")
    # Stored weights, float32 arithmetic. Reopened, because to(bfloat16) rounds RoPE's frequencies too.
    model = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.randint(0, 261, (12,)).tolist()
    result = {"ids": ids, "base": expected(model, ids)}
    tuned = get_peft_model(model, lora)
    for key, parameter in tuned.named_parameters():
        if "lora_" in key:
            parameter.data = 0.2 * torch.randn_like(parameter)
    result["adapter"] = expected(tuned.eval(), ids)
    # The name that PEFT records must not be this machine's path.
    tuned.peft_config["default"].base_model_name_or_path = f"tests/golden/model/{folder.name}"
    tuned.save_pretrained(folder / "adapter")
    for extra in (folder / "adapter").glob("README*"):
        extra.unlink()
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)
    (folder / "expected.json").write_text(json.dumps(result) + "\n")


def main():
    lora = dict(task_type="CAUSAL_LM", lora_dropout=0.0)
    make("qwen3",
         Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=10, tie_word_embeddings=True,
                                      rope_parameters={"rope_type": "default",
                                                       "rope_theta": 50000.0})),
         LoraConfig(r=3, lora_alpha=6, **lora,
                    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
                                    "down_proj"]))
    make("qwen2",
         Qwen2ForCausalLM(Qwen2Config(**{**SIZES, "hidden_size": 24}, tie_word_embeddings=False)),
         LoraConfig(r=2, lora_alpha=5, use_rslora=True, target_modules=["v_proj", "down_proj"],
                    rank_pattern={"layers.1.mlp.down_proj": 4},
                    alpha_pattern={"down_proj": 3}, **lora),
         dtype=torch.bfloat16, shard="20KB")
    make("llama",
         LlamaForCausalLM(LlamaConfig(**{**SIZES, "hidden_size": 24}, tie_word_embeddings=False,
                                      head_dim=6)),
         LoraConfig(r=2, lora_alpha=2, target_modules=["q_proj", "k_proj"], **lora))


main()
