"""Grapheme cluster classes as the `tokenizers` library's Precompiled normalizer sees them.

Precompiled replaces a cluster of less than 6 bytes by what its first characters map to, so that a suitable charsmap
shows where clusters end. Everything below is read off the library in this way, but for the Hangul jamo, whose ranges
are those of Unicode's HangulSyllableType, and the regional indicators; verify() compares random strings.
"""
import random

from tokenizers import normalizers

import charsmap

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CLASSES = ["other", "cr", "lf", "control", "extend", "zwj", "regional", "prepend", "spacing", "l", "v", "t", "lv", "lvt"]
OTHER, CR, LF, CONTROL, EXTEND, ZWJ, REGIONAL, PREPEND, SPACING, L, V, T, LV, LVT = range(14)
NONE, CONSONANT, CONJUNCT_EXTEND, LINKER = range(4)
JAMO = {L: [(0x1100, 0x115F), (0xA960, 0xA97C)], V: [(0x1160, 0x11A7), (0xD7B0, 0xD7C6)],
        T: [(0x11A8, 0x11FF), (0xD7CB, 0xD7FB)]}
MARK = "\u0300"  # two bytes, extends whatever is not a control


def probe(text_of, keys_of=lambda c: [chr(c)], scalars=SCALARS):
    """{c: what the library makes of text_of(c)}, where the charsmap has every key of keys_of(c), mapped to '<c>'."""
    result = {}
    for i in range(0, len(scalars), 4096):
        chunk = scalars[i:i + 4096]
        rules = {key: f"<{ord(key):X}>" for c in chunk for key in keys_of(c) if key != "\0"}
        run = normalizers.Precompiled(charsmap.build(rules)).normalize_str
        result.update({c: run(text_of(c)) for c in chunk})
    return result


def keep(answers, want):
    return {c for c, r in answers.items() if want(c, r)}


def classes():
    """{c: class} of all but OTHER, and the set of pictographs, and {c: conjunct class}."""
    after_a = keep(probe(lambda c: "a" + chr(c), lambda c: "a"), lambda c, r: r == "<61>") - {0xD, 0xA}
    narrow = [c for c in SCALARS if c < 0x10000]
    # Behind a control, two marks are a cluster of their own, and one.
    control = keep(probe(lambda c: chr(c) + MARK + "\u0301", lambda c: MARK), lambda c, r: not r.endswith("\u0301"))
    control -= {0xD, 0xA}
    prepend = keep(probe(lambda c: chr(c) + "a", lambda c: [] if c == 0x61 else [chr(c)]),
                   lambda c, r: not r.endswith("a"))
    # © Extend* ZWJ © is one cluster, too long to be replaced as one, so that the mark behind it stays.
    joined = lambda answers: keep(answers, lambda c, r: r.endswith(MARK))
    pictographs = keep(probe(lambda c: "©\u200d" + chr(c), lambda c: "©"), lambda c, r: "\u200d" in r)
    pictographs -= after_a
    extend = joined(probe(lambda c: f"©{chr(c)}\u200d©{MARK}", lambda c: "©", sorted(after_a))) - {0x200D}
    result = {0xD: CR, 0xA: LF, 0x200D: ZWJ}
    result.update({c: CONTROL for c in control})
    result.update({c: PREPEND for c in prepend})
    result.update({c: EXTEND if c in extend else SPACING for c in after_a - {0x200D}})
    result.update({c: REGIONAL for c in range(0x1F1E6, 0x1F200)})
    for k, ranges in JAMO.items():
        result.update({c: k for first, last in ranges for c in range(first, last + 1)})
    # The same for Indic conjuncts: consonant, linker, consonant. Here the last one must have three bytes.
    ka, virama = "\u0915", "\u094d"
    consonants = joined(probe(lambda c: ka + virama + chr(c) + MARK, scalars=[c for c in narrow if c > 0x7FF]))
    consonants = {c for c in consonants if result.get(c, OTHER) == OTHER}
    linkers = joined(probe(lambda c: ka + chr(c) + ka + MARK, lambda c: ka, sorted(after_a)))
    extenders = joined(probe(lambda c: ka + virama + chr(c) + ka + MARK, lambda c: ka, sorted(after_a))) - linkers
    wide = [c for c in SCALARS if c >= 0x10000]
    consonants |= joined(probe(lambda c: chr(c) + virama + ka + MARK, lambda c: ka, wide)) - after_a - prepend
    conjunct = {c: CONSONANT for c in consonants}
    conjunct.update({c: LINKER for c in linkers})
    conjunct.update({c: CONJUNCT_EXTEND for c in extenders})
    return result, pictographs, conjunct


def clusters(text, breaks, pictographs, conjunct):
    """Unicode's rules GB3 to GB13, as the C++ has them."""
    def kind(c):
        if 0xAC00 <= c < 0xD7A4:
            return LV if (c - 0xAC00) % 28 == 0 else LVT
        return breaks.get(c, OTHER)
    out, picture, linked, n_regional = [], 0, 0, 0
    for i, ch in enumerate(text):
        c, k, q = ord(ch), kind(ord(ch)), conjunct.get(ord(ch), NONE)
        p = kind(ord(text[i - 1])) if i else CONTROL
        joins = i > 0 and (
            (p == CR and k == LF) or
            (p not in (CR, LF, CONTROL) and k not in (CR, LF, CONTROL) and (
                (p == L and k in (L, V, LV, LVT)) or (p in (LV, V) and k in (V, T)) or (p in (LVT, T) and k == T) or
                k in (EXTEND, ZWJ, SPACING) or p == PREPEND or (linked == 2 and q == CONSONANT) or
                (picture == 2 and c in pictographs) or (k == REGIONAL and n_regional % 2 == 1))))
        picture = 1 if c in pictographs else (0 if not picture else 1 if k == EXTEND else 2 if k == ZWJ else 0)
        linked = 1 if q == CONSONANT else (0 if not linked else 2 if q == LINKER else linked if q == CONJUNCT_EXTEND else 0)
        n_regional = (n_regional + 1 if joins else 1) if k == REGIONAL else 0
        out[-1:] = [out[-1] + ch] if joins else out[-1:] + [ch]
    return out


def verify(breaks, pictographs, conjunct, n=200000):
    rng = random.Random(2)
    by_class = {}
    for c, k in breaks.items():
        by_class.setdefault(("break", k), []).append(c)
    for c, k in conjunct.items():
        by_class.setdefault(("conjunct", k), []).append(c)
    by_class["pictographs"] = sorted(pictographs)
    by_class["other"] = [0x61, 0xE9, 0x4E2D, 0x20, 0xA9, 0xAE]
    by_class["syllables"] = [0xAC00, 0xAC01, 0xD55C]
    pools = list(by_class.values())
    for _ in range(n // 1000):
        chars = [rng.choice(rng.choice(pools)) for _ in range(60)]
        run = normalizers.Precompiled(charsmap.build({chr(c): f"<{c:X}>" for c in chars if c})).normalize_str
        keys = {chr(c) for c in chars if c}
        for _ in range(1000):
            text = "".join(chr(rng.choice(chars)) for _ in range(rng.randint(1, 6)))
            want = ""
            for cluster in clusters(text, breaks, pictographs, conjunct):
                parts = [cluster[0]] if len(cluster.encode()) < 6 and cluster[0] in keys else cluster
                want += "".join(f"<{ord(x):X}>" if x in keys else x for x in parts)
            assert want == run(text), (ascii(text), want, run(text))
