# SPDX-License-Identifier: GPL-3.0-or-later
r"""The component that each pixel is labelled with, and how far noise changes areas.

A pixel has the label of its largest loading among those that are significant,
:math:`w > z \sigma` with :math:`z = \Phi^{-1}(confidence)`. In a repetition of the measurement
loadings scatter by their covariance C (normal approximation): whether the largest one a remains
larger than the next one b, at :math:`t = (w_a - w_b) / \sqrt{C_{aa} + C_{bb} - 2 C_{ab}}`
standard errors, and significant, at :math:`t = w_a / \sigma_a - z`, is a Bernoulli variable each
with :math:`p = \Phi(t)`. For two pixels of correlation :math:`\rho` its covariance is [1]_

.. math:: \int_0^\rho g(r)\,dr, \qquad
          g(r) = \frac{\exp(-t^2 / (1 + r))}{2 \pi \sqrt{1 - r^2}},

which is p (1 - p) for a pixel with itself. Of loadings averaged over n pixels, the correlation with
neighbours is taken to fall linearly with the distance, so that :math:`3 (n - 1) (1 - r)^2` others
have more than r, and each pixel adds :math:`p (1 - p) + 3 (n - 1) \int_0^1 (1 - r)^2 g(r)\,dr` to
the variance of the number of pixels with a label.

References
----------
.. [1] R. L. Plackett, Biometrika 41 (1954) 351. https://doi.org/10.1093/biomet/41.3-4.351
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from hyperspy_psnmf.kernels.limits import TINY

UNASSIGNED = -1
NODES = 16  # of Gauss and Legendre; the integral is right to 1e-4 of its value at t = 0
LARGEST = 6.0  # standard errors; noise changes no label beyond
N_VALUES = 601  # of the table of the integral


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of pixels.

    Attributes
    ----------
    values : ndarray of int, of shape (n_pixels,)
        Number of the component, or -1 (unassigned).
    variances : ndarray of shape (n_pixels, n_components + 1)
        What each pixel adds to the variance of the number of pixels with each label, the last of
        which is unassigned.
    """

    values: np.ndarray
    variances: np.ndarray

    @property
    def fractions(self) -> np.ndarray:
        """Fraction of the pixels with each label, (n_components + 1,); the last is unassigned."""
        n = self.variances.shape[1]
        # The remainder of -1 is the last.
        return np.bincount(self.values % n, minlength=n) / max(len(self.values), 1)

    @property
    def fraction_errors(self) -> np.ndarray:
        """Standard errors of `fractions`, by noise."""
        return np.sqrt(self.variances.sum(axis=0)) / max(len(self.values), 1)


def label_pixels(
    W: np.ndarray,
    covariance: np.ndarray,
    *,
    confidence: float,
    n_averaged: np.ndarray | None = None,
    fits: np.ndarray | None = None,
) -> Labels:
    """Return the label of every pixel.

    Parameters
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts.
    covariance : ndarray of shape (n_pixels, n_components, n_components)
        From `loading_covariance`.
    confidence : float
        Above 0.5 and below 1; of the significance of a loading.
    n_averaged : ndarray of shape (n_pixels,), optional
        Effective number of pixels of each loading; by default 1.
    fits : ndarray of shape (n_pixels,), optional
        By how many standard deviations the deviance is below the significant one; pixels below
        zero are unassigned.
    """
    n, k = W.shape
    each, z = np.arange(n), ndtri(confidence)
    others = np.ones(n) if n_averaged is None else np.maximum(n_averaged, 1.0)
    others, fits = others - 1.0, np.full(n, np.inf) if fits is None else fits
    sigma = np.sqrt(np.einsum("icc->ic", covariance))
    ratio = np.divide(W, sigma, out=np.zeros((n, k)), where=sigma > 0)
    assigned = (fits >= 0) & (ratio.max(axis=1) > z)
    # Where none is significant, the one that is nearest to it.
    largest = np.where(assigned, np.where(ratio > z, W, -1.0).argmax(axis=1), ratio.argmax(axis=1))
    second, excess = _next(W, covariance, largest)
    appears = _variance(ratio[each, largest] - z, others) + _variance(fits, 0.0)
    changes = np.where(assigned, _variance(excess, others), 0.0)
    variances = np.zeros((n, k + 1))
    variances[each, second] = changes
    variances[each, largest] = changes + appears
    variances[:, k] = appears
    return Labels(np.where(assigned, largest, UNASSIGNED), variances)


def _next(W, covariance, largest):
    """Return the next component, and by how many standard errors the largest one is above it."""
    each, others = np.arange(len(W)), W.copy()
    others[each, largest] = -1.0
    second = others.argmax(axis=1)
    a, b, ab = (
        covariance[each, first, then]
        for first, then in ((largest, largest), (second, second), (largest, second))
    )
    difference = W[each, largest] - W[each, second]
    # A next one at zero has no error from which to find how often it is larger.
    some = (b > 0) & (second != largest)
    excess = np.where(some, difference / np.sqrt(np.maximum(a + b - 2 * ab, TINY)), np.inf)
    return second, excess


def _variance(t, others):
    """Return what a pixel adds to the variance of a number of pixels.

    Parameters
    ----------
    t : ndarray
        Distance from the threshold, in standard errors.
    others : ndarray or float
        Effective number of other pixels that the estimate is averaged over.
    """
    p = ndtr(-np.abs(t))
    table = np.linspace(0.0, LARGEST, N_VALUES)
    return p * (1.0 - p) + others * np.interp(np.abs(t), table, _with_neighbours(table), right=0.0)


def _with_neighbours(t):
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    r, weights = (nodes + 1) / 2, weights / 2
    g = np.exp(-(t[:, None] ** 2) / (1 + r)) / (2 * np.pi * np.sqrt(1 - r**2))
    return (3 * (1 - r) ** 2 * g) @ weights
