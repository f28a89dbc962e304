# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts that are not in memory as a whole: the same sums and solutions, block by block.

What treats rows one by one, or adds up over rows, needs some rows at a time: bins,
loadings for fixed spectra, scores, EM sweeps. The functions here are those of
`kernels`, for a matrix or for blocks of one. What they return does not depend on the blocks,
sums of floating-point numbers but for their last digits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.kernels import em
from hyperspy_psnmf.kernels import likelihood as scores
from hyperspy_psnmf.kernels.csr import add_at, sum_bins
from hyperspy_psnmf.kernels.newton import rows as newton
from hyperspy_psnmf.kernels.newton.rows import NO_TERMS, RowTerms
from hyperspy_psnmf.kernels.parallel import call_in_threads, is_csr
from hyperspy_psnmf.nmf.counts.csr_part import Part, join, smallest_type

EXACT_IN_SINGLE = 2**24  # largest whole number up to which float32 is exact
TYPES_OF_SUMS = "u1", "u2", "u4", "u8"
BLOCK_BYTES = 32_000_000  # of a CSR matrix; much more than a task costs by itself
BINNED_BYTES = 500_000_000  # of the binned map of counts that do not fit into memory


class CountBlocks(ABC):
    """A matrix of counts of which some rows are read at a time.

    Attributes
    ----------
    shape : tuple of int
        Number of rows and of channels.
    dtype : dtype
        Of the counts.
    nnz : int
        Number of non-zero entries.
    row_counts, channel_counts : ndarray of float
        Sums over channels and over rows.
    is_whole : bool
        Whether all counts are whole numbers.
    block_bytes : int
        Size of a block, as CSR matrix, at most; though a block has at least one row.
    binned_bytes : int
        Size of the binned map at most, where its bins are chosen automatically.
    notify : callable or None
        Called with the number of blocks done and of all blocks, whenever one is.
    """

    block_bytes: int = BLOCK_BYTES
    binned_bytes: int = BINNED_BYTES
    notify: Callable[[int, int], None] | None = None

    def __init__(self, shape, dtype, nnz, row_counts, channel_counts, is_whole):
        self.shape, self.dtype, self.nnz = shape, np.dtype(dtype), nnz
        self.row_counts, self.channel_counts, self.is_whole = row_counts, channel_counts, is_whole

    @abstractmethod
    def run(self, task, *per_row, where=None, **common) -> Iterator:
        """Do something with every block.

        Parameters
        ----------
        task : callable
            Of a module, so that it can be sent to another process. Called with the block,
            a csr_array, with the values of its rows and with `common`.
        *per_row
            What gives the values of rows, by ``values[rows]``.
        where : ndarray of bool of shape (n_rows,), optional
            Blocks without any of these rows may be left out.
        **common
            Keyword arguments that are the same for all blocks.

        Yields
        ------
        rows : ndarray of int
            Which rows they are.
        result
            What the task returned.
        """

    @abstractmethod
    def call(self, task, arguments: Iterable[tuple], *, n_jobs, **common) -> Iterator:
        """Yield ``task(*each, **common)`` for each of the arguments, where blocks are run."""

    def take(self, rows):
        """Return some rows, in the order given, as a csr_array."""
        position = np.full(self.shape[0], -1)
        position[rows] = np.arange(len(rows))
        found = self.run(_take, position, where=position >= 0)
        return join((part for _, part in found), len(rows), self.shape[1], self.dtype)

    def report_progress(self, n_done: int, n_blocks: int) -> None:
        """Call `notify`, if there is one."""
        if self.notify is not None:
            self.notify(n_done, n_blocks)


def _take(X, position):
    wanted = np.flatnonzero(position >= 0)
    X = X[wanted]
    return Part(position[wanted], X.indptr.astype(np.int64), X.indices, X.data)


def call(X: CountBlocks | None, task, arguments: Iterable[tuple], *, n_jobs, **common) -> Iterator:
    """Yield ``task(*each, **common)`` for each of the arguments, in threads or where blocks are.

    Parameters
    ----------
    X : csr_array, CountBlocks or None
        Counts that the arguments are about.
    task : callable
        Of a module, so that it can be sent to another process; runs in a single thread.
    arguments : iterable of tuple
        Taken when they are needed.
    n_jobs : int or None
        Threads; None is all cores.
    **common
        Keyword arguments that are the same for all.
    """
    if isinstance(X, CountBlocks):
        yield from X.call(task, arguments, n_jobs=n_jobs, **common)
    else:
        yield from call_in_threads(task, arguments, n_jobs=n_jobs, **common)


def bin_blocks(X: CountBlocks, row_bin, n_row_bins, column_bin, n_column_bins, *, n_jobs=1):
    """Sum counts over bins of rows and of columns; see `kernels.csr.sum_bins`.

    Returns
    -------
    ndarray of shape (n_row_bins, n_column_bins)
        Of float64; of float32 where that is exact and memory matters.
    """
    options = {"column_bin": column_bin, "n_column_bins": n_column_bins, "n_jobs": n_jobs}
    out = np.zeros((n_row_bins, n_column_bins), _type_of_sums(X, row_bin, n_row_bins))
    for _, (bins, sums) in X.run(_bin, row_bin, **options):
        add_at(out, bins, sums)
    return out


def _type_of_sums(X, row_bin, n_row_bins):
    largest = np.bincount(row_bin, X.row_counts, n_row_bins).max()
    return np.float32 if X.is_whole and largest < EXACT_IN_SINGLE else np.float64


def _bin(X, row_bin, *, column_bin, n_column_bins, n_jobs):
    bins, here = np.unique(row_bin, return_inverse=True)
    sums = sum_bins(X, here, len(bins), column_bin, n_column_bins, n_jobs=n_jobs)
    single = sums.astype(np.float32)  # half as much to send
    return bins, single if np.array_equal(single, sums) else sums


def bin_blocks_sparse(X: CountBlocks, row_bin, n_row_bins, column_bin, n_column_bins):
    """Return the same sums as a csr_array of float64."""
    runs = X.run(_bin_sparse, row_bin, column_bin=column_bin, n_column_bins=n_column_bins)
    found = zip(*(entries for _, entries in runs), strict=True)
    rows, columns, data = (np.concatenate(each) for each in found)
    return sp.coo_array((data, (rows, columns)), shape=(n_row_bins, n_column_bins)).tocsr()


def _bin_sparse(X, row_bin, *, column_bin, n_column_bins):
    rows = np.repeat(row_bin, np.diff(X.indptr))
    entries = (X.data.astype(np.float64), (rows, column_bin[X.indices]))
    binned = sp.coo_array(entries, shape=(int(row_bin.max()) + 1, n_column_bins))
    binned.sum_duplicates()
    return *binned.coords, binned.data


class _TermsOfRows:
    """Gives the terms of some rows."""

    def __init__(self, terms):
        self.terms = terms

    def __getitem__(self, rows):
        linear, pseudo_counts, scale, matrix, diagonal = (
            term[rows] if term.size and name != "matrix" else term
            for name, term in zip(RowTerms._fields, self.terms, strict=True)
        )
        return RowTerms(linear, pseudo_counts, scale, matrix, diagonal)


def solve_rows(X, B, V, *, terms: RowTerms = NO_TERMS, **options):
    """Minimise the divergence of every row; see `kernels.newton.rows.solve_rows`."""
    if not isinstance(X, CountBlocks):
        return newton.solve_rows(X, B, V, terms=terms, **options)
    V, gaps = np.array(V, dtype=float, order="C"), np.zeros(len(V))
    for rows, found in X.run(_solve, V, _TermsOfRows(terms), B=B, **options):
        V[rows], gaps[rows] = found
    return V, gaps


def _solve(X, V, terms, *, B, **options):
    return newton.solve_rows(X, B, V, terms=terms, **options)


def score(X, V, B, *, n_jobs=1):
    """Return the score and the divergence of every row; see `kernels.likelihood.score`."""
    if not isinstance(X, CountBlocks):
        return scores.score(X, V, B, n_jobs=n_jobs)
    S, loss = np.zeros(V.shape), np.zeros(len(V))
    for rows, found in X.run(_score, V, B=B, n_jobs=n_jobs):
        S[rows], loss[rows] = found
    return S, loss


def _score(X, V, *, B, n_jobs):
    return scores.score(X, V, B, n_jobs=n_jobs)


def divergence(X, V, B, *, n_jobs=1) -> float:
    """Return the divergence in nats; see `kernels.likelihood.divergence`."""
    if not isinstance(X, CountBlocks):
        return scores.divergence(X, V, B, n_jobs=n_jobs)
    return sum(found for _, found in X.run(_divergence, V, B=B, n_jobs=n_jobs))


def _divergence(X, V, *, B, n_jobs):
    return scores.divergence(X, V, B, n_jobs=n_jobs)


def divergence_of_columns(X, V, B, *, n_jobs=1) -> np.ndarray:
    """Return the divergence of every column in nats, where `score` returns that of rows."""
    if not isinstance(X, CountBlocks):
        return _divergence_of_columns(X, V, B=B, n_jobs=n_jobs)
    return sum(found for _, found in X.run(_divergence_of_columns, V, B=B, n_jobs=n_jobs))


def _divergence_of_columns(X, V, *, B, n_jobs):
    Xt = X.T.tocsr() if is_csr(X) else np.ascontiguousarray(X.T)
    return scores.score(Xt, B, V, n_jobs=n_jobs)[1]


def em_sweep(X, V, B, *, n_jobs=1):
    """Do one joint EM sweep; see `kernels.em.em_sweep`."""
    if not isinstance(X, CountBlocks):
        return em.em_sweep(X, V, B, n_jobs=n_jobs)
    new, counts = np.zeros(V.shape), np.zeros(B.shape)
    for rows, (v, b) in X.run(_sweep, V, B=B, n_jobs=n_jobs):
        new[rows] = v
        counts += b
    cost = new.sum(axis=0)
    return new, np.divide(counts, cost, out=np.zeros(B.shape), where=cost > 0)


def _sweep(X, V, *, B, n_jobs):
    V, B = em.em_sweep(X, V, B, n_jobs=n_jobs)
    return V, B * V.sum(axis=0)  # the counts of each channel that each component explains


def project(X, B) -> np.ndarray:
    """Return X B of shape (n_rows, n_values)."""
    if not isinstance(X, CountBlocks):
        return X @ B
    found = np.zeros((X.shape[0], B.shape[1]))
    for rows, values in X.run(_project, B=B):
        found[rows] = values
    return found


def _project(X, *, B):
    return X @ B


def group_columns(X: CountBlocks, group, n_groups: int, *, n_jobs=1) -> np.ndarray:
    """Sum columns over groups, of shape (n_rows, n_groups), in a type of few bytes."""
    dtype = smallest_type(int(X.row_counts.max()) + 1, TYPES_OF_SUMS) if X.is_whole else np.float32
    Y = np.zeros((X.shape[0], n_groups), dtype)
    options = {"column_bin": group, "n_column_bins": n_groups, "dtype": dtype, "n_jobs": n_jobs}
    for rows, sums in X.run(_group, **options):
        Y[rows] = sums
    return Y


def _group(X, *, column_bin, n_column_bins, dtype, n_jobs):
    rows = np.arange(X.shape[0])
    sums = sum_bins(X, rows, len(rows), column_bin, n_column_bins, n_jobs=n_jobs)
    return sums.astype(dtype)
