# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a CSR matrix of counts, in memory or in a file, and their union.

A part has some rows, and of these all columns or some. It takes 2 or 4 bytes per
non-zero entry for the column and as many as the counts need, on disk as in memory; where rows
begin is always kept in memory.
"""

import os
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a CSR matrix.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,)
        Which rows of the whole, each once.
    indptr : ndarray of int64 of shape (n_rows + 1,)
        Where each row begins.
    indices, data : ndarray of shape (n_entries,)
        Columns, of the whole, and counts. In a file, arrays without entries, of the types
        in the file.
    file : str
        Where indices and data are, one after the other; empty for a part in memory.
    """

    rows: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    file: str = ""

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return int(self.indptr[-1])

    @property
    def nbytes(self) -> int:
        """Bytes of the entries, wherever they are."""
        return self.nnz * (self.indices.itemsize + self.data.itemsize)

    def __sizeof__(self) -> int:
        """Return the bytes in memory, as a scheduler should know before it moves a part."""
        return sum(a.nbytes for a in (self.rows, self.indptr, self.indices, self.data))

    def write(self, file: str) -> "Part":
        """Return the same part with its entries in a file.

        Raises
        ------
        OSError
            If there is no room. The file is removed then.
        """
        try:
            with open(file, "wb") as stream:
                # Unlike ndarray.tofile, this says why it failed.
                stream.write(memoryview(np.ascontiguousarray(self.indices)).cast("B"))
                stream.write(memoryview(np.ascontiguousarray(self.data)).cast("B"))
        except OSError:
            if os.path.exists(file):
                os.remove(file)
            raise
        # Slices would keep what they are slices of.
        none = (np.empty(0, entries.dtype) for entries in (self.indices, self.data))
        return Part(self.rows, self.indptr, *none, file)

    def read(self, first: int = 0, last: int | None = None) -> "Part":
        """Return the rows from `first` up to `last`, in memory."""
        last = len(self.rows) if last is None else last
        start, stop = int(self.indptr[first]), int(self.indptr[last])
        if self.file:
            n, size = stop - start, self.indices.itemsize
            indices = np.fromfile(self.file, self.indices.dtype, n, offset=size * start)
            offset = size * self.nnz + self.data.itemsize * start
            data = np.fromfile(self.file, self.data.dtype, n, offset=offset)
        else:
            indices, data = self.indices[start:stop], self.data[start:stop]
        return Part(self.rows[first:last], self.indptr[first : last + 1] - start, indices, data)


def smallest_type(n: int, types: tuple[str, ...] = ("u2", "u4", "u8")) -> np.dtype:
    """Return the first of some unsigned types, from small to large, for numbers below n."""
    return next(np.dtype(t) for t in types if n - 1 <= np.iinfo(t).max)


def join(parts, n_rows: int, n_columns: int, dtype):
    """Return the CSR matrix that parts make up together.

    Parameters
    ----------
    parts : iterable of Part
        No two with the same entry. Where they share rows, the one with the lower columns
        comes first. Their rows are numbered from 0 to `n_rows`.
    n_rows, n_columns : int
        Shape of the matrix. Rows that no part has are empty.
    dtype : dtype
        Of the counts.

    Returns
    -------
    csr_array of shape (n_rows, n_columns)
    """
    parts = list(parts)
    lengths = np.zeros(n_rows, np.int64)
    for part in parts:
        lengths[part.rows] += np.diff(part.indptr)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    index_type = np.int32 if indptr[-1] < np.iinfo(np.int32).max else np.int64
    indices, data = np.empty(indptr[-1], index_type), np.empty(indptr[-1], dtype)
    free = indptr[:-1].copy()
    for part in parts:
        _place(part.read(), free, indices, data)
    return sp.csr_array((data, indices, indptr.astype(index_type)), shape=(n_rows, n_columns))


def as_csr(parts, n_columns: int, dtype):
    """Return the CSR matrix of the rows that parts, all in memory, have in common."""
    if len(parts) > 1:
        here = np.arange(len(parts[0].rows))
        return join((replace(p, rows=here) for p in parts), len(here), n_columns, dtype)
    (part,) = parts
    index_type = np.int32 if part.nnz < np.iinfo(np.int32).max else np.int64
    indices, indptr = part.indices.astype(index_type), part.indptr.astype(index_type)
    # One type for all, so that no kernel is compiled twice.
    data = part.data.astype(dtype, copy=False)
    return sp.csr_array((data, indices, indptr), shape=(len(part.rows), n_columns))


def _place(part, free, indices, data):
    """Put the entries of a part where its rows are free, and take that place."""
    begin, lengths = free[part.rows], np.diff(part.indptr)
    to = slice(int(begin[0]), int(begin[0]) + part.nnz) if len(begin) else slice(0)
    if not np.array_equal(begin - begin[:1], part.indptr[:-1]):
        to = np.repeat(begin - part.indptr[:-1], lengths) + np.arange(part.nnz)
    indices[to], data[to] = part.indices, part.data
    free[part.rows] += lengths
