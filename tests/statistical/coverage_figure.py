# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage of standard errors against counts per pixel, as a figure for a notebook.

``python -m tests.statistical.coverage_figure FILE`` writes it; `measure` and `draw`
serve notebooks. Loadings of more than 20 true counts are judged, with the spectra held
at the truth; one found at zero is inside if its one-sided limit holds the truth.
"""

import sys

import numpy as np
from matplotlib import pyplot as plt

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.uncertainty.standard_errors import loading_errors
from hyperspy_psnmf.nmf.uncertainty.upper_limits import upper_limits

LEAST = 20  # counts
LEVELS = {0.6827: 1.0, 0.95: 1.96}  # confidence and half width in sigmas
COUNTS = (40, 80, 160, 320, 640, 1280)


def measure(name="mineral_grains", counts=COUNTS, *, shape=(48, 40), n_seeds=3):
    """Return counts per pixel, and coverage with its binomial error of either level.

    Returns
    -------
    dict of ndarray of shape (n_counts, 2)
        By confidence: coverage and its binomial error.
    """
    found = {level: [] for level in LEVELS}
    for n in counts:
        truth = getattr(data, name)(shape=shape, counts=n, seed=0).metadata.Truth
        inside = [_inside(truth, seed) for seed in range(n_seeds)]
        for level in LEVELS:
            hits = np.concatenate([hits[level] for hits in inside])
            p = hits.mean()
            found[level].append((p, np.sqrt(p * (1 - p) / hits.size)))
    return {level: np.array(rows) for level, rows in found.items()}


def draw(found, counts=COUNTS, ax=None):
    """Plot what `measure` returned; return the axes."""
    ax = plt.subplots(figsize=(5, 3.4), layout="constrained")[1] if ax is None else ax
    for (level, rows), color in zip(found.items(), ("#0072B2", "#D55E00"), strict=True):
        ax.axhline(level, color=color, linewidth=0.8)
        ax.errorbar(counts, rows[:, 0], rows[:, 1], fmt="o-", color=color, label=f"{level:.0%}")
    ax.set(xscale="log", xlabel="Counts per pixel", ylabel="Coverage", ylim=(0.5, 1.0))
    ax.legend(title="Confidence")
    return ax


def _inside(truth, seed):
    H = np.ascontiguousarray(truth.factors.T)
    H, loadings = H / H.sum(axis=1, keepdims=True), np.asarray(truth.loadings)
    X = np.random.default_rng([11, seed]).poisson(loadings @ H)
    W = solve_loadings(X, H, n_jobs=None)
    sigma = loading_errors(W, H, n_jobs=None)
    inside = {}
    for level, width in LEVELS.items():
        limits = upper_limits(X, W, H, confidence=level, n_jobs=None)
        hits = np.where(np.isnan(sigma), loadings <= limits, np.abs(W - loadings) <= width * sigma)
        inside[level] = hits[loadings > LEAST]
    return inside


if __name__ == "__main__":
    draw(measure()).figure.savefig(sys.argv[1])
