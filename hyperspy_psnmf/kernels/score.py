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
def _score_csr(start, stop, indptr, indices, data, basis, V, S, loss):
    for i in range(start, stop):
        for p in range(indptr[i], indptr[i + 1]):
            x, j = data[p], indices[p]
            if x == 0:  # an explicitly stored zero is no count
                continue
            mu = 0.0
            for c in range(basis.shape[0]):
                mu += V[i, c] * basis[c, j]
            if mu > 0.0:
                ratio = x / mu
                for c in range(basis.shape[0]):
                    S[i, c] += ratio * basis[c, j]
                loss[i] += x * math.log(ratio) - x
            else:
                loss[i] = math.inf


@jit
def _score_dense(start, stop, X, basis, V, S, loss):
    # One component after the other, so that the loops over channels vectorise.
    ratio = np.empty(X.shape[1])
    for i in range(start, stop):
        ratio[:] = 0.0
        for c in range(basis.shape[0]):
            for j in range(X.shape[1]):
                ratio[j] += V[i, c] * basis[c, j]
        for j in range(X.shape[1]):
            x, mu = X[i, j], ratio[j]
            ratio[j] = x / mu if x > 0 and mu > 0.0 else 0.0
            if x > 0:
                loss[i] += x * math.log(ratio[j]) - x if mu > 0.0 else math.inf
        for c in range(basis.shape[0]):
            total = 0.0
            for j in range(X.shape[1]):
                total += basis[c, j] * ratio[j]
            S[i, c] = total


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
    basis, V = np.ascontiguousarray(B.T, dtype=float), np.ascontiguousarray(V, dtype=float)
    S, loss = np.zeros(V.shape), np.zeros(V.shape[0])
    run_blocks(lambda block: kernel(*block, *arrays, basis, V, S, loss), row_blocks(X), n_jobs)
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
