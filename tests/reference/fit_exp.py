#!/usr/bin/env python3
"""The polynomial of e^r, |r| <= ln 2 / 2, that ggml-like/isa/elementwise.h uses: prints its coefficients and its largest
relative error in f32. 1 + r + r^2 q(r) with q of degree 4, by iteratively reweighted least squares. Needs numpy.
"""
import numpy as np

from fitting import polynomial

DEGREE = 4
k = np.arange(4000)
x = np.log(2) / 2 * np.cos(np.pi * (k + 0.5) / 4000)
target = np.where(np.abs(x) < 1e-3, 0.5 + x / 6 + x * x / 24, (np.expm1(x) - x) / np.where(x == 0, 1, x * x))
c = [np.float32(1), np.float32(1)] + list(polynomial(x, target, DEGREE, x * x / np.exp(x)).astype(np.float32))


def fma(a, b, d):
    return (a.astype(np.float64) * b + d).astype(np.float32)  # the product of two floats is exact in f64


v = np.linspace(-87, 88, 4000001).astype(np.float32)
n = np.rint(v * np.float32(1.44269504)).astype(np.float32)
r = fma(n, np.float32(-0.693359375), v)
r = fma(n, np.float32(2.12194440e-4), r)
y = np.full_like(r, c[-1])
for b in c[-2::-1]:
    y = fma(y, r, b)
y = y.astype(np.float64) * 2.0**n
print('C =', ', '.join(f'{a!r}' for a in np.array(c).tolist()))
print('largest relative error in f32:', np.abs(y / np.exp(v.astype(np.float64)) - 1).max())
