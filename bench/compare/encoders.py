#!/usr/bin/env python3
"""quern and its peers side by side on one BERT encoder: speed, fidelity, and how near quern comes to the CPU's limit.

  encoders.py --hf models/all-MiniLM-L6-v2 --quern build/minilm.q8 [--quern build/minilm.q8:avx2 ...]   texts/s on sets of texts
  encoders.py --hf models/all-MiniLM-L6-v2 --quern build/minilm.q8 --latency                           ms of single texts

torch f32 · ort: ONNX Runtime f32 · ort8, ov8, ct2: ONNX Runtime, OpenVINO, CTranslate2 in int8 · llama: llama.cpp Q8_0
bench/compare/setup DIR installs them; PEERS=DIR says where they are. What cannot be run is reported as not measured.

Every time counts text to vector: tokenizing, padding or packing, the model, pooling, normalizing. Peers get their best: a
process each, fused graphs, texts sorted by tokens, and for every set the fastest of several batch sizes and of one batch on all
threads or one batch per thread; for single texts the faster of one thread and all, quern too (torch's batches are not tuned).
Two exceptions: llama-embedding's time is the whole process, and llama-bench, for single texts, neither tokenizes nor pools.

"to int8 peer" is the speed over the fastest int8 peer's. Cosines are to torch's vectors, mean and worst. "% of limit" is the
time that the model's multiply-accumulates would take at the rate of a register-only loop on as many threads, measured around
every turn of quern, over quern's time.

--cpu avx2 runs all of them as on a CPU with AVX2 and nothing after it (narrow_cpu.py says how), which most machines without a GPU are.
"""
from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LATENCY_TEXTS = 8


def arguments() -> argparse.Namespace:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--hf', type=Path, required=True, metavar='FOLDER', help="the model in Hugging Face's layout")
    a.add_argument('--quern', action='append', default=[], metavar='MODEL[:ISA]', help='the same model for quern; may be repeated')
    a.add_argument('--peers', default='torch,ort,ort8,ov8,ct2,llama', help='which of them, in this order; empty: none')
    a.add_argument('--texts', default='short,passages,mixed', help='sets of bench/texts.py, or files with one text per line')
    a.add_argument('--limit-texts', type=int, metavar='N', help='the first N texts of each set')
    a.add_argument('--latency', action='store_true', help='single texts of exact lengths in place of the sets')
    a.add_argument('--lengths', default='8,16,32,128,512', help='for --latency: tokens, special ones included')
    a.add_argument('--burst', type=float, default=0.1, metavar='SECONDS', help='for --latency: of a peer in one round')
    a.add_argument('--rounds', type=int, help='default: 3, or 10 with --latency')
    a.add_argument('--threads', type=int, default=2)
    a.add_argument('--batches', default='4,16,32', help="texts of the peers' batches; each peer gets its best of them")
    a.add_argument('--max-length', type=int, help='tokens that texts are cut to; default: 256, or 512 with --latency')
    a.add_argument('--cpu', choices=['avx2'], help='as on a CPU that has no more; bench/compare/setup DIR --cpu avx2 prepares it')
    a.add_argument('--library', type=Path, default=ROOT / 'build/lib/libquern.so')
    a.add_argument('--program', type=Path, default=ROOT / 'build/bin/quern')
    a.add_argument('--exports', type=Path, metavar='DIR', help='where exports are kept; default: $PEERS/exports, else under the temporary folder')
    a.add_argument('-o', '--json', type=Path, metavar='FILE', help='everything, times of each round included')
    o = a.parse_args()
    o.rounds = o.rounds or (10 if o.latency else 3)
    o.max_length = o.max_length or (512 if o.latency else 256)
    o.exports = o.exports or Path(os.environ.get('PEERS') or tempfile.gettempdir()) / 'exports'
    for name in ('rounds', 'threads', 'limit_texts'):
        if (value := getattr(o, name)) is not None and value < 1:
            a.error(f'--{name.replace("_", "-")} {value}: expected 1 or more')
    for name in ('lengths', 'batches'):
        try:
            numbers = [int(n) for n in getattr(o, name).split(',')]
        except ValueError:
            numbers = []
        if not numbers or min(numbers) < 1:
            a.error(f'--{name} {getattr(o, name)}: expected numbers above 0 with commas between them')
        setattr(o, name, numbers)
    return o


def set_environment(threads: int, cpu: str | None) -> None:
    """Before numpy and the peers are imported: they read these once; what is loaded into a process at its start, in those of the peers."""
    for name in ('OMP_NUM_THREADS', 'RAYON_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        os.environ[name] = str(threads)
    os.environ['HF_HUB_OFFLINE'] = '1'
    os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
    os.environ['HF_HUB_DISABLE_PROGRESS_BARS'] = '1'
    if cpu:
        folder = Path(os.environ.get('PEERS', '')) / cpu
        preloaded = folder / 'narrow_cpu.so'
        if 'PEERS' not in os.environ or not preloaded.exists():
            raise SystemExit(f'encoders.py: --cpu {cpu}: PEERS does not name a folder with {cpu}/narrow_cpu.so in it; '
                             f'bench/compare/setup DIR --cpu {cpu} makes it')
        sys.path.insert(0, str(folder))  # which the peers' processes take over
        os.environ |= {'QUERN_ISA': cpu, 'LD_PRELOAD': str(preloaded), 'PYTHONPATH': str(folder), 'LLAMA_BUILD': f'build-{cpu}'}
        return
    info = Path('/proc/cpuinfo')
    if info.exists() and {'avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512cd'} <= set(info.read_text().split()):
        os.environ.setdefault('CT2_FORCE_CPU_ISA', 'AVX512')  # it does not choose it by itself


def make_peers(o: argparse.Namespace, folder) -> tuple[list[list], dict[str, str]]:
    """Those that can be run, each for the settings that it may be fastest with, and why the others cannot."""
    from exports import Exports
    from model import fail
    from peers import PEERS, Setting
    from quern import Quern, QuernProcess, parse
    from remote import Remote, reason_of
    exports = Exports(folder, o.exports)
    whole = Setting(folder, exports, o.threads)
    single = Setting(folder, exports, 1, 1 if o.latency else o.threads)
    peers, missing = [], {}

    def add(name: str, kind: type, *arguments) -> None:
        settings = [whole, single] if o.threads > 1 and (o.latency or kind.tuned) else [whole]
        try:
            peers.append([Remote(kind, setting, *arguments) for setting in settings])
        except Exception as error:
            missing[name] = reason_of(error)

    for name in [name for name in o.peers.split(',') if name]:
        if name not in PEERS:
            fail(f'--peers: there is no {name!r}, only {", ".join(PEERS)}')
        add(name, PEERS[name])
    if o.quern and not o.library.exists():
        fail(f'--library: there is no {o.library}; make builds it')
    for text in o.quern:
        path, isa = parse(text)
        add(text, Quern, o.library.resolve(), path, isa)
        if not o.latency and text not in missing:
            add(f'{text} (process)', QuernProcess, o.library.resolve(), path, isa, o.program.resolve())
    return peers, missing


def main() -> None:
    o = arguments()
    set_environment(o.threads, o.cpu)
    try:
        import measure
        import report
        from inputs import read_texts, texts_of_length
        from model import Folder, fail
    except ImportError as error:
        raise SystemExit(f'encoders.py: {error}; bench/compare/setup DIR installs what is needed')
    folder = Folder(o.hf, o.max_length)
    folder.check()
    texts = {name: read_texts(name, o.limit_texts) for name in o.texts.split(',')}
    if o.latency:
        source = [text for some in texts.values() for text in some]
        texts = {f'{n} tokens': texts_of_length(folder, source, n, LATENCY_TEXTS) for n in o.lengths}
    peers, missing = make_peers(o, folder)
    if not peers:
        fail('no peer can be run: ' + '; '.join(f'{name}: {why}' for name, why in missing.items()))
    sets = [measure.set_of(name, some, folder, peers) for name, some in texts.items()]
    if o.latency:
        measure.latency(sets, o.rounds, o.burst)
    else:
        measure.throughput(sets, o.rounds, o.batches)
    for a_set in sets:
        print(report.title(a_set, folder, o.threads, o.rounds, o.latency, o.cpu))
        print(report.table(a_set, o.latency) + '\n')
    for name, why in missing.items():
        print(f'{name}: not measured: {why}')
    if o.json:
        settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(o).items()}
        report.write_json(o.json, sets, folder, settings, [settings[0] for settings in peers], missing, o.latency)


if __name__ == '__main__':
    main()
