#!/usr/bin/env python3
"""Writes tests/golden/formats/deberta_spm/: a folder of DeBERTa-v2's whose vocabulary is a SentencePiece model, without a
tokenizer.json, and golden.json with the ids that SentencePiece gives texts and pairs, between [CLS] and [SEP].

    python tests/reference/make_deberta_spm.py

Needs sentencepiece. Run by hand; no test runs it."""
import json
import pathlib

import sentencepiece

from make_tiny_models import CORPUS, PAIRS, TEXTS

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "formats" / "deberta_spm"
MORE = ["  two  spaces \n and\ta line  ", "ﬁne ＦＵＬＬ ½ naïve café", "[MASK] the [SEP] fox", "日本語 テスト"]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 4), model_prefix=str(OUT / "spm"), vocab_size=90, model_type="unigram", minloglevel=2,
        hard_vocab_limit=False, pad_id=0, pad_piece="[PAD]", bos_id=1, bos_piece="[CLS]", eos_id=2, eos_piece="[SEP]", unk_id=3,
        unk_piece="[UNK]", normalization_rule_name="nmt_nfkc")
    (OUT / "spm.vocab").unlink()
    (OUT / "config.json").write_text('{"model_type": "deberta-v2", "architectures": ["DebertaV2Model"]}\n')
    (OUT / "tokenizer_config.json").write_text('{"do_lower_case": false, "vocab_type": "spm"}\n')
    model = sentencepiece.SentencePieceProcessor(model_file=str(OUT / "spm.model"))
    specials = {"[CLS]": 1, "[SEP]": 2, "[MASK]": model.get_piece_size()}

    def ids(text):
        for piece, number in specials.items():  # added tokens, which SentencePiece does not know in a text
            if piece in text:
                before, after = text.split(piece, 1)
                return ids(before) + [number] + ids(after)
        return model.encode(text)

    golden = [{"texts": [text], "ids": [1, *ids(text), 2], "types": None} for text in TEXTS + MORE]
    for a, b in PAIRS:
        first, second = [1, *ids(a), 2], [*ids(b), 2]
        golden.append({"texts": [a, b], "ids": first + second, "types": [0] * len(first) + [1] * len(second)})
    (OUT / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
    print(sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
