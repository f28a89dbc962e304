# SPDX-License-Identifier: GPL-3.0-or-later
r"""Shift of the energy axis of every row, relative to the model, by a score statistic.

A row of counts whose energy axis is shifted by :math:`\delta` channels has the expectation
:math:`\mu - \delta \mu'`. The change has the shape of the derivative of the spectrum, so it is
significant long before the deviance is: the score statistic

.. math::

    \delta = \frac{\sum_j d_j (x_j - \mu_j) / \mu_j}{\sum_j d_j^2 / \mu_j}, \qquad
    \sigma^2 = 1 / \sum_j d_j^2 / \mu_j,

with d the part of :math:`-\mu'` that is orthogonal to any change of the row's loadings. A shift
common to all rows of a phase is in its spectrum already, and not found.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from hyperspy_psnmf.nmf.solver.convex import solve_loadings

ROWS_AT_A_TIME = 256


class Trend(NamedTuple):
    """How a quantity changes from the first to the last position, and the standard error."""

    change: float
    error: float


def energy_shifts(X, H: np.ndarray, *, smoothing: float, n_jobs: int | None = 1):
    """Return the shift of every row and its standard error.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    smoothing : float
        Channels, standard deviation of a Gaussian that smooths the noise of the spectra
        before they are differentiated. Best a third of a line's width.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    shift, error : ndarray of shape (n_rows,)
        In channels; the error is infinite where a row has no information.
    """
    W = solve_loadings(X, H, n_jobs=n_jobs)
    falling = -gaussian_filter1d(H, smoothing, axis=1, order=1, mode="nearest")
    found = [
        _score(X[i : i + ROWS_AT_A_TIME], W[i : i + ROWS_AT_A_TIME], H, falling)
        for i in range(0, len(W), ROWS_AT_A_TIME)
    ]
    score, information = np.concatenate(found, axis=1)
    usable = information > 0
    information = np.where(usable, information, 1.0)
    return np.where(usable, score / information, 0.0), np.where(usable, information**-0.5, np.inf)


def _score(X, W, H, falling):
    X = X if isinstance(X, np.ndarray) else X.toarray()
    mu, d = W @ H, W @ falling
    weight = np.divide(1.0, mu, out=np.zeros_like(mu), where=mu > 0)
    weighted = np.einsum("ij,kj->ikj", weight, H)
    explained = weighted @ d[:, :, None]
    coefficients = np.linalg.pinv(weighted @ H.T, hermitian=True) @ explained
    d = (d - coefficients[..., 0] @ H) * weight
    return np.array([(d * (X - mu)).sum(axis=1), (d**2 * mu).sum(axis=1)])


def trends(shift, error, positions) -> list[Trend]:
    """Return how shifts change along each axis of a map, by weighted least squares.

    Parameters
    ----------
    shift, error : ndarray of shape (n_rows,)
        From `energy_shifts`.
    positions : ndarray of shape (n_rows, n_axes)
        From 0 at the first position on an axis to 1 at the last.

    Returns
    -------
    list of Trend
        Of each axis, in channels. Where shifts scatter by more than their errors, as where
        the model does not fit, the errors of trends are scaled up by that ratio.
    """
    usable = np.isfinite(error)
    design = np.column_stack([np.ones(len(positions)), positions])[usable] / error[usable, None]
    covariance = np.linalg.pinv(design.T @ design)
    values = shift[usable] / error[usable]
    fit = covariance @ design.T @ values
    degrees = max(1, usable.sum() - design.shape[1])
    excess = max(1.0, ((values - design @ fit) ** 2).sum() / degrees)
    errors = np.sqrt(excess * np.diag(covariance))
    return [Trend(*map(float, pair)) for pair in zip(fit[1:], errors[1:], strict=True)]
