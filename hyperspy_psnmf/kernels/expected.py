# SPDX-License-Identifier: GPL-3.0-or-later
r"""A function of the expected counts, from a table, summed over rows and columns.

The expected counts :math:`\mu = V B^T` have no zeros to leave out, so every
entry is visited, but none is kept.
"""

import math

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.threads import run_blocks

ENTRIES_PER_BLOCK = 2_000_000


@jit
def _tabulated(start, stop, basis, V, table, scale, row_sum, column_sum):
    mu, last = np.empty(basis.shape[1]), table.size - 1
    for i in range(start, stop):
        mu[:] = 0.0
        for c in range(basis.shape[0]):
            for j in range(mu.size):
                mu[j] += V[i, c] * basis[c, j]
        total = 0.0
        for j in range(mu.size):
            position = math.sqrt(mu[j]) * scale
            cell = min(int(min(position, last)), last - 1)
            share = min(position - cell, 1.0)  # the last value holds beyond the table
            value = (1.0 - share) * table[cell] + share * table[cell + 1]
            total += value
            column_sum[j] += value
        row_sum[i] = total


def sum_tabulated(V, B, table, largest: float, *, n_jobs: int | None = 1):
    """Sum a tabulated function of the expected counts over rows and columns.

    Parameters
    ----------
    V : ndarray of shape (n_rows, n_components)
        Coefficients, non-negative.
    B : ndarray of shape (n_columns, n_components)
        Basis, non-negative.
    table : ndarray of shape (n_values,)
        The function at equal steps of the square root of the expected counts,
        from 0 to `largest`; beyond, it stays at its last value.
    largest : float
        Expected counts of the last value.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    rows : ndarray of shape (n_rows,)
    columns : ndarray of shape (n_columns,)
        Sums of the function, interpolated linearly.
    """
    basis, V = np.ascontiguousarray(B.T, dtype=float), np.ascontiguousarray(V, dtype=float)
    rows, scale = np.zeros(len(V)), (table.size - 1) / math.sqrt(largest)

    def run(block):
        columns = np.zeros(len(B))
        _tabulated(*block, basis, V, table, scale, rows, columns)
        return columns

    step = max(1, ENTRIES_PER_BLOCK // max(1, len(B)))
    blocks = [(first, min(first + step, len(V))) for first in range(0, len(V), step)]
    return rows, sum(run_blocks(run, blocks, n_jobs), np.zeros(len(B)))
