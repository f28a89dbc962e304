# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of a CSR matrix that are far above their row and column, and above those beside them."""

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.parallel import row_blocks, run_blocks
from hyperspy_psnmf.kernels.row_counts import RowCounts, as_argument

WORK = 0.2  # per entry, in units of a sweep: most are read and no more


@jit
def _find(start, counts, sums, beside_each, limits, out):
    (begin, indices, data), (rows, columns) = counts, sums
    (reach, n_beside), (fewest, factor, many) = beside_each, limits
    n = 0
    for row in range(begin.size - 1):
        i, first, last = start + row, begin[row], begin[row + 1]
        for p in range(first, last):
            if data[p] < fewest:  # as most are: their columns need not be read
                continue
            x, j = data[p], indices[p]
            if x <= many * (rows[i] - x) * (columns[j] - x):
                continue
            beside, q = 0.0, p - 1
            while q >= first and j - indices[q] <= reach[j]:
                beside += data[q]
                q -= 1
            q = p + 1
            while q < last and indices[q] - j <= reach[j]:
                beside += data[q]
                q += 1
            if x * n_beside[j] > factor * beside:
                out[0, n], out[1, n], out[2, n] = i, p - begin[0], beside
                n += 1
    return n


def find_sharp_entries(
    X, rows, columns, reach, n_beside, *, fewest: float, factor: float, n_jobs: int | None = 1
):
    """Return the entries that exceed both expectations by a factor.

    Parameters
    ----------
    X : CSR matrix of shape (n_rows, n_columns)
        Counts, columns in order.
    rows, columns : ndarray of float of shape (n_rows,), (n_columns,)
        Sums of rows and of columns: without the entry, their product over the sum of all
        is expected if rows and columns are independent.
    reach : ndarray of int of shape (n_columns,)
        How many columns before and after are beside each.
    n_beside : ndarray of float of shape (n_columns,)
        Divisor of their sum.
    fewest, factor : float
        Smallest entry, and its smallest ratio to the expectations.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    row, position : ndarray of int of shape (n_found,)
        The latter within ``X.data``.
    beside : ndarray of float of shape (n_found,)
        Sum of the entries beside each.
    """
    counts, sums = RowCounts(X), (as_argument(rows), as_argument(columns))
    beside_each = as_argument(reach, np.int64), as_argument(n_beside)
    limits = float(fewest), float(factor), float(factor / columns.sum())

    def find(block):
        first, last = X.indptr[block[0]], X.indptr[block[1]]
        # Memory that is not written to costs nothing.
        out = np.empty((3, int(last - first)))
        n = _find(block[0], counts.take(*block), sums, beside_each, limits, out)
        out[1, :n] += first
        return out[:, :n].copy()

    found = np.concatenate(
        [np.empty((3, 0)), *run_blocks(find, row_blocks(X, work=WORK), n_jobs)], axis=1
    )
    return found[0].astype(int), found[1].astype(int), found[2]
