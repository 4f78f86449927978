#!/usr/bin/env python3
"""tests/golden/formats/quants.txt: GGUF's block types as the gguf package dequantizes and quantizes them.

    make_quant_goldens.py > tests/golden/formats/quants.txt

Lines "TYPE block values": a random block and what it holds, as little-endian f32; lines "QUANT TYPE values bytes": 64
values and what they become. All in hexadecimal. Needs the gguf and numpy packages."""
import numpy as np
from gguf import GGMLQuantizationType as Type, quants, GGML_QUANT_SIZES

random = np.random.default_rng(7)
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0], "MXFP4": [], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
print("# one block a line: type, block bytes (hex), dequantized f32 as little-endian hex; QUANT lines: values, bytes")
for name, halves in HALVES.items():
    for _ in range(2):
        block = random.integers(0, 256, GGML_QUANT_SIZES[Type[name]][1], dtype=np.uint8)
        for at in halves:
            block[at:at + 2] = np.frombuffer(np.float16(random.normal() * 0.1).tobytes(), np.uint8)
        if name == "MXFP4":
            block[0] = random.integers(118, 132)
        values = quants.dequantize(block.reshape(1, -1), Type[name]).astype("<f4")
        print(name, block.tobytes().hex(), values.tobytes().hex())
for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "BF16"]:
    values = random.normal(size=64).astype("<f4")
    print("QUANT", name, values.tobytes().hex(), quants.quantize(values.reshape(1, -1), Type[name]).tobytes().hex())
