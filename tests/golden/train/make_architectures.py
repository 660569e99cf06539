#!/usr/bin/env python3
"""What PyTorch computes when it trains each architecture, for the trainer to agree with.

usage: make_architectures.py [NAME...]      (all without a name)
made with: python 3.11, torch 2.15.0 (CPU), transformers 5.24.0, peft 0.21.2

The bases are the checkpoints of ../model. Writes beside itself, into architectures/
  batches.json     rows of the 20 steps (tokens, and where the loss begins) and the hyperparameters
  NAME/adapter/    a random PEFT adapter of rank 2 over the base, both factors random
  NAME.json        by run ("full", "lora", "dpo", and for one base "lora_plus"): losses and
                   gradient norms of every step; of the first step every tensor's gradient as its
                   norm and eight projections, of the last step every tensor's norm

PyTorch sees one row at a time (unpadded, accumulated), in float64 from the stored weights. Tensors
have Llama's names and shapes: GPT-2's are turned and split.
"""
import contextlib
import json
import pathlib
import re
import sys

import numpy as np
import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
OUT = HERE / "architectures"
MODELS = HERE.parent / "model"
NAMES = ["llama", "mistral", "qwen2", "qwen2_yarn", "qwen3", "hunyuan", "ernie", "smollm3", "gpt2"]
STEPS, ROWS, PROJECTIONS = 20, 6, 8
HYPER = dict(lr=2e-3, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1, clip=0.5, rank=2, alpha=4,
             dpo_beta=0.3, b_rate=4.0)
GPT2_MODULES = {"attn.c_proj": "self_attn.o_proj", "mlp.c_fc": "mlp.up_proj",
                "mlp.c_proj": "mlp.down_proj", "ln_1": "input_layernorm",
                "ln_2": "post_attention_layernorm"}


def make_batches():
    """Six rows a step: three pairs, each of one prompt and two continuations. Without token 0: it is
    the padding of some bases, whose embedding PyTorch gives no gradient."""
    rng = np.random.default_rng(17)

    def continued(row, n):
        row = list(row)
        for _ in range(n):
            step = int(rng.integers(63)) if rng.random() < 0.2 else row[-1] * 3 + 7
            row.append(step % 63 + 1)
        return row

    batches = []
    for _ in range(STEPS):
        rows = []
        for _ in range(ROWS // 2):
            prompt = continued([int(rng.integers(1, 64))], int(rng.integers(1, 8)))
            for _ in range(2):
                rows.append(dict(tokens=continued(prompt, int(rng.integers(2, 16))),
                                 prompt=len(prompt)))
        batches.append(rows)
    return batches


def log_probabilities(model, row):
    """Of the tokens behind the prompt."""
    ids = torch.tensor([row["tokens"]])
    logits = model(input_ids=ids[:, :-1]).logits[0]
    said = torch.log_softmax(logits, -1).gather(1, ids[0, 1:, None])[:, 0]
    return said[row["prompt"] - 1:]


def mean_loss(model, rows):
    """Yields the parts of the mean over all tokens with loss."""
    total = sum(len(row["tokens"]) - row["prompt"] for row in rows)
    for row in rows:
        yield -log_probabilities(model, row).sum() / total


def dpo_loss(model, rows):
    pairs = len(rows) // 2
    for chosen, rejected in zip(rows[::2], rows[1::2]):
        with torch.no_grad(), model.disable_adapter():
            reference = (log_probabilities(model, chosen).sum() -
                         log_probabilities(model, rejected).sum())
        policy = log_probabilities(model, chosen).sum() - log_probabilities(model, rejected).sum()
        margin = HYPER["dpo_beta"] * (policy - reference)
        yield -torch.nn.functional.logsigmoid(margin) / pairs


def split_rows(name, tensor):
    """Rows of q, k and v."""
    parts = tensor.chunk(3, 0)
    return [(name.format(part), value) for part, value in zip(("q", "k", "v"), parts)]


def ours(name, tensor):
    """[(our name, our tensor)]"""
    name = re.sub(r"^base_model\.model\.", "", name)
    name = name.replace(".default.weight", "")
    name = name.replace("query_layernorm", "q_norm").replace("key_layernorm", "k_norm")
    if not name.startswith("transformer."):
        return [(name, tensor)]
    name = name.removeprefix("transformer.")
    if name.startswith(("wte", "wpe", "ln_f")):
        for gpt2, llama in (("wte", "embed_tokens"), ("wpe", "embed_positions"), ("ln_f", "norm")):
            name = name.replace(gpt2, llama)
        return [("model." + name, tensor)]
    _, layer, rest = name.split(".", 2)
    stem = f"model.layers.{layer}."
    for gpt2, llama in GPT2_MODULES.items():
        if rest.startswith(gpt2 + "."):
            end = rest.removeprefix(gpt2)
            turned = end == ".weight" and tensor.ndim == 2
            return [(stem + llama + end, tensor.T if turned else tensor)]
    end = rest.removeprefix("attn.c_attn")
    if end == ".lora_A":
        return [(stem + "self_attn.q_proj.lora_A", tensor)]
    return split_rows(stem + "self_attn.{}_proj" + end, tensor.T if end == ".weight" else tensor)


def flat(named):
    return [(n, t.detach().contiguous().numpy().ravel())
            for name, p in named for n, t in ours(name, p.grad)]


def fingerprint(values):
    i = np.arange(len(values), dtype=np.float64)
    return [float(values @ np.cos(0.7 * (k + 1) * i + k)) for k in range(PROJECTIONS)]


def is_decayed(name, parameter):
    return "lora_" in name or (parameter.ndim == 2 and
                               not re.search("embed|lm_head|wte|wpe", name))


@contextlib.contextmanager
def float64_everywhere():
    """transformers computes norms and rotations in float32 whatever the model is in: not here."""
    kept = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    yield
    torch.float32, torch.Tensor.float = kept


@float64_everywhere()
def train(model, named, batches, loss, b_rate=1.0):
    groups = []
    for name, parameter in named:
        rate = b_rate if "lora_B" in name else 1.0
        decay = HYPER["weight_decay"] if is_decayed(name, parameter) else 0.0
        groups.append(dict(params=[parameter], lr=HYPER["lr"] * rate, weight_decay=decay))
    optimizer = torch.optim.AdamW(groups, betas=(HYPER["beta1"], HYPER["beta2"]), eps=HYPER["eps"])
    run = dict(losses=[], gradient_norms=[])
    for step, rows in enumerate(batches):
        optimizer.zero_grad()
        total = 0.0
        for part in loss(model, rows):
            part.backward()
            total += part.item()
        if step == 0:
            run["first"] = [dict(name=n, norm=float(np.linalg.norm(g)), projections=fingerprint(g))
                            for n, g in flat(named)]
        if step == STEPS - 1:
            run["last"] = [dict(name=n, norm=float(np.linalg.norm(g))) for n, g in flat(named)]
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in named], HYPER["clip"])
        optimizer.step()
        run["losses"].append(total)
        run["gradient_norms"].append(float(norm))
    return run


def load(name):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        MODELS / name, dtype=torch.float64, attn_implementation="eager")
    return model.eval()


def make_adapter(name, rslora):
    base = load(name)
    targets = (["c_attn", "c_proj", "c_fc"] if name == "gpt2" else
               ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    model = peft.get_peft_model(base, peft.LoraConfig(
        r=HYPER["rank"], lora_alpha=HYPER["alpha"], target_modules=targets, task_type="CAUSAL_LM",
        fan_in_fan_out=name == "gpt2", use_rslora=rslora))
    generator = torch.Generator().manual_seed(3)
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    with torch.no_grad():
        for _, p in named:
            p.copy_((0.2 * torch.randn(p.shape, generator=generator)).double())
    return model.eval(), named


def save_adapter(name, model, kind="adapter"):
    model.peft_config["default"].base_model_name_or_path = name
    folder = OUT / name / kind
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_model.safetensors"
    save_file({k: v.float().contiguous() for k, v in load_file(path).items()}, path, metadata={"format": "pt"})


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    batches = make_batches()
    (OUT / "batches.json").write_text(json.dumps(dict(hyper=HYPER, batches=batches)) + "\n")
    for name in sys.argv[1:] or NAMES:
        runs = {}
        base = load(name)
        runs["full"] = train(base, list(base.named_parameters()), batches, mean_loss)
        model, named = make_adapter(name, False)
        save_adapter(name, model)
        runs["lora"] = train(model, named, batches, mean_loss)
        model, named = make_adapter(name, False)
        runs["dpo"] = train(model, named, batches, dpo_loss)
        if name == "qwen3":
            model, named = make_adapter(name, True)
            runs["lora_plus"] = train(model, named, batches, mean_loss, HYPER["b_rate"])
        text = json.dumps(runs)
        text = re.sub(r"-?\d+\.\d{6,}(?:e-?\d+)?", lambda m: f"{float(m[0]):.9g}", text)
        (OUT / f"{name}.json").write_text(text + "\n")
        print(name, runs["full"]["losses"][::19], runs["lora"]["losses"][::19],
              runs["dpo"]["losses"][::19], runs["full"]["gradient_norms"][:3],
              runs["lora"]["gradient_norms"][:3], runs["dpo"]["gradient_norms"][:3])


if __name__ == "__main__":
    main()
