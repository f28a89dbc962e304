# SPDX-License-Identifier: GPL-3.0-or-later
r"""Standard errors of loadings and of all that is linear in them.

The loadings of a pixel that are above zero, its free set F, have the covariance

.. math:: C = (H_F \, \mathrm{diag}(1 / \mu) \, H_F^T)^{-1},

the inverse of the *expected* Fisher information, summed over all channels.
The observed information, better where counts are many [1]_, sums over channels
that happened to hold counts, and fails where these are few. With a prior of
:math:`\tau \sum_c (w_c - m_c \log w_c)`, :math:`\tau m_c / w_c^2` is added to the
diagonal, and C is the posterior's.

The expected counts :math:`\mu` are those of the fit with one count more from each
component. For a component alone C is then w + 1, the variance of the posterior of
a Poisson mean with a flat prior, where w would make the errors of those loadings
small that came out low. With it, intervals of one and of two sigma cover the truth
as often as they should down to some 20 counts, with the spectra held at the truth
(``tests/statistical/test_coverage.py``).

A loading at zero has no sigma but an upper limit; see `limits`.

Spectra are estimates too. Their errors are common to all pixels and do not
average out; `ambiguity_errors` finds what they do to loadings.

References
----------
.. [1] B. Efron, D. V. Hinkley, Biometrika 65 (1978) 457.
   https://doi.org/10.1093/biomet/65.3.457
"""

import numpy as np
from scipy.stats import norm

from hyperspy_psnmf.kernels.threads import run_blocks
from hyperspy_psnmf.nmf.convex import solve_loadings

AT_ZERO = 1e-6  # share of a pixel's counts
ENTRIES_PER_BLOCK = 500_000  # pixels times channels
RIDGE = 1e-12  # relative; loadings of spectra that are alike have huge errors, not infinite ones


def are_free(W: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Tell which loadings are above zero and have a spectrum.

    Parameters
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra.

    Returns
    -------
    ndarray of bool, of shape (n_pixels, n_components)
    """
    return (AT_ZERO * W.sum(axis=1, keepdims=True) < W) & H.any(axis=1)


def loading_covariance(
    W: np.ndarray,
    H: np.ndarray,
    *,
    prior_weight: np.ndarray | None = None,
    prior_mode: np.ndarray | None = None,
    n_jobs: int | None = 1,
) -> np.ndarray:
    """Return the covariance of the loadings of every pixel, given the spectra.

    Parameters
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    prior_weight : ndarray of shape (n_pixels,), optional
        The prior's tau.
    prior_mode : ndarray of shape (n_pixels, n_components), optional
        The prior's m, in counts.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_pixels, n_components, n_components)
        In counts squared. Rows and columns of loadings at zero are zero.
    """
    free = are_free(W, H)
    information = fisher_information(W + 1.0, H, n_jobs)
    if prior_weight is not None:
        curvature = prior_weight[:, None] * prior_mode / np.where(free, W, 1.0) ** 2
        np.einsum("icc->ic", information)[...] += curvature
    return invert_free(information, free)


def _pairs(k):
    return np.triu_indices(k)


def fisher_information(W, H, n_jobs=1):
    """Return H diag(1 / mu) H' of every pixel, mu never kept for all of them."""
    k = len(H)
    a, b = _pairs(k)
    products = np.ascontiguousarray((H[a] * H[b]).T)
    information = np.empty((len(W), k, k))

    def run(block):
        rows = slice(*block)
        mu = W[rows] @ H
        entries = np.divide(1.0, mu, out=np.zeros_like(mu), where=mu > 0) @ products
        information[rows, a, b] = information[rows, b, a] = entries

    run_blocks(run, _blocks(len(W), H.shape[1]), n_jobs)
    return information


def _blocks(n_rows, n_columns):
    step = max(1, ENTRIES_PER_BLOCK // max(1, n_columns))
    return [(first, min(first + step, n_rows)) for first in range(0, n_rows, step)]


def invert_free(information, free):
    """Invert the free part of every matrix; the rest becomes zero."""
    k = free.shape[1]
    both = free[:, :, None] & free[:, None, :]
    diagonal = np.einsum("icc->ic", information)
    scale = np.sqrt(np.where(free & (diagonal > 0), diagonal, 1.0))
    scale = scale[:, :, None] * scale[:, None, :]
    inverse = np.linalg.inv(np.where(both, information / scale, 0.0) + _ridge(free, k))
    return np.where(both, inverse / scale, 0.0)


def _ridge(free, k):
    return np.where(free, RIDGE, 1.0)[:, :, None] * np.eye(k)


def standard_deviations(covariance: np.ndarray) -> np.ndarray:
    """Return the standard errors of loadings, NaN where a loading is at zero.

    Parameters
    ----------
    covariance : ndarray of shape (n_pixels, n_components, n_components)
        From `loading_covariance`.

    Returns
    -------
    ndarray of shape (n_pixels, n_components)
        In counts.
    """
    variances = np.einsum("icc->ic", covariance)
    return np.sqrt(np.where(variances > 0, variances, np.nan))


def loading_errors(W, H, **options) -> np.ndarray:
    """Return the standard errors of loadings; see `loading_covariance` for the arguments.

    Returns
    -------
    ndarray of shape (n_pixels, n_components)
        In counts; NaN where a loading is at zero. See `upper_limits` for those.
    """
    return standard_deviations(loading_covariance(W, H, **options))


def reconstruction_errors(covariance: np.ndarray, intensities: np.ndarray) -> np.ndarray:
    """Return the standard errors of ``W @ intensities``, given the spectra.

    Errors of loadings of the same pixel are correlated, mostly negatively, so
    their sums are known far better than the loadings themselves.

    Parameters
    ----------
    covariance : ndarray of shape (n_pixels, n_components, n_components)
        From `loading_covariance`.
    intensities : ndarray of shape (n_components,) or (n_components, n_quantities)
        What one count of each component contributes: to X-ray lines, or to
        channels if these are the spectra themselves.

    Returns
    -------
    ndarray of shape (n_pixels,) or (n_pixels, n_quantities)
        Of the product's unit. NaN in pixels where all loadings are at zero; where
        only some are, what they might contribute is not part of it.
    """
    a, b = _pairs(len(intensities))
    # Off the diagonal each pair stands for two.
    twice = np.where(a == b, 1.0, 2.0).reshape(-1, *[1] * (intensities.ndim - 1))
    variances = covariance[:, a, b] @ (twice * intensities[a] * intensities[b])
    known = np.einsum("icc->i", covariance) > 0
    known = known.reshape(-1, *[1] * (variances.ndim - 1))
    return np.sqrt(np.where(known, np.maximum(variances, 0.0), np.nan))


def ambiguity_errors(
    X, W: np.ndarray, spectra: np.ndarray, *, confidence: float, n_jobs: int | None = 1
) -> np.ndarray:
    r"""Return the standard errors of loadings that come from their spectra.

    The loadings are found again with each set of spectra that a likelihood-ratio
    test at `confidence` does not exclude. The furthest of them is taken to be as far
    off as a normal error at that confidence, 1.96 sigma for 95 %. Sampling noise of
    the spectra alone, as from a parametric bootstrap of the binned map, would not
    do: where phases are nowhere pure, some 40 % of loadings were inside one sigma
    then. With this it is 70 to 80 % on the phantoms.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_pixels, n_channels)
        Counts.
    W : ndarray of shape (n_pixels, n_components)
        Loadings found, in counts.
    spectra : ndarray of shape (n_alternatives, n_components, n_channels)
        Of unit sum, as from `bands.alternatives`.
    confidence : float
        Of the spectra, between 0 and 1.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_pixels, n_components)
        In counts, to be added in squares to `loading_errors`.
    """
    furthest = np.zeros(W.shape)
    for H in spectra:
        np.maximum(furthest, np.abs(solve_loadings(X, H, W, n_jobs=n_jobs) - W), out=furthest)
    return furthest / norm.ppf((1 + confidence) / 2)
