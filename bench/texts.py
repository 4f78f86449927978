#!/usr/bin/env python3
"""Texts to measure with: texts.py short|passages|mixed|distinct [N] > texts.txt

short     one fortune of 20 to 160 characters a line
passages  fortunes joined to some 1,500 characters (more than 256 tokens)
mixed     fortunes of any length
distinct  as short, but no two are equal: the words of one are turned around where there are no more
From Debian's fortunes package where it is installed, else sentences from a seeded generator. Always the same.
"""
import glob
import random
import re
import sys


def fortunes():
    texts = []
    for path in sorted(glob.glob('/usr/share/games/fortunes/*')):
        if path.endswith(('.dat', '.u8')):
            continue
        for piece in open(path, encoding='utf8', errors='replace').read().split('\n%\n'):
            text = re.sub(r'[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+', ' ', piece).strip()
            if len(text) > 20:
                texts.append(text)
    return texts


def made_up(rng):
    words = ('the a one this river market teacher engine winter garden letter signal number city question answer cat '
             'opens closes follows explains measures repairs paints sells finds loses under over beside without after '
             'before quickly slowly never always often red small old bright careful unusual').split()
    return [' '.join(rng.choices(words, k=rng.randint(6, 60))).capitalize() + '.' for _ in range(8000)]


def turned(texts, n):
    """n different texts: these, then each with its words from the second one on, the third one on, and so forth."""
    seen = {}
    for by in range(1000):
        for text in texts:
            words = text.split(' ')
            if by < len(words):
                seen[' '.join(words[by:] + words[:by])] = None
                if len(seen) == n:
                    return list(seen)
    sys.exit(f'texts.py: there are only {len(seen)} different texts')


def main():
    kind, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else {'short': 1000, 'passages': 150, 'mixed': 1000, 'distinct': 100000}[sys.argv[1]]
    rng = random.Random(3)
    texts = fortunes() or made_up(rng)
    rng.shuffle(texts)
    if kind in ('short', 'distinct'):
        texts = [t for t in texts if len(t) < 160]
    if kind == 'distinct':
        texts = turned(texts, n)
    elif kind == 'passages':
        joined, current = [], ''
        for text in texts:
            current += ' ' + text
            if len(current) > 1400:
                joined.append(current.strip())
                current = ''
        texts = joined
    elif kind == 'mixed':
        texts = texts[2000:]
    while len(texts) < n:
        texts += texts
    print('\n'.join(texts[:n]))


main()
