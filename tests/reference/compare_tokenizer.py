#!/usr/bin/env python3
"""Compares a program's token ids (and offsets) with those of the `tokenizers` library, over generated texts.

  python compare_tokenizer.py --tokenizer DIR/tokenizer.json --command 'quern tokenize -m M -f {texts} --no-truncate'

{texts} is a file with one text a line (so no text holds a line feed); CMD prints one JSON array a line: the ids, or,
with --offsets, [ids, [[begin, end], ...]] in bytes of the line. Lines of invalid UTF-8 are compared with the
reference's reading of bytes.decode('utf-8', errors='replace'). The exit status is 0 if all lines are equal.
Two ways to make goldens for the unit tests instead: --train OUT trains a small WordPiece on generated texts and
writes its tokenizer.json; --freeze N prints N texts with the reference's answers.
"""
import argparse
import json
import random
import shlex
import subprocess
import sys
import tempfile
import unicodedata

from tokenizers import Tokenizer

ENGLISH = """the quick brown fox jumps over lazy dog embeddings of sentences are compared by cosine similarity which is
unbelievably robust notwithstanding Tokenization internationalization antidisestablishmentarianism Dr. Smith's
e-mail: john.doe@example.com (2023-11-05) costs $1,234.56! don't can't we'll I'm ... "quoted" 50% #tag @user""".split()
CODE = ["for (int i = 0; i < n; ++i) { x[i] += y->z; }", "def f(x: int) -> str:", "https://a.b/c?d=e&f#g", "a_b_c",
        "\tif (!ptr) return nullptr;", "<div class=\"x\">&nbsp;</div>", "SELECT * FROM t WHERE id='1';",
        "0xDEADBEEF 1e-9", "#include <vector>", "C:\\dir\\file.txt", "x=[1,2,3][::-1]", "λ = μ·σ²", "{{mustache}}",
        "$HOME/.config ~/x"]
OTHER = ["Größe Straße ÄÖÜ", "naïve café", "Ελληνικά ΟΔΟΣ ς", "Привет МИР ё", "שלום עולם נִקּוּד", "مرحبا بالعالم ـً",
         "สวัสดีชาวโลก", "नमस्ते दुनिया", "你好,世界。", "日本語テキスト かがみ", "한국어 텍스트 각", "İstanbul IŞIK ı", "ﬁ ﬂ ™ ℌ ① ² ｱ Ａ",
         "Việt Nam tiếng",
         "ᚠᛇᚻ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "👩‍👩‍👧 🏳️‍🌈 👍🏽 🇩🇪", "Ꭰꭰ", "ǅ ǆ Ǆ", "ſ K Å", "…—–‘’“”«»", "ạ̇ é ô̂"]
CONTROLS = [chr(c) for c in list(range(0, 10)) + list(range(11, 32)) + [0x7F, 0x80, 0x85, 0x9F, 0xA0, 0xAD]] + list(
    "\u1680\u180e\u2000\u200a\u200b\u200c\u200d\u200e\u2028\u2029\u202f\u205f\u2060"
    "\u3000\ufeff\ufffc\ufffd\ufffe\ue000")
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ASSIGNED = [c for c in SCALARS if unicodedata.category(chr(c)) not in ("Cn", "Co")]
MARKS = [chr(c) for c in ASSIGNED if unicodedata.combining(chr(c))]


class Generator:
    def __init__(self, seed, specials):
        self.rng = random.Random(seed)
        self.specials = specials

    def pick(self, things, low, high, joiner=""):
        return joiner.join(self.rng.choice(things) for _ in range(self.rng.randint(low, high)))

    def block(self, low=1, high=12):
        """Characters of one block of 128 code points in which something is assigned."""
        start = self.rng.choice(ASSIGNED) & ~127
        chars = [chr(c) for c in range(start, start + 128) if not 0xD800 <= c < 0xE000]
        return self.pick(chars, low, high)

    def marks(self):
        return "".join(self.rng.choice(["a", "E", "ô", "각", "ᄀ", "ᅡ", "ᆨ", "中", " ", "!", "й", "か", "\u0f71"]) +
                       self.pick(MARKS, 0, 4) for _ in range(self.rng.randint(1, 6)))

    def case(self, word):
        return self.rng.choice([word, word, word.upper(), word.capitalize(), word + self.rng.choice(".,;:!?")])

    def english(self):
        return " ".join(self.case(self.rng.choice(ENGLISH)) for _ in range(self.rng.randint(1, 25)))

    def special(self):
        inner = self.rng.choice(self.specials or ["[MASK]"])
        inner = self.rng.choice([inner, inner.lower(), inner[:-1], inner + inner, inner[1:], "[" + inner])
        return self.rng.choice(["", " ", "x", "_", "é", "\u200b", "[", "  "]) + inner + \
            self.rng.choice(["", " ", "y", "'s", "中", "\u0301"])

    def long_word(self):
        n = self.rng.choice([98, 99, 100, 101, 102, 200, 1000])
        return self.rng.choice(["a", "un", "é", "中", "x1", "a\u0301", "a\u200b", "Q"]) * n

    def mixture(self):
        parts = [self.english, self.marks, self.special, self.block, lambda: self.pick(OTHER, 1, 2),
                 lambda: self.pick(CONTROLS, 1, 3), lambda: self.pick(CODE, 1, 2),
                 lambda: self.pick([chr(c) for c in range(32, 127)], 1, 9)]
        return self.pick(["", " ", "  "], 1, 1).join(self.rng.choice(parts)() for _ in range(self.rng.randint(1, 6)))

    def cuts(self):
        """What regular expressions that cut words look at."""
        parts = ["'s", "'S", "'ſ", "'re", "'VE", "'ll", "'lL", "'d", "'t", "'", "’s", " ", " ", "  ", "\t", "\n", "\r\n", "\r",
                 "\u00a0", "\u3000", "\u2028", "\u0085", "\u180e", "\u200b", "1", "23", "4567", "½", "²", "٣", "Ⅷ", "一", "a", "b",
                 "word", "Word", "WORD", "É", "ß", "ǅ", "ª", "ʰ", "\u0301", "\u0903", "か", "カ", "中", "龥", "龦", ".", ",", "!!", "(", "/",
                 "//", "$", "+", "_", "-", "👍", "\u200d", "\ufe0f", "\0", "\x7f", "\ufffd", "\u1c89", "\U0001e5d0", "ⓐ"]
        return self.pick(parts, 1, 24)

    def broken(self):
        """Bytes that are often not UTF-8."""
        data = bytearray(self.mixture().encode())
        for _ in range(self.rng.randint(1, 5)):
            at = self.rng.randint(0, len(data))
            kind = self.rng.random()
            if kind < 0.4:
                odd = [0xC0, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xF5, 0xFF, 0x80, 0x9F, 0xA0, 0xBF]
                data[at:at] = bytes(self.rng.choice(odd) for _ in range(self.rng.randint(1, 4)))
            elif kind < 0.7:
                del data[at:at + 1]
            else:
                data[at:at] = self.rng.randbytes(self.rng.randint(1, 8))
        return bytes(data)

    def text(self, i):
        kinds = [self.english, self.english, self.marks, self.special, self.mixture, self.mixture, self.block,
                 self.broken, lambda: self.pick(CODE, 1, 3, " "), lambda: self.pick(OTHER, 1, 4, " "),
                 lambda: self.pick(CONTROLS, 1, 8), lambda: self.pick([chr(c) for c in ASSIGNED], 1, 12),
                 lambda: self.rng.randbytes(self.rng.randint(1, 40)),
                 lambda: chr(self.rng.choice(SCALARS)) + "a" + chr(self.rng.choice(SCALARS)), self.long_word,
                 self.cuts, self.cuts]
        if i < 12:
            return ["", " ", "   ", "\t", "\u3000", "\u0301", "\ufffd", "\0", "a", "\u200b", "[", "\r"][i].encode()
        text = kinds[i % len(kinds)]()
        return text if isinstance(text, bytes) else text.encode()


def byte_offsets(raw, text, offsets):
    """Offsets in characters of the decoded text -> in bytes of the raw line."""
    starts, at = [0], 0
    for ch in text:
        size = len(ch.encode())
        if raw[at:at + size] != ch.encode():  # a replaced part: find how long by what it decodes to
            size = 1
            while size < 4 and at + size < len(raw) and decodes_to_one(raw[at:at + size + 1]):
                size += 1
        at += size
        starts.append(at)
    return [[starts[a], starts[b]] for a, b in offsets]


def decodes_to_one(part):
    return part.decode(errors="replace") == "\ufffd" and part != "\ufffd".encode()


def reference(tokenizer, raw, with_offsets):
    text = raw.decode(errors="replace")
    encoding = tokenizer.encode(text)
    return [encoding.ids, byte_offsets(raw, text, encoding.offsets)] if with_offsets else encoding.ids


def train(path, seed):
    from tokenizers import models, normalizers, pre_tokenizers, processors, trainers
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    generator = Generator(seed, [])
    texts = [generator.english() if i % 4 else generator.pick(CODE + OTHER, 1, 3, " ") for i in range(4000)]
    trainer = trainers.WordPieceTrainer(vocab_size=1500, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(path, pretty=False)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--tokenizer", help="the tokenizer.json for the reference")
    options.add_argument("--command", help="the program to compare; {texts} stands for the file of texts")
    options.add_argument("--count", type=int, default=20000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--offsets", action="store_true")
    options.add_argument("--freeze", type=int, help="print so many golden cases and stop")
    options.add_argument("--train", metavar="OUT", help="train and write a small tokenizer.json and stop")
    options.add_argument("--show", type=int, default=10, help="how many differences to print")
    args = options.parse_args()
    if args.train:
        train(args.train, args.seed)
        return 0

    tokenizer = Tokenizer.from_file(args.tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    generator = Generator(args.seed, [t.content for t in tokenizer.get_added_tokens_decoder().values()])
    if args.freeze:
        for i in range(args.freeze):
            raw = generator.text(i)[:400]
            ids, offsets = reference(tokenizer, raw, True)
            print(json.dumps({"hex": raw.hex(), "ids": ids, "offsets": offsets}, separators=(",", ":")))
        return 0
    texts = [generator.text(i).replace(b"\n", b" ") for i in range(args.count)]
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(b"".join(t + b"\n" for t in texts))
        file.flush()
        command = [part.replace("{texts}", file.name) for part in shlex.split(args.command)]
        answers = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    if len(answers) != len(texts):
        print(f"{len(texts)} texts, but {len(answers)} answers")
        return 1
    n_tokens, different = 0, 0
    for i, (raw, answer) in enumerate(zip(texts, answers)):
        want, got = reference(tokenizer, raw, args.offsets), json.loads(answer)
        got = got[:2] if args.offsets else got
        n_tokens += len(want[0] if args.offsets else want)
        if want != got:
            different += 1
            if different <= args.show:
                print(f"text {i}: {raw!r}\n  reference {want}\n  program   {got}")
    print(f"{len(texts) - different} of {len(texts)} texts equal ({n_tokens} tokens)")
    return different != 0


if __name__ == "__main__":
    sys.exit(main())
