#!/usr/bin/env python3
"""Writes tests/golden/pad_positions.json: what transformers computes for texts in which the padding token stands, by
models whose positions do not count it (RoBERTa, XLM-R, MPNet): last states of the fixtures of make_tiny_models.py.

    python tests/reference/make_pad_positions.py

Needs torch and transformers. Run by hand when the fixtures change.
"""
import json
import pathlib

import numpy as np
import torch
import transformers as tf

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "models"
TEXTS = ["the <pad> quick fox", "<pad>", "<pad><pad> the lazy user", "compared <pad> by <pad><pad> similarity <pad>"]


def main():
    golden = {}
    for name in ("roberta", "xlm-roberta", "mpnet"):
        tokenizer = tf.PreTrainedTokenizerFast(tokenizer_file=str(OUT / name / "tokenizer.json"))
        model = tf.AutoModel.from_pretrained(OUT / name, dtype=torch.float32, add_pooling_layer=False).eval()
        rows = []
        for text in TEXTS:
            ids = tokenizer(text).input_ids
            assert 1 in ids
            with torch.no_grad():
                states = model(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)).last_hidden_state
            rows.append({"ids": ids, "states": [float(str(v)) for v in np.asarray(states, dtype=np.float32).reshape(-1)]})
        golden[name] = rows
    (OUT.parent / "pad_positions.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
