"""Interleaved rounds: every peer once per round, so that what else the machine does falls on all of them."""
from __future__ import annotations

import math
import statistics
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from model import Folder
from remote import Remote, reason_of

PAUSE = 0.3        # seconds before every turn: the last peer's threads stop spinning
LIMIT_LONG = 0.2   # seconds of one measurement of the CPU's limit, around passes over all texts
LIMIT_SHORT = 0.04  # and around bursts of single texts
TUNING_BURST = 0.03


@dataclass
class Row:
    """One peer on one set of texts."""
    settings: list[Remote]  # the same peer made for several settings
    peer: Remote            # the one that is measured
    seconds: list[float] = field(default_factory=list)  # of each pass, or of each single text
    shares: list[float] = field(default_factory=list)   # of the limit, one a turn
    limits: list[float] = field(default_factory=list)   # multiply-accumulates per second around each turn
    vectors: np.ndarray | None = None
    batch: int | None = None
    reason: str = ''

    def median(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds and not self.reason else None


@dataclass
class TextSet:
    name: str
    texts: list[str]
    lengths: list[int]  # in tokens, cut
    rows: list[Row]


def set_of(name: str, texts: list[str], folder: Folder, peers: list[list[Remote]]) -> TextSet:
    return TextSet(name, texts, [len(ids) for ids in folder.ids(texts)], [Row(settings, settings[0], batch=settings[0].batch) for settings in peers])


def seconds_at_limit(peer: Remote, lengths: list[int], limit: float) -> float:
    """How long the multiply-accumulates alone would take: products at the int8 rate (at the float rate in an f32 model),
    attention at the float rate, which is a quarter of it with AVX-512 and half of it elsewhere."""
    float_rate = limit / (4 if (peer.isa or '').startswith('avx512') else 2)
    products, attention = peer.call('macs', lengths)
    return products / (float_rate if peer.float_weights else limit) + attention / float_rate


def turn(row: Row, lengths: list[int], limit_seconds: float, work) -> None:
    """One peer's turn: `work` returns its times; the limit is measured before and after."""
    if row.reason:
        return
    time.sleep(PAUSE)
    try:
        before = row.peer.call('limit', limit_seconds)
        times = work()
        after = row.peer.call('limit', limit_seconds)
    except Exception as error:  # whatever a peer raises: the others go on
        row.reason = reason_of(error)
        return
    row.seconds += times
    if before and after:
        limit = (before + after) / 2
        row.limits.append(limit)
        row.shares.append(seconds_at_limit(row.peer, lengths, limit) / statistics.median(times))


def in_turns(rows: list[Row], round_number: int) -> list[Row]:
    return rows if round_number % 2 == 0 else rows[::-1]


def throughput(sets: list[TextSet], rounds: int, batches: list[int]) -> None:
    """Passes over all texts of each set, with the setting that was fastest on some of them."""
    for a_set in sets:
        some = typical(a_set)
        for row in a_set.rows:
            progress(f'{a_set.name}: {row.peer.name}')
            prepared(row, lambda: tune_batches(row, some, batches))
        for number in range(rounds):
            for row in in_turns(a_set.rows, number):
                progress(f'{a_set.name}: round {number + 1} of {rounds}: {row.peer.name}')
                turn(row, a_set.lengths, LIMIT_LONG, lambda: one_pass(row, a_set.texts))
    progress('')


def typical(a_set: TextSet) -> list[str]:
    """32 texts (64 short ones) in whose lengths half of all tokens are reached: what a batch of sorted texts looks like."""
    order = sorted(range(len(a_set.texts)), key=lambda i: a_set.lengths[i])
    total, middle = 0, 0
    while total < sum(a_set.lengths) / 2:
        total += a_set.lengths[order[middle]]
        middle += 1
    n = 64 if sum(a_set.lengths) < 64 * len(order) else 32
    start = max(0, min(middle - n // 2, len(order) - n))
    return [a_set.texts[i] for i in order[start:start + n]]


def tune_batches(row: Row, texts: list[str], batches: list[int]) -> None:
    best = math.inf
    for peer in row.settings:
        peer.call('timed', texts[:4 * peer.setting.workers], min(4, peer.batch) if peer.batch else None)  # first calls allocate
        for batch in batches if peer.tuned else []:
            if batch * peer.setting.workers > len(texts):
                continue
            time.sleep(PAUSE / 2)
            seconds, _ = peer.call('timed', texts, batch)
            if seconds < best:
                best, row.peer, row.batch = seconds, peer, batch


def one_pass(row: Row, texts: list[str]) -> list[float]:
    seconds, row.vectors = row.peer.call('timed', texts, row.batch)
    return [seconds]


def latency(sets: list[TextSet], rounds: int, seconds: float) -> None:
    """Bursts of single texts, all of a set's texts having the same length; a text per round."""
    for a_set in sets:
        tokens = a_set.lengths[0]
        for row in a_set.rows:
            progress(f'{a_set.name}: {row.peer.name}')
            prepared(row, lambda: tune_threads(row, a_set.texts, tokens))
        for number in range(rounds):
            text = a_set.texts[number % len(a_set.texts)]
            for row in in_turns(a_set.rows, number):
                progress(f'{a_set.name}: round {number + 1} of {rounds}: {row.peer.name}')
                turn(row, [tokens], LIMIT_SHORT, lambda: row.peer.call('latencies', text, tokens, seconds))
    progress('')


def tune_threads(row: Row, texts: list[str], tokens: int) -> None:
    """One thread is faster on short texts where a peer's threads meet often. Takes the vectors on the way."""
    if len(row.settings) > 1:
        times: list[list[float]] = [[] for _ in row.settings]
        for text in texts[:2]:
            for peer, some in zip(row.settings, times):
                time.sleep(PAUSE / 2)
                some += peer.call('latencies', text, tokens, TUNING_BURST)
        medians = [statistics.median(some) for some in times]
        row.peer = row.settings[medians.index(min(medians))]
    if row.peer.single_vectors:
        row.vectors = np.concatenate([row.peer.call('embed', [text]) for text in texts])


def prepared(row: Row, prepare) -> None:
    """Runs what comes before the rounds; a peer that fails is out."""
    try:
        prepare()
    except Exception as error:
        row.reason = reason_of(error)


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)
