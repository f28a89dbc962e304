# SPDX-License-Identifier: GPL-3.0-or-later
r"""Goodness of fit: deviance of rows and channels per degree of freedom.

The deviance :math:`d = 2 \sum x \log(x / \mu) - x + \mu` has about one unit per
entry where counts are many [1]_. In a map most entries expect less than one
count, and there the mean of Poisson counts' deviance is far from one. With
:math:`E[x] = \mu` it is

.. math:: E[d](\mu) = 2 (E[x \log x] - \mu \log \mu),

tabulated here once. From its sum, one degree of freedom is subtracted per fitted parameter
[1]_; those of the loadings are distributed over channels, and those of the spectra over
rows, by their leverage on the mean spectrum and on the total map. Where spectra have a prior of
:math:`w` counts per count of the data, a channel is :math:`s = 1 / (1 + w)` of a parameter of each:
:math:`2 s - s^2` if phases do not overlap [2]_, less if they do. The parameters of the templates
behind the prior, some 50 per spectrum, are few beside the number of entries and neglected. So the
deviance per degree of freedom is about 1 everywhere if the model fits. Whether 1.01 is significant
depends on the number of entries: `excess_deviance` returns the excess deviance in units of its
standard deviation for Poisson counts, whose variance is tabulated too.

References
----------
.. [1] P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed. (1989),
   sections 2.3 and 4.4. https://doi.org/10.1201/9780203753736
.. [2] T. J. Hastie, R. J. Tibshirani, Generalized Additive Models (1990), section 3.5.
   https://doi.org/10.1201/9780203753781
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaincc, ndtri

from hyperspy_psnmf.kernels.expected import sum_tabulated
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.counts.blocks import divergence_of_columns, score
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.solver.convex import SPECTRUM_FLOOR

LARGEST = 64.0  # expected counts; beyond, E[d] is 1 within 0.3 %
N_VALUES = 1 << 15  # of the tables
MAX_COUNTS = 200  # in the sums: the probability of more is negligible at LARGEST


@dataclass(frozen=True, eq=False)
class Goodness:
    """Deviance per degree of freedom.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,)
        NaN where a row has no degrees of freedom.
    channels : ndarray of shape (n_channels,)
        The same of every channel.
    total : float
        Of all entries together.
    """

    rows: np.ndarray
    channels: np.ndarray
    total: float


def goodness_of_fit(
    X, W, H, *, n_averaged=None, prior_weights=None, n_jobs: int | None = 1
) -> Goodness:
    """Return the deviance per degree of freedom of a Poisson model.

    Parameters
    ----------
    X : ndarray, csr_array or CountBlocks of shape (n_rows, n_channels)
        Counts.
    W : ndarray of shape (n_rows, n_components)
        Loadings, in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    n_averaged : ndarray of shape (n_rows,), optional
        Effective number of rows that each row's loadings were averaged over: they have
        so many times fewer degrees of freedom.
    prior_weights : ndarray of shape (n_channels,), optional
        Counts of a prior of the spectra per count of the data: a channel without a prior (0) is
        a parameter of each spectrum, one determined by the prior alone (infinity) is none.
    n_jobs : int or None
        Threads; None is all cores.
    """
    d = _Deviances(X, W, H, n_averaged, prior_weights, n_jobs)
    return Goodness(
        _per_degree(d.rows, d.expected_in_rows),
        _per_degree(d.channels, d.expected_in_channels),
        d.total / d.expected if d.expected > 0 else np.nan,
    )


@dataclass(frozen=True, eq=False)
class ExcessDeviance:
    """Excess of the deviance over that of Poisson counts.

    Attributes
    ----------
    total : float
        Deviance of all entries together, per degree of freedom.
    scatter : float
        Standard deviation of `total` around 1, if the model is true.
    channels : ndarray of shape (n_channels,)
        Deviance minus its expectation, in standard deviations; NaN without counts.
    """

    total: float
    scatter: float
    channels: np.ndarray

    @property
    def significance(self) -> float:
        """How many standard deviations `total` is above 1."""
        return (self.total - 1) / self.scatter


def excess_deviance(
    X, W, H, *, n_averaged=None, prior_weights=None, n_jobs: int | None = 1
) -> ExcessDeviance:
    """Return the excess deviance of a Poisson model, in its standard deviations.

    Parameters
    ----------
    X, W, H, n_averaged, prior_weights, n_jobs :
        See `goodness_of_fit`. The more counts per entry, the smaller the errors of the model
        that are significant: sum pixels and channels to bins as large as the features of
        interest.
    """
    d = _Deviances(X, W, H, n_averaged, prior_weights, n_jobs)
    variance = sum_tabulated(d.V, d.B, _variances(), LARGEST, n_jobs=n_jobs)[1]
    sigma = np.sqrt(np.where(variance > 0, variance, np.nan))
    degrees = max(d.expected, TINY)
    return ExcessDeviance(
        float(d.total / degrees),
        float(np.sqrt(variance.sum()) / degrees),
        (d.channels - d.expected_in_channels) / sigma,
    )


def tail_probabilities(
    X, W, H, *, n_averaged=None, prior_weights=None, n_jobs: int | None = 1
) -> np.ndarray:
    """Return the probability of as large a deviance of each row by noise.

    The deviance of a row of Poisson counts is taken to follow the gamma distribution of its
    expectation and variance. Where the model is imperfect all over, rows are compared with each
    other: median and scatter of their excess deviances are the expected ones, where larger.

    Parameters
    ----------
    X, W, H, n_averaged, prior_weights, n_jobs :
        See `goodness_of_fit`.

    Returns
    -------
    ndarray of shape (n_rows,)
        1 in rows without counts.
    """
    d = _Deviances(X, W, H, n_averaged, prior_weights, n_jobs)
    variance = sum_tabulated(d.V, d.B, _variances(), LARGEST, n_jobs=n_jobs)[0]
    some = (variance > 0) & (d.expected_in_rows > 0)
    expected, sigma = d.expected_in_rows[some], np.sqrt(variance[some])
    found = np.ones(len(some))
    if some.any():
        excess = (d.rows[some] - expected) / sigma
        middle = np.median(excess)
        scatter = np.median(np.abs(excess - middle)) / ndtri(0.75)  # as of normal ones
        excess = (excess - max(middle, 0.0)) / max(scatter, 1.0)
        shape = (expected / sigma) ** 2
        deviances = np.maximum(expected + excess * sigma, 0.0)
        found[some] = gammaincc(shape, deviances / (expected / shape))  # of the gamma distribution
    return found


class _Deviances:
    """Deviances of rows and channels, and their expectations for the degrees of freedom."""

    def __init__(self, X, W, H, n_averaged, prior_weights, n_jobs):
        n_in_row, n_in_channel = np.count_nonzero(W, axis=1), np.count_nonzero(H, axis=0)
        if n_averaged is not None:
            n_in_row = n_in_row / np.maximum(n_averaged, 1.0)
        if prior_weights is not None:
            n_in_channel = n_in_channel / (1.0 + prior_weights)
        self.V, self.B = V, B = _with_floor(X, W, H)
        self.rows = 2 * score(X, V, B, n_jobs=n_jobs)[1]
        self.channels = 2 * divergence_of_columns(X, V, B, n_jobs=n_jobs)
        expected = sum_tabulated(V, B, _expected_deviances(), LARGEST, n_jobs=n_jobs)
        in_rows = n_in_row + n_in_channel.sum() * _leverages(W, H.sum(axis=1))
        in_channels = n_in_channel + n_in_row.sum() * _leverages(H.T, W.sum(axis=0))
        self.expected_in_rows = expected[0] - in_rows
        self.expected_in_channels = expected[1] - in_channels
        self.total, self.expected = self.rows.sum(), self.expected_in_rows.sum()


@cache
def _expected_deviances():
    mu = LARGEST * np.linspace(0.0, 1.0, N_VALUES) ** 2
    probability, x_log_x = np.exp(-mu), np.zeros(N_VALUES)
    for x in range(1, MAX_COUNTS):
        probability *= mu / x
        x_log_x += probability * (x * np.log(x))
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 * np.where(mu > 0, x_log_x - mu * np.log(mu), 0.0)


@cache
def _variances():
    """Variance of the deviance, at the same expectations."""
    mu = LARGEST * np.linspace(0.0, 1.0, N_VALUES) ** 2
    probability = np.exp(-mu)
    log_mu = np.log(np.where(mu > 0, mu, 1.0))
    squared = probability * (2 * mu) ** 2
    for x in range(1, MAX_COUNTS):
        probability *= mu / x
        squared += probability * (2 * (x * (np.log(x) - log_mu) - x + mu)) ** 2
    return np.where(mu > 0, squared - _expected_deviances() ** 2, 0.0)


def _with_floor(X, W, H):
    """Return loadings and spectra (as columns) of a model that is positive at every count."""
    rows, channels = total_counts(X, axis=1), total_counts(X, axis=0)
    mean = channels / max(channels.sum(), 1.0)
    V = np.hstack([W * (1 - SPECTRUM_FLOOR), SPECTRUM_FLOOR * rows[:, None]])
    return V, np.ascontiguousarray(np.vstack([H, mean]).T)


def _leverages(B, scale):
    """Return the leverage of each row of a basis on fits to its weighted sum; they add up to 1."""
    mean = B @ scale
    weighted = np.divide(B, mean[:, None], out=np.zeros(B.shape), where=mean[:, None] > 0)
    leverages = np.einsum("jk,kl,jl->j", weighted, np.linalg.pinv(B.T @ weighted), B)
    return leverages / max(leverages.sum(), TINY)


def _per_degree(deviance, degrees):
    return np.where(degrees > 0, deviance / np.where(degrees > 0, degrees, 1.0), np.nan)
