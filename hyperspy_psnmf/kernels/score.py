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

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.threads import is_csr, row_blocks, run_blocks


@jit
def _score_entry(x, v, b, n_components, s):
    mu = 0.0
    for c in range(n_components):
        mu += v[c] * b[c]
    if mu <= 0.0:
        return math.inf
    ratio = x / mu
    for c in range(n_components):
        s[c] += ratio * b[c]
    return x * math.log(ratio) - x


@jit
def _score_csr(start, stop, indptr, indices, data, V, B, S, loss):
    for i in range(start, stop):
        for p in range(indptr[i], indptr[i + 1]):
            # An explicitly stored zero is no count.
            if data[p] > 0:
                loss[i] += _score_entry(data[p], V[i], B[indices[p]], B.shape[1], S[i])


@jit
def _score_dense(start, stop, X, V, B, S, loss):
    for i in range(start, stop):
        for j in range(X.shape[1]):
            if X[i, j] > 0:
                loss[i] += _score_entry(X[i, j], V[i], B[j], B.shape[1], S[i])


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
    kernel, arrays = (
        (_score_csr, (X.indptr, X.indices, X.data)) if is_csr(X) else (_score_dense, (X,))
    )
    S, loss = np.zeros(V.shape), np.zeros(V.shape[0])
    run_blocks(lambda b: kernel(*b, *arrays, V, B, S, loss), row_blocks(X), n_jobs)
    return S, loss + V @ B.sum(axis=0)


def divergence(X, V, B, *, n_jobs: int | None = 1) -> float:
    """Return the Kullback-Leibler divergence of X from V B', in nats."""
    return float(score(X, V, B, n_jobs=n_jobs)[1].sum())


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
