#!/usr/bin/env python3
"""The rational fit of tanh that ggml-like/isa/elementwise.h uses: prints its coefficients and its largest errors in f32.

tanh(x) = x P(x^2) / Q(x^2) on [-LIMIT, LIMIT], by iteratively reweighted least squares of the relative error; evaluated up to
END, where it must be 1 or more, and cut at 1. Needs numpy.
"""
import numpy as np

LIMIT, END, N, M = 8.3, 8.85, 4, 4
k = np.arange(6000)
x = LIMIT / 2 * (1 + np.cos(np.pi * (k + 0.5) / 6000))
u, f, s = x * x / LIMIT**2, np.tanh(x) / x, LIMIT**2
p_basis, q_basis = np.vander(u, N + 1, increasing=True), np.vander(u, M + 1, increasing=True)
w, q, best = np.ones_like(u), np.ones_like(u), (np.inf, None)
for _ in range(400):
    scale = (w / f / q)[:, None]
    c, *_ = np.linalg.lstsq(np.hstack([p_basis, -f[:, None] * q_basis[:, 1:]]) * scale, f * scale[:, 0], rcond=None)
    q = 1 + q_basis[:, 1:] @ c[N + 1:]
    error = np.abs((p_basis @ c[:N + 1]) / q / f - 1)
    best = min(best, (error.max(), c), key=lambda b: b[0])
    w *= (error / error.max() + 0.02) ** 0.3
    w /= w.max()
c = best[1]
P = (c[:N + 1] / s ** np.arange(N + 1)).astype(np.float32)
Q = np.r_[1, c[N + 1:] / s ** np.arange(1, M + 1)].astype(np.float32)
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
