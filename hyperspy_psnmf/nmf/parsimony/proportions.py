# SPDX-License-Identifier: GPL-3.0-or-later
"""Which phases accompany others, and in what proportion; see `simplify`."""

import numpy as np

from hyperspy_psnmf.nmf.solver.fisher import covariance

AGREEING = 2.0  # standard errors
DETERMINED = 5.0  # standard errors; rows with less of a phase tell no proportion
MOST = 0.5  # share of a phase's counts
FEW = 0.05  # share of a phase's counts
MIN_ROWS = 8
SHARPNESS = 0.3  # a proportion this much off, relatively, must fit visibly worse,
WORSE = 0.6
HARMLESS = 0.1  # unless it is so small that little can go wrong
N_PROPORTIONS = 60
ROUNDING = 1e-12


def constant_proportions(W: np.ndarray, H: np.ndarray, n_fixed: int = 0) -> np.ndarray:
    """Return which phases accompany others in constant proportion.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings, in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    n_fixed : int
        The first `n_fixed` phases are known: nothing belongs to them in addition.

    Returns
    -------
    ndarray of shape (n_components, n_components)
        In row a, column b the proportion of counts of b to counts of a; 0 where
        there is no constant one.
    """
    V = covariance(W, H.T)
    found = np.zeros((len(H), len(H)))
    for a in range(n_fixed, len(H)):
        rows = W[:, a] > DETERMINED * np.sqrt(V[:, a, a])
        for b in range(len(H)):
            if a != b and np.count_nonzero(rows) >= MIN_ROWS:
                found[a, b] = _constant_proportion(
                    W[rows][:, [a, b]], V[rows][:, [a, b]][..., [a, b]]
                )
    return found


def _constant_proportion(w, V):
    """Return the proportion that most of the counts share and few undercut, or 0."""
    ratios = np.quantile(w[:, 1] / w[:, 0], np.linspace(0.0, 0.9, N_PROPORTIONS))
    ratios = np.unique(ratios[ratios > 0])
    sharing, undercutting = _share(w, V, ratios)
    sharing[undercutting >= FEW] = 0.0
    if not sharing.size or sharing.max() < MOST:
        return 0.0
    most, r = sharing.max(), ratios[sharing.argmax()]
    at_zero, below, above = _share(w, V, r * np.array([0.0, 1 - SHARPNESS, 1 + SHARPNESS]))[0]
    is_sharp = max(below, above) < WORSE * most
    if at_zero >= MOST * most or not (is_sharp or r < HARMLESS):
        return 0.0
    return _mean_proportion(w, V, r)


def _mean_proportion(w, V, r):
    """Return the weighted mean of the proportions that agree with r."""
    z, variance = _deviation(w, V, r)
    weight = (np.abs(z) < AGREEING) / variance
    return (weight * w[:, 0] * w[:, 1]).sum() / (weight * w[:, 0] ** 2).sum()


def _deviation(w, V, r):
    """Return how many standard errors loadings are off proportions, and the variances."""
    apart = V[:, 1, 1] + r**2 * V[:, 0, 0]
    variance = np.maximum(apart - 2 * r * V[:, 0, 1], ROUNDING * apart)
    return (w[:, 1] - r * w[:, 0]) / np.sqrt(variance), variance


def _share(w, V, ratios):
    """Return the shares of the first phase's counts that fit and that undercut proportions."""
    z, _ = _deviation(w, V, ratios[:, None])
    counts = w[:, 0] / w[:, 0].sum()
    return (np.abs(z) < AGREEING) @ counts, (z < -AGREEING) @ counts


def is_enough(W, V, a, b, proportion):
    """Tell whether there is so much of b all over a that it can be a part of a."""
    rows = W[:, a] > DETERMINED * np.sqrt(V[:, a, a])
    if not rows.any():
        return False
    w, of_w = W[rows][:, [a, b]], V[rows][:, [a, b]][..., [a, b]]
    return _share(w, of_w, np.array([proportion]))[1].item() < FEW
