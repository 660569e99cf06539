#!/usr/bin/env python3
"""Makes the golden files of the trainer: what PyTorch computes, for ours to agree with.

Usage: make.py [FOLDER]     (needs torch, transformers, peft, safetensors, numpy)

Writes into FOLDER (default: where this script lies)
  base/            a tiny random Qwen3 checkpoint with a byte-level tokenizer
  adapter/         a random PEFT adapter over it (both factors random, so both have gradients)
  gradients.f32    float32, first-step gradients of full training, then of LoRA, in the order of
                   golden.json's lists
  golden.json      batches, losses and gradient norms of 20 steps of AdamW: full and LoRA

Everything is computed in float64 from the float32 weights that are saved.
"""
import json
import pathlib
import sys

import numpy as np
import peft
import torch
import transformers

STEPS, ROWS, LENGTH = 20, 4, 24
RECIPE = dict(lr=3e-3, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1, clip=1.0)
RANK, ALPHA = 4, 8
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def byte_alphabet():
    """The 256 printable characters that byte-level BPE writes bytes as (GPT-2)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    table = {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(rest)}
    return [table[b] for b in range(256)]


def write_tokenizer(folder):
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {token: i for i, token in enumerate(byte_alphabet())}
    added = [dict(id=256 + i, content=s, special=True, single_word=False, lstrip=False,
                  rstrip=False, normalized=False) for i, s in enumerate(specials)]
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
               r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
             "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
             "use_regex": False}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
                    "use_regex": False},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": False, "vocab": vocabulary,
                  "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))


def make_batches(vocabulary):
    """Sequences with something to learn: the next token is a noisy linear function of the last."""
    rng = np.random.default_rng(11)
    batches = []
    for _ in range(STEPS):
        rows = []
        for _ in range(ROWS):
            row = [int(rng.integers(vocabulary))]
            while len(row) <= LENGTH:
                step = int(rng.integers(vocabulary)) if rng.random() < 0.1 else row[-1] * 3 + 7
                row.append(step % 64)
            rows.append(row)
        batches.append(rows)
    return batches


def train(model, named, batches):
    decayed = [p for n, p in named if p.ndim == 2 and "embed" not in n]
    plain = [p for n, p in named if not (p.ndim == 2 and "embed" not in n)]
    optimizer = torch.optim.AdamW(
        [dict(params=decayed, weight_decay=RECIPE["weight_decay"]),
         dict(params=plain, weight_decay=0.0)],
        lr=RECIPE["lr"], betas=(RECIPE["beta1"], RECIPE["beta2"]), eps=RECIPE["eps"])
    losses, norms, first = [], [], None
    for rows in batches:
        ids = torch.tensor(rows)
        logits = model(input_ids=ids[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        if first is None:
            first = [(n, p.grad.detach().clone()) for n, p in named]
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in named], RECIPE["clip"])
        optimizer.step()
        losses.append(loss.item())
        norms.append(float(norm))
    return losses, norms, first


def random_base():
    config = transformers.Qwen3Config(
        vocab_size=259, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, intermediate_size=48, max_position_embeddings=128,
        rms_norm_eps=1e-6, rope_theta=10000.0, tie_word_embeddings=True, attention_bias=False,
        bos_token_id=None, eos_token_id=256, attn_implementation="eager")
    torch.manual_seed(5)
    model = transformers.Qwen3ForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_((1.0 if "norm" in name else 0.0) + 0.12 * torch.randn_like(parameter))
    return model


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    torch.set_num_threads(1)
    base = random_base()
    base.save_pretrained(folder / "base")
    write_tokenizer(folder / "base")
    batches = make_batches(base.config.vocab_size)
    golden = dict(recipe=RECIPE, batches=batches, rank=RANK, alpha=ALPHA,
                  versions=dict(torch=torch.__version__, transformers=transformers.__version__,
                                peft=peft.__version__))
    gradients = []

    def record(kind, model, named):
        losses, norms, first = train(model, named, batches)
        golden[kind] = dict(losses=losses, gradient_norms=norms,
                            tensors=[dict(name=n, norm=float(g.norm())) for n, g in first])
        gradients.extend(g.to(torch.float32).numpy().ravel() for _, g in first)

    full = transformers.Qwen3ForCausalLM.from_pretrained(
        folder / "base", dtype=torch.float64, attn_implementation="eager")
    record("full", full, list(full.named_parameters()))

    frozen = transformers.Qwen3ForCausalLM.from_pretrained(
        folder / "base", dtype=torch.float64, attn_implementation="eager")
    lora = peft.get_peft_model(frozen, peft.LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, task_type="CAUSAL_LM"))
    with torch.no_grad():
        lora.peft_config["default"].base_model_name_or_path = "base"
        for name, parameter in lora.named_parameters():
            if parameter.requires_grad:
                parameter.copy_((0.1 * torch.randn_like(parameter)).to(torch.float32))
    lora.save_pretrained(folder / "adapter")
    # Saved as float64 by PEFT; the trainer's adapters are float32.
    from safetensors.torch import load_file, save_file
    path = folder / "adapter" / "adapter_model.safetensors"
    save_file({k: v.to(torch.float32) for k, v in load_file(path).items()}, path,
              metadata={"format": "pt"})
    record("lora", lora, [(n, p) for n, p in lora.named_parameters() if p.requires_grad])

    np.concatenate(gradients).astype("<f4").tofile(folder / "gradients.f32")
    (folder / "golden.json").write_text(json.dumps(golden))


main()
