#!/usr/bin/env python3
"""From process start to the first vector: start.py MODEL [--quern ./quern] [--runs 20]

Runs `quern embed -m MODEL -p "a short text"` again and again; prints the median, fastest and slowest wall time and the
largest resident memory of one process.
"""
import argparse
import os
import statistics
import subprocess
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('model')
parser.add_argument('--quern', default='./quern')
parser.add_argument('--runs', type=int, default=20)
args = parser.parse_args()
times, resident = [], 0
for _ in range(args.runs + 1):
    start = time.perf_counter()
    process = subprocess.Popen([args.quern, 'embed', '-m', args.model, '-p', 'a short text', '--quiet'], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    times.append(time.perf_counter() - start)
    resident = max(resident, usage.ru_maxrss)
    if status != 0:
        raise SystemExit(f'{args.quern} failed')
times = times[1:]  # the first one warms the page cache
print(f'{args.model}: {statistics.median(times) * 1e3:.1f} ms ({min(times) * 1e3:.1f} to {max(times) * 1e3:.1f}), {resident / 1024:.1f} MB resident')
