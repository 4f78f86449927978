#!/usr/bin/env python3
"""Trains the small BPE and Unigram tokenizers of tests/golden/tokenizers and freezes the reference's answers.

  python make_tiny_tokenizers.py OUT_FOLDER [--only NAME]

Each NAME.json comes with NAME.jsonl: texts in hex, ids, offsets in bytes, and the ids decoded with and without special
tokens. Ties fall differently in each training, so that a second run makes other, equally good files.
"""
import argparse
import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import compare_tokenizer as compare

SPECIALS = ["<unk>", "<s>", "</s>", "<mask>"]
METASPACE = "\u2581"


def texts(seed):
    generator = compare.Generator(seed, [])
    return [generator.english() if i % 4 else generator.pick(compare.CODE + compare.OTHER, 1, 3, " ")
            for i in range(3000)]


def train(tokenizer, trainer, seed):
    tokenizer.train_from_iterator(texts(seed), trainer)
    return tokenizer


def bos(tokenizer):
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def bpe_trainer(size, **more):
    return trainers.BpeTrainer(vocab_size=size, show_progress=False, **more)


def byte_bpe():
    """As GPT-2."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return train(tokenizer, bpe_trainer(900, special_tokens=["<|endoftext|>"],
                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), 11)


def spm_bpe():
    """As Llama 2: spaces are characters, words are not cut, what is in no piece is spelled in bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(METASPACE), normalizers.Replace(" ", METASPACE)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace(METASPACE, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    byte_pieces = [f"<0x{b:02X}>" for b in range(256)]
    train(tokenizer, bpe_trainer(1000, special_tokens=SPECIALS + byte_pieces, limit_alphabet=120), 12)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if t["content"] in SPECIALS]
    return bos(Tokenizer.from_str(json.dumps(state)))


def odd_bpe(**model):
    """Every other option of BPE: continuations marked in front, ends of words behind, unknown characters."""
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    more = {k: v for k, v in model.items() if k in ("continuing_subword_prefix", "end_of_word_suffix")}
    if model.get("end_of_word_suffix"):
        tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    return train(tokenizer, bpe_trainer(400, special_tokens=SPECIALS, limit_alphabet=50, **more), 13)


def unigram(byte_fallback=False):
    """As XLM-RoBERTa, or T5 with bytes."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Replace(" ", METASPACE)
    tokenizer.decoder = decoders.Metaspace()
    specials = SPECIALS + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else [])
    trainer = trainers.UnigramTrainer(vocab_size=700, show_progress=False, special_tokens=specials, unk_token="<unk>")
    train(tokenizer, trainer, 14)
    state = json.loads(tokenizer.to_str())
    state["model"]["byte_fallback"] = byte_fallback
    state["added_tokens"] = [t for t in state["added_tokens"] if t["content"] in SPECIALS]
    if byte_fallback:  # few characters, so that many are spelled in bytes
        keep = [p for p in state["model"]["vocab"] if p[0] in specials or p[0].isascii() or METASPACE in p[0]]
        state["model"]["vocab"] = keep
        state["decoder"] = json.loads(decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()]).__getstate__())
    return bos(Tokenizer.from_str(json.dumps(state)))


MAKERS = {
    "tiny_byte_bpe": byte_bpe,
    "tiny_spm_bpe": spm_bpe,
    "tiny_suffix_bpe": lambda: odd_bpe(unk_token="<unk>", end_of_word_suffix="</w>"),
    "tiny_prefix_bpe": lambda: odd_bpe(unk_token="<unk>", fuse_unk=True, continuing_subword_prefix="##"),
    "tiny_dropping_bpe": odd_bpe,
    "tiny_unigram": unigram,
    "tiny_byte_unigram": lambda: unigram(byte_fallback=True),
}


def freeze(tokenizer, path, count):
    generator = compare.Generator(7, [t.content for t in tokenizer.get_added_tokens_decoder().values()])
    rng = random.Random(3)
    with open(path, "w") as file:
        for i in range(count):
            raw = generator.text(i)[:300]
            ids, offsets = compare.reference(tokenizer, raw, True)
            some = [rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(0, 6))]
            file.write(json.dumps({"hex": raw.hex(), "ids": ids, "offsets": offsets,
                                   "text": tokenizer.decode(ids, skip_special_tokens=False),
                                   "plain": tokenizer.decode(ids, skip_special_tokens=True),
                                   "some": some, "some_text": tokenizer.decode(some)},
                                  separators=(",", ":"), ensure_ascii=False) + "\n")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("out")
    options.add_argument("--only")
    options.add_argument("--count", type=int, default=150)
    args = options.parse_args()
    for name, make in MAKERS.items():
        if args.only in (None, name):
            tokenizer = make()
            path = os.path.join(args.out, name + ".json")
            tokenizer.save(path, pretty=False)
            freeze(Tokenizer.from_file(path), path + "l", args.count)


if __name__ == "__main__":
    main()
