# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of counts as kernels take them: of one type, whatever the matrix is.

A kernel is compiled for each type of its arguments, and the larger ones take seconds each. So
a block of rows, which stays in cache, is converted before it is passed on: counts to
float64, columns to int32, and where rows begin to int64. A dense block is passed in the same
way, but without columns.
"""

import numpy as np

from hyperspy_psnmf.kernels._compile import jit_row
from hyperspy_psnmf.kernels.parallel import is_csr

NUMBERS_PER_LINE = 8  # float64 in a cache line
NO_COLUMNS = np.empty(0, np.int32)


def as_argument(values, dtype=np.float64) -> np.ndarray:
    """Return an array of the one type that kernels are compiled for; a copy if need be.

    Numba has types of their own for arrays that are read-only, not contiguous or not aligned.
    """
    if _is_argument(values, dtype):  # takes a tenth of the time of `require`
        return values
    return np.require(values, dtype, ("C", "A", "W", "E"))


def _is_argument(values, dtype) -> bool:
    return type(values) is np.ndarray and values.dtype == dtype and values.flags.carray


def make_memory(n_rows: int, n_columns: int) -> np.ndarray:
    """Return an array with at least so many columns, not initialised.

    Each row begins with a cache line: loops take a quarter longer where vectors are in two.
    """
    n_columns = -(-n_columns // NUMBERS_PER_LINE) * NUMBERS_PER_LINE
    memory = np.empty(n_rows * n_columns + NUMBERS_PER_LINE)
    begin = -memory.__array_interface__["data"][0] // memory.itemsize % NUMBERS_PER_LINE
    return memory[begin : begin + n_rows * n_columns].reshape(n_rows, n_columns)


class RowCounts:
    """A matrix of counts, of which kernels get some rows at a time.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
        Counts, of any real type.

    Attributes
    ----------
    longest : int
        How many entries the longest row has.
    has_columns : bool
        Whether columns are given for each entry; if not, each row has all.
    """

    def __init__(self, X):
        self.has_columns = is_csr(X)
        if self.has_columns:
            begin, self._columns, self._data = X.indptr, X.indices, X.data
            self.longest = int(np.diff(begin).max(initial=0))
        else:
            self.longest = X.shape[1]
            begin, self._columns = np.arange(len(X) + 1, dtype=np.int64) * self.longest, NO_COLUMNS
            self._data = X.reshape(-1)
        self._begin = as_argument(begin, np.int64)
        self._fit = _is_argument(self._columns, np.int32) and _is_argument(self._data, float)

    def take(self, start: int, stop: int):
        """Return where each row begins, and the column and the counts of each entry."""
        begin = self._begin[start : stop + 1]
        if self._fit:
            return begin, self._columns, self._data
        some = slice(begin[0], begin[-1])
        data, columns = as_argument(self._data[some]), self._columns
        if self.has_columns:
            columns = as_argument(columns[some], np.int32)
        return begin - begin[0], columns, data


@jit_row
def load_basis(columns, basis, b):
    """Fill b with the columns of the basis that a row has."""
    for c in range(basis.shape[0]):
        for q in range(columns.size):
            b[c, q] = basis[c, columns[q]]
