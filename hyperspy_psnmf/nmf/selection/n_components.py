# SPDX-License-Identifier: GPL-3.0-or-later
r"""Number of components by count splitting: the held-out deviance of each number.

Factorisations with 1, 2, 3, ... components are fitted to all folds of the counts but one
and predict that one, see `count_splitting`. A true component lowers the held-out
deviance; one that fits noise raises it, as measured by about :math:`2 p / (1 - p)` times its
number of parameters, rows plus channels, with p the fraction of counts in the test fold. So
bins much coarser than those of a factorisation have two advantages: a weak phase is found
that would be lost with more parameters, in a sixth of the time. Some hundred bins of pixels
are sufficient, and energy bins as wide as a line. With templates of X-ray lines, spectra are made
of these; see `components_of_lines`.
"""

from collections.abc import Callable

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts, choose_binning
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import Comparison, make_folds
from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.lines.weights import LineSpectra
from hyperspy_psnmf.nmf.selection.components_of_lines import (
    first_of_lines,
    one_more_of_lines,
    tolerant_deviance,
)
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.solver.one_blas_thread import one_blas_thread
from hyperspy_psnmf.nmf.solver.one_more import mean_spectrum, next_spectrum, one_more
from hyperspy_psnmf.nmf.validation import check_int

# A component that fits noise converges slowly, and does not need to converge.
FIT = {"max_iter": 30, "tol": 1e-3}
PATIENCE = 2  # numbers tried after the best one


def coarse_counts(
    X, shape: tuple[int, ...], spatial: tuple[bool, ...], *, energy_binning: int = 16, n_jobs=1
):
    """Sum counts over the coarse bins on which to choose the number of components.

    Parameters
    ----------
    X : csr_array of shape (n_pixels, n_channels)
        Counts, one row per pixel in C order of the map.
    shape : tuple of int
        Shape of the map, in array order.
    spatial : tuple of bool
        Which axes may be binned.
    energy_binning : int
        Channels per bin; best about 160 eV, a little more than a line's width.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray or csr_array of float64, of shape (n_bins, n_energy_bins)
    """
    binning = choose_binning(total_counts(X, axis=1), shape, spatial, 1)
    return bin_counts(X, PixelBins(shape, binning), energy_binning=energy_binning, n_jobs=n_jobs)


@one_blas_thread()
def choose_n_components(
    X,
    *,
    max_components: int = 8,
    fixed_spectra: np.ndarray | None = None,
    templates: Templates | None = None,
    n_folds: int = 10,
    rng: np.random.Generator | None = None,
    n_jobs: int | None = 1,
    callback: Callable[[int, int, float], None] | None = None,
) -> Comparison:
    """Compare numbers of components by held-out deviance.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Raw counts or sums of them, such as `coarse_counts`.
    max_components : int
        Largest number to try; no more than rows or channels are.
    fixed_spectra : ndarray of shape (n_fixed, n_channels), optional
        Fixed spectra of unit sum, on the channels of X. They are included in the number.
    templates : Templates, optional
        X-ray lines and continuum, on the channels of X, that free spectra are made of.
    n_folds : int
        Number of folds, at least 2. With ten, fits have more counts than with five, which a
        weak phase needs.
    rng : numpy.random.Generator, optional
        Source of random numbers.
    n_jobs : int or None
        Threads; None is all cores.
    callback : callable, optional
        Called after every fit with the number of components, the number of the fold and
        its held-out deviance. An exception in it ends the search.

    Returns
    -------
    Comparison
        Its names are the numbers tried: 1, or as many as are fixed, 2, ..., and two more
        than the best at most.
        Take `simplest()`; `best` is the one with the smallest deviance.

    Raises
    ------
    TypeError, ValueError
        If X holds no counts or an argument is out of range.
    """
    n_fixed = 0 if fixed_spectra is None else len(fixed_spectra)
    limit = min(check_int("max_components", max_components), *X.shape)
    if limit < n_fixed:
        raise ValueError(f"max_components={limit} is less than the {n_fixed} fixed spectra")
    rng = np.random.default_rng(0) if rng is None else rng
    folds = make_folds(X, n_folds, rng)
    if not total_counts(X):
        raise ValueError("X has no counts to choose a number of components by")
    fits, deviances, first = [None] * n_folds, [], max(1, n_fixed)
    for k in range(first, limit + 1):
        deviances.append(np.empty(n_folds))
        for f, fold in enumerate(folds):
            if k == first:
                fits[f] = _simplest(fold.train, fixed_spectra, templates, n_jobs)
            else:
                fits[f] = _one_more(fold.train, *fits[f], n_fixed, rng, n_jobs)
            deviances[-1][f] = _deviance(fold, *fits[f], n_jobs)
            if callback is not None:
                callback(k, f, deviances[-1][f])
        if k - first - np.argmin(np.mean(deviances, axis=1)) >= PATIENCE:
            break
    return Comparison(tuple(range(first, k + 1)), np.array(deviances))


def _deviance(fold, W, H, n_jobs):
    """Return the held-out deviance of loadings and spectra, an array or LineSpectra."""
    if isinstance(H, LineSpectra):
        return tolerant_deviance(fold, W, H, n_jobs=n_jobs)
    return fold.deviance(W, H, n_jobs=n_jobs)


def _simplest(X, fixed, templates, n_jobs):
    """Return W and H with the fixed components only, or with one."""
    if templates is not None:
        return first_of_lines(X, templates, fixed, n_jobs)
    if fixed is None:
        return total_counts(X, axis=1)[:, None], mean_spectrum(X)[None]
    return solve_loadings(X, fixed, n_jobs=n_jobs), fixed


def _one_more(X, W, H, n_fixed, rng, n_jobs):
    """Return W and H with one component more."""
    if isinstance(H, LineSpectra):
        return one_more_of_lines(X, H, next_spectrum(X, W, H.H, rng), n_jobs)
    return one_more(X, W, H, n_fixed=n_fixed, rng=rng, n_jobs=n_jobs, **FIT)
