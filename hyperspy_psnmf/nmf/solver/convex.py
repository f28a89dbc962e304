# SPDX-License-Identifier: GPL-3.0-or-later
"""The two convex subproblems: loadings for fixed spectra, and spectra for fixed loadings."""

import numpy as np

from hyperspy_psnmf.kernels.newton.rows import NO_TERMS, RowTerms
from hyperspy_psnmf.kernels.parallel import is_csr, run_blocks
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks, solve_rows
from hyperspy_psnmf.nmf.counts.matrix import total_counts

SPECTRUM_FLOOR = 1e-6  # fraction of the mean spectrum, so that no count has zero likelihood
RTOL = 1e-2  # of a tolerance in nats, per count: it decides below 100 counts
PROHIBITIVE_COST = 1e6  # nats per count, at which a coefficient is zero
TRANSPOSED_BYTES = 16_000_000  # of a dense binned map, transposed at a time
ROWS_AT_A_TIME = 16  # fill a cache line: five times as fast as all at once


def solve_loadings(X, H, W=None, *, tol: float = 1e-3, n_jobs=1) -> np.ndarray:
    """Return the loadings that maximise the likelihood for fixed spectra.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra. Channels where all are zero are ignored.
    W : ndarray of shape (n_rows, n_components), optional
        Where to start.
    tol : float
        Duality gap in nats at which a row is done; proportionately less where a
        row has fewer than 100 counts.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_rows, n_components)
        Loadings in counts; they add up to the counts of each row.
    """
    if W is None:
        W = np.repeat(total_counts(X, axis=1)[:, None] / len(H), len(H), axis=1)
    W = np.where(H.any(axis=1), W, 0.0)
    return solve_rows(X, H.T, W, tol=tol, rtol=RTOL * tol, n_jobs=n_jobs)[0]


def solve_spectra(X, W, H, *, n_fixed: int = 0, frozen=None, tol: float = 1e-3, n_jobs=1):
    """Return W and H with H the spectra that maximise the likelihood for fixed loadings.

    Both are rescaled so that rows of H have unit sum; the first `n_fixed` rows
    are not changed, nor, but for the scale, are entries (n_components, n_channels)
    that are `frozen`.
    """
    options = {"n_fixed": n_fixed, "tol": tol, "n_jobs": n_jobs}
    found = [
        solve_channels(Xt, W, H.T[some], None if frozen is None else frozen.T[some], **options)[0]
        for some, Xt in _some_channels(X, n_jobs)
    ]
    return normalise(W, np.concatenate(found), n_fixed)


def _some_channels(X, n_jobs):
    """Yield slices of channels and their counts transposed; of a large dense map some at a time."""
    n_channels = step = X.shape[1]
    if isinstance(X, np.ndarray):
        step = max(1, TRANSPOSED_BYTES // max(1, X[:, 0].nbytes))
    for first in range(0, n_channels, step):
        some = slice(first, first + step)
        yield some, transpose(X if step >= n_channels else X[:, some], n_jobs)


def solve_channels(Xt, W, B, frozen=None, *, n_fixed: int = 0, terms=NO_TERMS, **options):
    """Solve every channel for fixed loadings, as `solve_rows` does.

    Parameters
    ----------
    Xt : ndarray or csr_array of shape (n_channels, n_rows)
        Counts.
    W : ndarray of shape (n_rows, n_components)
        Loadings.
    B : ndarray of shape (n_channels, n_components)
        Spectra to start from.
    frozen : ndarray of bool of shape (n_channels, n_components), optional
        Entries that are not changed.
    n_fixed : int
        The first `n_fixed` spectra are not changed either.
    """
    if frozen is None:
        return solve_rows(Xt, W, B, n_fixed=n_fixed, terms=terms, **options)
    frozen = frozen | (np.arange(B.shape[1]) < n_fixed)
    B, gaps = np.array(B), np.zeros(len(B))
    patterns, pattern = np.unique(frozen, axis=0, return_inverse=True)
    for i, frozen_here in enumerate(patterns):
        rows = np.flatnonzero(pattern.ravel() == i)
        # In the kernel the fixed coefficients come first.
        order = np.argsort(~frozen_here, kind="stable")
        own = _terms_of(terms, rows, order)
        options |= {"n_fixed": np.count_nonzero(frozen_here), "terms": own}
        found, gaps[rows] = solve_rows(Xt[rows], W[:, order], B[rows][:, order], **options)
        B[np.ix_(rows, order)] = found
    return B, gaps


def _terms_of(terms, rows, order):
    if not terms.linear.size:
        return terms
    per_row = (term[rows][:, order] for term in (terms.linear, terms.pseudo_counts))
    if not terms.scale.size:
        return RowTerms(*per_row)
    matrix = terms.matrix[np.ix_(order, order)]
    return RowTerms(*per_row, terms.scale[rows], matrix, terms.diagonal[rows][:, order])


def freeze_at_zero(frozen, cost: float = PROHIBITIVE_COST) -> RowTerms:
    """Return terms that add so large a linear cost to frozen coefficients that they are zero."""
    return RowTerms(np.where(frozen, cost, 0.0), np.zeros(frozen.shape))


def normalise(W, B, n_fixed: int = 0):
    """Return W and H with unit sums in the free rows of H, the product unchanged."""
    scale = B.sum(axis=0)
    scale[:n_fixed] = 1.0
    empty = scale == 0
    if empty.any():
        # A component without a spectrum: zero loadings, and a flat spectrum of unit sum.
        B, scale = np.where(empty, 1.0, B), np.where(empty, len(B), scale)
        W = np.where(empty, 0.0, W)
    return W * scale, (B / scale).T


def transpose(X, n_jobs: int | None = 1):
    """Return the transpose in the kernels' layout: C-ordered or CSR."""
    if isinstance(X, CountBlocks):
        return X.transpose()
    if is_csr(X):
        return X.T.tocsr()
    Xt = np.empty(X.shape[::-1], X.dtype)

    def copy(first):
        rows = slice(first, first + ROWS_AT_A_TIME)
        Xt[:, rows] = X[rows].T

    run_blocks(copy, range(0, len(X), ROWS_AT_A_TIME), n_jobs)
    return Xt
