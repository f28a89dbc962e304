# SPDX-License-Identifier: GPL-3.0-or-later
r"""Grouped jackknife: errors from the sampling noise of the spectra.

The counts are split into K folds, see `count_splitting`; all but one are Poisson counts of the
same map, with 1 / K fewer counts. Spectra are determined again from these, starting from those
found. The mean squared change of what follows from the spectra (loadings, compositions) is
1 / (K - 1) of its variance (the delete-a-group jackknife [1]_),

.. math:: \sigma^2 = (K - 1) \, \langle (w_f - w)^2 \rangle,

about what all counts give, not about the mean. The criterion, or parsimony, is minimised
again: where noise decides how it resolves the rotational ambiguity, it is
resolved differently in some of the folds, and the errors include the difference. A
parametric bootstrap does not include it, because it takes the model found for the truth.
A bias common to all folds is not included; `ambiguity` reports it.

References
----------
.. [1] J. Shao, C. F. J. Wu, Ann. Statist. 17 (1989) 1176.
   https://doi.org/10.1214/aos/1176347263
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.nmf.held_out.count_splitting import split_counts
from hyperspy_psnmf.nmf.method.binned import match_spectra
from hyperspy_psnmf.nmf.solver.convex import solve_loadings


class Refits(Protocol):
    """Fits to parts of the counts; see `method.refits`."""

    counts: Any

    def spectra(self, counts: Any) -> np.ndarray:
        """Return the spectra (n_components, n_channels) of a part of the counts."""


def spectra_without_folds(
    refits: Refits,
    H: np.ndarray,
    rng: np.random.Generator,
    *,
    n_folds: int,
    n_splits: int,
    n_fixed: int = 0,
    n_jobs: int | None = 1,
    notify: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Return the spectra found in all folds of the counts but one, for each of them.

    Parameters
    ----------
    refits : FreeRefits or LineRefits
        With all counts, which must be whole numbers.
    H : ndarray of shape (n_components, n_channels)
        Spectra found, of unit sum.
    rng : numpy.random.Generator
        Source of random numbers.
    n_folds, n_splits : int
        Folds of the counts, and how often they are split into so many.
    n_fixed : int
        The first `n_fixed` spectra are fixed.
    n_jobs : int or None
        Threads; None is all cores.
    notify : callable
        Called after each fit, from as many threads as there are.

    Returns
    -------
    ndarray of shape (n_splits * n_folds, n_components, n_channels)
        Of unit sum, in the order of `H`: these, and what a fold less has changed.
    """

    def fit(fold=None):
        counts = refits.counts if fold is None else refits.counts - fold
        found = _in_order(refits.spectra(counts.astype(float)), H, n_fixed)
        notify()
        return found

    of_all, found = fit(), []
    for _ in range(n_splits):
        found += run_blocks(fit, split_counts(refits.counts, n_folds, rng), n_jobs)
    others = np.maximum(H + np.array(found) - of_all, 0.0)
    return others / others.sum(axis=-1, keepdims=True)


def _in_order(found, H, n_fixed):
    """Return the spectra found in the order of those most like them."""
    order = match_spectra(found[n_fixed:], H[n_fixed:])
    return np.vstack([found[:n_fixed], found[n_fixed:][order]])


def errors_from_spectra(
    X, W: np.ndarray, H: np.ndarray, others: np.ndarray, *, n_folds: int, n_jobs: int | None = 1
) -> np.ndarray:
    """Return the standard errors of loadings due to the errors of the spectra.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_pixels, n_channels)
        Counts.
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts, where to start from.
    H : ndarray of shape (n_components, n_channels)
        Spectra found, of unit sum.
    others : ndarray of shape (n_fits, n_components, n_channels)
        From `spectra_without_folds`.
    n_folds : int
        As there.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_pixels, n_components)
        In counts, to be added in squares to `uncertainty.loading_errors`.
    """
    W = solve_loadings(X, H, W, n_jobs=n_jobs)
    squared = np.zeros(W.shape)
    for other in others:
        squared += (solve_loadings(X, other, W, n_jobs=n_jobs) - W) ** 2
    return np.sqrt((n_folds - 1) * squared / len(others))
