#!/usr/bin/env python3
"""Blocks of every quantised type with what they decode to, and how well the peers quantise.

usage: make.py [LIBRARY]
Needs numpy and gguf (PyPI; the files here were made with gguf 0.19.0, numpy 2). Writes beside itself:
  TYPE.blocks   blocks of random bytes; the scales are ordinary, negative, subnormal and zero
  TYPE.f32      the same decoded by gguf.quants.dequantize
  values.f32    4096 floats such as weights have: blocks of different spread, some with outliers
  peers.json    for each type the mean squared error of a peer on values.f32, plain and weighted
                by (rms of the 256 + |x|): gguf.quants.quantize, or for the K types, which it lacks,
                quantize_row_*_ref of LIBRARY: src/ggml-quants.c of ggml-org/ggml at d99724f2, built by
                gcc -O2 -fPIC -shared -D_GNU_SOURCE -Isrc -Iinclude src/ggml-quants.c -lm, with empty
                ggml_abort, ggml_row_size, ggml_type_name and ggml_type_size, which these never call
Without LIBRARY peers.json is left as it is.
"""
import ctypes
import json
import pathlib
import sys

import gguf
import numpy as np
from gguf.quants import dequantize, quantize

HERE = pathlib.Path(__file__).parent
# Where a block has F16 fields: scale first, then minimum.
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
HALF_VALUES = [0.0123, -0.37, 3e-7, 0.0, 1.5, -6.1e-5, 0.002, 41.0]


def blocks(name, rng):
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    count = 16 if block == 32 else 6
    raw = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for i in range(count):
        for k, at in enumerate(HALVES[name]):
            value = np.float16(HALF_VALUES[(i + 3 * k) % len(HALF_VALUES)])
            raw[i, at:at + 2] = np.frombuffer(value.tobytes(), np.uint8)
    return raw


def values(rng):
    x = rng.standard_normal(4096).reshape(-1, 32)
    x *= np.exp(0.5 * rng.standard_normal((x.shape[0], 1))) * 0.02
    x[::5] += 0.01                        # blocks off centre
    x[::7, 3] *= 8                        # outliers
    x[40:48] = rng.laplace(0, 0.02, (8, 32))
    return x.astype(np.float32).reshape(16, 256)


def by_library(library, name, x):
    kind = gguf.GGMLQuantizationType[name]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = np.zeros((x.size // block, size), np.uint8)
    call = getattr(library, f"quantize_row_{name[:2].lower()}_K_ref")
    call(x.ctypes.data_as(ctypes.c_void_p), raw.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(x.size))
    return dequantize(raw.reshape(-1), kind).reshape(x.shape)


def main():
    rng = np.random.default_rng(20)
    for name in HALVES:
        raw = blocks(name, rng)
        decoded = dequantize(raw.reshape(-1), gguf.GGMLQuantizationType[name])
        (HERE / f"{name.lower()}.blocks").write_bytes(raw.tobytes())
        (HERE / f"{name.lower()}.f32").write_bytes(decoded.astype("<f4").tobytes())
    x = values(rng)
    (HERE / "values.f32").write_bytes(x.astype("<f4").tobytes())
    if len(sys.argv) < 2:
        return
    library = ctypes.CDLL(sys.argv[1])
    weight = np.sqrt((x.astype(np.float64) ** 2).mean(1, keepdims=True)) + np.abs(x)
    peers = {}
    for name in HALVES:
        kind = gguf.GGMLQuantizationType[name]
        y = by_library(library, name, x) if name.endswith("K") else dequantize(quantize(x, kind), kind)
        miss = (x.astype(np.float64) - y.reshape(x.shape)) ** 2
        peers[name] = {"plain": miss.mean(), "weighted": (weight * miss).mean()}
    (HERE / "peers.json").write_text(json.dumps(peers, indent=1) + "\n")


main()
