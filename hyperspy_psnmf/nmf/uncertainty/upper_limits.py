# SPDX-License-Identifier: GPL-3.0-or-later
r"""Upper limits of loadings that are at zero.

There a loading is at the boundary of its range, where a standard error has no meaning, and
the counts determine an upper limit only. The limit U solves

.. math:: D(U) - D = \tfrac12 z^2, \qquad z = \Phi^{-1}(confidence),

with all other loadings optimised: 1.35 nats for 95 % [1]_. The limit is determined by a
pixel's own counts, without smoothing. In a pixel without counts it is rather low: zero
counts exclude 3.0 at 95 %, not 1.35.

References
----------
.. [1] W. A. Rolke, A. M. López, J. Conrad, Nucl. Instrum. Methods A 551 (2005) 493.
   https://doi.org/10.1016/j.nima.2005.05.068
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from hyperspy_psnmf.kernels.likelihood import score
from hyperspy_psnmf.kernels.newton.rows import solve_rows
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.solver.fisher import are_free, information, invert_free
from hyperspy_psnmf.nmf.validation import check_confidence

LOADING_TOL = 1e-4  # nats; duality gap of the other loadings
RISE_TOL = 1e-3  # nats, of the 1.35 at 95 %
MAX_ITER = 30  # Newton steps for U
MIN_SLOPE = 0.01  # nats per count; bounds the steps for U


def upper_limits(
    X,
    W: np.ndarray,
    H: np.ndarray,
    *,
    confidence: float = 0.95,
    n_jobs: int | None = 1,
) -> np.ndarray:
    """Return one-sided upper limits of the loadings that are at zero.

    Parameters
    ----------
    X : ndarray, csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts.
    W, H, n_jobs
        See `uncertainty.loading_covariance`.
    confidence : float
        Above 0.5 and below 1.

    Returns
    -------
    ndarray of shape (n_pixels, n_components)
        In counts; NaN where a loading is above zero, infinite where a component
        has no spectrum.
    """
    check_confidence(confidence, lowest=0.5)
    if isinstance(X, CountBlocks):
        found = np.empty(W.shape)
        for rows, limits in X.run(upper_limits, W, H=H, confidence=confidence, n_jobs=n_jobs):
            found[rows] = limits
        return found
    rise, k = ndtri(confidence) ** 2 / 2, len(H)
    free, limits = are_free(W, H), np.full(W.shape, np.nan)
    for c in np.flatnonzero(~free.all(axis=0)):
        rows = np.flatnonzero(~free[:, c])
        limits[rows, c] = np.inf
        if not H[c].any():
            continue
        # In the solver the fixed ones come first.
        order = np.r_[c, np.delete(np.arange(k), c)]
        profile = _Profile(X[rows], H[order], n_jobs=n_jobs)
        limits[rows, c] = profile.rise_to(rise, W[np.ix_(rows, order)])
    return limits


@dataclass(frozen=True, eq=False)
class _Profile:
    """The objective of rows as a function of their first loading, minimal over the others."""

    X: object
    H: np.ndarray
    n_jobs: int | None = 1

    def solve(self, V, n_held):
        """Return the loadings, the objective and its slope along the first of them."""
        options = {"tol": LOADING_TOL, "n_jobs": self.n_jobs}
        V, _ = solve_rows(self.X, self.H.T, V, n_fixed=n_held, **options)
        S, loss = score(self.X, V, np.ascontiguousarray(self.H.T), n_jobs=self.n_jobs)
        return V, loss, self.H[0].sum() - S[:, 0]

    def rise_to(self, rise, V):
        """Return where the objective is `rise` above its minimum.

        Newton's method: for the objective is convex, it comes down on the limit
        after the first step, wherever that went.
        """
        V, lowest, slope = self.solve(V, 0)
        limit = self.guess(rise, V, slope)
        for _ in range(MAX_ITER):
            V[:, 0] = limit
            V, loss, slope = self.solve(V, 1)
            excess = loss - lowest - rise
            # Converged rows are not changed, whatever rows are solved together.
            excess[np.abs(excess) < RISE_TOL] = 0.0
            if not excess.any():
                break
            step = excess / np.maximum(slope, MIN_SLOPE * self.H[0].sum())
            limit = np.maximum(limit - step, 0.1 * limit)
        return limit

    def guess(self, rise, V, slope):
        """Return the limit of a parabola."""
        free = are_free(V, self.H)
        free[:, 0] = True
        variance = invert_free(information(V + 1.0, self.H.T, self.n_jobs), free)[:, 0, 0]
        slope = np.maximum(slope, 0.0)
        return V[:, 0] + variance * (np.sqrt(slope**2 + 2 * rise / variance) - slope)
