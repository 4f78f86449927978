#!/usr/bin/env python3
"""Writes a decoder's GGUF file back as the Hugging Face folder that it could have been made from.

    gguf_to_hf.py MODEL.gguf OUT_FOLDER [--dtype F16|F32]

For Llama's architecture (SmolLM2) with a byte-level vocabulary, and Gemma 3. Weights are what the file's types round to, in
F16 by default: the values of small blocks times a half-precision scale have more digits than F16, so F32 is the exact one.
transformers and `quern convert` read the folder. Needs gguf, numpy, safetensors, tokenizers, transformers."""
import argparse
import json
import os

import numpy as np
from gguf import GGUFReader, dequantize
from safetensors.numpy import save_file

from real_vocabularies import BYTE_LEVEL, BYTES_ONLY, DIGITS, LLAMA3, NFC, QWEN2, Source, byte_bpe, pre, split, spm_bpe

PRE = {
    "smollm": lambda s: byte_bpe(s, pre(DIGITS, BYTE_LEVEL)),
    "llama-bpe": lambda s: byte_bpe(s, pre(split(LLAMA3), BYTES_ONLY), ignore_merges=True, before=[s.named("bos")]),
    "qwen2": lambda s: byte_bpe(s, pre(split(QWEN2), BYTES_ONLY), NFC),
}
# Of layers: the last part of GGUF's name, and Hugging Face's.
LLAMA = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
GEMMA3 = dict(LLAMA, ffn_norm="pre_feedforward_layernorm", post_attention_norm="post_attention_layernorm",
              post_ffw_norm="post_feedforward_layernorm", attn_q_norm="self_attn.q_norm", attn_k_norm="self_attn.k_norm")
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


class File:
    def __init__(self, path):
        self.reader = GGUFReader(path)
        self.architecture = self.key("general.architecture")

    def key(self, name, absent=None):
        field = self.reader.fields.get(name)
        return absent if field is None else field.contents()

    def own(self, name, absent=None):
        return self.key(f"{self.architecture}.{name}", absent)


def common_config(file):
    heads, width = file.own("attention.head_count"), file.own("embedding_length")
    names = [t.name for t in file.reader.tensors]
    return {"hidden_size": width, "num_hidden_layers": file.own("block_count"),
            "intermediate_size": file.own("feed_forward_length"), "num_attention_heads": heads,
            "num_key_value_heads": file.own("attention.head_count_kv", heads),
            "head_dim": file.own("attention.key_length", width // heads),
            "max_position_embeddings": file.own("context_length"),
            "rms_norm_eps": float(f"{file.own('attention.layer_norm_rms_epsilon'):.6g}"),
            "rope_theta": file.own("rope.freq_base", 10000.0),
            "vocab_size": len(file.key("tokenizer.ggml.tokens")), "tie_word_embeddings": "output.weight" not in names,
            "attention_bias": False, "bos_token_id": file.key("tokenizer.ggml.bos_token_id"),
            "eos_token_id": file.key("tokenizer.ggml.eos_token_id"),
            "pad_token_id": file.key("tokenizer.ggml.padding_token_id"), "torch_dtype": "float32"}


def llama_config(file):
    return dict(common_config(file), model_type="llama", architectures=["LlamaForCausalLM"], hidden_act="silu",
                mlp_bias=False)


def gemma3_config(file):
    c = common_config(file)
    kinds = ["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(c["num_hidden_layers"])]
    return dict(c, model_type="gemma3_text", architectures=["Gemma3ForCausalLM"],
                hidden_activation="gelu_pytorch_tanh", sliding_window=file.own("attention.sliding_window"),
                layer_types=kinds, rope_local_base_freq=10000.0, query_pre_attn_scalar=c["head_dim"],
                attn_logit_softcapping=None, final_logit_softcapping=None)


def halves(rows, heads):
    """The rows of each head back from interleaved pairs to two halves."""
    return rows.reshape(heads, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def weights(file, config, dtype):
    names = GEMMA3 if file.architecture == "gemma3" else LLAMA
    tensors = {}
    for t in file.reader.tensors:
        if not t.name.endswith(".weight"):
            raise SystemExit(f"{t.name}: only weights are known")
        values = dequantize(t.data, t.tensor_type).reshape([int(n) for n in reversed(t.shape)])
        name = t.name[:-len(".weight")]
        if name.startswith("blk."):
            _, layer, name = name.split(".")
            if file.architecture == "llama" and name in ("attn_q", "attn_k"):
                values = halves(values, config["num_attention_heads" if name == "attn_q" else "num_key_value_heads"])
            hf = f"model.layers.{layer}.{names[name]}"
        else:
            hf = OUTSIDE[name]
        if file.architecture == "gemma3" and name.endswith("norm"):
            values = values - 1
        tensors[hf + ".weight"] = np.ascontiguousarray(values.astype(dtype))
    return tensors


def tokenizer_files(file, path):
    source = Source(path)
    if source.get("model") == "llama":
        tokenizer = spm_bpe(source, source.get("add_space_prefix", True))
    else:
        tokenizer = PRE[source.get("pre")](source)
    specials = {f"{hf}_token": source.named(key) for key, hf in
                [("bos", "bos"), ("eos", "eos"), ("unknown", "unk"), ("padding", "pad")]
                if source.get(key + "_token_id") is not None}
    config = dict(specials, tokenizer_class="PreTrainedTokenizerFast", clean_up_tokenization_spaces=False,
                  model_max_length=file.own("context_length"),
                  added_tokens_decoder={str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in source.added()})
    if file.key("tokenizer.chat_template"):
        config["chat_template"] = file.key("tokenizer.chat_template")
    return {"tokenizer.json": tokenizer, "tokenizer_config.json": config, "special_tokens_map.json": specials}


CONFIGS = {"llama": llama_config, "gemma3": gemma3_config}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model"), p.add_argument("out")
    p.add_argument("--dtype", choices=["F16", "F32"], default="F16")
    a = p.parse_args()
    file = File(a.model)
    if file.architecture not in CONFIGS:
        raise SystemExit(f"{a.model}: architecture {file.architecture}, known are {', '.join(CONFIGS)}")
    config = CONFIGS[file.architecture](file)
    os.makedirs(a.out, exist_ok=True)
    files = tokenizer_files(file, a.model)
    files["config.json"] = config
    files["generation_config.json"] = {"_from_model_config": True, **{k: config[k] for k in
                                       ("bos_token_id", "eos_token_id", "pad_token_id")}}
    for name, value in files.items():
        with open(os.path.join(a.out, name), "w") as out:
            json.dump(value, out, ensure_ascii=False, indent=None if name == "tokenizer.json" else 2)
    save_file(weights(file, config, np.float16 if a.dtype == "F16" else np.float32),
              os.path.join(a.out, "model.safetensors"), metadata={"format": "pt"})


if __name__ == "__main__":
    main()
