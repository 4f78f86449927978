#!/usr/bin/env python3
"""Writes tests/golden/tokenizers/characters.json: where tokens and spans lie, in characters, as the libraries say.

    make_character_offsets.py

Run by hand, with tokenizers, transformers and torch installed; no test runs it. `tokens`: by fixture, for each text, the
ids and offsets of tokenizers' own encode; `spans`: of transformers' pipeline over the bert fixture with a random head,
each token's start and end.
"""
import json
import pathlib
import tempfile

import torch
import transformers
from tokenizers import Tokenizer

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
TEXTS = ["the quick fox", "Straße 世界!", "a 😀 b 👩‍👩‍👧 c", "e\u0301galite\u0301 naïve", "日本語 fox 한국어 user", "Ｆｕｌｌ ﬁ ½",
         "\u200bzero\u00a0width\ufeff", "Ελληνικά кириллица עברית", "tab\tand\nline 𝔘𝔫𝔦", ""]
TOKENIZERS = {"bert": GOLDEN / "models/bert", "xlm-roberta": GOLDEN / "models/xlm-roberta", "llama": GOLDEN / "models/llama"}


def tokens(folder):
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    out = []
    for text in TEXTS:
        encoding = made.encode(text)
        out.append({"text": text, "ids": encoding.ids,
                    "offsets": [None if special else list(span)
                                for span, special in zip(encoding.offsets, encoding.special_tokens_mask)]})
    return out


def spans():
    """Each token's place; what it is called depends on the head."""
    folder = GOLDEN / "models/bert"
    with tempfile.TemporaryDirectory() as scratch:
        config = transformers.AutoConfig.from_pretrained(folder)
        config.id2label, config.label2id = {0: "O", 1: "B-PER"}, {"O": 0, "B-PER": 1}
        torch.manual_seed(1)
        transformers.AutoModelForTokenClassification.from_config(config).save_pretrained(scratch)
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        pipe = transformers.TokenClassificationPipeline(
            model=transformers.AutoModelForTokenClassification.from_pretrained(scratch), tokenizer=tokenizer, ignore_labels=[])
        return [{"text": text, "places": [[e["start"], e["end"]] for e in pipe(text)]} for text in TEXTS if text]


def main():
    made = {"tokens": {name: tokens(folder) for name, folder in TOKENIZERS.items()}, "spans": spans()}
    rows = json.dumps(made, ensure_ascii=False, separators=(",", ":")).replace('{"text"', '\n{"text"')
    (GOLDEN / "tokenizers/characters.json").write_text(rows + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
