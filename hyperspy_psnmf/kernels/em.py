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

from hyperspy_psnmf.kernels._compile import jit, jit_part
from hyperspy_psnmf.kernels.parallel import row_blocks, run_blocks
from hyperspy_psnmf.kernels.row_counts import RowCounts, as_argument, load_basis, make_memory


@jit
def _sweep(start, counts, basis, V, memory, V_sum, basis_sum):
    # One component after the other, so that the loops over columns vectorise.
    begin, columns, data = counts
    gathered, ratio = memory
    b = gathered if columns.size else basis
    for i in range(begin.size - 1):
        first, row = begin[i], start + i
        m, own = begin[i + 1] - first, columns[first : begin[i + 1]]
        load_basis(own, basis, gathered)
        _find_ratio(data[first : first + m], b, V[row], ratio)
        for c in range(basis.shape[0]):
            total = 0.0
            if columns.size:
                for q in range(m):
                    total += ratio[q] * b[c, q]
                    basis_sum[c, own[q]] += ratio[q] * V[row, c]
            else:
                for q in range(m):
                    total += ratio[q] * b[c, q]
                    basis_sum[c, q] += ratio[q] * V[row, c]
            V_sum[row, c] = total


@jit_part
def _find_ratio(x, b, v, ratio):
    for q in range(x.size):
        ratio[q] = 0.0
    for c in range(v.size):
        for q in range(x.size):
            ratio[q] += v[c] * b[c, q]
    for q in range(x.size):
        ratio[q] = x[q] / ratio[q] if ratio[q] > 0.0 else 0.0


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
    basis, coefficients, V_sum = as_argument(B.T), as_argument(V), np.zeros(V.shape)

    counts = RowCounts(X)

    def sweep(block, memory):
        basis_sum = np.zeros(basis.shape)
        arrays = counts.take(*block), basis, coefficients, memory, V_sum, basis_sum
        _sweep(block[0], *arrays)
        return basis_sum

    def make():
        return make_memory(len(basis), counts.longest), make_memory(1, counts.longest)[0]

    B_sum = sum(run_blocks(sweep, row_blocks(X, work=len(basis) / 3), n_jobs, make)).T
    V_new = V * _divide(V_sum, B.sum(axis=0))
    return V_new, B * _divide(B_sum, V_new.sum(axis=0))


def _divide(numerator, denominator):
    # A component without any weight keeps its zeros.
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
