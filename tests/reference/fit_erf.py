#!/usr/bin/env python3
"""The rational fit of erf that ggml-like/isa/elementwise.h uses: prints its coefficients and its largest error in f32.

erf(x) = x P(x^2) / Q(x^2) on [-3.93, 3.93], degrees 5 and 5, by iteratively reweighted least squares. Needs numpy, scipy.
"""
import numpy as np
from scipy.special import erf

LIMIT, N, M = 3.93, 5, 5
k = np.arange(4000)
x = LIMIT / 2 * (1 + np.cos(np.pi * (k + 0.5) / 4000))
u, f, s = x * x / LIMIT**2, erf(x) / x, LIMIT**2
p_basis, q_basis = np.vander(u, N + 1, increasing=True), np.vander(u, M + 1, increasing=True)
w, q, best = np.ones_like(u), np.ones_like(u), (np.inf, None)
for _ in range(200):
    scale = (w * x / q)[:, None]
    c, *_ = np.linalg.lstsq(np.hstack([p_basis, -f[:, None] * q_basis[:, 1:]]) * scale, f * scale[:, 0], rcond=None)
    q = 1 + q_basis[:, 1:] @ c[N + 1:]
    error = np.abs(x * (p_basis @ c[:N + 1]) / q - erf(x))
    best = min(best, (error.max(), c), key=lambda b: b[0])
    w *= (error / error.max() + 0.02) ** 0.3
    w /= w.max()
c = best[1]
P = (c[:N + 1] / s ** np.arange(N + 1)).astype(np.float32)
Q = np.r_[1, c[N + 1:] / s ** np.arange(1, M + 1)].astype(np.float32)
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
