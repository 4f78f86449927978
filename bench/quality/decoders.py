#!/usr/bin/env python3
"""What a type costs a decoder: perplexity and divergence beside llama.cpp's types, all made from one f32 folder.

  decoders.py FOLDER TEXT [--types q8,q5,q4_m,q4] [--llama Q8_0,Q6_K,Q5_K_M,Q4_K_M] [--program build/bin/quern]

FOLDER holds f32 weights in Hugging Face's layout (tests/reference/gguf_to_hf.py --dtype F32 makes one of a GGUF file, and
scale_channels.py takes such weights off the grid that they were rounded to). TEXT is none of the calibration's. llama.cpp's files are
made by its own converter and llama-quantize, as bench/compare/setup builds them ($PEERS), and measured by quern too, which reads them:
what differs is the file. The divergence is Kullback and Leibler's from the f32 folder's predictions, in nats for each token."""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIGURES = re.compile(r'PPL = (?P<ppl>[\d.]+).*?ratio = (?P<ratio>[\d.]+).*?divergence = (?P<divergence>[\d.]+), '
                     r'largest (?P<largest>[\d.]+); the same likeliest token: (?P<same>[\d.]+)', re.S)


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f'{command[0]} failed:\n{done.stderr[-2000:]}')
    return done.stdout + done.stderr


def llama_files(folder, kinds, work):
    peers = os.environ.get('PEERS')
    quantize = peers and Path(peers) / 'llama.cpp/build/bin/llama-quantize'
    if not quantize or not quantize.exists():
        print('llama.cpp: not measured; source the env.sh of bench/compare/setup', file=sys.stderr)
        return
    source = work / 'f32.gguf'
    run(sys.executable, Path(peers) / 'llama.cpp/convert_hf_to_gguf.py', folder, '--outtype', 'f32', '--outfile', source)
    for kind in kinds:
        file = work / f'{kind}.gguf'
        run(quantize, source, file, kind)
        yield f'llama.cpp {kind}', file


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('folder', type=Path), p.add_argument('text', type=Path)
    p.add_argument('--types', default='q8,q5,q4_m,q4'), p.add_argument('--llama', default='Q8_0,Q6_K,Q5_K_M,Q4_K_M')
    p.add_argument('--program', type=Path, default=ROOT / 'build/bin/quern')
    p.add_argument('-o', '--json', type=Path, metavar='FILE', help='the same figures')
    a = p.parse_args()
    listed = lambda names: [n for n in names.split(',') if n]
    with tempfile.TemporaryDirectory() as work:
        work, rows = Path(work), []

        def files():
            for kind in listed(a.types):
                file = work / f'quern.{kind}'
                run(a.program, 'convert', a.folder, '--type', kind, '-o', file, '--quiet')
                yield f'quern {kind}', file
            yield from llama_files(a.folder, listed(a.llama), work)

        print('| type | file, MB | perplexity | divergence, mean / largest | the same likeliest token |\n|---|---|---|---|---|')
        for name, file in files():
            said = run(a.program, 'perplexity', '-m', file, '-f', a.text, '--reference', a.folder, '--quiet')
            found = FIGURES.search(said)
            if not found:
                sys.exit(f'{name}: unexpected answer of quern perplexity: {said}')
            row = {'type': name, 'bytes': file.stat().st_size, **{k: float(v) for k, v in found.groupdict().items()}}
            rows.append(row)
            print(f'| {name} | {row["bytes"] / 1e6:.1f} | {row["ratio"] - 1:+.1%} | {row["divergence"]:.4f} / {row["largest"]:.2f} | '
                  f'{row["same"]:.1f} % |', flush=True)
            file.unlink()
    if a.json:
        a.json.write_text(json.dumps(rows, indent=1))


if __name__ == '__main__':
    main()
