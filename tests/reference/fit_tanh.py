#!/usr/bin/env python3
"""The rational fit of tanh that ggml-like/isa/elementwise.h uses: prints its coefficients and its largest errors in f32.

tanh(x) = x P(x^2) / Q(x^2) on [-LIMIT, LIMIT], by iteratively reweighted least squares of the relative error; evaluated up to
END, where it must be 1 or more, and cut at 1. Needs numpy.
"""
import numpy as np

from fitting import rational

LIMIT, END, N, M = 8.3, 8.85, 4, 4
k = np.arange(6000)
x = LIMIT / 2 * (1 + np.cos(np.pi * (k + 0.5) / 6000))
f = np.tanh(x) / x
P, Q = rational(x * x / LIMIT**2, f, LIMIT**2, N, M, 1 / f, 400)
full = np.linspace(-12, 12, 4000000).astype(np.float32)
v = np.clip(full, np.float32(-END), np.float32(END))
t = v * v


def horner(a):
    r = np.full_like(t, a[-1])
    for b in a[-2::-1]:
        r = (r.astype(np.float64) * t + b).astype(np.float32)
    return r


y, exact = np.clip(v * horner(P) / horner(Q), -1, 1), np.tanh(full.astype(np.float64))
print('P =', ', '.join(f'{a!r}' for a in P.tolist()))
print('Q =', ', '.join(f'{a!r}' for a in Q.tolist()))
print('largest error in f32:', np.abs(y - exact).max(), 'relative:', np.abs(y / exact - 1).max())
print('at END:', y[-1])
