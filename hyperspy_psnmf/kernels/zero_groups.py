# SPDX-License-Identifier: GPL-3.0-or-later
r"""Groups of correlated estimates set to zero, as long as that costs less than they do.

Estimates x with covariance C lose :math:`\tfrac12 x_g^T C_{gg}^{-1} x_g` nats of likelihood if
group g becomes zero and the others are adapted, :math:`x - C_{:g} C_{gg}^{-1} x_g`, which leaves
them the covariance :math:`C - C_{:g} C_{gg}^{-1} C_{g:}`.
"""

import math

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_part
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.row_counts import as_argument

# Relative, added to variances: correlations of weights are never that close to 1.
SINGULAR = 1e-12


@jit_part
def _factorise(C, at, n, scale, L):
    """Factorise the correlations of a group; what has no variance is left out by a scale of 0."""
    for i in range(n):
        variance = C[at[i], at[i]]
        scale[i] = 1.0 / math.sqrt(variance) if variance > TINY else 0.0
    for i in range(n):
        for j in range(i + 1):
            value = scale[i] * C[at[i], at[j]] * scale[j] if i != j else 1.0 + SINGULAR
            for m in range(j):
                value -= L[i, m] * L[j, m]
            L[i, j] = math.sqrt(max(value, SINGULAR)) if i == j else value / L[j, j]


@jit_part
def _excess(x, C, at, n, limit, scale, L, solved):
    """Return what a group at zero costs more than what it costs anyway."""
    _factorise(C, at, n, scale, L)
    zero, negative, known = 0.0, 0.0, True
    for i in range(n):
        value = scale[i] * x[at[i]]
        if value < 0.0:
            negative += 0.5 * value * value
        for m in range(i):
            value -= L[i, m] * solved[m]
        solved[i] = value / L[i, i]
        zero += 0.5 * solved[i] * solved[i]
        known = known and scale[i] == 0.0
    if known:  # without errors
        for i in range(n):
            if x[at[i]] != 0.0:
                return math.inf
    return zero - min(negative, zero) - limit


@jit
def _zero_groups(x, C, groups, sizes, limits, memory):
    scale, solved, L, rows = memory
    size = x.size
    for _ in range(sizes.size):
        least, best = 0.0, -1
        for g in range(sizes.size):
            if sizes[g] > 0:
                excess = _excess(x, C, groups[g], sizes[g], limits[g], scale, L, solved)
                if excess < least or (excess == 0.0 and best < 0):
                    least, best = excess, g
        if best < 0:
            break
        at, n = groups[best], sizes[best]
        sizes[best] = 0
        _factorise(C, at, n, scale, L)
        for i in range(n):
            value = scale[i] * x[at[i]]
            for m in range(i):
                value -= L[i, m] * solved[m]
            solved[i] = value / L[i, i]
            for q in range(size):
                rows[i, q] = scale[i] * C[at[i], q]
            for m in range(i):
                for q in range(size):
                    rows[i, q] -= L[i, m] * rows[m, q]
            for q in range(size):
                rows[i, q] /= L[i, i]
        for i in range(n):
            for q in range(size):
                x[q] -= rows[i, q] * solved[i]
            for p in range(size):
                factor = rows[i, p]
                if factor != 0.0:
                    for q in range(size):
                        C[p, q] -= factor * rows[i, q]
        for i in range(n):  # exactly: rounding would bring it back
            x[at[i]] = 0.0
            for q in range(size):
                C[at[i], q] = 0.0
                C[q, at[i]] = 0.0


def zero_groups(x, covariance, groups, limits) -> np.ndarray:
    r"""Return estimates without the groups that cost more than their likelihood.

    One after the other, the cheapest first, and the others adapted.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Estimates. Negative ones cost :math:`x^2 / 2 \sigma^2` in any case.
    covariance : ndarray of shape (n, n)
    groups : sequence of ndarray of int
        Estimates of each group; an estimate is in one at most.
    limits : ndarray of shape (n_groups,)
        Cost of a group that is not zero, in nats.

    Returns
    -------
    ndarray of shape (n,)
    """
    x, C = np.array(x, dtype=float), np.array(covariance, dtype=float, order="C")
    sizes = np.array([len(group) for group in groups], dtype=np.int64)
    n = max(sizes.max(initial=0), 1)
    filled = np.zeros((len(groups), n), dtype=np.int64)
    for row, group in zip(filled, groups, strict=True):
        row[: len(group)] = group
    memory = np.empty(n), np.empty(n), np.empty((n, n)), np.empty((n, x.size))
    _zero_groups(x, C, filled, sizes, as_argument(limits), memory)
    return x
