# SPDX-License-Identifier: GPL-3.0-or-later
r"""Spectra in channels again: the posterior of free spectra with those of templates as prior.

Counts of channel j in phase c have a Gamma prior with its mode at what the templates expect,
:math:`m_{cj}`, and the weight of :math:`\tau_j` counts per count:

.. math:: \min_{h \ge 0} D + \sum_{cj} \tau_j (n_c h_{cj} - m_{cj} \log h_{cj})

one convex problem per channel. With many counts the data determine the spectra, peaks that no
template has included; with few the templates do. Each :math:`\tau_j` is the largest that predicts
held-out counts in a window about its channel as well as the best one does.

References
----------
A. Neufeld, A. Dharamshi, L. L. Gao, D. Witten, J. Mach. Learn. Res. 25 (2024) 57 (count
splitting).
"""

import numpy as np
from scipy.ndimage import uniform_filter1d

from hyperspy_psnmf.kernels.newton.rows import RowTerms
from hyperspy_psnmf.nmf.binning.bins import bin_spectra
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import (
    held_out_by_channel,
    holds_whole_counts,
    thin_counts,
)
from hyperspy_psnmf.nmf.solver.convex import normalise, solve_channels, transpose

# Counts of the prior per count of the data, compared by held-out counts.
WEIGHTS = (np.inf, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)
WEIGHT_OF_FRACTIONS = 10.0  # where the data are no whole numbers, which cannot be split
TEST_FRACTION = 0.2  # of the counts, held out
# Of the held-out deviance in a window, by which a smaller weight must be better: about the 95 %
# point of chi-squared with one degree of freedom.
MIN_GAIN = 4.0
MIN_WIDTH = 16  # channels: the held-out deviance of a few is mostly noise


def spectra_in_channels(X, W, expected, weight, *, n_fixed: int = 0, frozen=None, n_jobs=1):
    """Return the spectra of highest posterior density, for fixed loadings.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts.
    expected : ndarray of shape (n_components, n_channels)
        Spectra of templates, of unit sum; fixed ones first.
    weight : float or ndarray of shape (n_channels,)
        Counts of the prior per count of the data; infinite for the expected spectra.
    n_fixed : int
        The first `n_fixed` spectra are not changed.
    frozen : ndarray of bool of shape (n_components, n_channels), optional
        Entries of the spectra that stay as expected.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    W : ndarray of shape (n_rows, n_components)
    H : ndarray of shape (n_components, n_channels)
        Of unit sum, the product unchanged.
    """
    B = np.ascontiguousarray(expected.T)
    weight = np.broadcast_to(weight, len(B))
    free = np.flatnonzero(np.isfinite(weight))
    if not free.size:
        return W, expected
    Xt, frozen = transpose(X[:, free], n_jobs), None if frozen is None else frozen.T[free]
    options = {"n_fixed": n_fixed, "n_jobs": n_jobs}
    B[free] = _most_likely(Xt, W, B[free], B[free], weight[free], frozen, **options)
    return normalise(W, B, n_fixed)


def _most_likely(Xt, W, expected, start, weight, frozen, **options):
    """Return spectra (n_channels, n_components) of highest posterior density, from a start."""
    linear = weight[:, None] * W.sum(axis=0)
    terms = RowTerms(linear, linear * expected)
    return solve_channels(Xt, W, start, frozen, terms=terms, **options)[0]


def choose_weights(
    X, W, expect, *, width: int, n_fixed: int = 0, frozen=None, rng, n_jobs=1
) -> np.ndarray:
    """Return the weight of the prior in each channel, by held-out counts.

    Loadings and weights of templates are those of all counts: some fifty numbers per spectrum
    follow next to nothing of the noise in thousands of channels.

    Parameters
    ----------
    X, W, n_fixed, frozen, n_jobs
        As for `spectra_in_channels`.
    expect : callable
        Returns the expected spectra for counts of shape (n_channels,) and loadings.
    width : int
        Channels of the window in which held-out deviances are summed; `MIN_WIDTH` at least.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    ndarray of shape (n_channels,)
    """
    n_channels, width = X.shape[1], max(width, MIN_WIDTH)
    if not holds_whole_counts(X):
        return np.full(n_channels, WEIGHT_OF_FRACTIONS)
    train, test = thin_counts(X, TEST_FRACTION, rng)
    W, total = (1.0 - TEST_FRACTION) * W, total_counts(train, axis=0)
    expected = expect(total, W)
    frozen, options = None if frozen is None else frozen.T, {"n_fixed": n_fixed, "n_jobs": n_jobs}
    Xt, B = transpose(train, n_jobs), np.ascontiguousarray(expected.T)
    found, deviances = B, []
    for weight in WEIGHTS:
        if np.isfinite(weight):  # from the spectra of the weight before
            found = _most_likely(Xt, W, B, found, np.full(n_channels, weight), frozen, **options)
        spectra = normalise(W, found, n_fixed)
        by_channel = held_out_by_channel(test, *spectra, TEST_FRACTION, total, n_jobs=n_jobs)
        deviances.append(width * uniform_filter1d(by_channel, width, mode="nearest"))
    is_good = np.array(deviances) < np.min(deviances, axis=0) + MIN_GAIN
    return np.array(WEIGHTS)[is_good.argmax(axis=0)]


def weights_of_sums(weights, energy_binning: int) -> np.ndarray | None:
    """Return the weights of the prior in sums of channels; None without a prior.

    Of a channel, the data have the fraction 1 / (1 + weight); of a sum, the mean of these.

    Parameters
    ----------
    weights : ndarray of shape (n_channels,) or None
        Counts of the prior per count of the data; may be infinite.
    energy_binning : int
        Channels summed.
    """
    if weights is None:
        return None
    each = np.stack([1.0 / (1.0 + weights), np.ones(len(weights))])
    of_data, n = bin_spectra(each, energy_binning)
    return np.divide(n, of_data, out=np.full(n.size, np.inf), where=of_data > 0) - 1.0
