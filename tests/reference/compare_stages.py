#!/usr/bin/env python3
"""Compares quern's tokenizer stages with those of the `tokenizers` library, over generated texts and pairs of texts.

  python compare_stages.py PROGRAM [--count N] [--seed S] [--only NAME] [--charsmap nmt_nfkc.bin]

PROGRAM is build/bin/tokenizer_lines. Each stage or chain of stages stands in front of two models: one whose tokens are
the bytes of the text, which shows what the stages made of it, and one that knows no word, which shows where words were
cut. Ids, type ids and offsets (in bytes of the text, which need not be UTF-8) must be equal. The exit status is 0 if
they all are. --freeze N prints golden cases instead, N texts for each tokenizer that does not only split by a regular
expression; the first line is the models.
"""
import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import Tokenizer

import charsmap
import compare_tokenizer as compare
from make_patterns import KNOWN, OTHERS

SPLIT = dict(type="Split", behavior="Isolated", invert=False)
BYTE_LEVEL = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
METASPACE = dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True)
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


SMALL_CHARSMAP = {"\r\n": " ", "\n": " ", "ﬁ": "fi", "½": "1⁄2", "\u0301": "", "か": "KA", "Å": "A\u030a", "ô": "o",
                  "\u0007": "", "各": "", "각": "gag", "한": "h", "①": "1", "e\u0301": "é", "👍": "+1", "\u200b": " "}


def normalizers(precompiled):
    replace = lambda pattern, content: dict(type="Replace", pattern=pattern, content=content)
    found = {name: dict(type=name) for name in ["NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents", "ByteLevel"]}
    bert = dict(type="BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    found.update(
        bert=bert, bert_cased=dict(bert, lowercase=False), strip=dict(type="Strip", strip_left=True, strip_right=True),
        strip_left=dict(type="Strip", strip_left=True, strip_right=False), prepend=dict(type="Prepend", prepend="▁x"),
        replace=replace(dict(String="a"), "<>"), replace_all=replace(dict(String=""), "-"),
        replace_regex=replace(dict(Regex=" {2,}"), " "), replace_words=replace(dict(Regex=r"\w+\s?"), "W"),
        replace_nothing=replace(dict(Regex=r"\s+$"), ""))
    found["llama"] = dict(type="Sequence", normalizers=[found["prepend"], replace(dict(String=" "), "▁")])
    found["chain"] = dict(type="Sequence", normalizers=[found["NFKD"], found["StripAccents"], found["Lowercase"],
                                                        found["strip_left"], found["NFC"], found["prepend"]])
    if precompiled:
        found["precompiled"] = dict(type="Precompiled", precompiled_charsmap=base64.b64encode(precompiled).decode())
        found["xlm_roberta"] = dict(type="Sequence", normalizers=[
            found["precompiled"], dict(type="Strip", strip_left=False, strip_right=True), replace(dict(Regex=" {2,}"), "▁")])
    return found


def pre_tokenizers():
    found = {name: dict(type=name) for name in ["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"]}
    for behavior in BEHAVIORS:
        found["punctuation_" + behavior] = dict(type="Punctuation", behavior=behavior)
        for invert in (False, True):
            for name, pattern in [("string", dict(String=" ")), ("regex", dict(Regex=r"\s+")), ("empty", dict(Regex="x*"))]:
                found[f"split_{name}_{behavior}_{invert}"] = dict(type="Split", pattern=pattern, behavior=behavior, invert=invert)
    for i, regex in enumerate(KNOWN):
        found[f"known_{i}"] = dict(SPLIT, pattern=dict(Regex=regex))
    for i, regex in enumerate(OTHERS):
        found[f"other_{i}"] = dict(SPLIT, pattern=dict(Regex=regex))
    for prefix in (False, True):
        for regex in (False, True):
            found[f"byte_level_{prefix}_{regex}"] = dict(BYTE_LEVEL, add_prefix_space=prefix, use_regex=regex)
    for scheme in ("always", "first", "never"):
        for split in (False, True):
            found[f"metaspace_{scheme}_{split}"] = dict(METASPACE, prepend_scheme=scheme, split=split)
    found["digits"] = dict(type="Digits", individual_digits=True)
    found["digit_runs"] = dict(type="Digits", individual_digits=False)
    found["delimiter"] = dict(type="CharDelimiterSplit", delimiter="a")
    found["fixed_length"] = dict(type="FixedLength", length=3)
    chain = lambda *steps: dict(type="Sequence", pretokenizers=list(steps))
    found["smollm"] = chain(found["digits"], BYTE_LEVEL)
    found["llama3"] = chain(found["known_2"], dict(BYTE_LEVEL, use_regex=False))
    found["deepseek"] = chain(found["known_12"], found["known_9"], found["known_8"], dict(BYTE_LEVEL, use_regex=False))
    found["xlm"] = chain(found["WhitespaceSplit"], METASPACE)
    found["first_behind"] = chain(found["delimiter"], dict(METASPACE, prepend_scheme="first"))
    return found


def post_processors():
    sep, cls = ["[SEP]", 1], ["[CLS]", 2]
    token = lambda name, type_id=0: dict(SpecialToken=dict(id=name, type_id=type_id))
    text = lambda name, type_id=0: dict(Sequence=dict(id=name, type_id=type_id))
    specials = {name: dict(id=name, ids=ids, tokens=[name] * len(ids)) for name, ids in (("[SEP]", [1]), ("[CLS]", [2, 1]))}
    template = dict(type="TemplateProcessing", single=[token("[CLS]"), text("A"), token("[SEP]")],
                    pair=[text("B", 1), token("[SEP]", 1), token("[CLS]", 3), text("A", 2)],
                    special_tokens=specials)
    roberta = dict(type="RobertaProcessing", sep=sep, cls=cls, trim_offsets=True, add_prefix_space=True)
    byte_level = dict(type="ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True)
    chain = lambda *steps: dict(type="Sequence", processors=list(steps))
    bert = dict(type="BertProcessing", sep=sep, cls=cls)
    return dict(none=None, template=template, roberta=roberta, roberta_plain=dict(roberta, trim_offsets=False),
                roberta_no_prefix=dict(roberta, add_prefix_space=False), byte_level=byte_level, bert=bert,
                bytes_template=chain(byte_level, template), template_bytes=chain(template, byte_level),
                bert_roberta=chain(bert, roberta), bert_template=chain(bert, template))


def added_tokens():
    token = lambda i, content, **flags: dict(dict(id=i, content=content, single_word=False, lstrip=False, rstrip=False,
                                                  normalized=False, special=True), **flags)
    return [token(1, "[SEP]"), token(2, "[CLS]"), token(3, "<mask>", lstrip=True), token(4, "the", single_word=True),
            token(5, "É", normalized=True, special=False), token(6, "ab", rstrip=True, special=False),
            token(7, "quick brown", normalized=True, special=False, lstrip=True, rstrip=True)]


def model(kind):
    names = ["<unk>", "[SEP]", "[CLS]", "<mask>", "the", "É", "ab", "quick brown"]
    if kind == "words":
        return dict(type="WordLevel", vocab={name: i for i, name in enumerate(names)}, unk_token="<unk>")
    names += [f"<0x{byte:02X}>" for byte in range(256)] + ["Ġ", "▁"]
    return dict(type="BPE", vocab={name: i for i, name in enumerate(names)}, merges=[], unk_token="<unk>",
                dropout=None, continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=False,
                byte_fallback=True, ignore_merges=False)


def tokenizer_files(precompiled):
    """{name: tokenizer.json as an object}"""
    base = dict(version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=None, pre_tokenizer=None,
                post_processor=None, decoder=None)
    found = {}
    for kind in ("bytes", "words"):
        for name, normalizer in normalizers(precompiled).items():
            found[f"norm {name} {kind}"] = dict(base, normalizer=normalizer, model=model(kind))
        for name, pre in pre_tokenizers().items():
            found[f"pre {name} {kind}"] = dict(base, pre_tokenizer=pre, model=model(kind))
        for name, pre in (("byte_level", dict(BYTE_LEVEL, add_prefix_space=True)), ("metaspace", METASPACE), ("none", None)):
            for norm in (None, dict(type="NFKC"), dict(type="Lowercase")):
                found[f"added {name} {norm and norm['type']} {kind}"] = dict(
                    base, normalizer=norm, pre_tokenizer=pre, added_tokens=added_tokens(), model=model(kind))
        for name, post in post_processors().items():
            found[f"post {name} {kind}"] = dict(
                base, pre_tokenizer=dict(BYTE_LEVEL, add_prefix_space=True), added_tokens=added_tokens(),
                post_processor=post, model=model(kind))
    for strategy in ("LongestFirst", "OnlyFirst", "OnlySecond"):
        for direction in ("Left", "Right"):
            for stride, max_length in ((0, 6), (2, 9), (5, 20)):
                found[f"windows {strategy} {direction} {stride}"] = dict(
                    base, pre_tokenizer=dict(type="FixedLength", length=2), post_processor=post_processors()["bert"],
                    truncation=dict(direction=direction, max_length=max_length, strategy=strategy, stride=stride),
                    model=model("words"))
    return found


def describe(encoding, raws, texts):
    offsets = []
    maps = [compare.byte_offsets(raw, text, [[i, i] for i in range(len(text) + 1)]) for raw, text in zip(raws, texts)]
    sequences = encoding.sequence_ids if len(raws) == 2 else [0] * len(encoding.ids)
    for (begin, end), sequence in zip(encoding.offsets, sequences):
        offsets.append([0, 0] if sequence is None else [maps[sequence][begin][0], maps[sequence][end][0]])
    return [encoding.ids, offsets, encoding.type_ids]


def reference(tokenizer, raws, windows):
    texts = [raw.decode(errors="replace") for raw in raws]
    try:
        encoding = tokenizer.encode(*texts)
    except BaseException as e:  # a panic of the library's, too
        return {"error": str(e)}
    if not windows:
        return describe(encoding, raws, texts)
    return [describe(e, raws, texts) for e in [encoding, *encoding.overflowing]]


def freeze(files, generator, n):
    out = lambda line: print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
    out({"models": {kind: model(kind) for kind in ("bytes", "words")}})
    for name, file in files.items():
        if any(part in name for part in ("pre split", "pre known", "pre other", "pre punctuation")):
            continue
        if name.endswith(" words") and not name.startswith("pre "):
            continue
        tokenizer, cases = Tokenizer.from_str(json.dumps(file)), []
        for i in range(n):
            raws = [generator.text(generator.rng.randint(12, 9999))[:30] for _ in range(1 + (i % 3 == 2))]
            if "template_bytes" not in name or len(raws) == 1:
                cases.append([[raw.hex() for raw in raws], reference(tokenizer, raws, file["truncation"] is not None)])
        out({"name": name, "file": dict(file, model=name.split()[-1] if file["truncation"] is None else "words"), "cases": cases})


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("program", nargs="?")
    options.add_argument("--count", type=int, default=20000, help="of texts for each tokenizer")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default="", help="the tokenizers whose names hold this")
    options.add_argument("--charsmap", help="a precompiled charsmap in place of a small one")
    options.add_argument("--show", type=int, default=3, help="how many differences to print for each")
    options.add_argument("--freeze", type=int, metavar="N")
    args = options.parse_args()
    precompiled = open(args.charsmap, "rb").read() if args.charsmap else charsmap.build(SMALL_CHARSMAP)
    generator = compare.Generator(args.seed, ["<mask>", "the", "É", "ab", "quick brown", "[SEP]"])
    if args.freeze:
        return freeze(tokenizer_files(precompiled), generator, args.freeze)
    texts = [generator.text(i)[:300] for i in range(args.count)]
    if args.charsmap:  # all characters that it changes
        run = tokenizers.normalizers.Precompiled(precompiled).normalize_str
        changed = [chr(c) for c in compare.SCALARS if run(chr(c)) != chr(c)]
        texts += ["x".join(changed[i:i + 8]).encode() for i in range(0, len(changed), 8)]
    lines = [[t] if i % 4 else [t, texts[i // 2]] for i, t in enumerate(texts)]
    any_different = False
    for name, file in tokenizer_files(precompiled).items():
        if args.only not in name:
            continue
        windows = file["truncation"] is not None
        tokenizer = Tokenizer.from_str(json.dumps(file))
        mine = lines[:2000] if windows else lines
        if "template_bytes" in name:  # after a template ByteLevel numbers the sequences of a pair anew
            mine = [line[:1] for line in lines]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokenizer.json")
            json.dump(file, open(path, "w"))
            command = [args.program, path, "--hex", "--offsets", "--types"] + ["--windows"] * windows
            answers = subprocess.run(command, input="".join(",".join(t.hex() for t in line) + "\n" for line in mine),
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        got = [json.loads(a) for a in answers.stdout.splitlines()]
        if len(got) != len(mine):
            print(f"{name}: {len(got)} answers to {len(mine)} texts: {answers.stderr.splitlines()[-1:]}")
            any_different = True
            continue
        different = 0
        for line, answer in zip(mine, got):
            want = reference(tokenizer, line, windows)
            if want == answer or ("error" in want and "error" in answer):
                continue
            different += 1
            if different <= args.show:
                print(f"  {[ascii(t.decode(errors='replace')) for t in line]}\n    reference {want}\n    program   {answer}")
        any_different |= different > 0
        print(f"{name}: {len(mine) - different} of {len(mine)} equal", flush=True)
    return any_different


if __name__ == "__main__":
    sys.exit(main())
