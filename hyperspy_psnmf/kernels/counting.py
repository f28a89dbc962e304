# SPDX-License-Identifier: GPL-3.0-or-later
"""From a cube of counts to CSR, and from CSR to sums over bins.

Counts are read where they lie, in their own type: the cube is never copied
nor converted to floating point as a whole.
"""

from itertools import pairwise

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.threads import run_blocks

PIECE_BYTES = 4_000_000  # fits the cache of a core


@jit
def _scan(X, n_nonzero):
    # Counts the non-zeros of each row; returns the largest value and whether
    # a value is negative, infinite or not a number.
    largest = X.dtype.type(0)
    n_bad = 0
    for i in range(X.shape[0]):
        n = 0
        for j in range(X.shape[1]):
            x = X[i, j]
            n += x != 0
            n_bad += not (x >= 0)
            largest = max(largest, x)
        n_nonzero[i] = n
    return largest, n_bad > 0 or not (largest < np.inf)


@jit
def _fill(X, indptr, indices, data):
    for i in range(X.shape[0]):
        p = indptr[i]
        for j in range(X.shape[1]):
            if X[i, j] != 0:
                indices[p] = j
                data[p] = X[i, j]
                p += 1


@jit
def _add_rows(start, stop, order, edges, indptr, indices, data, column_bin, out):
    for b in range(start, stop):
        for r in range(edges[b], edges[b + 1]):
            i = order[r]
            for p in range(indptr[i], indptr[i + 1]):
                out[b, column_bin[indices[p]]] += data[p]


class _Piece:
    """Some rows of the cube, small enough for the cache, without what is left out."""

    def __init__(self, part, first_row, keep_rows, keep_channels):
        self.part, self.keep_channels = part, keep_channels
        n_rows = part[..., 0].size
        self.rows = slice(first_row, first_row + n_rows)
        if keep_rows is not None:
            self.rows = first_row + np.flatnonzero(keep_rows[self.rows])
            self.kept = keep_rows[first_row : first_row + n_rows]

    def read(self):
        rows = np.ascontiguousarray(self.part).reshape(-1, self.part.shape[-1])
        if not isinstance(self.rows, slice):
            rows = rows[self.kept]
        if self.keep_channels is not None:
            rows = rows[:, self.keep_channels]
        return rows if rows.dtype.isnative else rows.astype(rows.dtype.newbyteorder("="))

    def scan(self, n_nonzero):
        rows = self.read()
        counted = np.zeros(len(rows), np.int64)
        found = _scan(rows, counted)
        n_nonzero[self.rows] = counted
        return found


def _split(cube, keep_rows, keep_channels):
    """Cut the cube into pieces along its first axis."""
    rows_each = int(np.prod(cube.shape[1:-1], dtype=np.int64))
    step = max(1, PIECE_BYTES // max(1, cube[:1].nbytes))
    return [
        _Piece(cube[first : first + step], first * rows_each, keep_rows, keep_channels)
        for first in range(0, len(cube), step)
    ]


def _smallest_dtype(dtype, largest):
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    return next(np.dtype(t) for t in ("u1", "u2", "u4", "u8") if largest <= np.iinfo(t).max)


def csr_arrays(cube, *, keep_rows=None, keep_channels=None, n_jobs: int | None = 1):
    """Return the CSR arrays of a dense cube of counts.

    Parameters
    ----------
    cube : ndarray of shape (..., n_channels)
        Counts of any real type, in any memory order, read-only or memory-mapped.
    keep_rows : ndarray of bool, of shape (n_pixels,), optional
        Pixels to use, in C order of the leading axes; the others come out empty.
    keep_channels : ndarray of bool, of shape (n_channels,), optional
        Channels to use.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    data, indices, indptr : ndarray
        Non-zero counts (integers in the smallest unsigned type that holds
        them), their channels, and where each row begins.

    Raises
    ------
    ValueError
        Where a count is negative, infinite or not a number.
    """
    if cube.dtype.kind == "b" or (cube.dtype.kind == "f" and cube.dtype.itemsize == 2):
        # Numba has neither; both are rare and small enough to convert.
        cube = cube.astype(np.float32 if cube.dtype.kind == "f" else np.uint8)
    pieces = _split(cube, keep_rows, keep_channels)
    n_nonzero = np.zeros(cube[..., 0].size, np.int64)
    scanned = run_blocks(lambda piece: piece.scan(n_nonzero), pieces, n_jobs)
    if any(bad for _, bad in scanned):
        raise ValueError("counts must be finite and not negative")
    indptr = np.concatenate([[0], np.cumsum(n_nonzero)])
    index_type = np.int32 if indptr[-1] < np.iinfo(np.int32).max else np.int64
    indices = np.empty(indptr[-1], index_type)
    data = np.empty(indptr[-1], _smallest_dtype(cube.dtype, max(n for n, _ in scanned)))
    run_blocks(lambda p: _fill(p.read(), indptr[p.rows], indices, data), pieces, n_jobs)
    return data, indices, indptr.astype(index_type)


def sum_bins(X, row_bin, n_row_bins, column_bin, n_column_bins, *, n_jobs: int | None = 1):
    """Sum a CSR matrix of counts over bins of rows and of columns.

    Parameters
    ----------
    X : CSR matrix of shape (n_rows, n_columns)
        Counts.
    row_bin, column_bin : ndarray of int
        The bin of each row (negative: in no bin) and of each column.
    n_row_bins, n_column_bins : int
        Number of bins.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of float64, of shape (n_row_bins, n_column_bins)
        Sums of counts; exact up to 2**53.
    """
    order = np.argsort(row_bin, kind="stable")
    edges = np.searchsorted(row_bin[order], np.arange(n_row_bins + 1))
    out = np.zeros((n_row_bins, n_column_bins))
    limits = np.unique(np.linspace(0, n_row_bins, 17).astype(np.int64))
    run_blocks(
        lambda block: _add_rows(
            *block, order, edges, X.indptr, X.indices, X.data, np.asarray(column_bin), out
        ),
        list(pairwise(limits.tolist())),
        n_jobs,
    )
    return out
