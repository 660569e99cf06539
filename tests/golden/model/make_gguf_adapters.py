"""The PEFT adapters beside this script as GGUF files, laid out as llama.cpp's converter does.

usage: python make_gguf_adapters.py            (reads NAME/adapter, writes NAME/adapter.gguf)
made with: python 3.11, gguf 0.19.0 (the package of llama.cpp), numpy 2.4.6

The writer and the names of keys and tensors are the package's. What happens to the tensors follows
convert_lora_to_gguf.py: B of q and k is interleaved for llama and smollm3. That script knows one
alpha and no patterns; where a module's scale differs, B is multiplied here by what alpha / rank
leaves out, so that expected.json holds for these files too.
"""
import json
import math
import pathlib
import re

import gguf
import numpy as np

from make_gguf import ARCHITECTURES, HERE, interleave, read_safetensors

ARCHITECTURES = ARCHITECTURES | {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2,
                                 "qwen3": gguf.MODEL_ARCH.QWEN3}
INTERLEAVED = ("llama", "smollm3")


def pattern(values, module, fallback):
    for key, value in values.items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return fallback


def convert(folder):
    about = json.loads((folder / "adapter/adapter_config.json").read_text())
    base = json.loads((folder / "config.json").read_text())
    architecture = ARCHITECTURES[folder.name]
    layers = base.get("num_hidden_layers", base.get("n_layer"))
    names = gguf.get_tensor_name_map(architecture, layers)
    out = gguf.GGUFWriter(folder / "adapter.gguf", gguf.MODEL_ARCH_NAMES[architecture])
    out.add_type(gguf.GGUFType.ADAPTER)
    out.add_string(gguf.Keys.Adapter.TYPE, "lora")
    out.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(about["lora_alpha"]))
    out.add_name(folder.name)
    for name, values, raw in read_safetensors(folder / "adapter/adapter_model.safetensors"):
        assert raw is None
        values = values.astype(np.float32)
        module, matrix = re.fullmatch(r"base_model\.model\.(.*)\.lora_([AB])\.weight", name).groups()
        if matrix == "B":
            rank = values.shape[1]
            alpha = pattern(about["alpha_pattern"], module, about["lora_alpha"])
            scale = alpha / (math.sqrt(rank) if about["use_rslora"] else rank)
            values = values * np.float32(scale * rank / about["lora_alpha"])
            heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
            key = heads.get(module.rsplit(".", 1)[1])
            if folder.name in INTERLEAVED and key:
                values = interleave(values, base[key])
        stem = names.get_name(module)
        assert stem, module
        out.add_tensor(f"{stem}.weight.lora_{matrix.lower()}", np.ascontiguousarray(values))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    for config in sorted(HERE.glob("*/adapter/adapter_config.json")):
        convert(config.parent.parent)
