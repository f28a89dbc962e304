# SPDX-License-Identifier: GPL-3.0-or-later
r"""Standard errors of loadings and of linear functions of them.

The loadings of a pixel that are above zero, its free set F, have the covariance

.. math:: C = (H_F \, \mathrm{diag}(1 / \mu) \, H_F^T)^{-1},

the inverse of the *expected* Fisher information, summed over all channels.
The observed information, better where counts are many [1]_, sums over channels
with counts, and fails where these are few. After adaptive smoothing, with n the effective
number of pixels of an estimate, C is n times smaller.

The expected counts :math:`\mu` are those of the fit with one count more from each
component. For a component alone C is then w + 1, the variance of the posterior of
a Poisson mean with a flat prior; w would make errors too small for loadings that are
low by chance. With it, intervals of one and of two sigma have the nominal coverage
down to some 20 counts, with the spectra fixed at the truth
(``tests/statistical/test_coverage.py``).

A loading at zero has no sigma but an upper limit; see `upper_limits`.

The errors of the spectra are common to all pixels and do not average out; `jackknife`
estimates the errors of loadings due to them.

References
----------
.. [1] B. Efron, D. V. Hinkley, Biometrika 65 (1978) 457.
   https://doi.org/10.1093/biomet/65.3.457
"""

import numpy as np

from hyperspy_psnmf.nmf.solver.fisher import are_free, information, invert_free


def loading_covariance(
    W: np.ndarray,
    H: np.ndarray,
    *,
    n_averaged: np.ndarray | None = None,
    n_jobs: int | None = 1,
) -> np.ndarray:
    """Return the covariance of the loadings of every pixel, given the spectra.

    Parameters
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    n_averaged : ndarray of shape (n_pixels,), optional
        Effective number of pixels of each estimate; see `smoothing`. By default 1.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_pixels, n_components, n_components)
        In counts squared. Rows and columns of loadings at zero are zero.
    """
    n = np.ones(len(W)) if n_averaged is None else np.maximum(n_averaged, 1.0)
    found = n[:, None, None] * information(W + 1.0 / n[:, None], H.T, n_jobs)
    return invert_free(found, are_free(W, H))


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
    sums of loadings have far smaller errors than the loadings themselves.

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
        only some are, these contribute no error.
    """
    a, b = np.triu_indices(len(intensities))
    # Each pair off the diagonal occurs twice.
    twice = np.where(a == b, 1.0, 2.0).reshape(-1, *[1] * (intensities.ndim - 1))
    variances = covariance[:, a, b] @ (twice * intensities[a] * intensities[b])
    has_errors = np.einsum("icc->i", covariance) > 0
    has_errors = has_errors.reshape(-1, *[1] * (variances.ndim - 1))
    return np.sqrt(np.where(has_errors, np.maximum(variances, 0.0), np.nan))
