#!/usr/bin/env python3
"""Vectors of many texts from Parquet to Parquet: quern beside fastembed and sentence-transformers, in rounds that take turns.

    bulk.py --hf models/all-MiniLM-L6-v2 --model models/minilm.q8 [--rows 100000] [--rounds 3] [--threads 2]

Each writes the key and the vector of the same rows of short, different texts. Each is a process of its own, timed from its start to
its end: loading, reading, tokenizing, the model, writing. Besides, quern's library is given the same texts in memory, through pyquern:
what reading and writing leave of that rate is the share in the last line.

quern        `quern embed FILE.parquet -o FILE.parquet` (the plug-in of QUERN_ARROW)
fastembed    ONNX Runtime, f32, fused graph; fastembed8 the same with int8 weights. Batches of --fastembed-batch in the order of the file
st           sentence-transformers on torch, f32. 10,000 rows in one encode(), which sorts them by length, in batches of --st-batch
memory       pyquern's encode() of all texts at once; reading, loading and writing are not timed

A peer reads 10,000 rows at a time with pyarrow and writes them before the next. Peak memory is VmHWM, summed where there are several
processes. Cosines are to st's vectors. scripts/bench-bulk sets the peers up and calls this.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
CONTESTANTS = ('quern', 'fastembed', 'fastembed8', 'st', 'memory')


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--hf', required=True, metavar='FOLDER', help="the model in Hugging Face's layout, for the peers")
    p.add_argument('--model', required=True, metavar='FILE', help='the same model for quern')
    p.add_argument('--rows', type=int, default=100000)
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--threads', type=int, default=os.cpu_count())
    p.add_argument('--contestants', default=','.join(CONTESTANTS), help='which of them, in this order')
    p.add_argument('--fastembed-batch', type=int, default=256, help="its own default")
    p.add_argument('--st-batch', type=int, default=32, help="its own default")
    p.add_argument('--fastembed-python', default=sys.executable, metavar='FILE', help='of the environment that has fastembed')
    p.add_argument('--quern', default=os.path.join(ROOT, 'build', 'bin', 'quern'))
    p.add_argument('--library', default=os.path.join(ROOT, 'build', 'lib', 'libquern.so'))
    p.add_argument('--work', default=os.path.join(ROOT, 'build', 'bench-bulk'), metavar='DIR', help='for texts, exports and outputs')
    p.add_argument('-o', '--json', metavar='FILE', help='every single measurement')
    a = p.parse_args()
    a.contestants = a.contestants.split(',')
    unknown = set(a.contestants) - set(CONTESTANTS)
    if unknown:
        p.error(f'--contestants: there is no {unknown.pop()!r}, only {", ".join(CONTESTANTS)}')
    for name in ('rows', 'rounds', 'threads'):
        if getattr(a, name) < 1:
            p.error(f'--{name}: expected 1 or more')
    return a


def tree(pid):
    """A process and all that it has started."""
    found = [pid]
    for one in found:
        try:
            for task in os.listdir(f'/proc/{one}/task'):
                with open(f'/proc/{one}/task/{task}/children') as f:
                    found += map(int, f.read().split())
        except (OSError, ValueError):
            pass  # it has ended meanwhile
    return found


def peak_bytes(pid):
    """VmHWM of a process and all that it has started."""
    total = 0
    for one in tree(pid):
        try:
            with open(f'/proc/{one}/status') as f:
                total += next((int(line.split()[1]) * 1024 for line in f if line.startswith('VmHWM:')), 0)
        except OSError:
            pass
    return total


class Bench:
    def __init__(self, a):
        self.a = a
        os.makedirs(a.work, exist_ok=True)
        self.env = {**os.environ, 'QUERN_LIBRARY': os.path.abspath(a.library), 'HF_HUB_OFFLINE': '1', 'TRANSFORMERS_VERBOSITY': 'error',
                    'TOKENIZERS_PARALLELISM': 'true', 'PYTHONPATH': os.path.join(ROOT, 'bindings', 'python')}
        for name in ('OMP_NUM_THREADS', 'RAYON_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
            self.env[name] = str(a.threads)

    def path(self, name):
        return os.path.join(self.a.work, name)

    def worker(self, what, *more, python=sys.executable):
        return [python, os.path.join(HERE, 'bulk_worker.py'), what, *map(str, more)]

    def command(self, name, source, output):
        a = self.a
        if name == 'quern':
            return [a.quern, 'embed', '-m', a.model, '-f', source, '--id', 'key', '-o', output, '-t', str(a.threads), '--quiet', '--restart']
        if name == 'memory':
            return self.worker(name, source, '-', a.model, a.threads, 0)
        if name == 'st':
            return self.worker(name, source, output, a.hf, a.threads, a.st_batch)
        return self.worker(name, source, output, self.path('exports'), a.threads, a.fastembed_batch, python=a.fastembed_python)

    def prepare(self):
        """Texts, and the graphs that fastembed runs; neither is timed."""
        for name, rows in ((f'texts-{self.a.rows}.parquet', self.a.rows), ('few.parquet', min(self.a.rows, 500))):
            subprocess.run(self.worker('texts', self.path(name), rows), check=True, env=self.env)
        if {'fastembed', 'fastembed8'} & set(self.a.contestants):
            subprocess.run(self.worker('export', self.a.hf, self.path('exports')), check=True, env=self.env)

    def run(self, name, source, output):
        """What one run took: seconds, and bytes at the most."""
        command, peak = self.command(name, source, output), 0
        start = time.perf_counter()
        with subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while process.poll() is None:
                peak = max(peak, peak_bytes(process.pid))
                time.sleep(0.1)
            seconds = time.perf_counter() - start
            said, errors = process.stdout.read(), process.stderr.read().decode(errors='replace')
        if process.returncode != 0:
            raise RuntimeError((errors.strip().splitlines() or [f'exit status {process.returncode}'])[-1][:300])
        told = json.loads(said) if name == 'memory' else {}
        return {'seconds': told.get('seconds', seconds), 'peak_bytes': peak}

    def measure(self):
        rounds, missing = {name: [] for name in self.a.contestants}, {}
        for name in self.a.contestants:  # does it run at all; and its files are in memory then
            try:
                self.run(name, self.path('few.parquet'), self.path(f'few-{name}.parquet'))
            except (RuntimeError, OSError) as error:
                missing[name] = str(error)
                del rounds[name]
        for turn in range(self.a.rounds):
            for name in rounds:
                rounds[name].append(self.run(name, self.path(f'texts-{self.a.rows}.parquet'), self.path(f'{name}.parquet')))
                print(f'round {turn + 1} of {self.a.rounds}: {name}: {self.a.rows / rounds[name][-1]["seconds"]:.0f} rows/s', file=sys.stderr)
        return rounds, missing

    def cosines(self, names):
        """Of each output to st's: mean and worst."""
        others = [name for name in names if name not in ('st', 'memory')]
        if 'st' not in names or not others:
            return {}
        done = subprocess.run(self.worker('compare', self.path('st.parquet'), *(self.path(f'{n}.parquet') for n in others)), check=True,
                              env=self.env, capture_output=True)
        return dict(zip(others, json.loads(done.stdout)))


def report(a, rounds, missing, cosines):
    rates = {name: [a.rows / r['seconds'] for r in runs] for name, runs in rounds.items()}
    print(f'{a.rows} rows, {a.threads} threads, {a.rounds} rounds, {platform.node()}: medians (least to most)\n')
    print('| | rows/s | quern is × | peak MB | cosine, mean and worst |')
    print('|---|---|---|---|---|')
    for name in rounds:
        median = statistics.median(rates[name])
        times = f'{statistics.median(rates["quern"]) / median:.2f}' if 'quern' in rates else '-'
        peak = max(r['peak_bytes'] for r in rounds[name]) / 1e6
        cosine = '{:.5f}, {:.5f}'.format(*cosines[name]) if name in cosines else '-'
        print(f'| {name} | {median:.0f} ({min(rates[name]):.0f} to {max(rates[name]):.0f}) | {times} | {peak:.0f} | {cosine} |')
    for name, why in missing.items():
        print(f'\n{name}: not measured: {why}')
    if {'quern', 'memory'} <= set(rates):
        shares = [q / m for q, m in zip(rates['quern'], rates['memory'])]
        print(f'\nParquet to Parquet is {100 * statistics.median(shares):.1f} % of the rate in memory '
              f'({100 * min(shares):.1f} to {100 * max(shares):.1f}, round by round)')


def main():
    a = arguments()
    bench = Bench(a)
    bench.prepare()
    rounds, missing = bench.measure()
    cosines = bench.cosines(list(rounds))
    report(a, rounds, missing, cosines)
    if a.json:
        with open(a.json, 'w', encoding='utf8') as f:
            json.dump({'settings': vars(a), 'rounds': rounds, 'missing': missing, 'cosines': cosines}, f, indent=1)


if __name__ == '__main__':
    main()
