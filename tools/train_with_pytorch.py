#!/usr/bin/env python3
"""The peer's side of `plinth bench tune`: training steps of random tokens with PyTorch, transformers and PEFT.

usage: tools/train_with_pytorch.py [--sequences 1] [--tokens 512] [--steps 5] [--full | --dpo]
       (pip install torch transformers peft)

A model of Qwen2.5-0.5B's shape with random weights in float32, LoRA of rank 16 on all linear layers, its own loss over
full logits, AdamW, gradients clipped to 1. --full trains all weights of 8 layers of width 512 with a vocabulary of
16,384; --dpo takes a preference step over pairs, the adapter switched off for the reference. Prints the median
tokens/s after a first step, and the peak resident memory. Threads: OMP_NUM_THREADS, else all cores.
"""
import argparse
import os
import resource
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))

import torch
import torch.nn.functional as F
from transformers import Qwen2Config, Qwen2ForCausalLM

RATE = 1e-4
DPO_BETA = 0.1


def base(full):
    if full:
        return Qwen2ForCausalLM(Qwen2Config(
            vocab_size=16384, hidden_size=512, intermediate_size=1408, num_hidden_layers=8, num_attention_heads=8,
            num_key_value_heads=8, tie_word_embeddings=True))
    return Qwen2ForCausalLM(Qwen2Config(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
        num_key_value_heads=2, tie_word_embeddings=True))


def with_lora(model):
    from peft import LoraConfig, get_peft_model
    return get_peft_model(model, LoraConfig(r=16, lora_alpha=32, task_type="CAUSAL_LM", target_modules="all-linear"))


def log_probability(model, ids):
    """Of each sequence, summed over its tokens but the first."""
    logits = model(input_ids=ids).logits[:, :-1]
    return -F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(len(ids), -1).sum(1)


def dpo_loss(model, ids):
    with torch.no_grad(), model.disable_adapter():
        reference = log_probability(model, ids)
    gain = log_probability(model, ids) - reference
    chosen, rejected = gain.chunk(2)
    return -F.logsigmoid(DPO_BETA * (chosen - rejected)).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--steps", type=int, default=5)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--full", action="store_true")
    kind.add_argument("--dpo", action="store_true")
    args = parser.parse_args()

    threads = int(os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = base(args.full)
    if not args.full:
        model = with_lora(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE)
    rows = args.sequences * (2 if args.dpo else 1)
    seconds = []
    for _ in range(args.steps + 1):
        ids = torch.randint(0, model.config.vocab_size, (rows, args.tokens))
        begin = time.perf_counter()
        loss = dpo_loss(model, ids) if args.dpo else model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - begin)
    rate = rows * args.tokens / statistics.median(seconds[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"torch {torch.__version__}, {threads} threads: {rows} x {args.tokens} tokens, {rate:.1f} tokens/s, "
          f"peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
