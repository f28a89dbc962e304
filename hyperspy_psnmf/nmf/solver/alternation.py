# SPDX-License-Identifier: GPL-3.0-or-later
"""Minimise an objective of W and H in turns, with extrapolation between the updates.

`alternating.poisson_nmf` minimises the divergence this way, and `profile_likelihood` the
divergence plus a cost of loadings. After each update of W and H, both are extrapolated along
it by a line search on the objective [1]_, where a try costs a fraction of an update.

References
----------
.. [1] M. Rajih, P. Comon, R. A. Harshman, SIAM J. Matrix Anal. Appl. 30 (2008)
   1148 (enhanced line search). https://hal.science/hal-00327595
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.solver.convex import normalise, transpose

NEWTON_STEPS = 2  # per alternation: the other factor changes before rows are converged
PATIENCE = 3  # alternations running with a small decrease, after which iterations end
# In units of the last update. A try costs a fraction of an alternation; the numbers change the
# time to convergence, not the optimum.
SHORTEST_STEP, GROWTH, MAX_TRIES = 0.1, 3.0, 6


@dataclass(frozen=True, eq=False)
class Point:
    """A factorisation on the way to the optimum.

    Attributes
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings.
    B : ndarray of shape (n_channels, n_components)
        Spectra as columns, of unit sum.
    loss : float
        The objective, in nats.
    gap : float
        Duality gaps of loadings and spectra, in nats, where they were computed.
    """

    W: np.ndarray
    B: np.ndarray
    loss: float = np.inf
    gap: float = np.inf


class Alternation(ABC):
    """An objective of loadings and spectra, and how both are updated.

    Parameters
    ----------
    X : ndarray, csr_array or CountBlocks of shape (n_rows, n_channels)
        Counts.
    n_fixed : int
        The first `n_fixed` spectra are not changed.
    frozen : ndarray of bool of shape (n_components, n_channels), optional
        Entries of the spectra that are not changed, but for the spectrum's scale.
    n_jobs : int or None
        Threads; None is all cores.
    """

    def __init__(self, X, n_fixed: int = 0, frozen=None, n_jobs: int | None = 1):
        self.X, self.Xt = X, transpose(X)
        self.n_fixed, self.n_jobs = n_fixed, n_jobs
        self.frozen = None if frozen is None else frozen.T
        self.row_counts = total_counts(X, axis=1)
        self.n_counts = float(self.row_counts.sum()) or 1.0

    @abstractmethod
    def objective(self, W, B) -> float:
        """Return what is minimised, in nats."""

    @abstractmethod
    def update(self, start: Point, last: Point) -> Point:
        """Return new loadings and spectra from `start`; `last` is where the last update ended."""

    def run(self, point: Point) -> Iterator[tuple[Point, Point]]:
        """Yield where each update ends, and where the next one starts, without end."""
        start = found = point
        step = 1.0
        while True:
            last, found = found, self.update(start, found)
            start, step = extrapolate(partial(self.extrapolate, found, last), found, step)
            yield found, start

    def extrapolate(self, new: Point, old: Point, step: float) -> Point:
        """Return the point that many times the last update beyond `new`."""
        W = np.maximum(new.W + step * (new.W - old.W), 0.0)
        B = np.maximum(new.B + step * (new.B - old.B), 0.0)
        self.restore(B, new.B)
        W, B = self.normalise(W, B)
        return Point(W, B, self.objective(W, B))

    def restore(self, B, before) -> None:
        """Undo changes of fixed spectra and of frozen entries."""
        B[:, : self.n_fixed] = before[:, : self.n_fixed]
        if self.frozen is not None:
            B[self.frozen] = before[self.frozen]

    def normalise(self, W, B):
        """Return W and B with unit sums in the free columns of B, the product unchanged."""
        W, H = normalise(W, B, self.n_fixed)
        return W, np.ascontiguousarray(H.T)


def extrapolate(try_step: Callable[[float], Point], found: Point, step: float):
    """Return the lowest point tried, and the step to begin with next time.

    Parameters
    ----------
    try_step : callable
        Returns the point that many times the last update beyond `found`.
    found : Point
        Where the last update ended; returned if no point tried is lower.
    step : float
        The first step to try. It grows while the objective falls; if it does not
        even once, it shrinks.
    """
    best, best_step, turned = found, 0.0, False
    for _ in range(MAX_TRIES):
        point = try_step(step)
        if point.loss < best.loss:
            best, best_step = point, step
            if turned:
                break
            step *= GROWTH
        elif best_step or step < SHORTEST_STEP:
            break
        else:
            turned, step = True, step / GROWTH
    return best, max(best_step or step, SHORTEST_STEP)
