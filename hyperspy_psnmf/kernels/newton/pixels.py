# SPDX-License-Identifier: GPL-3.0-or-later
r"""One Newton step for pixels side by side.

The problem of each pixel is that of `row`, without extra terms:

.. math:: \min_{v \ge 0} \; a \cdot v - \sum_j x_j \log(b_j \cdot v).

With two dozen channels, solving one row after the other is mostly overhead of short loops.
Where one step from a good start is sufficient, pixels are solved together: a row of
them is contiguous for each channel, and all loops vectorise. There is no line search: pixels
that need one are returned unchanged and marked.
"""

from itertools import pairwise

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_row
from hyperspy_psnmf.kernels.parallel import run_blocks

PIXELS_AT_A_TIME = 256  # their arrays stay in cache
ROWS_PER_BLOCK = 8
FLOOR = 1e-6  # fraction of the counts at the start, of every component: no zeros in the model
RIDGE = 1e-9  # relative to the diagonal of the Hessian; spectra may be identical
MIN_STEP = 0.5  # of Newton's step; where it would have to be shorter, the step has failed
NEGLIGIBLE = 1e-4  # nats per step: slope at its end at which the full step is taken
TINY = 1e-300  # avoids 0 / 0


@jit_row
def _add(out, factor, values):
    for x in range(out.size):
        out[x] += factor * values[x]


@jit_row
def _add_product(out, values, others):
    for x in range(out.size):
        out[x] += values[x] * others[x]


@jit_row
def _subtract_product(out, values, others):
    for x in range(out.size):
        out[x] -= values[x] * others[x]


@jit_row
def _scale_by(out, values):
    for x in range(out.size):
        out[x] *= values[x]


@jit_row
def _scale_to(n, v, cost, spent):
    # The best scale of any v spends exactly the counts there are.
    spent[:] = TINY
    for c in range(cost.size):
        _add(spent, cost[c], v[c])
    for x in range(n.size):
        spent[x] = n[x] / spent[x]
    for c in range(cost.size):
        _scale_by(v[c], spent)


@jit_row
def _raise_to(least, v, n):
    for x in range(n.size):
        v[x] = max(v[x], least * n[x])


@jit_row
def _divide(counts, mu, weight):
    # mu becomes x / mu, and weight x / mu^2.
    for x in range(mu.size):
        inverse = 1.0 / mu[x]
        mu[x] = counts[x] * inverse
        weight[x] = mu[x] * inverse


@jit_row
def _slopes(X, v, B, cost, mu, weight, g, A):
    # Fills g = a - B (x / mu), and of A, if it has rows, the lower triangle, row after row.
    for c in range(cost.size):
        g[c, :] = cost[c]
    A[:] = 0.0
    for j in range(X.shape[0]):
        mu[:] = TINY
        for c in range(cost.size):
            _add(mu, B[c, j], v[c])
        _divide(X[j], mu, weight)
        for c in range(cost.size):
            _add(g[c], -B[c, j], mu)
            for d in range(c + 1 if A.shape[0] else 0):
                _add(A[c * (c + 1) // 2 + d], B[c, j] * B[d, j], weight)


@jit_row
def _hold(least, v, g, n, free):
    # A component at its floor that the gradient pushes outwards takes no part.
    for x in range(n.size):
        free[x] = 0.0 if v[x] <= least * n[x] and g[x] >= 0.0 else 1.0


@jit_row
def _add_ridge(diagonal, free):
    for x in range(free.size):
        diagonal[x] += RIDGE * diagonal[x] + (1.0 - free[x]) + TINY


@jit_row
def _invert_root(diagonal):
    for x in range(diagonal.size):
        diagonal[x] = 1.0 / np.sqrt(max(diagonal[x], TINY))


@jit_row
def _solve(A, d):
    # d becomes A^-1 d by Cholesky, the factor in place of A with its diagonal inverted.
    k = d.shape[0]
    for r in range(k):
        row = r * (r + 1) // 2
        for s in range(r + 1):
            column = s * (s + 1) // 2
            for t in range(s):
                _subtract_product(A[row + s], A[row + t], A[column + t])
            if s < r:
                _scale_by(A[row + s], A[column + s])
        _invert_root(A[row + r])
        for t in range(r):
            _subtract_product(d[r], A[row + t], d[t])
        _scale_by(d[r], A[row + r])
    for r in range(k - 1, -1, -1):
        for t in range(r + 1, k):
            _subtract_product(d[r], A[t * (t + 1) // 2 + r], d[t])
        _scale_by(d[r], A[r * (r + 1) // 2 + r])


@jit_row
def _lengthen(longest, cost, d, n):
    for x in range(n.size):
        longest[x] = max(longest[x], cost * d[x] / (n[x] + TINY))


@jit_row
def _move(v, d, longest, free, v_new):
    for x in range(v.size):
        v_new[x] = free[x] * max(0.0, v[x] + d[x] / longest[x])


@jit_row
def _add_slope(slope, g, v, v_new):
    for x in range(slope.size):
        slope[x] += g[x] * (v_new[x] - v[x])


@jit_row
def _find_step_length(begin, end, length):
    # The fraction of the step at which the slope, interpolated linearly, is zero; 0 where that
    # is far from its end. The objective is convex: without a slope at the end it has not risen.
    for x in range(length.size):
        part = begin[x] / (begin[x] - end[x]) if begin[x] < 0.0 else 0.0
        part = part if part >= MIN_STEP else 0.0
        length[x] = 1.0 if end[x] <= NEGLIGIBLE else part


@jit_row
def _take_step(length, v, v_new):
    for x in range(v.size):
        v[x] += length[x] * (v_new[x] - v[x])


@jit_row
def _step(X, B, cost, v, length, per_pixel, per_component, A):
    n, one, two = per_pixel[0], per_pixel[1], per_pixel[2]
    g, d, free, v_new = per_component[0], per_component[1], per_component[2], per_component[3]
    n[:] = 0.0
    for j in range(X.shape[0]):
        _add(n, 1.0, X[j])
    _scale_to(n, v, cost, one)
    for c in range(cost.size):
        _raise_to(FLOOR / cost[c] if cost[c] > 0.0 else 0.0, v[c], n)
    _slopes(X, v, B, cost, one, two, g, A)
    for c in range(cost.size):
        _hold(1.5 * FLOOR / cost[c] if cost[c] > 0.0 else np.inf, v[c], g[c], n, free[c])
        for e in range(c + 1):
            _scale_by(A[c * (c + 1) // 2 + e], free[c])
            _scale_by(A[c * (c + 1) // 2 + e], free[e])
        _add_ridge(A[c * (c + 1) // 2 + c], free[c])
        d[c, :] = 0.0
        _subtract_product(d[c], free[c], g[c])
    _solve(A, d)
    one[:] = 1.0
    for c in range(cost.size):  # a step may not ask for more than all counts there are
        _lengthen(one, cost[c], d[c], n)
    for c in range(cost.size):
        _move(v[c], d[c], one, free[c], v_new[c])
    _slopes(X, v_new, B, cost, one, two, d, A[:0])
    one[:], two[:] = 0.0, 0.0
    for c in range(cost.size):
        _add_slope(one, g[c], v[c], v_new[c])
        _add_slope(two, d[c], v[c], v_new[c])
    _find_step_length(one, two, length)
    for c in range(cost.size):
        _take_step(length, v[c], v_new[c])
    _scale_to(n, v, cost, one)


@jit_row
def _fill_row(out, values):
    # The rest of the array is filled with pixels without counts.
    for x in range(values.size):
        out[x] = values[x]
    out[values.size :] = 0.0


@jit
def _step_rows(start, stop, X, B, cost, V, is_done):
    (k, n_channels), n_columns = B.shape, X.shape[2]
    width = min(n_columns, PIXELS_AT_A_TIME)
    here, v = np.empty((n_channels, width)), np.empty((k, width))
    length, per_pixel = np.empty(width), np.empty((3, width))
    per_component = np.empty((4, k, width))
    A = np.empty((k * (k + 1) // 2, width))
    for y in range(start, stop):
        for first in range(0, n_columns, width):
            last = min(first + width, n_columns)
            for j in range(n_channels):
                _fill_row(here[j], X[y, j, first:last])
            rows = V[y * n_columns + first : y * n_columns + last]
            for c in range(k):
                _fill_row(v[c], rows[:, c])
            _step(here, B, cost, v, length, per_pixel, per_component, A)
            rows[:] = v[:, : len(rows)].T
            for q in range(len(rows)):
                is_done[y * n_columns + first + q] = length[q] > 0.0


def newton_step(X, B, V, *, n_jobs: int | None = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients after one Newton step, where it decreases the objective.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_channels, n_columns)
        Counts.
    B : ndarray of shape (n_components, n_channels)
        Basis; no channel is zero in all of it.
    V : ndarray of shape (n_rows * n_columns, n_components)
        Where to start; not changed. Its scale does not matter.
    n_jobs : int or None
        Threads; None is all cores. The result does not depend on it.

    Returns
    -------
    V : ndarray of shape (n_rows * n_columns, n_components)
        They add up to the counts of each pixel.
    is_done : ndarray of bool, shape (n_rows * n_columns,)
        Whether the step decreased the objective. Where it did not, V is not changed.
    """
    V, B = np.array(V, dtype=float, order="C"), np.ascontiguousarray(B, dtype=float)
    is_done, cost = np.empty(len(V), bool), B.sum(axis=1)
    edges = [*range(0, len(X), ROWS_PER_BLOCK), len(X)]
    run_blocks(lambda block: _step_rows(*block, X, B, cost, V, is_done), [*pairwise(edges)], n_jobs)
    return V, is_done
