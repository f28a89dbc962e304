# SPDX-License-Identifier: GPL-3.0-or-later
"""Check counts and bring them to CSR."""

import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.kernels.csr import csr_arrays, sum_bins
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks

SMALLEST_TOTAL, LARGEST_TOTAL = 1e-100, 1e100  # of a map
ROUNDING = 0.02  # counts: the error of single precision and of a scale of six digits


def check_count_dtype(dtype, name: str = "X") -> None:
    """Raise TypeError unless `dtype` is an integer, boolean or real type."""
    if np.dtype(dtype).kind not in "buif" or np.dtype(dtype).itemsize > 8:
        raise TypeError(f"{name} must hold real counts, not {np.dtype(dtype)}")


def check_no_mask(X, name: str = "X") -> None:
    """Raise TypeError for a masked array: numpy would take what is masked for counts."""
    if isinstance(X, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: set what is masked to 0")


def check_range(X, name: str = "X") -> None:
    """Raise ValueError where the sum of all counts is zero, or too large or small to square."""
    with np.errstate(over="ignore"):
        total = float(total_counts(X))
    if total == 0:
        raise ValueError(f"{name} must have counts: it is zero everywhere")
    if not SMALLEST_TOTAL < total < LARGEST_TOTAL:
        raise ValueError(
            f"{name} must add up to between {SMALLEST_TOTAL:g} and {LARGEST_TOTAL:g} counts, "
            f"not to {total:g}"
        )


def count_matrix(cube, *, keep_rows=None, keep_channels=None, name: str = "X", n_jobs=1):
    """Return counts as a CSR matrix, one row per pixel.

    Parameters
    ----------
    cube : ndarray of shape (..., n_channels), or sparse matrix
        Counts; any real type. Integers come back in the smallest unsigned type.
    keep_rows, keep_channels : ndarray of bool, optional
        Pixels and channels to use. Pixels left out become empty rows, channels
        left out are dropped; neither is checked.
    name : str
        What to call the counts in an error.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    csr_array of shape (n_pixels, n_channels)

    Raises
    ------
    TypeError
        If the values are complex or no numbers.
    ValueError
        If a count is negative, infinite or not a number, or nothing is left.
    """
    check_count_dtype(cube.dtype, name)
    if sp.issparse(cube):
        return _check_sparse(_canonical(cube), keep_rows, keep_channels, name)
    n_channels = cube.shape[-1] if keep_channels is None else int(keep_channels.sum())
    shape = (cube.size // max(1, cube.shape[-1]), n_channels)
    if 0 in shape:
        raise ValueError(f"{name} has no pixels or no channels to use (shape {shape})")
    try:
        arrays = csr_arrays(cube, keep_rows=keep_rows, keep_channels=keep_channels, n_jobs=n_jobs)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return sp.csr_array(arrays, shape=shape)


def _check_sparse(X, keep_rows, keep_channels, name):
    if keep_rows is not None:
        X = sp.csr_array(sp.diags_array(keep_rows.astype(X.dtype)) @ X)
        X.eliminate_zeros()
    if keep_channels is not None:
        X = X[:, np.flatnonzero(keep_channels)]
    if 0 in X.shape:
        raise ValueError(f"{name} has no pixels or no channels to use (shape {X.shape})")
    if X.nnz and not (X.data.min() >= 0 and np.isfinite(X.data.max())):
        raise ValueError(f"{name}: counts must be finite and not negative")
    if X.dtype.kind in "bi":
        X = X.astype(np.uint8 if X.dtype == bool else f"u{X.dtype.itemsize}")
    return X


def _canonical(X):
    """Return X as CSR without duplicates, which small integers must not overflow on."""
    if X.format == "csr" and X.has_canonical_format:
        return sp.csr_array(X)
    wide = np.float64 if X.dtype.kind == "f" else np.int64
    X = sp.csr_array(X.astype(wide))  # a copy: the caller's matrix stays as it is
    X.sum_duplicates()
    return X


def scale_counts(X, counts_per_unit: float):
    """Return values times a number as counts: whole numbers where they are, but for rounding.

    Parameters
    ----------
    X : csr_array of shape (n_pixels, n_channels)
        Values; not changed.
    counts_per_unit : float
        The number. With 1 the values are returned as they are.

    Returns
    -------
    csr_array of shape (n_pixels, n_channels)
        Of the smallest unsigned type, or of float64 where values are no whole numbers.
    """
    if counts_per_unit == 1:
        return X
    values = X.data * np.float64(counts_per_unit)
    counts = np.rint(values)
    # Large ones would lose digits in an integer, and nothing is gained.
    if (np.abs(values - counts) <= ROUNDING).all() and counts.max(initial=0.0) < 2**32:
        values = counts.astype(np.min_scalar_type(int(counts.max(initial=0.0))))
    scaled = sp.csr_array((values, X.indices, X.indptr), shape=X.shape)
    if not values.all():
        scaled = scaled.copy()  # shares its indices with X so far
        scaled.eliminate_zeros()
    return scaled


def total_counts(X, axis=None):
    """Sum counts without overflow, exactly for integers below 2**53."""
    if isinstance(X, CountBlocks):
        known = {0: X.channel_counts, 1: X.row_counts, None: X.row_counts.sum()}
        return np.asarray(known[axis])
    if axis == 0 and sp.issparse(X):
        # scipy would add single precision in single precision.
        n_rows, n_columns = X.shape
        return sum_bins(X, np.zeros(n_rows, int), 1, np.arange(n_columns), n_columns)[0]
    return np.asarray(X.sum(axis=axis, dtype=np.float64))
