#!/usr/bin/env python3
"""Writes src/tokenizers/unicode_data.inc: the character tables of the tokenizer.

Every set and mapping is read off the `tokenizers` library itself by sweeping all Unicode scalar values
through its stages, because its tables mix Unicode versions. Two things are derived and then checked
against the library: combining classes (by bisection on the order NFD puts two marks in) and composition
pairs (from NFC of decomposed strings). --check FILE compares the Bert sets with a list of known ranges, and
--check-regex FILE the classes of regular expressions.

  python make_unicode_tables.py [--check bert_unicode_ranges.txt] > src/tokenizers/unicode_data.inc
"""
import argparse
import random
import sys
import unicodedata

import tokenizers
from tokenizers import Regex
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P

import unicode_breaks

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic, not by table

# The order of the bits is that of the flags in unicode.h.
FLAGS = ["removed", "to_space", "bert_mark", "mark", "punctuation", "numeric", "word", "white_space", "cjk",
         "lowers", "decomposes", "nonstarter", "decomposes_k", "alphabetic", "uppercase", "lowercase"]
BREAK_SHIFT, PICTOGRAPH_SHIFT, CONJUNCT_SHIFT, REGEX_WORD_SHIFT, COMPOSES_SHIFT, CATEGORY_SHIFT = 16, 20, 21, 23, 24, 27
# The order is that of the categories in unicode.h.
CATEGORIES = ("Cn Cc Cf Co Cs Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp").split()
# Properties of regular expressions that are not made of categories; the stages know no more of them.
NAMED = ["Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Latin", "Greek", "Cyrillic", "Arabic", "Hebrew", "Thai",
         "Devanagari", "Emoji"]


def bert(**on):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return N.BertNormalizer(**{**off, **on})


def mapping(normalizer):
    """{code point: replacement} for the characters that the normalizer changes."""
    run = normalizer.normalize_str
    return {c: r for c in SCALARS if (r := run(chr(c))) != chr(c)}


def split_set(pre_tokenizer, n_parts):
    """Characters that split 'a?b' into n_parts."""
    run = pre_tokenizer.pre_tokenize_str
    return {c for c in SCALARS if len(run(f"a{chr(c)}b")) == n_parts}


def regex_set(pattern):
    """Characters that a regular expression of one character matches."""
    run = P.Split(Regex(pattern), "removed", invert=True).pre_tokenize_str
    return {ord(word) for i in range(0, len(SCALARS), 8192)
            for word, _ in run("".join(map(chr, SCALARS[i:i + 8192])))}


def categories():
    result = {}
    for name in CATEGORIES:
        for c in regex_set(rf"\p{{{name}}}"):
            assert c not in result
            result[c] = name
    assert len(result) == len(SCALARS)
    return result


def scripts():
    """[(first, script)]: runs of scripts as UnicodeScripts tells them apart. Script 0 joins any other."""
    run = P.UnicodeScripts().pre_tokenize_str
    splits = lambda a, b: len(run(chr(a) + chr(b))) == 2
    joins_all = {c for c in SCALARS if not splits(ord("a"), c) and not splits(ord("1"), c)} - {ord("a"), ord("1")}
    known, result, last = [], [], None
    for c in SCALARS:
        if c in joins_all:
            script = 0
        elif last and result[-1][1] and last == c - 1 and not splits(last, c):
            script = result[-1][1]
        else:
            script = next((i + 1 for i, k in enumerate(known) if not splits(k, c)), 0)
            if not script:
                known.append(c)
                script = len(known)
        if not result or result[-1][1] != script:
            result.append((c, script))
        last = c
    return result


def ranges_of(chars):
    result = []
    for c in sorted(chars):
        if result and (result[-1][1] == c - 1 or (result[-1][1] == 0xD7FF and c == 0xE000)):
            result[-1][1] = c
        else:
            result.append([c, c])
    return result


def combining_classes(nfd):
    """{code point: class} for non-starters, from the library's own reordering."""
    run = N.NFD().normalize_str

    def swaps(first, second):
        return first != second and run(chr(first) + chr(second)) == chr(second) + chr(first)

    known = {}  # class -> a mark of that class that the library knows as one
    for c in SCALARS:
        k = unicodedata.combining(chr(c))
        if k and k not in known and c not in nfd and (c == 0x345 or swaps(0x345, c)):  # U+0345 has the highest class
            known[k] = c
    order = sorted(known)
    low, high = known[order[0]], known[order[-1]]
    result = {}
    for c in SCALARS:
        if c in nfd or not (c in (low, high) or swaps(c, low) or swaps(high, c)):
            continue
        # The class is the smallest known k with class <= k: c does not move behind a mark of class k.
        result[c] = next(k for k in order if not swaps(c, known[k]))
    for c, k in result.items():
        assert k == order[0] or swaps(c, known[order[order.index(k) - 1]]), hex(c)
        assert not swaps(known[k], c), f"U+{c:04X}: its class is between the known ones"
    return result


def compositions(nfd):
    """[(first, second, composed)]: the primary composites outside Hangul."""
    run = N.NFC().normalize_str
    pairs = []
    for c, full in nfd.items():
        if c in HANGUL or len(full) < 2 or run(chr(c)) != chr(c):
            continue
        first = run(full[:-1])
        assert len(first) == 1, hex(c)
        pairs.append((ord(first), ord(full[-1]), c))
    return sorted(pairs)


def normalize(text, nfd, classes, pairs, compose):
    """NFD or NFC (with NFKD's mappings: NFKD or NFKC) with the derived tables: what the C++ does, to be compared with the library."""
    table = {(a, b): c for a, b, c in pairs}
    out = []
    for ch in "".join(nfd.get(ord(c), c) for c in text):
        k = classes.get(ord(ch), 0)
        at = len(out)
        while k and at and classes.get(ord(out[at - 1]), 0) > k:
            at -= 1
        out.insert(at, ch)
    if not compose:
        return "".join(out)
    result, starter, last = [], -1, 0
    for ch in out:
        c, k = ord(ch), classes.get(ord(ch), 0)
        if starter >= 0 and (last == 0 and starter == len(result) - 1 or last and last < k):
            a = ord(result[starter])
            composed = table.get((a, c))
            if 0x1100 <= a < 0x1113 and 0x1161 <= c < 0x1176:
                composed = 0xAC00 + ((a - 0x1100) * 21 + c - 0x1161) * 28
            elif a in HANGUL and (a - 0xAC00) % 28 == 0 and 0x11A7 < c < 0x11C3:
                composed = a + c - 0x11A7
            if composed:
                result[starter] = chr(composed)
                continue
        if k == 0:
            starter = len(result)
        last = k
        result.append(ch)
    return "".join(result)


def verify(nfd, classes, pairs, nfd_run, nfc_run):
    rng = random.Random(1)
    pool = sorted(set(nfd) - set(HANGUL)) + list(classes) * 2 + [p[0] for p in pairs] * 2
    pool += list(range(0x1100, 0x1113)) + list(range(0x1161, 0x1176)) + list(range(0x11A8, 0x11C3)) + [0xAC00, 0x61]
    for _ in range(100000):
        text = "".join(chr(rng.choice(pool)) for _ in range(rng.randint(1, 8)))
        assert normalize(text, nfd, classes, pairs, False) == nfd_run(text), ascii(text)
        assert normalize(text, nfd, classes, pairs, True) == nfc_run(text), ascii(text)
    for c in SCALARS:
        assert normalize(chr(c), nfd, classes, pairs, True) == nfc_run(chr(c)), hex(c)


def check_ranges(path, sets):
    names = {"clean_text_removed": "removed", "clean_text_to_space": "to_space", "cjk": "cjk",
             "strip_accents_removed": "bert_mark", "punct": "punctuation", "pretok_whitespace": "white_space"}
    for line in open(path):
        head, _, body = line.partition(":")
        if head.split(" ")[0] in names and not line.startswith("#"):
            want = set()
            for part in body.split():
                first, _, last = part.partition("-")
                want.update(c for c in range(int(first, 16), int(last or first, 16) + 1) if not 0xD800 <= c < 0xE000)
            got = sets[names[head.split(" ")[0]]]
            if head.startswith("clean_text_to_space"):
                got = got | {0x20}
            assert got == want, head


def check_regex_ranges(path, category, word, white):
    for line in open(path):
        if line.startswith("#"):
            continue
        head, _, body = line.partition(" n=")
        want = set()
        for part in body.partition(":")[2].split():
            first, _, last = part.partition("-")
            want.update(c for c in range(int(first, 16), int(last or first, 16) + 1) if not 0xD800 <= c < 0xE000)
        if head.startswith("\\p{"):
            got = {c for c, k in category.items() if k.startswith(head[3:-1])}
        else:
            got = {"\\w": word, "\\s": white, "\\d": {c for c, k in category.items() if k == "Nd"}}[head]
        assert got == want, head


def emit(name, type_name, rows, per_line=100):
    print(f"constexpr {type_name} {name}[] = {{")
    line = ""
    for row in rows:
        if len(line) + len(row) + 1 > per_line:
            print("  " + line)
            line = ""
        line += row + ","
    print("  " + line + "\n};\n")


def lower_runs(lower):
    """Runs of single-character mappings with one step and one difference: (first, last, step, delta)."""
    single = sorted((c, ord(r) - c) for c, r in lower.items() if len(r) == 1)
    runs = []
    for c, delta in single:
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            if (first == last and c - last in (1, 2)) or (first != last and c - last == step):
                runs[-1] = (first, c, c - last, delta)
                continue
        runs.append((c, c, 1, delta))
    return runs


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--check")
    options.add_argument("--check-regex")
    args = options.parse_args()
    lower, nfd, nfkd = mapping(N.Lowercase()), mapping(N.NFD()), mapping(N.NFKD())
    assert lower == mapping(bert(lowercase=True))
    assert [c for c, r in lower.items() if len(r) > 1] == [0x130] and lower[0x130] == "i\u0307"
    clean, cjk = mapping(bert(clean_text=True)), mapping(bert(handle_chinese_chars=True))
    assert set(clean.values()) <= {"", " "} and all(r == f" {chr(c)} " for c, r in cjk.items())
    marks = mapping(N.StripAccents())
    assert set(marks.values()) == {""}
    bert_marks = {c for c, r in mapping(bert(strip_accents=True)).items() if r == ""}
    classes = combining_classes(nfd)
    pairs = compositions(nfd)
    verify(nfd, classes, pairs, N.NFD().normalize_str, N.NFC().normalize_str)
    verify(nfkd, classes, pairs, N.NFKD().normalize_str, N.NFKC().normalize_str)
    category = categories()
    breaks, pictographs, conjunct = unicode_breaks.classes()
    unicode_breaks.verify(breaks, pictographs, conjunct)
    white = split_set(P.WhitespaceSplit(), 2)
    sets = dict(removed={c for c, r in clean.items() if r == ""}, to_space={c for c, r in clean.items() if r == " "},
                bert_mark=bert_marks, mark=set(marks), punctuation=split_set(P.Punctuation(), 3),
                numeric=split_set(P.Digits(individual_digits=True), 3), word=split_set(P.Whitespace(), 1),
                white_space=white, cjk=set(cjk), lowers=set(lower), decomposes=set(nfd), nonstarter=set(classes),
                decomposes_k=set(nfkd), alphabetic=regex_set("[[:alpha:]]"), uppercase=regex_set("[[:upper:]]"),
                lowercase=regex_set("[[:lower:]]"))
    regex_word = regex_set(r"\w")  # Whitespace and single_word have another \w
    assert white == regex_set(r"\s")
    if args.check:
        check_ranges(args.check, sets)
    if args.check_regex:
        check_regex_ranges(args.check_regex, category, regex_word, white)

    seconds = {b for _, b, _ in pairs} | set(classes) | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    changed_by = [seconds | set(mapping(n)) for n in (N.NFC(), N.NFKC())]
    flags = [0] * 0x110000
    for bit, name in enumerate(FLAGS):
        for c in sets[name]:
            flags[c] |= 1 << bit
    for c in SCALARS:
        flags[c] |= (breaks.get(c, 0) << BREAK_SHIFT | (c in pictographs) << PICTOGRAPH_SHIFT |
                     conjunct.get(c, 0) << CONJUNCT_SHIFT | (c in regex_word) << REGEX_WORD_SHIFT |
                     (c in changed_by[0]) << COMPOSES_SHIFT | (c in changed_by[1]) << COMPOSES_SHIFT + 1 |
                     CATEGORIES.index(category[c]) << CATEGORY_SHIFT)
    for c in range(0xD800, 0xE000):
        flags[c] = CATEGORIES.index("Cs") << CATEGORY_SHIFT
    print(f"// Generated by tests/reference/make_unicode_tables.py; do not edit. Every value was read off the\n"
          f"// tokenizers library {tokenizers.__version__}, swept over all Unicode scalar values, and so follows the\n"
          f"// (mixed) Unicode versions of its stages. Hangul syllables are left to arithmetic. For unicode.cpp alone.\n")
    runs = [c for c in range(0x110000) if c == 0 or flags[c] != flags[c - 1]]
    emit("flag_runs", "FlagRun", [f"{{0x{c:X},0x{flags[c]:X}}}" for c in runs])
    emit("lower_runs", "LowerRun", [f"{{0x{a:X},0x{b:X},{s},{d}}}" for a, b, s, d in lower_runs(lower)])
    class_runs = []
    for c, k in sorted(classes.items()):
        if class_runs and class_runs[-1][1] == c - 1 and class_runs[-1][2] == k:
            class_runs[-1][1] = c
        else:
            class_runs.append([c, c, k])
    emit("class_runs", "ClassRun", [f"{{0x{a:X},0x{b:X},{k}}}" for a, b, k in class_runs])
    pool, known = [], {}
    for name, mappings in [("decompositions", nfd), ("decompositions_k", {c: r for c, r in nfkd.items() if nfd.get(c) != r})]:
        index = []
        for c, r in sorted((c, r) for c, r in mappings.items() if c not in HANGUL):
            if r not in known:
                known[r] = len(pool)
                pool += [ord(x) for x in r]
            index.append(f"{{0x{c:X},{known[r]},{len(r)}}}")
        emit(name, "Decomposition", index)
    emit("decomposed", "char32_t", [f"0x{c:X}" for c in pool])
    emit("compositions", "Composition", [f"{{0x{a:X},0x{b:X},0x{c:X}}}" for a, b, c in pairs])
    script_runs = scripts()
    emit("script_runs", "ScriptRun", [f"{{0x{c:X},{k}}}" for c, k in script_runs])
    named = [(name, ranges_of(regex_set(rf"\p{{{name}}}"))) for name in NAMED]
    emit("named_ranges", "Range", [f"{{0x{a:X},0x{b:X}}}" for _, ranges in named for a, b in ranges])
    ends = [sum(len(r) for _, r in named[:i + 1]) for i in range(len(named))]
    emit("named_sets", "NamedSet", [f'{{"{name.lower()}",{end - len(r)},{end}}}' for (name, r), end in zip(named, ends)])
    print(f"{len(runs)} runs, {len(pool)} decomposed, {len(pairs)} compositions, {len(script_runs)} runs of "
          f"{max(k for _, k in script_runs)} scripts, longest {max(map(len, nfkd.values()))}", file=sys.stderr)


if __name__ == "__main__":
    main()
