# SPDX-License-Identifier: GPL-3.0-or-later
r"""The divergence plus a linear cost of loadings: the steps of a path of `profile_likelihood`.

.. math:: \min_{W, H \ge 0} D(X, W H) + \sum_{ic} p_{ic} w_{ic}

at the best scale of W, so that a cost common to all loadings changes nothing. Spectra are free
channels, or sums of templates, :math:`H = P G` (see `lines`). For fixed W, the cost is that of
the sum of each spectrum, :math:`\sum_i p_{ic} w_{ic}`.
"""

from abc import abstractmethod
from copy import copy
from itertools import islice

import numpy as np

from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.newton.rows import RowTerms, solve_rows
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.lines.alternating import LineAlternation, LinePoint
from hyperspy_psnmf.nmf.lines.weights import LineSpectra, solve_weights
from hyperspy_psnmf.nmf.solver.alternation import NEWTON_STEPS, PATIENCE, Alternation, Point
from hyperspy_psnmf.nmf.solver.fisher import AT_ZERO
from hyperspy_psnmf.nmf.solver.one_blas_thread import one_blas_thread
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import Solution

MAX_ITER = 200  # alternations for one cost
SMALL_DECREASE = 0.02  # nats per alternation
TOL = 1e-5  # nats per row or channel: duality gap at which Newton steps end
WEIGHTS_TOL = 1e-3  # nats, of all weights of templates: decrease at which their steps end


class Priced(Alternation):
    """The divergence plus a linear cost of loadings, at the best scale of these.

    Updates are not solved to a duality gap, nor do iterations end at one, unlike those of
    `poisson_nmf`: along a path each solution is only the start of the next one, and the
    likelihood-ratio test asks for its divergence, not for its spectra to the last digit.
    """

    prices: np.ndarray | float = 0.0

    def with_prices(self, prices: np.ndarray):
        """Return the same problem with other costs, in nats per count, (n_rows, n_components)."""
        problem = copy(self)
        problem.prices = prices
        return problem

    def objective(self, W, B):
        """Return D + prices . W at the best scale of W, up to a constant."""
        at_scale = W * (self.n_counts / max(W.sum(), TINY))
        price = self.n_counts * np.log1p((self.prices * at_scale).sum() / self.n_counts)
        return divergence(self.X, at_scale, B) + price

    @one_blas_thread()
    def minimise(self, start: Solution) -> Solution:
        """Minimise the divergence plus the cost from a solution."""
        point, n_small = self.at_solution(start), 0
        for _, lower in islice(self.run(point), MAX_ITER):
            n_small = n_small + 1 if point.loss - lower.loss < SMALL_DECREASE else 0
            point = lower
            if n_small == PATIENCE:
                break
        return self.describe(point)

    @abstractmethod
    def at_solution(self, solution: Solution) -> Point:
        """Return the point of a solution."""

    def describe(self, point: Point) -> Solution:
        """Return the solution of a point."""
        total = point.W.sum(axis=1)
        scale = np.divide(self.row_counts, total, out=np.zeros_like(total), where=total > 0)
        W = point.W * scale[:, None]
        n_free = np.count_nonzero(AT_ZERO * self.row_counts[:, None] < W)
        n_free += self.count_free(W, point)
        spectra = point.spectra if isinstance(point, LinePoint) else None
        return Solution(W, point.B.T, divergence(self.X, W, point.B), n_free, spectra)

    @abstractmethod
    def count_free(self, W, point: Point) -> int:
        """Return how many parameters of free spectra are above zero."""

    def solve_loadings(self, start: Point):
        """Return the loadings for fixed spectra."""
        terms = RowTerms(self.prices, np.zeros_like(self.prices))
        options = {"max_iter": NEWTON_STEPS, "tol": TOL}
        return solve_rows(self.X, start.B, start.W, terms=terms, **options)[0]


class FreeSpectra(Priced):
    """With spectra of free channels.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts of a map binned in space and energy.
    n_fixed : int
        The first `n_fixed` spectra are fixed.
    """

    def __init__(self, X, n_fixed: int = 0):
        super().__init__(X, n_fixed)
        self.channel_counts = total_counts(X, axis=0)

    def solution(self, W: np.ndarray, H: np.ndarray) -> Solution:
        """Return the solution of loadings, but for the scale of each row, and spectra."""
        return self.describe(Point(W, np.ascontiguousarray(H.T, dtype=float)))

    def at_solution(self, solution):
        """Return the point of a solution."""
        W, B = solution.W, np.ascontiguousarray(solution.H.T)
        return Point(W, B, self.objective(W, B))

    def count_free(self, W, point):
        """Return how many channels of free spectra have counts."""
        free = (W.sum(axis=0) * point.B)[:, self.n_fixed :]
        return np.count_nonzero(free > AT_ZERO * self.channel_counts[:, None])

    def update(self, start, last):
        """Return new loadings and spectra."""
        W = self.solve_loadings(start)
        each = np.broadcast_to((self.prices * W).sum(axis=0), start.B.shape)
        options = {"max_iter": NEWTON_STEPS, "tol": TOL, "n_fixed": self.n_fixed}
        terms = RowTerms(each, np.zeros(start.B.shape))
        B, _ = solve_rows(self.Xt, W, start.B, terms=terms, **options)
        W, B = self.normalise(W, B)
        return Point(W, B, self.objective(W, B))


class SpectraOfLines(Priced, LineAlternation):
    """With spectra made of templates.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts of a map binned in space and energy.
    spectra : LineSpectra
        Templates, fixed spectra and constraints.
    """

    def solution(self, W: np.ndarray, spectra: LineSpectra) -> Solution:
        """Return the solution of loadings, but for the scale of each row, and spectra."""
        return self.describe(self.at(W, spectra))

    def at_solution(self, solution):
        """Return the point of a solution."""
        return self.at(solution.W, solution.spectra)

    def count_free(self, W, point):
        """Return how many weights are above zero."""
        return np.count_nonzero(point.spectra.weights > AT_ZERO)

    def update(self, start, last):
        """Return new loadings and weights."""
        W = self.solve_loadings(start)
        prices = (self.prices * W).sum(axis=0)[self.n_fixed :]
        options = {"max_iter": NEWTON_STEPS, "tol": WEIGHTS_TOL}
        return self.at(W, solve_weights(self.Xt, W, start.spectra, prices=prices, **options))
