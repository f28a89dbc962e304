# SPDX-License-Identifier: GPL-3.0-or-later
r"""Grouped jackknife: errors of loadings from the sampling noise of the spectra.

The counts are split into K folds, see `count_splitting`; all but one are Poisson counts of the
same map, with 1 / K fewer counts. The spectra are determined again from these, and with them
loadings :math:`w_f` of all counts. Their mean squared difference from the loadings found is
1 / (K - 1) of the variance (the delete-a-group jackknife [1]_),

.. math:: \sigma^2 = (K - 1) \, \langle (w_f - w)^2 \rangle,

about the loadings of the spectra found, not about the mean. All of step 2 is repeated, with
starts and parsimony: where noise decides how these resolve the rotational ambiguity, they
resolve it differently in some of the folds, and the errors include the difference. A
parametric bootstrap does not include it, because it takes the model found for the truth.
A bias common to all folds is not included; `ambiguity` reports it.

References
----------
.. [1] J. Shao, C. F. J. Wu, Ann. Statist. 17 (1989) 1176.
   https://doi.org/10.1214/aos/1176347263
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from hyperspy_psnmf.nmf.held_out.count_splitting import split_counts
from hyperspy_psnmf.nmf.method.binned import BinnedSettings
from hyperspy_psnmf.nmf.method.many_bins import factorise_map
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.validation import Callback

STEP = "without a fold"  # name of the step for callbacks


def spectra_without_folds(
    X,
    H: np.ndarray,
    settings: BinnedSettings,
    rng: np.random.Generator,
    options: dict,
    *,
    n_folds: int,
    n_splits: int,
    notify: Callback | None = None,
) -> np.ndarray:
    """Return the spectra found in all folds of the counts but one, for each of them.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_bins, n_channels)
        Counts of the binned map: whole numbers.
    H : ndarray of shape (n_components, n_channels)
        Spectra found, of unit sum.
    settings : BinnedSettings
        Of step 2.
    rng : numpy.random.Generator
        Source of random numbers.
    options : dict
        `max_iter`, `tol` and `n_jobs` of `poisson_nmf`.
    n_folds, n_splits : int
        Folds of the counts, and how often they are split into so many.
    notify : callable, optional
        Called with the name of the step, the number of the fit and infinity.

    Returns
    -------
    ndarray of shape (n_splits * n_folds, n_components, n_channels)
        Of unit sum, in the order of `H`.
    """
    found = []
    for _ in range(n_splits):
        for fold in split_counts(X, n_folds, rng):
            fit = factorise_map((X - fold).astype(float), settings, rng, options, lambda *_: None)
            found.append(_in_order(fit.H, H, len(settings.fixed)))
            if notify is not None:
                notify(STEP, len(found), np.inf)
    return np.array(found)


def _in_order(found, H, n_fixed):
    """Return the spectra found in the order of those most like them."""
    a, b = (each[n_fixed:] / np.linalg.norm(each[n_fixed:], axis=1)[:, None] for each in (H, found))
    _, order = linear_sum_assignment(a @ b.T, maximize=True)
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
