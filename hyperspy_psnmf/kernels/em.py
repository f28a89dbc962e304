# SPDX-License-Identifier: GPL-3.0-or-later
r"""One joint EM sweep of Poisson NMF.

With :math:`\mu = V B^T` and :math:`r_{ij} = x_{ij} / \mu_{ij}`,

.. math::
    v_{ik} \leftarrow v_{ik} \sum_j r_{ij} b_{jk} / \sum_j b_{jk}, \qquad
    b_{jk} \leftarrow b_{jk} \sum_i r_{ij} v_{ik} / \sum_i v_{ik}^{new},

both from the same :math:`\mu`: an EM step of the whole model, which never
increases the divergence [1]_ and reads the counts once.

References
----------
.. [1] A. T. Cemgil, Computational Intelligence and Neuroscience 2009, 785152.
   https://doi.org/10.1155/2009/785152
"""

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.parallel import is_csr, row_blocks, run_blocks


@jit
def _em_csr(start, stop, counts, basis, V, V_sum, basis_sum):
    indptr, indices, data = counts
    for i in range(start, stop):
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            mu = 0.0
            for c in range(basis.shape[0]):
                mu += V[i, c] * basis[c, j]
            if mu > 0.0:
                ratio = data[p] / mu
                for c in range(basis.shape[0]):
                    V_sum[i, c] += ratio * basis[c, j]
                    basis_sum[c, j] += ratio * V[i, c]


@jit
def _em_dense(start, stop, counts, basis, V, V_sum, basis_sum):
    # One component after the other, so that the loops over channels vectorise.
    (X,) = counts
    n = X.shape[1]
    ratio = np.empty(n)
    for i in range(start, stop):
        ratio[:] = 0.0
        for c in range(basis.shape[0]):
            for j in range(n):
                ratio[j] += V[i, c] * basis[c, j]
        for j in range(n):
            ratio[j] = X[i, j] / ratio[j] if ratio[j] > 0.0 else 0.0
        for c in range(basis.shape[0]):
            total = 0.0
            for j in range(n):
                total += ratio[j] * basis[c, j]
                basis_sum[c, j] += ratio[j] * V[i, c]
            V_sum[i, c] = total


def em_sweep(X, V, B, *, n_jobs: int | None = 1):
    """Do one joint EM sweep.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
        Counts.
    V : ndarray of shape (n_rows, n_components)
        Coefficients, non-negative.
    B : ndarray of shape (n_columns, n_components)
        Basis, non-negative.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    V, B : ndarray
        New arrays, of the shapes given.
    """
    kernel, counts = (_em_csr, (X.indptr, X.indices, X.data)) if is_csr(X) else (_em_dense, (X,))
    basis = np.ascontiguousarray(B.T, dtype=float)
    V_sum = np.zeros(V.shape)

    def sweep(block):
        basis_sum = np.zeros(basis.shape)
        kernel(*block, counts, basis, V, V_sum, basis_sum)
        return basis_sum

    B_sum = sum(run_blocks(sweep, row_blocks(X, work=len(basis) / 3), n_jobs)).T
    V_new = V * _divide(V_sum, B.sum(axis=0))
    return V_new, B * _divide(B_sum, V_new.sum(axis=0))


def _divide(numerator, denominator):
    # A component without any weight keeps its zeros.
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
