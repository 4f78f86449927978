#!/usr/bin/env python3
"""The polynomial of 2^f, f in [-0.5, 0.5], that ggml-like/isa/attention.h uses: prints its coefficients and its largest
relative error in f32. Degree 4, by iteratively reweighted least squares. Needs numpy.
"""
import numpy as np

from fitting import polynomial

DEGREE = 4
k = np.arange(4000)
x = 0.5 * np.cos(np.pi * (k + 0.5) / 4000)
c = polynomial(x, 2**x, DEGREE, 1 / 2**x).astype(np.float32)
v = np.linspace(-0.5, 0.5, 2000001).astype(np.float32)
r = np.full_like(v, c[-1])
for b in c[-2::-1]:
    r = r * v + b
print('C =', ', '.join(f'{a!r}' for a in c.tolist()))
print('largest relative error in f32:', np.abs(r / 2**v.astype(np.float64) - 1).max())
