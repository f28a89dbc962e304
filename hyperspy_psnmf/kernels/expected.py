# SPDX-License-Identifier: GPL-3.0-or-later
r"""Sums over the expected counts: of a function from a table, and of Fisher's information.

The expected counts :math:`\mu = V B^T` have no zeros to leave out, so every
entry is visited, but none is kept.
"""

import math

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.kernels.row_counts import as_argument

ENTRIES_PER_BLOCK = 2_000_000
COLUMNS_AT_A_TIME = 1024  # stay in cache for all products of components


@jit
def _tabulated(start, stop, basis, V, table, scale, mu, row_sum, column_sum):
    last = table.size - 1
    for i in range(start, stop):
        for j in range(mu.size):
            mu[j] = 0.0
        for c in range(basis.shape[0]):
            for j in range(mu.size):
                mu[j] += V[i, c] * basis[c, j]
        total = 0.0
        for j in range(mu.size):
            position = math.sqrt(mu[j]) * scale
            cell = min(int(min(position, last)), last - 1)
            weight = min(position - cell, 1.0)  # the last value, beyond the table
            value = (1.0 - weight) * table[cell] + weight * table[cell + 1]
            total += value
            column_sum[j] += value
        row_sum[i] = total


@jit
def _information(start, stop, basis, V, memory, out):
    k, n = basis.shape
    for i in range(start, stop):
        for first in range(0, n, COLUMNS_AT_A_TIME):
            weight = memory[: min(n - first, COLUMNS_AT_A_TIME)]
            for j in range(weight.size):
                weight[j] = 0.0
            for c in range(k):
                for j in range(weight.size):
                    weight[j] += V[i, c] * basis[c, first + j]
            for j in range(weight.size):
                weight[j] = 1.0 / weight[j] if weight[j] > 0.0 else 0.0
            for c in range(k):
                for d in range(c + 1):
                    total = 0.0
                    for j in range(weight.size):
                        total += weight[j] * basis[c, first + j] * basis[d, first + j]
                    out[i, c, d] += total
        for c in range(k):
            for d in range(c):
                out[i, d, c] = out[i, c, d]


@jit
def _of_sums(per_column, shapes, component, shape, memory, out):
    n_columns = memory.size
    for a in range(shape.size):
        last = -1
        for b in range(a + 1):  # of one component after the other
            if component[b] != last:
                last = component[b]
                for j in range(n_columns):
                    memory[j] = shapes[shape[a], j] * per_column[component[a], last, j]
            total = 0.0
            for j in range(n_columns):
                total += memory[j] * shapes[shape[b], j]
            out[a, b] = total
            out[b, a] = total


def information_of_sums(per_column, shapes, component, shape) -> np.ndarray:
    r"""Return the information on coefficients of shapes, of which components are sums.

    With coefficient a of shape :math:`s_a` in component :math:`c_a`, that is
    :math:`\sum_j G_{s_a j} G_{s_b j} I_{j c_a c_b}`.

    Parameters
    ----------
    per_column : ndarray of shape (n_columns, k, k)
        I, from `information` of the columns.
    shapes : ndarray of shape (n_shapes, n_columns)
        G.
    component, shape : ndarray of int of shape (n,)
        Of each coefficient, components in rising order.

    Returns
    -------
    ndarray of shape (n, n)
    """
    per_column, shapes = as_argument(np.transpose(per_column, (1, 2, 0))), as_argument(shapes)
    component, shape = as_argument(component, np.int64), as_argument(shape, np.int64)
    out, memory = np.empty((shape.size, shape.size)), np.empty(shapes.shape[1])
    _of_sums(per_column, shapes, component, shape, memory, out)
    return out


def information(V, B, *, n_jobs: int | None = 1) -> np.ndarray:
    r"""Return :math:`\sum_j B_{jc} B_{jd} / \mu_{ij}` of every row i.

    Parameters
    ----------
    V : ndarray of shape (n_rows, n_components)
        Coefficients, non-negative.
    B : ndarray of shape (n_columns, n_components)
        Basis, non-negative.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_rows, n_components, n_components)
    """
    basis, V = as_argument(B.T), as_argument(V)
    found = np.zeros((len(V), len(basis), len(basis)))
    run_blocks(
        lambda block, memory: _information(*block, basis, V, memory, found),
        _blocks(V, B),
        n_jobs,
        lambda: np.empty(min(len(B), COLUMNS_AT_A_TIME)),
    )
    return found


def _blocks(V, B):
    step = max(1, ENTRIES_PER_BLOCK // max(1, len(B)))
    return [(first, min(first + step, len(V))) for first in range(0, len(V), step)]


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
    basis, V = as_argument(B.T), as_argument(V)
    rows, scale = np.zeros(len(V)), (table.size - 1) / math.sqrt(largest)

    table = as_argument(table)

    def run(block, memory):
        columns = np.zeros(len(B))
        _tabulated(*block, basis, V, table, scale, memory, rows, columns)
        return columns

    found = run_blocks(run, _blocks(V, B), n_jobs, lambda: np.empty(len(B)))
    return rows, sum(found, np.zeros(len(B)))
