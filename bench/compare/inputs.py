"""Texts: sets of bench/texts.py, files, and texts of exact lengths."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tokenizers import Tokenizer

from model import Folder, fail

TEXTS_PY = Path(__file__).resolve().parents[1] / 'texts.py'
TEXT_SETS = ('short', 'passages', 'mixed')


def read_texts(name: str, limit: int | None = None) -> list[str]:
    if name in TEXT_SETS:
        text = subprocess.run([sys.executable, TEXTS_PY, name], check=True, capture_output=True, text=True).stdout
    else:
        try:
            text = Path(name).read_text(encoding='utf8')
        except (OSError, UnicodeDecodeError) as error:
            fail(f'--texts {name}: not one of {", ".join(TEXT_SETS)}, and as a file: {error}')
    lines = text.removesuffix('\n').split('\n')[:limit]
    if not any(lines):
        fail(f'--texts {name}: there are no texts in it')
    return lines


def copy_of(tokenizer: Tokenizer) -> Tokenizer:
    return Tokenizer.from_str(tokenizer.to_str())


def cut(tokenizer: Tokenizer, text: str, length: int) -> str:
    """The text as far as its first `length` tokens go, special ones included."""
    tokenizer.enable_truncation(length)
    return text[:max(end for _, end in tokenizer.encode(text).offsets)]


def texts_of_length(folder: Folder, texts: list[str], length: int, n: int) -> list[str]:
    """n texts of exactly `length` tokens, special ones included, joined from the given ones and cut."""
    if not 3 <= length <= folder.max_length:
        fail(f'--lengths {length}: expected 3 to {folder.max_length} tokens (--max-length)')
    tokenizer = copy_of(folder.tokenizer)
    found, text = [], ''
    for piece in texts * (1 + n * length // max(1, len(texts))):
        text = f'{text} {piece}'.strip()
        tokenizer.no_truncation()
        if len(tokenizer.encode(text).ids) < length:
            continue
        short, text = cut(tokenizer, text, length), ''
        tokenizer.no_truncation()
        if len(tokenizer.encode(short).ids) == length:
            found.append(short)
            if len(found) == n:
                return found
    fail(f'these texts are too few to make {n} of {length} tokens')
