# SPDX-License-Identifier: GPL-3.0-or-later
"""From a cube of counts to CSR, and from CSR to sums over bins.

Counts are read where they lie, in their own type: the cube is never copied
nor converted to floating point as a whole.
"""

from itertools import pairwise

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.parallel import run_blocks

PIECE_BYTES = 4_000_000  # fits the cache of a core
WORD = np.dtype(np.uint64)


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
def _fill(X, words, indptr, indices, data, channels):
    # Most words are zero. Whatever is looked at is noted, and overwritten by what follows
    # if it was zero: that takes no branch, which the processor would often guess wrong.
    n_each = X.shape[1] // words.shape[1]
    filled, nonzero = channels[0], channels[1]
    for i in range(X.shape[0]):
        n_filled = 0
        for q in range(words.shape[1]):
            filled[n_filled] = q
            n_filled += words[i, q] != 0
        n = 0
        for q in range(n_filled):
            first = n_each * np.int64(filled[q])
            for j in range(first, first + n_each):
                nonzero[n] = j
                n += X[i, j] != 0
        for q in range(n):
            indices[indptr[i] + q] = nonzero[q]
            data[indptr[i] + q] = X[i, nonzero[q]]


@jit
def _sum_both(indptr, indices, data, row_sums, column_sums):
    for i in range(row_sums.size):
        total = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            total += data[p]
            column_sums[indices[p]] += data[p]
        row_sums[i] = total


@jit
def _add_rows(start, stop, order, edges, indptr, indices, data, column_bin, out):
    for b in range(start, stop):
        for r in range(edges[b], edges[b + 1]):
            i = order[r]
            for p in range(indptr[i], indptr[i + 1]):
                out[b, column_bin[indices[p]]] += data[p]


@jit
def add_at(out, rows, values):
    """Add rows of values to some rows of a matrix, in place."""
    for i in range(rows.size):
        for j in range(out.shape[1]):
            out[rows[i], j] += values[i, j]


class _Piece:
    """Some rows of the cube, small enough for the cache, without what is left out."""

    def __init__(self, part, first_row, keep_rows, channels):
        self.part, self.channels = part, channels
        n_rows = part[..., 0].size
        self.rows = slice(first_row, first_row + n_rows)
        if keep_rows is not None:
            self.rows = first_row + np.flatnonzero(keep_rows[self.rows])
            self.kept = keep_rows[first_row : first_row + n_rows]

    def read(self):
        rows = np.ascontiguousarray(self.part).reshape(-1, self.part.shape[-1])
        if not isinstance(self.rows, slice):
            rows = rows[self.kept]
        if isinstance(self.channels, slice):
            rows = np.ascontiguousarray(rows[:, self.channels])
        elif self.channels is not None:
            rows = rows.take(self.channels, axis=1)  # [:, channels] would turn rows to columns
        return rows if rows.dtype.isnative else rows.astype(rows.dtype.newbyteorder("="))

    def scan(self, n_nonzero):
        rows = self.read()
        counted = np.zeros(len(rows), np.int64)
        found = _scan(rows, counted)
        n_nonzero[self.rows] = counted
        return found

    def fill(self, indptr, indices, data):
        rows = self.read()
        if rows.size:
            channels = np.empty((2, rows.shape[1]), "u2" if rows.shape[1] < 1 << 16 else "u4")
            _fill(rows, _words(rows), indptr[self.rows], indices, data, channels)


def _words(rows):
    """Return the same as whole words of memory, where rows consist of them."""
    size = WORD.itemsize
    in_words = rows.itemsize < size and rows[:1].nbytes % size == 0 and rows.ctypes.data % size == 0
    return rows.view(WORD) if in_words else rows


def _split(cube, keep_rows, keep_channels):
    """Cut the cube into pieces along its first axis."""
    rows_each = int(np.prod(cube.shape[1:-1], dtype=np.int64))
    step = max(1, PIECE_BYTES // max(1, cube[:1].nbytes))
    channels = None if keep_channels is None else _channels_of(np.flatnonzero(keep_channels))
    return [
        _Piece(cube[first : first + step], first * rows_each, keep_rows, channels)
        for first in range(0, len(cube), step)
    ]


def _channels_of(kept):
    """Return a slice in place of channels without gaps, as of a range of energies."""
    has_gaps = not len(kept) or kept[-1] - kept[0] >= len(kept)
    return kept if has_gaps else slice(kept[0], kept[-1] + 1)


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
    run_blocks(lambda piece: piece.fill(indptr, indices, data), pieces, n_jobs)
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


def sum_rows_and_columns(indptr, indices, data, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum a CSR matrix of counts over its columns and over its rows.

    Returns
    -------
    row_sums : ndarray of float64, of shape (n_rows,)
    column_sums : ndarray of float64, of shape (n_columns,)
    """
    row_sums, column_sums = np.zeros(len(indptr) - 1), np.zeros(n_columns)
    _sum_both(indptr, indices, data, row_sums, column_sums)
    return row_sums, column_sums
