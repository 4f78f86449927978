#!/usr/bin/env python3
"""Takes a decoder's weights off the grid that they were rounded to, without changing what the model computes.

    scale_channels.py FOLDER OUT_FOLDER [--most 1.19] [--seed 1]

A folder made of a 4-bit file (tests/reference/gguf_to_hf.py) flatters 4-bit types: its weights lie on their steps. Each channel
between two layers is multiplied by a random factor, and what reads it is divided by that: a norm's weight and the columns of the
linears behind it, ffn_up's rows and ffn_down's columns, the values' rows and attn_output's columns. For Llama's names. Factors are
spread evenly, by their logarithm, between 1 / MOST and MOST; small enough that what a type without smoothing loses by them is little."""
import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def scaled(tensors, config, factors):
    d = config['head_dim']
    group = config['num_attention_heads'] // config['num_key_value_heads']
    for i in range(config['num_hidden_layers']):
        layer = f'model.layers.{i}.'
        get = lambda name: tensors[layer + name + '.weight']
        for norm, readers in [('input_layernorm', ('q_proj', 'k_proj', 'v_proj')), ('post_attention_layernorm', ('gate_proj', 'up_proj'))]:
            s = factors(config['hidden_size'])
            get(norm)[:] *= s
            for name in readers:
                get(('self_attn.' if name[1] == '_' else 'mlp.') + name)[:] /= s
        s = factors(config['intermediate_size'])
        get('mlp.up_proj')[:] *= s[:, None]
        get('mlp.down_proj')[:] /= s
        s = factors(config['num_key_value_heads'] * d).reshape(-1, d)
        get('self_attn.v_proj')[:] *= s.reshape(-1, 1)
        get('self_attn.o_proj')[:] /= np.repeat(s, group, axis=0).reshape(-1)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('folder', type=Path), p.add_argument('out', type=Path)
    p.add_argument('--most', type=float, default=1.19), p.add_argument('--seed', type=int, default=1)
    a = p.parse_args()
    if not a.most > 1:
        p.error(f'--most {a.most}: expected more than 1')
    config = json.loads((a.folder / 'config.json').read_text())
    tensors = {name: t.astype(np.float64) for name, t in load_file(a.folder / 'model.safetensors').items()}
    rng = np.random.default_rng(a.seed)
    scaled(tensors, config, lambda n: a.most ** rng.uniform(-1, 1, n))
    shutil.copytree(a.folder, a.out, ignore=shutil.ignore_patterns('*.safetensors'), dirs_exist_ok=True)
    save_file({name: t.astype(np.float32) for name, t in tensors.items()}, a.out / 'model.safetensors', metadata={'format': 'pt'})


if __name__ == '__main__':
    main()
