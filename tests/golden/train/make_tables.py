#!/usr/bin/env python3
"""What PyTorch computes when an adapter also changes the embedding and the head.

usage: make_tables.py [NAME...]      (all without a name)
made with: python 3.11, torch 2.15.0 (CPU), transformers 5.24.0, peft 0.21.2

Like make_architectures.py, over the rows that it wrote: llama has a head of its own, qwen3 and gpt2
have none. Writes into architectures/
  NAME/tables/          a random PEFT adapter of rank 2 on q_proj (gpt2: all of c_attn), the embedding
                        and the head, as PEFT saves it, with the base's tables beside
  NAME_tables.json      runs "lora" and "dpo"
"""
import json
import re
import sys

import peft
import torch

import make_architectures as arch

NAMES = ["llama", "qwen3", "gpt2"]
linear_names = arch.ours


def ours(name, tensor):
    """The embedding's A has a row a token here."""
    if "lora_embedding" not in name:
        return linear_names(name, tensor)
    side = name.split("lora_embedding_")[1][0]
    return [(f"model.embed_tokens.lora_embedding_{side}", tensor.T if side == "A" else tensor)]


def make_adapter(name):
    targets = ["c_attn", "wte", "lm_head"] if name == "gpt2" else ["q_proj", "embed_tokens", "lm_head"]
    model = peft.get_peft_model(arch.load(name), peft.LoraConfig(
        r=arch.HYPER["rank"], lora_alpha=arch.HYPER["alpha"], target_modules=targets,
        task_type="CAUSAL_LM", fan_in_fan_out=name == "gpt2"))
    generator = torch.Generator().manual_seed(5)
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    with torch.no_grad():
        for _, p in named:
            p.copy_((0.2 * torch.randn(p.shape, generator=generator)).double())
    return model.eval(), named


def main():
    torch.set_num_threads(1)
    arch.ours = ours
    batches = json.loads((arch.OUT / "batches.json").read_text())["batches"]
    for name in sys.argv[1:] or NAMES:
        runs = {}
        model, named = make_adapter(name)
        arch.save_adapter(name, model, "tables")
        runs["lora"] = arch.train(model, named, batches, arch.mean_loss)
        model, named = make_adapter(name)
        runs["dpo"] = arch.train(model, named, batches, arch.dpo_loss)
        text = json.dumps(runs)
        text = re.sub(r"-?\d+\.\d{6,}(?:e-?\d+)?", lambda m: f"{float(m[0]):.9g}", text)
        (arch.OUT / f"{name}_tables.json").write_text(text + "\n")
        print(name, runs["lora"]["losses"][::19], runs["dpo"]["losses"][::19],
              runs["lora"]["gradient_norms"][:3])


if __name__ == "__main__":
    main()
