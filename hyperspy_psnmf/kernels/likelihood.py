# SPDX-License-Identifier: GPL-3.0-or-later
r"""Divergence, gradient and duality gap of every row.

For one row the objective is :math:`\phi(v) = a \cdot v - \sum_j x_j \log\mu_j`
with :math:`\mu = B v` and :math:`a = \sum_j b_j`. Its gradient is
:math:`a - s` with the score :math:`s_k = \sum_j b_{jk} x_j / \mu_j`. Since
:math:`\phi` is convex and its minimiser spends at most :math:`N = \sum_j x_j`
counts, no v can be better than the present one by more than the gap

.. math:: g \cdot v + N \max(0, \max_k s_k / a_k - 1).
"""

import math

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_part
from hyperspy_psnmf.kernels.limits import TINY, UNEXPLAINED
from hyperspy_psnmf.kernels.logarithm import sum_x_log
from hyperspy_psnmf.kernels.parallel import row_blocks, run_blocks
from hyperspy_psnmf.kernels.row_counts import RowCounts, as_argument, load_basis, make_memory


@jit_part
def _score_row(x, basis, v, ratio, scratch, s):
    # Fills the score s, if it has room for it; returns the divergence. One
    # component after the other, so that the loops over channels vectorise.
    for q in range(x.size):
        ratio[q] = TINY
    for c in range(v.size):
        for q in range(x.size):
            ratio[q] += v[c] * basis[c, q]
    largest, n_counts = 0.0, 0.0
    for q in range(x.size):
        ratio[q] = x[q] / ratio[q]
        largest += ratio[q]
        n_counts += x[q]
    explained = largest < UNEXPLAINED
    if not explained:
        for q in range(x.size):
            ratio[q] = ratio[q] if ratio[q] < UNEXPLAINED else 0.0
    for c in range(s.size):
        total = 0.0
        for q in range(x.size):
            total += basis[c, q] * ratio[q]
        s[c] = total
    return sum_x_log(x, ratio, scratch) - n_counts if explained else math.inf


@jit
def _score(start, counts, basis, V, memory, S, loss):
    begin, columns, data = counts
    gathered, rows = memory
    b = gathered if columns.size else basis
    for i in range(begin.size - 1):
        first, last = begin[i], begin[i + 1]
        load_basis(columns[first:last], basis, gathered)
        m, row = last - first, start + i
        x, ratio, scratch = data[first:last], rows[0, :m], rows[1, :m]
        loss[row] = _score_row(x, b, V[row], ratio, scratch, S[row])


def score(X, V, B, *, n_jobs: int | None = 1):
    """Return the score and the divergence of every row.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
        Counts.
    V : ndarray of shape (n_rows, n_components)
        Coefficients.
    B : ndarray of shape (n_columns, n_components)
        Basis.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    S : ndarray of shape (n_rows, n_components)
        Score: column sums of B minus the gradient.
    loss : ndarray of shape (n_rows,)
        Kullback-Leibler divergence in nats; infinite where the model is zero at
        a positive count.
    """
    S = np.zeros(V.shape)
    return S, _run(X, V, B, S, n_jobs)


def _run(X, V, B, S, n_jobs):
    """Fill S, which may have no columns; return the divergence of every row."""
    basis, V = as_argument(B.T), as_argument(V)
    loss, counts = np.zeros(V.shape[0]), RowCounts(X)

    def run(block, memory):
        _score(block[0], counts.take(*block), basis, V, memory, S, loss)

    def make():
        return make_memory(len(basis), counts.longest), make_memory(2, counts.longest)

    run_blocks(run, row_blocks(X, work=len(basis) / 3), n_jobs, make)
    return loss + V @ B.sum(axis=0)


def divergence(X, V, B, *, n_jobs: int | None = 1) -> float:
    """Return the Kullback-Leibler divergence of X from V B', in nats."""
    return float(_run(X, V, B, np.zeros((len(V), 0)), n_jobs).sum())


def duality_gap(V, S, cost, n_counts):
    """Return an upper bound, in nats, on what each row can still gain.

    Parameters
    ----------
    V, S : ndarray of shape (n_rows, n_components)
        Coefficients and their score.
    cost : ndarray of shape (n_components,)
        Column sums of the basis.
    n_counts : ndarray of shape (n_rows,)
        Counts in each row.
    """
    ratio = np.divide(S, cost, out=np.zeros_like(S), where=cost > 0)
    return V @ cost - (V * S).sum(axis=1) + n_counts * np.maximum(ratio.max(axis=1) - 1.0, 0.0)
