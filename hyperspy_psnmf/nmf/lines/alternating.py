# SPDX-License-Identifier: GPL-3.0-or-later
"""Poisson NMF with spectra made of templates: loadings and weights in turns, to convergence."""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from hyperspy_psnmf.kernels.likelihood import duality_gap
from hyperspy_psnmf.kernels.newton.rows import NO_TERMS
from hyperspy_psnmf.nmf.counts.blocks import divergence, score, solve_rows
from hyperspy_psnmf.nmf.lines.weights import (
    LineSpectra,
    normalise_weights,
    remaining_decrease,
    solve_weights,
)
from hyperspy_psnmf.nmf.solver.alternation import NEWTON_STEPS, PATIENCE, Alternation, Point
from hyperspy_psnmf.nmf.solver.convex import freeze_at_zero

# Nats in one alternation at which to stop, at once, or `PATIENCE` times running where a residual
# must be reached. On 20 maps, later stops took up to 1.6 times as many alternations to criteria
# that were higher as often as lower, and earlier ones ended higher.
MAX_DECREASE = 0.2
# Nats within an alternation: per row, and of a step of all weights, of which there is one.
ROW_TOL, WEIGHT_TOL = 1e-3, 1e-6


@dataclass(frozen=True, eq=False)
class LinePoint(Point):
    """A factorisation on the way to the optimum; `B` are the columns of `spectra`."""

    spectra: LineSpectra | None = None


class LineAlternation(Alternation):
    """The divergence of loadings and of spectra made of templates.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    spectra : LineSpectra
        Templates, fixed spectra and constraints.
    n_jobs : int or None
        Threads; None is all cores.
    """

    def __init__(self, X, spectra: LineSpectra, n_jobs: int | None = 1):
        super().__init__(X, spectra.n_fixed, None, n_jobs)
        self.terms, self.pattern = NO_TERMS, np.bool_(True)
        self.row_tol, self.weight_tol = ROW_TOL, WEIGHT_TOL

    def restrict(self, pattern: np.ndarray | None) -> None:
        """Restrict loadings (n_rows, n_components) to a sparsity pattern, or lift that."""
        self.terms = NO_TERMS if pattern is None else freeze_at_zero(~pattern)
        self.pattern = np.bool_(True) if pattern is None else pattern

    def objective(self, W, B):
        """Return the divergence in nats."""
        return divergence(self.X, W, B, n_jobs=self.n_jobs)

    def at(self, W, spectra: LineSpectra) -> LinePoint:
        """Return a point of given loadings and spectra."""
        W, spectra = normalise_weights(np.where(self.pattern, W, 0.0), spectra)
        B = spectra.B
        return LinePoint(W, B, self.objective(W, B), spectra=spectra)

    def update(self, start, last):
        """Return new loadings and weights."""
        options = {"max_iter": NEWTON_STEPS, "terms": self.terms, "n_jobs": self.n_jobs}
        W, _ = solve_rows(self.X, start.B, start.W, tol=self.row_tol, **options)
        W = np.where(self.pattern, W, 0.0)
        options = {"max_iter": 1, "n_jobs": self.n_jobs}
        found = self.at(W, solve_weights(self.Xt, W, start.spectra, tol=self.weight_tol, **options))
        return found if found.loss <= last.loss else last

    def extrapolate(self, new, old, step):
        """Return the point that many times the last update beyond `new`."""
        W = np.maximum(new.W + step * (new.W - old.W), 0.0)
        change = new.spectra.weights - old.spectra.weights
        return self.at(W, new.spectra.with_weights(new.spectra.weights + step * change))

    def gradient(self, point: LinePoint) -> np.ndarray:
        """Return the gradient of the divergence by all loadings, (n_rows, n_components)."""
        scores, _ = score(self.X, point.W, point.B, n_jobs=self.n_jobs)
        found = point.B.sum(axis=0) - scores
        found[self.row_counts == 0] = 0.0  # without counts, without information
        return found

    def residual(self, point: LinePoint) -> float:
        """Return what new loadings or new weights may still gain, in nats per count."""
        scores, _ = score(self.X, point.W, point.B, n_jobs=self.n_jobs)
        of_basis = point.B.sum(axis=0)
        gap = duality_gap(point.W, scores * self.pattern, of_basis, self.row_counts).sum()
        gap += remaining_decrease(self.Xt, point.W, point.spectra, self.n_jobs)
        return float(gap) / self.n_counts

    def converge(
        self, point: LinePoint, max_iter: int, callback=None, tol: float = np.inf
    ) -> tuple[LinePoint, int]:
        """Alternate until the divergence hardly decreases; return the point and the number.

        Parameters
        ----------
        point : LinePoint
            Where to start.
        max_iter : int
            Alternations at most.
        callback : callable, optional
            Called after every alternation with the divergence in nats.
        tol : float
            Residual that must be reached, too.
        """
        # Steps must not end before the residual can be reached.
        in_nats = 0.1 * tol * self.n_counts
        self.row_tol = min(ROW_TOL, in_nats / max(1, len(point.W)))
        self.weight_tol = min(WEIGHT_TOL, in_nats)
        n_small, loss, n_iter = 0, point.loss, 0
        patience = 1 if tol == np.inf else PATIENCE
        for _, best in islice(self.run(point), max_iter):
            point, n_iter = best, n_iter + 1
            if callback is not None:
                callback(point.loss)
            n_small = n_small + 1 if loss - point.loss < MAX_DECREASE else 0
            loss = point.loss
            if n_small == patience:
                if tol == np.inf or self.residual(point) <= tol:
                    break
                n_small = 0  # a residual costs as much as an alternation
        return point, n_iter
