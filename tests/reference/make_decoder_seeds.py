#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/decoder/: decoders of some 10 k weights as llama.cpp's files have them, written by gguf-py, which
between them hold every type of block. The weights are no text model's: random codes with small scales.

    python tests/reference/make_decoder_seeds.py

Needs gguf and numpy. Run by hand when a seed must change (the results are committed); no test runs it.
"""
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Q

OUT = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus" / "decoder"
D, F, HEADS, KV, HEAD, VOCAB, CONTEXT = 256, 32, 2, 1, 16, 48, 128
# Where a block's f16 scales are.
SCALES = {Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q8_0: [0], Q.Q2_K: [80, 82], Q.Q3_K: [108],
          Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208], Q.IQ4_NL: [0]}


class Seed:
    def __init__(self, name, architecture):
        OUT.mkdir(parents=True, exist_ok=True)
        self.random = np.random.default_rng(5)
        self.name, self.file = name, gguf.GGUFWriter(str(OUT / name), architecture)
        f = self.file
        f.add_context_length(CONTEXT)
        f.add_embedding_length(D)
        f.add_block_count(1)
        f.add_feed_forward_length(F)
        f.add_head_count(HEADS)
        f.add_head_count_kv(KV)
        f.add_key_length(HEAD)
        f.add_layer_norm_rms_eps(1e-6)
        f.add_rope_freq_base(10000.0)

    def vocabulary(self):
        pieces = ["<unk>", "<s>", "</s>"] + ["▁"] + [chr(c) for c in range(ord("a"), ord("z") + 1)]
        pieces += ["▁" + c for c in "abcdefghijklmnopqr"]
        assert len(pieces) == VOCAB
        f = self.file
        f.add_tokenizer_model("llama")
        f.add_token_list(pieces)
        f.add_token_scores([0.0 if i < 30 else -float(i) for i in range(VOCAB)])
        f.add_token_types([2, 3, 3] + [1] * (VOCAB - 3))
        f.add_bos_token_id(1)
        f.add_eos_token_id(2)
        f.add_unk_token_id(0)
        return self

    def add(self, name, kind, rows, cols):
        per, size = gguf.GGML_QUANT_SIZES[kind]
        if kind in (Q.F32, Q.F16):
            values = self.random.normal(0, 0.05, (rows, cols)).astype(np.float32 if kind == Q.F32 else np.float16)
            return self.file.add_tensor(name, values)
        data = self.random.integers(0, 256, (rows, cols // per, size), dtype=np.uint8)
        for at in SCALES.get(kind, []):
            data[:, :, at:at + 2] = np.frombuffer(np.float16(0.0005).tobytes(), dtype=np.uint8)
        if kind == Q.MXFP4:
            data[:, :, 0] = 120
        if kind == Q.BF16:
            small = self.random.normal(0, 0.05, (rows, cols)).astype(np.float32).view(np.uint32) >> 16
            data = small.astype(np.uint16).view(np.uint8)
        self.file.add_tensor(name, data.reshape(rows, -1), raw_dtype=kind)
        return None

    def norm(self, name, n=D):
        self.file.add_tensor(name, np.ones(n, dtype=np.float32))

    def layer(self, q, k, v, out, gate, up, down, norms=()):
        b = "blk.0."
        self.norm(b + "attn_norm.weight")
        self.add(b + "attn_q.weight", q, HEADS * HEAD, D)
        self.add(b + "attn_k.weight", k, KV * HEAD, D)
        self.add(b + "attn_v.weight", v, KV * HEAD, D)
        self.add(b + "attn_output.weight", out, D, HEADS * HEAD)
        self.norm(b + "ffn_norm.weight")
        self.add(b + "ffn_gate.weight", gate, F, D)
        self.add(b + "ffn_up.weight", up, F, D)
        self.add(b + "ffn_down.weight", down, D, F)
        for name, n in norms:
            self.norm(b + name + ".weight", n)

    def write(self):
        f = self.file
        f.write_header_to_file()
        f.write_kv_data_to_file()
        f.write_tensors_to_file()
        f.close()
        print(self.name, (OUT / self.name).stat().st_size, "bytes")


def main():
    llama = Seed("llama", "llama").vocabulary()
    llama.file.add_rope_dimension_count(HEAD)
    llama.file.add_sliding_window(20)
    llama.add("token_embd.weight", Q.Q6_K, VOCAB, D)
    llama.file.add_tensor("rope_freqs.weight", np.linspace(1, 4, HEAD // 2).astype(np.float32))
    llama.layer(Q.Q2_K, Q.Q3_K, Q.Q4_K, Q.Q4_0, Q.Q5_K, Q.IQ4_NL, Q.Q4_1)
    llama.norm("output_norm.weight")
    llama.add("output.weight", Q.MXFP4, VOCAB, D)
    llama.write()

    gemma = Seed("gemma3", "gemma3").vocabulary()
    gemma.file.add_sliding_window(24)
    gemma.file.add_final_logit_softcapping(30.0)
    gemma.add("token_embd.weight", Q.Q8_0, VOCAB, D)
    gemma.layer(Q.Q5_0, Q.Q5_1, Q.BF16, Q.F16, Q.Q8_0, Q.F32, Q.Q5_0,
                [("attn_q_norm", HEAD), ("attn_k_norm", HEAD), ("post_attention_norm", D), ("post_ffw_norm", D)])
    gemma.norm("output_norm.weight")
    gemma.write()


if __name__ == "__main__":
    main()
