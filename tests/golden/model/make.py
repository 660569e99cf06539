"""Tiny random checkpoints of every architecture, and what transformers computes with them.

usage: python make.py [NAME...]      (writes beside itself; all without a name)
made with: python 3.11, torch 2.15.0 (CPU), transformers 5.23.0, peft 0.21.2, tokenizers 0.23.3

Each folder NAME/ holds what a Hugging Face checkpoint holds, some NAME/adapter/ a PEFT adapter, and
NAME/expected.json the token ids, the float32 logits after some of them ("rows") and 64 greedy ids,
without and with the adapter. Sizes are odd on purpose: nothing is a multiple of a vector.
"""
import json
import pathlib
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (Ernie4_5Config, Ernie4_5ForCausalLM, GPT2Config, GPT2LMHeadModel,
                          HunYuanDenseV1Config, HunYuanDenseV1ForCausalLM, LlamaConfig,
                          LlamaForCausalLM, MistralConfig, MistralForCausalLM,
                          PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM, SmolLM3Config, SmolLM3ForCausalLM)

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


def is_gain(name):
    return name.endswith("weight") and ("norm" in name or ".ln_" in name)


def randomise(module, scale):
    """Default initialisation leaves norms at one and biases at zero, which would hide mistakes."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if is_gain(name):
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            else:
                parameter.copy_(scale * torch.randn_like(parameter))


class Tie(Exception):
    """Two tokens so close that rounding could choose between them: another seed is needed."""


def expected(model, ids, rows):
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0][rows]
        greedy = list(ids)
        for _ in range(64):
            last = model(torch.tensor([greedy])).logits[0, -1]
            first, second = last.topk(2).values
            if first - second < 2e-4 * last.abs().max():
                raise Tie
            greedy.append(int(last.argmax()))
    return {"logits": [[float(f"{x:.8g}") for x in row] for row in logits.tolist()],
            "greedy": greedy[len(ids):]}


def mixed(model):
    """Norms and biases stay F32; matrices are BF16 and F16 by turns."""
    for number, (name, parameter) in enumerate(model.named_parameters()):
        if parameter.dim() == 2:
            parameter.data = parameter.data.to(torch.bfloat16 if number % 2 else torch.float16)
    return model


def make(name, build, lora=None, dtype=torch.float32, shard="1GB"):
    seed = sum(name.encode())
    while True:
        try:
            return try_to_make(name, build(), lora, dtype, shard, seed)
        except Tie:
            seed += 1


def try_to_make(name, model, lora, dtype, shard, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(seed)
    randomise(model, 0.2)
    model = mixed(model) if dtype == "mixed" else model.to(dtype)
    model.save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_tokenizer(folder, gpt2_split=name in ("llama", "gpt2"))
    # Stored weights, float32 arithmetic. Reopened, because to(bfloat16) rounds RoPE's frequencies too.
    model = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.randint(0, 261, (12,)).tolist()
    rows = [0, 5, 11]
    result = {"ids": ids, "rows": rows, "base": expected(model, ids, rows)}
    if lora:
        tuned = get_peft_model(model, lora)
        for key, parameter in tuned.named_parameters():
            if "lora_" in key:
                parameter.data = 0.2 * torch.randn_like(parameter)
        result["adapter"] = expected(tuned.eval(), ids, rows)
        # The name that PEFT records must not be this machine's path.
        tuned.peft_config["default"].base_model_name_or_path = f"tests/golden/model/{folder.name}"
        tuned.save_pretrained(folder / "adapter")
        for extra in (folder / "adapter").glob("README*"):
            extra.unlink()
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)
    (folder / "expected.json").write_text(json.dumps(result) + "\n")


LORA = dict(task_type="CAUSAL_LM", lora_dropout=0.0)
SMALL = dict(hidden_size=12, intermediate_size=22, num_hidden_layers=2, num_attention_heads=2,
             num_key_value_heads=1, max_position_embeddings=128, rms_norm_eps=1e-5, vocab_size=262)


def llama(**more):
    return lambda: LlamaForCausalLM(LlamaConfig(**{**SMALL, "head_dim": 10, **more}))


CASES = {
    "qwen3": dict(
        build=lambda: Qwen3ForCausalLM(Qwen3Config(
            **SIZES, head_dim=10, tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 50000.0})),
        lora=LoraConfig(r=3, lora_alpha=6, **LORA,
                        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj",
                                        "up_proj", "down_proj"])),
    "qwen2": dict(
        build=lambda: Qwen2ForCausalLM(Qwen2Config(**{**SIZES, "hidden_size": 24},
                                                   tie_word_embeddings=False)),
        lora=LoraConfig(r=2, lora_alpha=5, use_rslora=True, target_modules=["v_proj", "down_proj"],
                        rank_pattern={"layers.1.mlp.down_proj": 4},
                        alpha_pattern={"down_proj": 3}, **LORA),
        dtype=torch.bfloat16, shard="20KB"),
    "llama": dict(
        build=lambda: LlamaForCausalLM(LlamaConfig(**{**SIZES, "hidden_size": 24},
                                                   tie_word_embeddings=False, head_dim=6)),
        lora=LoraConfig(r=2, lora_alpha=2, target_modules=["q_proj", "k_proj"], **LORA)),
    # Short, middling and long waves against 32 tokens: all three branches of llama3.
    "llama3": dict(
        build=llama(rope_parameters={"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0,
                                     "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                     "original_max_position_embeddings": 32}),
        dtype=torch.bfloat16),
    "llama_linear": dict(
        build=llama(attention_bias=True, mlp_bias=True,
                    rope_parameters={"rope_type": "linear", "rope_theta": 100.0, "factor": 2.5}),
        dtype=torch.float16),
    "llama_dynamic": dict(
        build=llama(rope_parameters={"rope_type": "dynamic", "rope_theta": 100.0, "factor": 2.0}),
        dtype=torch.float16),
    "smollm2": dict(build=llama(tie_word_embeddings=True, head_dim=6), dtype=torch.bfloat16),
    "qwen2_yarn": dict(
        build=lambda: Qwen2ForCausalLM(Qwen2Config(
            **{**SMALL, "hidden_size": 20, "max_position_embeddings": 32},
            tie_word_embeddings=True,
            rope_parameters={"rope_type": "yarn", "rope_theta": 200.0, "factor": 4.0,
                             "beta_fast": 4.0, "beta_slow": 0.5,
                             "original_max_position_embeddings": 32})),
        dtype=torch.float16),
    "mistral": dict(
        build=lambda: MistralForCausalLM(MistralConfig(**SMALL, head_dim=6, sliding_window=96)),
        dtype=torch.float16),
    "hunyuan": dict(
        build=lambda: HunYuanDenseV1ForCausalLM(HunYuanDenseV1Config(
            **SMALL, head_dim=10, tie_word_embeddings=True,
            rope_parameters={"rope_type": "dynamic", "rope_theta": 100.0, "alpha": 20.0,
                             "factor": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "beta_fast": 32,
                             "beta_slow": 1})),
        lora=LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "o_proj"], **LORA),
        dtype="mixed"),
    "ernie": dict(
        build=lambda: Ernie4_5ForCausalLM(Ernie4_5Config(
            **SMALL, head_dim=10, use_bias=True,
            rope_parameters={"rope_type": "default", "rope_theta": 100.0})),
        lora=LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "k_proj", "up_proj"], **LORA),
        dtype="mixed"),
    "smollm3": dict(
        build=lambda: SmolLM3ForCausalLM(SmolLM3Config(
            **{**SMALL, "num_hidden_layers": 5}, pad_token_id=0, bos_token_id=None, eos_token_id=260,
            rope_parameters={"rope_type": "default", "rope_theta": 100.0})),
        lora=LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "k_proj", "up_proj"], **LORA),
        dtype="mixed", shard="8KB"),
    "gpt2": dict(
        build=lambda: GPT2LMHeadModel(GPT2Config(vocab_size=262, n_positions=80, n_embd=18,
                                                 n_layer=2, n_head=2, n_inner=26)),
        lora=LoraConfig(r=2, lora_alpha=4, target_modules=["c_attn", "c_proj"],
                        fan_in_fan_out=True, **LORA),
        dtype=torch.float16),
}

for case in sys.argv[1:] or CASES:
    make(case, **CASES[case])
