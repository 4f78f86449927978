#!/usr/bin/env python3
"""Prints tests/golden/tokenizers/patterns.jsonl: what the `tokenizers` library matches by a regular expression.

A line is {"regex", "known", "cases": [[text, matches, parts], ...]}: the matches that are not empty, and what they cut
the text into, as [begin, end] in characters; known: quern has a scanner for it. {"regex", "refused"} is one that quern does not take (refused: "both" where the library does not, either).
"""
import json
import random
import sys

from tokenizers import Regex, pre_tokenizers

import compare_tokenizer as compare

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
CASED = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+@|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*@|"
         r"\p{N}#| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
            r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+").replace('\\"', '"')
KNOWN = [
    GPT2, r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", LLAMA3,
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    LLAMA3.replace("{1,3}", ""),
    LLAMA3.replace("{1,3}", "").replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]"),
    CASED.replace("@", "").replace("#", ""), CASED.replace("@", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?").replace("#", "{1,3}"),
    DEEPSEEK, "[一-龥\u3040-ゟ゠-ヿ]+", r"\s?\p{L}+", r"\s?\p{P}+", r"\p{N}{1,3}", r"\p{N}+", r"\p{N}", r"\d", r"[\r\n]",
    r"\s+", " {2,}"]
OTHERS = [
    r"\w+|[^\w\s]+", r"[\p{Han}]+|[^\p{Han}\s]+", r"[\p{L}&&[^\p{Han}]]+", r"(?=(\d{3})+(?!\d))", r"(?<=[a-z])(?=[A-Z])",
    r"[[:alpha:]]+|[[:punct:]]", r"[[:^alpha:]]+", r"\bthe\b", r"\B.", r"^\S+", r"\S+$", r"(?m).+", r".+", r"(?i)[a-f]+",
    r"(?i)[^a-f]+", r"(?i)\p{Lu}+", r"(?i)[\p{Lu}]+", r"a{,2}", r"a{2}?", r"(?:ab){1,2}+", r"a**", r"x*", r"(a)\1",
    r"a(?i)b|c", r"(?<word>\w)\d", r"\R", r"\h+", r"[\x{41}-\u005A]+", r"[]a]", r"[^\S\n]+", r"\P{L}+", r"\p{^L}+",
    r"(?>\s+)\S", r"(?#comment)e", r"x{", r"[a\-z]+", r"[\w&&\D]+", r"\p{Alphabetic}+", r"\p{Uppercase_Letter}+",
    r"(?<!a)b", r"[\p{L}\p{N}]++", r" ?[^(\s|[.,!?…。，、।۔،])]+", r"\p{Sc}\d+", r"(?i:ſ)", r"[^\r\n\p{L}\p{N}]?\p{L}+", r"\$\.\{\}", r""]
REFUSED = {r"(?~ab)": "quern", r"\X": "quern", r"\G.": "quern", r"(a)(?(1)b|c)": "quern", r"(?<n>a)\g<n>": "quern",
           r"\K": "quern", r"(?<n>a)\k<n>": "quern", r"[a-\d]": "both", r"*a": "both", r"(": "both", r"[a": "both",
           r")": "both", r"(?s)a": "both", r"\p{Nonsense}": "both", r"(?x) a b": "quern", r"a{3,2}": "quern",
           r"[[:nonsense:]]": "both", r"(?<=a+)b": "quern", r"(?P<n>a)": "both"}
TEXTS = ["", "I'm  can't WE'LL x'ſ 'S 'Re don't\t\n\n  stop\r\n\r\n end  ", "price: $12345.67 ½② ٣٤٥ 一二三 x²",
         "naïve CamelCaseWord XMLHttp ABCdef Ⅷ ǅa ªb ABªBC", "日本語テキスト かがみ 你好,世界。 龦", "a_b_c(x[1],y->z); // {}\n\n\tq",
         "e\u0301\u0301 \u0301x नमस्ते สวัสดี שלום 👩‍👩‍👧 🏳️‍🌈", "\u00a0\u3000 \u2028\u180e\u200b\u0085.", "aaaa ab abab a1 aa \u212a k ſ ß",
         "the Theatre the\nthe end", "A/B//\n c !!/\r\n", "\u1c89\u1c8a \u31350 \U0001e5d0\u0897\ua7cb ⓐ \U0001f130"]


def split(regex, text, behavior, invert):
    return [list(span) for _, span in pre_tokenizers.Split(Regex(regex), behavior, invert).pre_tokenize_str(text)]


def case(regex, text):
    return [text, split(regex, text, "removed", True), split(regex, text, "isolated", False)]


def main():
    rng = random.Random(5)
    generator = compare.Generator(6, [])
    out = lambda line: print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
    for known, regexes in ((True, KNOWN), (False, OTHERS)):
        for regex in regexes:
            texts = TEXTS + [generator.cuts() for _ in range(6 if known else 2)]
            out({"regex": regex, "known": known, "cases": [case(regex, t) for t in texts]})
    for regex, who in REFUSED.items():
        try:
            Regex(regex)
            assert who == "quern", regex
        except Exception as e:
            assert who == "both", (regex, e)
        out({"regex": regex, "refused": who})


if __name__ == "__main__":
    sys.exit(main())
