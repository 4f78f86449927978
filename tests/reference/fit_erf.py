#!/usr/bin/env python3
"""The rational fit of erf that ggml-like/isa/elementwise.h uses: prints its coefficients and its largest error in f32.

erf(x) = x P(x^2) / Q(x^2) on [-3.93, 3.93], degrees 5 and 5, by iteratively reweighted least squares. Needs numpy, scipy.
"""
import numpy as np
from scipy.special import erf

from fitting import rational

LIMIT, N, M = 3.93, 5, 5
k = np.arange(4000)
x = LIMIT / 2 * (1 + np.cos(np.pi * (k + 0.5) / 4000))
P, Q = rational(x * x / LIMIT**2, erf(x) / x, LIMIT**2, N, M, x, 200)
v = np.clip(np.linspace(-6, 6, 2000001).astype(np.float32), np.float32(-LIMIT), np.float32(LIMIT))
t = v * v
def horner(a):
    r = np.full_like(t, a[-1])
    for b in a[-2::-1]:
        r = r * t + b
    return r
print('P =', ', '.join(f'{a!r}' for a in P.tolist()))
print('Q =', ', '.join(f'{a!r}' for a in Q.tolist()))
print('largest error in f32:', np.abs(v * horner(P) / horner(Q) - erf(np.linspace(-6, 6, 2000001))).max())
