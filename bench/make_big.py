#!/usr/bin/env python3
"""Writes a q4 model file of a large decoder's shape with random weights: how long loading takes and what memory is used.

    make_big.py OUT.q4 [--quern ./quern] [--layers 32] [--width 4096] [--feed 14336] [--heads 32] [--kv 8] [--vocab 128256]

The defaults are Llama 3.1 8B's: 5.3 GB. quern converts a small folder with the same vocabulary; that file's keys with other
sizes, and random codes for every linear, make the large one. What such a model says means nothing. Needs numpy and
safetensors."""
import argparse
import itertools
import json
import os
import struct
import subprocess
import tempfile

import numpy as np
from safetensors.numpy import save_file

F32, F16, Q8_0, I8, I32 = 0, 1, 8, 24, 26  # GGUF's types
SMALL, SMALL_FEED = 64, 128


def byte_letters():
    plain = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    other = itertools.count(256)
    return [chr(b) if b in plain else chr(next(other)) for b in range(256)]


def tokenizer(n):
    """Byte-level BPE with Llama 3's split; every pair of bytes is a merge, and then pairs of those."""
    letters, specials = byte_letters(), 256
    pieces, merges = list(letters), []
    pairs = itertools.chain(itertools.product(letters, letters),
                            itertools.product((a + b for a in letters for b in letters), letters))
    for a, b in itertools.islice(pairs, n - specials - len(letters)):
        pieces.append(a + b)
        merges.append([a, b])
    begin = len(pieces)
    added = [{"id": begin + i, "content": f"<|special_{i}|>", "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i in range(specials)]
    regex = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
             r"|\s+(?!\S)|\s+")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    return {"version": "1.0", "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]}, "post_processor": byte_level,
            "decoder": byte_level,
            "model": {"type": "BPE", "ignore_merges": True, "vocab": {p: i for i, p in enumerate(pieces)}, "merges": merges}}


def small_folder(path, a):
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": SMALL, "num_hidden_layers": 1,
              "intermediate_size": SMALL_FEED, "num_attention_heads": 2, "num_key_value_heads": 1, "rope_theta": 500000.0,
              "max_position_embeddings": 131072, "vocab_size": a.vocab, "rms_norm_eps": 1e-5, "hidden_act": "silu",
              "eos_token_id": a.vocab - 1, "tie_word_embeddings": True}
    shapes = {"embed_tokens": (a.vocab, SMALL), "norm": (SMALL,)}
    layer = {"self_attn.q_proj": (64, 64), "self_attn.k_proj": (32, 64), "self_attn.v_proj": (32, 64),
             "self_attn.o_proj": (64, 64), "mlp.gate_proj": (128, 64), "mlp.up_proj": (128, 64), "mlp.down_proj": (64, 128),
             "input_layernorm": (64,), "post_attention_layernorm": (64,)}
    shapes.update({"layers.0." + k: v for k, v in layer.items()})
    random = np.random.default_rng(2)
    save_file({f"model.{k}.weight": (random.standard_normal(v) * 0.05).astype(np.float16) for k, v in shapes.items()},
              os.path.join(path, "model.safetensors"))
    for name, value in (("config.json", config), ("tokenizer.json", tokenizer(a.vocab))):
        with open(os.path.join(path, name), "w") as f:
            json.dump(value, f)


SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of GGUF's types of values


def end_of_value(data, at, kind):
    if kind == 8:
        return at + 8 + struct.unpack_from("<Q", data, at)[0]
    if kind != 9:
        return at + SIZES[kind]
    element, n = struct.unpack_from("<IQ", data, at)
    if element != 8:
        return at + 12 + n * SIZES[element]
    at += 12
    for _ in range(n):
        at = end_of_value(data, at, 8)
    return at


def keys(path, a):
    """The file's keys as bytes, with other sizes and without its self-test."""
    d = a.width // a.heads
    sizes = {"embedding_length": a.width, "block_count": a.layers, "feed_forward_length": a.feed,
             "attention.head_count": a.heads, "attention.head_count_kv": a.kv, "attention.key_length": d,
             "attention.value_length": d, "rope.dimension_count": d}
    with open(path, "rb") as f:
        data = f.read()
    at, all_keys = 24, []
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        begin, name_end = at, end_of_value(data, at, 8)
        name = data[begin + 8:name_end].decode()
        kind = struct.unpack_from("<I", data, name_end)[0]
        at = end_of_value(data, name_end + 4, kind)
        value = data[name_end + 4:at]
        if name.removeprefix("llama.") in sizes:
            value = struct.pack("<I", sizes[name.removeprefix("llama.")])
        if name != "quern.self_test":
            all_keys.append(data[begin:name_end + 4] + value)
    return all_keys


def bytes_of(kind, shape):
    n = int(np.prod(shape))
    return n // 32 * 34 if kind == Q8_0 else n * {I8: 1, F16: 2}.get(kind, 4)


def linear(name, n, k, kind, random):
    """Names, types, shapes (numpy's order) and makers of a linear's arrays: see ggml-like/quants/q4 and q8."""
    panels, groups = -(-n // 16), k // 32
    small = np.full(n if kind == "q8" else (panels, groups, 16), 0.02 / (74 if kind == "q8" else 4.6))

    def codes():
        return random.integers(-128, 128, (panels, k // (8 if kind == "q4" else 4), 64), dtype=np.int8)

    arrays = [(f"{name}.{kind}", I8, (panels, k // (8 if kind == "q4" else 4), 64), codes)]
    if kind == "q4":
        # The sums are those of codes whose mean is the zero point: near enough for weights that mean nothing.
        arrays += [(f"{name}.q4.scale", F16, small.shape, lambda: small.astype(np.float16)),
                   (f"{name}.q4.zero", I8, small.shape, lambda: np.full(small.shape, 8, np.int8)),
                   (f"{name}.q4.sum", F32, (panels * 16,), lambda: np.zeros(panels * 16, np.float32)),
                   (f"{name}.smooth", F32, (k,), lambda: np.ones(k, np.float32))]
    else:
        arrays += [(f"{name}.q8.scale", F32, (panels * 16,), lambda: np.full(panels * 16, small[0], np.float32)),
                   (f"{name}.q8.sum", I32, (panels * 16,), lambda: np.zeros(panels * 16, np.int32))]
    return arrays


def table(a, random):
    def rows():
        blocks = random.integers(0, 256, (a.vocab * a.width // 32, 34), dtype=np.uint8)
        blocks[:, :2] = np.frombuffer(np.float16(0.0003).tobytes(), np.uint8)
        return blocks
    return [("token_embd.weight", Q8_0, (a.vocab, a.width), rows)]


def tensors(a):
    random, d = np.random.default_rng(3), a.width // a.heads

    def norm(name):
        return [(name + ".weight", F32, (a.width,), lambda: np.ones(a.width, np.float32))]
    all_tensors = table(a, random)
    for i in range(a.layers):
        b = f"blk.{i}."
        all_tensors += norm(b + "attn_norm")
        all_tensors += linear(b + "attn_qkv", (a.heads + 2 * a.kv) * d, a.width, "q4", random)
        all_tensors += linear(b + "attn_output", a.width, a.width, "q4", random)
        all_tensors += norm(b + "ffn_norm")
        all_tensors += linear(b + "ffn_gate_up", 2 * a.feed, a.width, "q4", random)
        all_tensors += linear(b + "ffn_down", a.width, a.feed, "q4", random)
    return all_tensors + norm("output_norm") + linear("output", a.vocab, a.width, "q8", random)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--quern", default="./quern")
    for name, size in (("layers", 32), ("width", 4096), ("feed", 14336), ("heads", 32), ("kv", 8), ("vocab", 128256)):
        p.add_argument("--" + name, type=int, default=size)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small_folder(folder, a)
        small = os.path.join(folder, "small.q4")
        subprocess.run([a.quern, "convert", folder, "-o", small, "--type", "q4", "--quiet"], check=True)
        all_keys = keys(small, a)
    all_tensors = tensors(a)
    with open(a.out, "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(all_tensors), len(all_keys)) + b"".join(all_keys))
        offset = 0
        for name, kind, shape, _ in all_tensors:
            out.write(struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(shape)))
            out.write(struct.pack(f"<{len(shape)}QIQ", *reversed(shape), kind, offset))
            offset += -(-bytes_of(kind, shape) // 64) * 64
        for _, kind, shape, make in all_tensors:
            out.write(bytes(-out.tell() % 64))
            data = make().tobytes()
            assert len(data) == bytes_of(kind, shape)
            out.write(data)


if __name__ == "__main__":
    main()
