"""The Hugging Face folder that is measured: its shape and its tokenizer."""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer


class NotMeasured(Exception):
    """Why a peer has no figure: one clause."""


def fail(why: str) -> None:
    raise SystemExit(f'encoders.py: {why}')


def read_json(path: Path, otherwise=None):
    if not path.exists() and otherwise is not None:
        return otherwise
    try:
        return json.loads(path.read_text(encoding='utf8'))
    except (OSError, ValueError) as error:
        fail(f'{path} cannot be read: {error}')


# What the peers can be given, by model_type: the names of a model's inputs.
INPUTS = {'bert': ['input_ids', 'attention_mask', 'token_type_ids'], 'mpnet': ['input_ids', 'attention_mask']}


@dataclass(frozen=True)
class Folder:
    """An encoder in Hugging Face's layout, and how long its texts may get."""
    path: Path
    max_length: int

    def check(self) -> None:
        for name in ('config.json', 'tokenizer.json', 'model.safetensors'):
            if not (self.path / name).is_file():
                fail(f'{self.path} is not a Hugging Face folder of an encoder: {name} is missing')
        if self.inputs is None:
            fail(f'{self.path}: only {" and ".join(INPUTS)} encoders can be compared, this is {self.config.get("model_type")!r}')
        if not 3 <= self.max_length <= self.config['max_position_embeddings']:
            fail(f'--max-length {self.max_length}: this model takes 3 to {self.config["max_position_embeddings"]} tokens')

    @property
    def inputs(self) -> list[str] | None:
        """None: the peers' exports do not know such a model."""
        return INPUTS.get(self.config.get('model_type'))

    @property
    def width(self) -> int:
        return self.config.get('hidden_size') or self.config['n_embd']

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @cached_property
    def config(self) -> dict:
        return read_json(self.path / 'config.json')

    @cached_property
    def pooling(self) -> str:
        modes = read_json(self.path / '1_Pooling' / 'config.json', {'pooling_mode_mean_tokens': True})
        for mode, key in (('mean', 'pooling_mode_mean_tokens'), ('cls', 'pooling_mode_cls_token')):
            if modes.get(key):
                return mode
        fail(f'{self.path}/1_Pooling/config.json: only mean and cls pooling can be compared')

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Cuts to max_length, never pads."""
        tokenizer = Tokenizer.from_file(str(self.path / 'tokenizer.json'))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_length)
        return tokenizer

    @cached_property
    def key(self) -> str:
        """Names what was exported from these very files, so that stale exports are never used."""
        digest = hashlib.sha256()
        for name in ('config.json', 'tokenizer.json', 'model.safetensors'):
            with open(self.path / name, 'rb') as file:
                digest.update(hashlib.file_digest(file, 'sha256').digest())
        return f'{self.name}-{digest.hexdigest()[:12]}'

    def ids(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]
