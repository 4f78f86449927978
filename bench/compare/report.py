"""Tables to read and JSON to keep."""
from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import sys
from pathlib import Path

import numpy as np

from measure import Row, TextSet
from model import Folder
from remote import Remote


def cosines(vectors: np.ndarray | None, reference: np.ndarray | None) -> np.ndarray | None:
    if vectors is None or reference is None or vectors.shape != reference.shape:
        return None
    return (vectors * reference).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(reference, axis=1)


def figures(a_set: TextSet, row: Row, single: bool) -> dict:
    """What is known of one row; everything in base units."""
    out: dict = {'peer': row.peer.name, 'isa': row.peer.isa}
    median = row.median()
    if median is None:
        return out | {'not_measured': row.reason or 'no rounds'}
    texts, tokens = (1, a_set.lengths[0]) if single else (len(a_set.texts), sum(a_set.lengths))
    int8 = [r.median() for r in a_set.rows if r.peer.int8 and r.median()]
    reference = next((r.vectors for r in a_set.rows if r.peer.name == 'torch' and not r.reason), None)
    setting = row.peer.setting
    out |= {'workers': setting.workers, 'threads': setting.threads, 'batch': row.batch, 'median_seconds': median,
            'texts_per_second': texts / median, 'tokens_per_second': tokens / median,
            'ratio_to_fastest_int8_peer': min(int8) / median if int8 else None, 'seconds': row.seconds}
    cosine = cosines(row.vectors, reference)
    if cosine is not None:
        out |= {'cosine_mean': float(cosine.mean()), 'cosine_worst': float(cosine.min())}
    if row.shares:
        out |= {'share_of_limit': statistics.median(row.shares), 'shares_of_limit': row.shares, 'limits': row.limits}
    return out


def cell(value: float | None, form: str) -> str:
    return '-' if value is None else format(value, form)


def how(r: dict, single: bool) -> str:
    threads = f'{r["workers"]} x {r["threads"]}'
    return threads if single or not r['batch'] else f'{threads}, {r["batch"]}'


def table(a_set: TextSet, single: bool) -> str:
    rows = [figures(a_set, row, single) for row in a_set.rows]
    head = ['', 'workers x threads', 'ms'] if single else ['', 'workers x threads, batch', 'texts/s']
    head += ['tokens/s', 'to int8 peer', 'cosine', 'worst', '% of limit']
    cells = [head]
    for r in rows:
        if 'not_measured' in r:
            continue
        share = r.get('share_of_limit')
        cells.append([
            r['peer'], how(r, single),
            cell(r['median_seconds'] * 1e3, '.2f') if single else cell(r['texts_per_second'], '.1f'),
            cell(r['tokens_per_second'], '.0f'), cell(r['ratio_to_fastest_int8_peer'], '.2f'), cell(r.get('cosine_mean'), '.5f'),
            cell(r.get('cosine_worst'), '.4f'), cell(share and share * 100, '.0f')])
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ['  '.join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:]))]).rstrip() for line in cells]
    lines += [f'{r["peer"]}: not measured: {r["not_measured"]}' for r in rows if 'not_measured' in r]
    return '\n'.join(lines)


def title(a_set: TextSet, folder: Folder, threads: int, rounds: int, single: bool, cpu: str | None) -> str:
    what = 'one text at a time' if single else f'{len(a_set.texts)} texts, {sum(a_set.lengths)} tokens'
    return f'{folder.name}, {a_set.name}: {what}, {threads} threads, {rounds} rounds, cut at {folder.max_length} tokens{f", as on a CPU with {cpu} alone" if cpu else ""}'


def cpu_name() -> str:
    try:
        names = [line.partition(':')[2].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def versions(peers: list[Remote]) -> dict[str, str]:
    out = {'python': platform.python_version()}
    for peer in peers:
        try:
            out[peer.name] = peer.call('version')
        except Exception as error:
            out[peer.name] = f'unknown: {error}'
    return out


def write_json(path: Path, sets: list[TextSet], folder: Folder, settings: dict, peers: list[Remote],
               missing: dict[str, str], single: bool) -> None:
    everything = {
        'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'cpu': cpu_name(), 'usable_cpus': len(os.sched_getaffinity(0)), 'system': platform.platform(),
        'command': sys.argv, 'mode': 'latency' if single else 'throughput', 'settings': settings,
        'model': {'name': folder.name, 'key': folder.key, 'pooling': folder.pooling, 'config': folder.config},
        'versions': versions(peers), 'not_measured': missing,
        'sets': [{'name': s.name, 'texts': len(s.texts), 'tokens': sum(s.lengths),
                  'rows': [figures(s, row, single) for row in s.rows]} for s in sets],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(everything, indent=1) + '\n', encoding='utf8')
