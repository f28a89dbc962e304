# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of components whose loadings have a constant ratio; see `simplify`."""

import numpy as np

from hyperspy_psnmf.nmf.solver.fisher import covariance

# All chosen on the built-in phantoms, together.
AGREEMENT = 2.0  # standard errors between w_b and r w_a, within which a row has the ratio r
MIN_SIGNIFICANCE = 5.0  # standard errors of w_a; rows with less do not determine a ratio
MIN_AGREEING = 0.5  # fraction of the counts of a, in rows that have the ratio
MAX_BELOW = 0.05  # fraction of the counts of a, in rows with significantly less of b
MIN_ROWS = 8  # that have the ratio
# The ratio must be determined: ratios off by this fraction of it must agree with fewer counts,
RATIO_OFFSET = 0.3
MAX_AGREEING_OFF = 0.6  # of those that agree with the ratio itself,
SMALL_RATIO = 0.1  # unless the ratio is below this, where an error of it changes little
N_RATIOS = 60  # tried: quantiles of the observed ratios
ROUNDING = 1e-12  # relative, of a variance that is a difference


def constant_proportions(W: np.ndarray, H: np.ndarray, n_fixed: int = 0) -> np.ndarray:
    """Return the constant ratios between loadings.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings, in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    n_fixed : int
        The first `n_fixed` spectra are fixed: nothing is merged into them.

    Returns
    -------
    ndarray of shape (n_components, n_components)
        In row a, column b the ratio of the counts of b to those of a; 0 where it is not
        constant.
    """
    V = covariance(W, H.T)
    found = np.zeros((len(H), len(H)))
    for a in range(n_fixed, len(H)):
        rows = W[:, a] > MIN_SIGNIFICANCE * np.sqrt(V[:, a, a])
        for b in range(len(H)):
            if a != b and np.count_nonzero(rows) >= MIN_ROWS:
                found[a, b] = _constant_ratio(W[rows][:, [a, b]], V[rows][:, [a, b]][..., [a, b]])
    return found


def _constant_ratio(w, V):
    """Return the ratio that most of the counts agree with and few are below, or 0."""
    ratios = np.quantile(w[:, 1] / w[:, 0], np.linspace(0.0, 0.9, N_RATIOS))
    ratios = np.unique(ratios[ratios > 0])
    agreeing, below = _count_fractions(w, V, ratios)
    agreeing[below >= MAX_BELOW] = 0.0
    if not agreeing.size or agreeing.max() < MIN_AGREEING:
        return 0.0
    most, r = agreeing.max(), ratios[agreeing.argmax()]
    others = r * np.array([0.0, 1 - RATIO_OFFSET, 1 + RATIO_OFFSET])
    at_zero, lower, higher = _count_fractions(w, V, others)[0]
    is_determined = max(lower, higher) < MAX_AGREEING_OFF * most
    if at_zero >= MIN_AGREEING * most or not (is_determined or r < SMALL_RATIO):
        return 0.0
    return _mean_ratio(w, V, r)


def _mean_ratio(w, V, r):
    """Return the weighted mean of the ratios that agree with r."""
    z, variance = _deviation(w, V, r)
    weight = (np.abs(z) < AGREEMENT) / variance
    return (weight * w[:, 0] * w[:, 1]).sum() / (weight * w[:, 0] ** 2).sum()


def _deviation(w, V, r):
    """Return w_b - r w_a in standard errors, and its variance."""
    uncorrelated = V[:, 1, 1] + r**2 * V[:, 0, 0]
    variance = np.maximum(uncorrelated - 2 * r * V[:, 0, 1], ROUNDING * uncorrelated)
    return (w[:, 1] - r * w[:, 0]) / np.sqrt(variance), variance


def _count_fractions(w, V, ratios):
    """Return the fractions of the counts of a in rows that agree with, or are below, ratios."""
    z, _ = _deviation(w, V, ratios[:, None])
    counts = w[:, 0] / w[:, 0].sum()
    return (np.abs(z) < AGREEMENT) @ counts, (z < -AGREEMENT) @ counts


def is_ratio_reached(W, V, a, b, ratio):
    """Return whether next to no row of a has significantly less of b than `ratio`."""
    rows = W[:, a] > MIN_SIGNIFICANCE * np.sqrt(V[:, a, a])
    if not rows.any():
        return False
    w, of_w = W[rows][:, [a, b]], V[rows][:, [a, b]][..., [a, b]]
    return _count_fractions(w, of_w, np.array([ratio]))[1].item() < MAX_BELOW
