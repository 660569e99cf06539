"""Some of the checkpoints beside this script as GGUF files, laid out as llama.cpp's converter does.

usage: python make_gguf.py            (writes NAME/model.gguf)
made with: python 3.11, gguf 0.19.0 (the package of llama.cpp), numpy 2.4.6

The writer and the names of keys and tensors are the package's. What happens to the tensors follows
convert_hf_to_gguf.py: heads of llama and smollm3 are interleaved, GPT-2's linear layers are turned,
llama3's RoPE becomes rope_freqs.weight, Hunyuan's alpha goes into the base. Stored types stay, norms
and biases are F32.
"""
import json
import math
import pathlib
import struct

import gguf
import numpy as np

HERE = pathlib.Path(__file__).parent
ARCHITECTURES = {
    "llama3": gguf.MODEL_ARCH.LLAMA, "llama_linear": gguf.MODEL_ARCH.LLAMA,
    "mistral": gguf.MODEL_ARCH.LLAMA, "qwen2_yarn": gguf.MODEL_ARCH.QWEN2,
    "hunyuan": gguf.MODEL_ARCH.HUNYUAN_DENSE,
    "ernie": gguf.MODEL_ARCH.ERNIE4_5, "smollm3": gguf.MODEL_ARCH.SMOLLM3,
    "gpt2": gguf.MODEL_ARCH.GPT2}
TYPES = {"F32": (np.float32, None), "F16": (np.float16, None),
         "BF16": (np.uint16, gguf.GGMLQuantizationType.BF16)}


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    for name, about in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = about["data_offsets"]
        kind, raw = TYPES[about["dtype"]]
        values = np.frombuffer(data[8 + size + begin:8 + size + end], dtype=kind)
        yield name, values.reshape(about["shape"]), raw


def as_f32(values, raw):
    if raw is None:
        return values.astype(np.float32)
    return (values.astype(np.uint32) << 16).view(np.float32)


def interleave(values, heads):
    shape = values.shape
    return (values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2)
            .reshape(shape))


def divisors(rope, dim):
    out = []
    for i in range(dim // 2):
        wave = 2 * math.pi * rope["rope_theta"] ** (2 * i / dim)
        low = rope["original_max_position_embeddings"] / rope["low_freq_factor"]
        high = rope["original_max_position_embeddings"] / rope["high_freq_factor"]
        if wave < high:
            out.append(1)
        elif wave > low:
            out.append(rope["factor"])
        else:
            kept = ((rope["original_max_position_embeddings"] / wave - rope["low_freq_factor"])
                    / (rope["high_freq_factor"] - rope["low_freq_factor"]))
            out.append(1 / ((1 - kept) / rope["factor"] + kept))
    return np.array(out, dtype=np.float32)


def write_keys(writer, name, config):
    gpt2 = name == "gpt2"
    heads = config["n_head" if gpt2 else "num_attention_heads"]
    width = config["n_embd" if gpt2 else "hidden_size"]
    dim = config.get("head_dim") or width // heads
    writer.add_name(name)
    writer.add_block_count(config["n_layer" if gpt2 else "num_hidden_layers"])
    writer.add_context_length(config["n_positions" if gpt2 else "max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(config["n_inner" if gpt2 else "intermediate_size"])
    writer.add_head_count(heads)
    if gpt2:
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
        return heads, heads, dim
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(dim)
    writer.add_value_length(dim)
    if name != "ernie":
        writer.add_rope_dimension_count(dim)
    rope = config["rope_parameters"]
    theta = rope["rope_theta"]
    if "alpha" in rope:
        theta *= rope["alpha"] ** (dim / (dim - 2))
    writer.add_rope_freq_base(theta)
    if rope["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", divisors(rope, dim))
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        writer.add_context_length(4 * config["max_position_embeddings"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        writer.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
        writer.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])
    if config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
    return heads, config["num_key_value_heads"], dim


def write_tokenizer(writer, folder, rows):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokens = dict(tokenizer["model"]["vocab"])
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    tokens.update(special)
    texts = sorted(tokens, key=tokens.get)
    types = [3 if text in special else 1 for text in texts]
    for number in range(len(texts), rows):
        texts.append(f"[PAD{number}]")
        types.append(5)
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2" if folder.name == "gpt2" else "qwen2")
    writer.add_token_list(texts)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(special["<|im_end|>"])


def convert(name, architecture):
    folder = HERE / name
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(folder / "model.gguf", gguf.MODEL_ARCH_NAMES[architecture])
    heads, kv_heads, _ = write_keys(writer, name, config)
    write_tokenizer(writer, folder, config["vocab_size"])
    names = gguf.get_tensor_name_map(architecture, config.get("num_hidden_layers",
                                                              config.get("n_layer")))
    tensors = {}
    for shard in sorted(folder.glob("*.safetensors")):
        tensors.update({key: (values, raw) for key, values, raw in read_safetensors(shard)})
    for key, (values, raw) in tensors.items():
        if values.ndim == 1:
            values, raw = as_f32(values, raw), None
        if architecture in (gguf.MODEL_ARCH.LLAMA, gguf.MODEL_ARCH.SMOLLM3):
            if ".q_proj." in key:
                values = interleave(values, heads)
            if ".k_proj." in key:
                values = interleave(values, kv_heads)
        if name == "gpt2" and key.split(".")[-2] in ("c_attn", "c_proj", "c_fc"):
            values = values.T if values.ndim == 2 else values
        target = names.get_name(key, try_suffixes=(".weight", ".bias"))
        assert target is not None, key
        values = np.ascontiguousarray(values)
        if raw is not None:  # the writer wants bytes and knows the elements from the type
            writer.add_tensor(target, values.view(np.uint8), raw_dtype=raw)
        else:
            writer.add_tensor(target, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    for case, kind in ARCHITECTURES.items():
        convert(case, kind)
