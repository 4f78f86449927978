#!/usr/bin/env python3
"""made_model.py SHAPE OUT --tokenizer models/all-MiniLM-L6-v2

Writes a Hugging Face folder of a BERT encoder with random weights: real shapes to measure speed with where the real weights
cannot be had. Mean pooling, then length 1; the tokenizer is copied from a real folder of BERT's vocabulary. The same SHAPE and
--seed make the same bytes. Its vectors mean nothing.
"""
from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

#          width, layers, heads, feed-forward width
SHAPES = {
    'minilm-l6': (384, 6, 12, 1536),
    'bge-small': (384, 12, 12, 1536),
    'bge-base': (768, 12, 12, 3072),
    'bge-large': (1024, 24, 16, 4096),
}
POSITIONS = 512
TOKENIZER_FILES = ('tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'vocab.txt')
MODULES = 'sentence_transformers.models.'


def config(shape: str, vocabulary: int) -> dict:
    width, layers, heads, inner = SHAPES[shape]
    return {
        'architectures': ['BertModel'], 'model_type': 'bert', 'hidden_size': width, 'num_hidden_layers': layers,
        'num_attention_heads': heads, 'intermediate_size': inner, 'vocab_size': vocabulary, 'max_position_embeddings': POSITIONS,
        'type_vocab_size': 2, 'hidden_act': 'gelu', 'layer_norm_eps': 1e-12, 'pad_token_id': 0, 'initializer_range': 0.02,
        'attention_probs_dropout_prob': 0.1, 'hidden_dropout_prob': 0.1, 'position_embedding_type': 'absolute',
    }


def shapes_of_weights(c: dict) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names as BertModel has them; 'LayerNorm.weight' is around 1, all else around 0."""
    width, inner = c['hidden_size'], c['intermediate_size']

    def linear(name: str, out: int, into: int):
        yield f'{name}.weight', (out, into)
        yield f'{name}.bias', (out,)

    def norm(name: str):
        yield f'{name}.LayerNorm.weight', (width,)
        yield f'{name}.LayerNorm.bias', (width,)

    for name, rows in (('word', c['vocab_size']), ('position', POSITIONS), ('token_type', c['type_vocab_size'])):
        yield f'embeddings.{name}_embeddings.weight', (rows, width)
    yield from norm('embeddings')
    for i in range(c['num_hidden_layers']):
        layer = f'encoder.layer.{i}'
        for part in ('query', 'key', 'value'):
            yield from linear(f'{layer}.attention.self.{part}', width, width)
        yield from linear(f'{layer}.attention.output.dense', width, width)
        yield from norm(f'{layer}.attention.output')
        yield from linear(f'{layer}.intermediate.dense', inner, width)
        yield from linear(f'{layer}.output.dense', width, inner)
        yield from norm(f'{layer}.output')
    yield from linear('pooler.dense', width, width)


def weights(c: dict, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    out = {}
    for name, shape in shapes_of_weights(c):
        out[name] = rng.standard_normal(shape, np.float32) * np.float32(0.02)
        if name.endswith('LayerNorm.weight'):
            out[name] += np.float32(1)
    return out


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + '\n', encoding='utf8')


def write_folder(shape: str, out: Path, tokenizer: Path, seed: int) -> None:
    vocabulary = json.loads((tokenizer / 'tokenizer.json').read_text(encoding='utf8'))['model']['vocab']
    c = config(shape, len(vocabulary))
    out.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (tokenizer / name).exists():
            shutil.copyfile(tokenizer / name, out / name)
    write_json(out / 'config.json', c)
    write_json(out / 'sentence_bert_config.json', {'max_seq_length': POSITIONS, 'do_lower_case': False})
    write_json(out / '1_Pooling/config.json', {'word_embedding_dimension': c['hidden_size'], 'pooling_mode_mean_tokens': True})
    write_json(out / 'modules.json', [
        {'idx': 0, 'name': '0', 'path': '', 'type': MODULES + 'Transformer'},
        {'idx': 1, 'name': '1', 'path': '1_Pooling', 'type': MODULES + 'Pooling'},
        {'idx': 2, 'name': '2', 'path': '2_Normalize', 'type': MODULES + 'Normalize'}])
    part = out / 'part-model.safetensors'  # renamed last: a folder with weights is a whole one
    save_file(weights(c, seed), part, {'format': 'pt'})
    part.chmod(0o644)
    part.rename(out / 'model.safetensors')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('shape', choices=SHAPES)
    parser.add_argument('out', type=Path)
    parser.add_argument('--tokenizer', type=Path, required=True, metavar='FOLDER', help='a real model folder')
    parser.add_argument('--seed', type=int, default=1)
    o = parser.parse_args()
    if not (o.tokenizer / 'tokenizer.json').is_file():
        parser.error(f'--tokenizer {o.tokenizer}: there is no tokenizer.json in it')
    if o.out.exists() and o.out.samefile(o.tokenizer):
        parser.error(f'{o.out} is the folder of the tokenizer: it would be overwritten')
    write_folder(o.shape, o.out, o.tokenizer, o.seed)


if __name__ == '__main__':
    main()
