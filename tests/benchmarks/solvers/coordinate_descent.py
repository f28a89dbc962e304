# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequential coordinate descent on the divergence of every row; see `methods`."""

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.parallel import row_blocks, run_blocks
from hyperspy_psnmf.kernels.row_counts import RowCounts, as_argument, load_basis, make_memory

LEAST = 1e-15  # added to expected counts, as in NNLM and fastTopics


@jit
def _descend(start, counts, basis, cost, V, memory, n_passes):
    begin, columns, data = counts
    gathered, mu = memory
    b = gathered if columns.size else basis
    for i in range(begin.size - 1):
        first, row = begin[i], start + i
        m = begin[i + 1] - first
        load_basis(columns[first : first + m], basis, gathered)
        for q in range(m):
            mu[q] = LEAST
        for c in range(cost.size):
            for q in range(m):
                mu[q] += V[row, c] * b[c, q]
        for _ in range(n_passes):
            for c in range(cost.size):
                slope, curvature = -cost[c], 0.0
                for q in range(m):
                    r = b[c, q] / mu[q]
                    slope += data[first + q] * r
                    curvature += data[first + q] * r * r
                new = max(0.0, V[row, c] + slope / curvature) if curvature > 0.0 else 0.0
                change = new - V[row, c]
                if change != 0.0:
                    V[row, c] = new
                    for q in range(m):
                        mu[q] = max(mu[q] + change * b[c, q], LEAST)


def descend(X, B, V, n_passes: int) -> np.ndarray:
    """Return new coefficients of every row after some passes over its components.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
        Counts.
    B : ndarray of shape (n_columns, n_components)
        Basis.
    V : ndarray of shape (n_rows, n_components)
        Coefficients to start from.
    n_passes : int
        Newton steps of each coefficient.
    """
    basis, V, counts = as_argument(B.T), as_argument(V).copy(), RowCounts(X)
    cost = basis.sum(axis=1)

    def run(block, memory):
        _descend(block[0], counts.take(*block), basis, cost, V, memory, n_passes)

    def make():
        return make_memory(len(basis), counts.longest), make_memory(1, counts.longest)[0]

    run_blocks(run, row_blocks(X), 1, make)
    return V
