"""What the fits of functions share: minimax by iteratively reweighted least squares. Needs numpy."""
import numpy as np


def minimax(solve, points, rounds):
    """The coefficients with the smallest largest error. solve(weights) -> coefficients and the error at each point."""
    w, best = np.ones(points), (np.inf, None)
    for _ in range(rounds):
        c, error = solve(w)
        best = min(best, (error.max(), c), key=lambda b: b[0])
        w *= (error / error.max() + 0.02) ** 0.3
        w /= w.max()
    return best[1]


def polynomial(x, target, degree, weight, rounds=300):
    """Of that degree; errors count by `weight`, at each x."""
    basis = np.vander(x, degree + 1, increasing=True)

    def solve(w):
        scale = w * weight
        c, *_ = np.linalg.lstsq(basis * scale[:, None], target * scale, rcond=None)
        return c, np.abs((basis @ c - target) * weight)
    return minimax(solve, len(x), rounds)


def rational(u, f, s, n, m, weight, rounds):
    """P (degree n) and Q (degree m, beginning with 1) in s * u, of which P / Q is f; errors count by `weight`. As f32."""
    p_basis, q_basis = np.vander(u, n + 1, increasing=True), np.vander(u, m + 1, increasing=True)
    q = np.ones_like(u)

    def solve(w):
        nonlocal q
        scale = (w * weight / q)[:, None]
        c, *_ = np.linalg.lstsq(np.hstack([p_basis, -f[:, None] * q_basis[:, 1:]]) * scale, f * scale[:, 0], rcond=None)
        q = 1 + q_basis[:, 1:] @ c[n + 1:]
        return c, np.abs(weight * ((p_basis @ c[:n + 1]) / q - f))
    c = minimax(solve, len(u), rounds)
    return ((c[:n + 1] / s ** np.arange(n + 1)).astype(np.float32),
            np.r_[1, c[n + 1:] / s ** np.arange(1, m + 1)].astype(np.float32))
