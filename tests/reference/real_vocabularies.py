#!/usr/bin/env python3
"""Writes tokenizer.json files, in the form that the models' own have, from the vocabularies of GGUF files.

  python real_vocabularies.py GGUF_FOLDER... OUT_FOLDER

GGUF_FOLDERs: where files such as llama.cpp's models/ggml-vocab-*.gguf lie; those that are known by name are taken. The
files are for compare_tokenizer.py and speed_tokenizer.py; they are other people's vocabularies and are never committed.
"""
import base64
import glob
import json
import os
import sys

from gguf import GGUFReader
from tokenizers import Tokenizer
from transformers.tokenization_utils_base import generate_merges

MARK = "\u2581"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BYTES_ONLY = dict(BYTE_LEVEL, use_regex=False)
DIGITS = {"type": "Digits", "individual_digits": True}


def split(regex):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


def sequence(kind, *steps):
    return {"type": "Sequence", kind: list(steps)}


def template(before, after, vocab):
    def piece(name):
        return {"SpecialToken": {"id": name, "type_id": 0}}
    one = [{"Sequence": {"id": "A", "type_id": 0}}]
    two = [{"Sequence": {"id": "B", "type_id": 0}}]
    around = [piece(t) for t in before], [piece(t) for t in after]
    names = {t: {"id": t, "ids": [vocab[t]], "tokens": [t]} for t in before + after}
    return {"type": "TemplateProcessing", "single": around[0] + one + around[1],
            "pair": around[0] + one + around[1] + around[0] + two + around[1], "special_tokens": names}


class Source:
    def __init__(self, path):
        fields = GGUFReader(path).fields

        def get(key, absent=None):
            field = fields.get("tokenizer.ggml." + key)
            return absent if field is None else field.contents()
        self.get = get
        self.tokens = get("tokens")
        self.types = get("token_type", [1] * len(self.tokens))
        self.scores = get("scores")
        self.ids = {t: i for i, t in enumerate(self.tokens)}

    def named(self, key):
        return self.tokens[self.get(key + "_token_id")]

    def added(self, kinds=(2, 3, 4)):
        return [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                 "special": k != 4} for i, (t, k) in enumerate(zip(self.tokens, self.types)) if k in kinds]


def document(source, model, **stages):
    base = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": source.added(), "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": None}
    return dict(base, **stages, model=model)


def byte_bpe(source, pre_tokenizer, normalizer=None, ignore_merges=False, before=()):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": ignore_merges,
             "vocab": source.ids, "merges": [m.split(" ") for m in source.get("merges")]}
    post = template(list(before), [], source.ids) if before else dict(BYTE_LEVEL, trim_offsets=False)
    return document(source, model, normalizer=normalizer, pre_tokenizer=pre_tokenizer, post_processor=post,
                    decoder=BYTE_LEVEL)


def spm_bpe(source, prefix):
    merges = generate_merges(source.ids, {t: s for t, s in zip(source.tokens, source.scores)})
    model = {"type": "BPE", "dropout": None, "unk_token": source.named("unknown"), "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
             "vocab": source.ids, "merges": merges}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    back = [{"type": "Replace", "pattern": {"String": MARK}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}]
    if prefix:
        normalizer = sequence("normalizers", {"type": "Prepend", "prepend": MARK}, replace)
        back.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
        pre_tokenizer = None
    else:
        normalizer = replace
        pre_tokenizer = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                         "invert": False}
    return document(source, model, normalizer=normalizer, pre_tokenizer=pre_tokenizer,
                    post_processor=template([source.named("bos")], [], source.ids),
                    decoder={"type": "Sequence", "decoders": back})


def unigram(source):
    charsmap = bytes(source.get("precompiled_charsmap"))
    model = {"type": "Unigram", "unk_id": source.get("unknown_token_id"), "byte_fallback": False,
             "vocab": [[t, float(s)] for t, s in zip(source.tokens, source.scores)]}
    metaspace = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True}
    normalizer = sequence(
        "normalizers", {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
        {"type": "Strip", "strip_left": False, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": MARK})
    return document(source, model, normalizer=normalizer, pre_tokenizer=metaspace, decoder=metaspace,
                    post_processor=template([source.named("bos")], [source.named("eos")], source.ids))


def wordpiece(source):
    vocab = {}
    for i, (token, kind) in enumerate(zip(source.tokens, source.types)):
        if kind == 3 or (token.startswith("[") and token.endswith("]")):
            vocab[token] = i
        else:
            vocab[token[1:] if token.startswith(MARK) else "##" + token] = i
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab": vocab}
    out = document(source, model, normalizer={"type": "BertNormalizer", "clean_text": True, "lowercase": True,
                                              "handle_chinese_chars": True, "strip_accents": None},
                   pre_tokenizer={"type": "BertPreTokenizer"}, post_processor=template(["[CLS]"], ["[SEP]"], vocab),
                   decoder={"type": "WordPiece", "prefix": "##", "cleanup": True})
    out["added_tokens"] = [dict(source.added((1, 2, 3))[vocab[t]], special=True)
                           for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    return out


def pre(*steps):
    return sequence("pretokenizers", *steps)


NFC = {"type": "NFC"}
MAKERS = {
    "ggml-vocab-bert-bge": wordpiece,
    "ggml-vocab-gpt-2": lambda s: byte_bpe(s, BYTE_LEVEL),
    "ggml-vocab-starcoder": lambda s: byte_bpe(s, pre(DIGITS, BYTE_LEVEL)),
    "ggml-vocab-llama-bpe": lambda s: byte_bpe(s, pre(split(LLAMA3), BYTES_ONLY), ignore_merges=True,
                                               before=[s.named("bos")]),
    "ggml-vocab-qwen2": lambda s: byte_bpe(s, pre(split(QWEN2), BYTES_ONLY), NFC),
    "smollm2-135m-instruct-q4_1": lambda s: byte_bpe(s, pre(DIGITS, BYTE_LEVEL)),
    "ggml-vocab-llama-spm": lambda s: spm_bpe(s, True),
    "ggml-vocab-phi-3": lambda s: spm_bpe(s, True),
    "gemma3-270m-q4_k_m": lambda s: spm_bpe(s, False),
    "ggml-vocab-nomic-bert-moe": unigram,
}


def main():
    *folders, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    for path in sorted(p for folder in folders for p in glob.glob(os.path.join(folder, "*.gguf"))):
        name = os.path.basename(path)[:-5]
        if name not in MAKERS:
            continue
        text = json.dumps(MAKERS[name](Source(path)), ensure_ascii=False)
        Tokenizer.from_str(text)  # the library takes it
        with open(os.path.join(out, name + ".json"), "w") as file:
            file.write(text)
        print(f"{name}.json: {len(text)} bytes")


if __name__ == "__main__":
    main()
