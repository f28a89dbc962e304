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
from hyperspy_psnmf.kernels.threads import is_csr, row_blocks, run_blocks


@jit
def _add_count(x, v, b, n_components, v_sum, b_sum):
    # Shares of one entry x between the components; 0 / 0 is left out.
    mu = 0.0
    for c in range(n_components):
        mu += v[c] * b[c]
    if mu > 0.0:
        ratio = x / mu
        for c in range(n_components):
            v_sum[c] += ratio * b[c]
            b_sum[c] += ratio * v[c]


@jit
def _em_csr(start, stop, indptr, indices, data, V, B, V_sum, B_sum):
    for i in range(start, stop):
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            _add_count(data[p], V[i], B[j], B.shape[1], V_sum[i], B_sum[j])


@jit
def _em_dense(start, stop, X, V, B, V_sum, B_sum):
    for i in range(start, stop):
        for j in range(X.shape[1]):
            if X[i, j] > 0:
                _add_count(X[i, j], V[i], B[j], B.shape[1], V_sum[i], B_sum[j])


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
    kernel, arrays = (_em_csr, (X.indptr, X.indices, X.data)) if is_csr(X) else (_em_dense, (X,))
    V_sum = np.zeros(V.shape)

    def sweep(block):
        B_sum = np.zeros(B.shape)
        kernel(*block, *arrays, V, B, V_sum, B_sum)
        return B_sum

    B_sum = sum(run_blocks(sweep, row_blocks(X), n_jobs))
    V_new = V * _divide(V_sum, B.sum(axis=0))
    return V_new, B * _divide(B_sum, V_new.sum(axis=0))


def _divide(numerator, denominator):
    # A component without any weight keeps its zeros.
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
