# SPDX-License-Identifier: GPL-3.0-or-later
r"""By how much the lines of every row lie higher in energy than those of its model.

A row of counts whose energy axis is off by :math:`\delta` channels expects
:math:`\mu - \delta \mu'`. What that adds looks like the derivative of the spectrum and like
nothing else, so it is seen long before the deviance rises: the score statistic

.. math::

    \delta = \frac{\sum_j d_j (x_j - \mu_j) / \mu_j}{\sum_j d_j^2 / \mu_j}, \qquad
    \sigma^2 = 1 / \sum_j d_j^2 / \mu_j,

with d the part of :math:`-\mu'` that no change of the row's loadings can explain. What all
rows of a phase have in common is a part of its spectrum already.
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
        Channels, standard deviation of a Gaussian: of spectra their noise would have a
        derivative too. Best a third of a line's width.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    shift, error : ndarray of shape (n_rows,)
        In channels; the error is infinite where a row tells nothing.
    """
    W = solve_loadings(X, H, n_jobs=n_jobs)
    falling = -gaussian_filter1d(H, smoothing, axis=1, order=1, mode="nearest")
    found = [
        _score(X[i : i + ROWS_AT_A_TIME], W[i : i + ROWS_AT_A_TIME], H, falling)
        for i in range(0, len(W), ROWS_AT_A_TIME)
    ]
    score, information = np.concatenate(found, axis=1)
    known = information > 0
    information = np.where(known, information, 1.0)
    return np.where(known, score / information, 0.0), np.where(known, information**-0.5, np.inf)


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
        Of each axis, in channels. Where shifts scatter by more than their errors, which a
        model that does not fit can make them, errors are larger by as much.
    """
    known = np.isfinite(error)
    design = np.column_stack([np.ones(len(positions)), positions])[known] / error[known, None]
    covariance = np.linalg.pinv(design.T @ design)
    values = shift[known] / error[known]
    fit = covariance @ design.T @ values
    degrees = max(1, known.sum() - design.shape[1])
    excess = max(1.0, ((values - design @ fit) ** 2).sum() / degrees)
    errors = np.sqrt(excess * np.diag(covariance))
    return [Trend(*map(float, pair)) for pair in zip(fit[1:], errors[1:], strict=True)]
