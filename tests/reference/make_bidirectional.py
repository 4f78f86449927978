#!/usr/bin/env python3
"""Writes tests/golden/bidirectional.json: what transformers makes of texts with the tiny decoders of make_tiny_decoders.py where config.json
says is_causal: false, as embedders made of decoders have it.

    python tests/reference/make_bidirectional.py

Needs torch and transformers 5.24. Run by hand. Of each model: texts, and of each text its last hidden states (tokens x width), flat."""
import json
import pathlib

import numpy as np
import torch
import transformers as tf
from tokenizers import Tokenizer

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
TEXTS = ["the quick fox", "naïve cafés cost 50 cents"]


def states(name):
    folder = GOLDEN / "models" / name
    config = tf.AutoConfig.from_pretrained(folder)
    config.is_causal = False
    model = tf.AutoModel.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    with torch.no_grad():
        found = [model(torch.tensor([tokenizer.encode(t).ids])).last_hidden_state[0] for t in TEXTS]
        model.config.is_causal = True
        causal = model(torch.tensor([tokenizer.encode(TEXTS[0]).ids])).last_hidden_state[0]
    assert (causal - found[0]).abs().max() > 0.01, name
    return [[float(str(v)) for v in np.asarray(x, np.float32).reshape(-1)] for x in found]


made = {"texts": TEXTS, "states": {name: states(name) for name in ("qwen3", "qwen2", "llama", "gemma")}}
(GOLDEN / "bidirectional.json").write_text(json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n")
