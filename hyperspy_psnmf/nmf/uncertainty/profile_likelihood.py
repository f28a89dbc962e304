# SPDX-License-Identifier: GPL-3.0-or-later
r"""Profile likelihood of rotational ambiguity: factorisations as likely as the best one.

Moving part of a spectrum into another one and the counts along with it,
:math:`h_a \leftarrow (h_a - t h_b) / (1 - t)`, leaves :math:`W H` as it is, until an
entry of W or H reaches zero. Here a path is followed for every ordered
pair (a, b) and both ways, with *all* of W and H free: the counts of
phase a in the pixels where phase b is strong,

.. math:: F_{ab} = \sum_i s_{ib} w_{ia}, \qquad s_{ib} = (f_{ib} / \max_i f_{ib})^{16},

f the fractions of each pixel's counts, are decreased, or increased, by
minimising :math:`D + \lambda F` with rising :math:`\lambda`, each time from the last
solution; and so is the sum over all a other than b. Solutions are kept while they
are as likely as the best one. Because all of W and H are optimised on the path, this is
the profile likelihood of F, and several phases may change at once. It is the
idea of MCR-BANDS [1]_ [2]_ with the likelihood in place of a tolerance, and
without k x k mixing matrices, which are stopped at once by clipped noise.

*As likely* is a likelihood-ratio test,

.. math:: D - D_{min} \le \tfrac12 \chi^2_{1 + n_{min} - n}(confidence),

with n the number of entries of W and H above zero. One degree of freedom is that
of the path. The others are entries that became zero on it: each of them had
fitted half a nat of noise on average, so that the likelihood prefers
mixtures, which have no zeros, to phases that are not present in some pixels and
channels. With :math:`\chi^2_1` alone, the true solution is excluded for a phase of 1 % of
the counts (compare the adjusted profile likelihood [3]_). Errors of the
model are not included.

References
----------
.. [1] P. J. Gemperline, Anal. Chem. 71 (1999) 5398. https://doi.org/10.1021/ac990648y
.. [2] R. Tauler, J. Chemometrics 15 (2001) 627. https://doi.org/10.1002/cem.654
.. [3] D. R. Cox, N. Reid, J. R. Stat. Soc. B 49 (1987) 1.
   https://doi.org/10.1111/j.2517-6161.1987.tb01422.x
"""

from copy import copy
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.stats import chi2

from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.newton.rows import RowTerms, solve_rows
from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.alternation import NEWTON_STEPS, PATIENCE, Alternation, Point
from hyperspy_psnmf.nmf.solver.fisher import AT_ZERO

# Chosen on the built-in phantoms; tests/statistical measures the coverage of the bands.
EXPONENT = 16  # of s: weights the purest pixels of b, where a may be truly zero
FIRST, GROWTH, LAST = 30.0, 10**0.5, 1e6  # lambda, in nats for all counts of the map
BISECTIONS = 2  # of the logarithm of the last lambda
MAX_ITER = 200  # alternations for one lambda
SMALL_DECREASE = 0.02  # nats per alternation
TOL = 1e-5  # nats per row or channel: duality gap at which Newton steps end


@dataclass(frozen=True, eq=False)
class Solution:
    """A factorisation.

    Attributes
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts; each row adds up to its counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    divergence : float
        In nats.
    n_free : int
        Entries of W and of the free rows of H that are above zero.
    """

    W: np.ndarray
    H: np.ndarray
    divergence: float
    n_free: int

    def is_as_likely(self, best: "Solution", confidence: float) -> bool:
        """Return whether a likelihood-ratio test does not reject this against `best`."""
        degrees = 1 + max(0, best.n_free - self.n_free)
        return self.divergence - best.divergence <= chi2.ppf(confidence, degrees) / 2


def equally_likely(
    X, H: np.ndarray, *, confidence: float = 0.95, n_fixed: int = 0, n_jobs: int | None = 1
) -> list[Solution]:
    """Return factorisations that are as likely as the one that `H` leads to.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts of a map binned in space and energy.
    H : ndarray of shape (n_components, n_channels)
        Spectra found.
    confidence : float
        Between 0 and 1.
    n_fixed : int
        The first `n_fixed` spectra are fixed.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    list of Solution
        The most likely one first.
    """
    # Binned maps are small: threads run paths, not blocks of rows.
    problem = _Problem(X, n_fixed)
    fit = poisson_nmf(X, H, n_fixed=n_fixed, n_jobs=n_jobs)
    start = problem.describe(fit.W, fit.H)
    found = [start]
    if 1 < len(H) > n_fixed:
        paths = run_blocks(
            lambda weights: _follow_path(problem, start, weights, confidence),
            list(_directions(start.W)),
            n_jobs,
        )
        found += [solution for path in paths for solution in path]
    # A path may pass a better optimum than the one it started from.
    best = min(found, key=lambda solution: solution.divergence)
    likely = [solution for solution in found if solution.is_as_likely(best, confidence)]
    return sorted(likely, key=lambda solution: solution.divergence)


def _directions(W):
    """Yield the weights of loadings in F for every path."""
    k = W.shape[1]
    total = W.sum(axis=1, keepdims=True)
    fractions = np.divide(W, total, out=np.zeros_like(W), where=total > 0)
    strong = (fractions / np.maximum(fractions.max(axis=0), TINY)) ** EXPONENT
    one = np.eye(k, dtype=bool)
    for b in range(k):
        decreased = {tuple(one[a]) for a in range(k)}
        # Rows add up to their counts: less of all others is more of a.
        decreased |= {tuple(~one[a]) for a in range(k)}
        for phases in sorted(decreased):
            yield strong[:, [b]] * np.array(phases)


def _follow_path(problem, start, weights, confidence):
    """Return the solutions on a path, up to the last one that is as likely."""
    found, price = [start], FIRST / problem.n_counts
    while price * problem.n_counts < LAST:
        solution = problem.with_prices(price * weights).minimise(found[-1])
        if not solution.is_as_likely(start, confidence):
            break
        found.append(solution)
        price *= GROWTH
    else:
        return found[1:]
    step = GROWTH
    for _ in range(BISECTIONS):
        step **= 0.5
        solution = problem.with_prices(price / step * weights).minimise(found[-1])
        if solution.is_as_likely(start, confidence):
            found.append(solution)
        else:
            price /= step
    return found[1:]


class _Problem(Alternation):
    """The divergence plus a linear cost of loadings, at the best scale of these.

    Updates are not solved to a duality gap, nor do iterations end at one, unlike those of
    `poisson_nmf`: along a path each solution is only the start of the next one, and the
    likelihood-ratio test asks for its divergence, not for its spectra to the last digit.
    """

    def __init__(self, X, n_fixed, prices=0.0):
        super().__init__(X, n_fixed)
        self.channel_counts = total_counts(X, axis=0)
        self.prices = prices

    def with_prices(self, prices):
        """Return the same problem with another cost of each loading, in nats per count."""
        problem = copy(self)
        problem.prices = prices
        return problem

    def describe(self, W, H):
        total = W.sum(axis=1)
        scale = np.divide(self.row_counts, total, out=np.zeros_like(total), where=total > 0)
        W = W * scale[:, None]
        free = (W.sum(axis=0)[:, None] * H)[self.n_fixed :]
        n_free = np.count_nonzero(AT_ZERO * self.row_counts[:, None] < W)
        n_free += np.count_nonzero(free > AT_ZERO * self.channel_counts)
        return Solution(W, H, divergence(self.X, W, np.ascontiguousarray(H.T)), n_free)

    def minimise(self, start):
        """Minimise the divergence plus the cost from a solution."""
        W, B = start.W, np.ascontiguousarray(start.H.T)
        point, n_small = Point(W, B, self.objective(W, B)), 0
        for _, lower in islice(self.run(point), MAX_ITER):
            n_small = n_small + 1 if point.loss - lower.loss < SMALL_DECREASE else 0
            point = lower
            if n_small == PATIENCE:
                break
        return self.describe(point.W, point.B.T)

    def objective(self, W, B):
        # D + prices . W at the best scale of W, up to a constant.
        at_scale = W * (self.n_counts / max(W.sum(), TINY))
        price = self.n_counts * np.log1p((self.prices * at_scale).sum() / self.n_counts)
        return divergence(self.X, at_scale, B) + price

    def update(self, start, last):
        options = {"max_iter": NEWTON_STEPS, "tol": TOL}
        terms = RowTerms(self.prices, np.zeros_like(self.prices))
        W, _ = solve_rows(self.X, start.B, start.W, terms=terms, **options)
        each = np.broadcast_to((self.prices * W).sum(axis=0), start.B.shape)
        terms = RowTerms(each, np.zeros(start.B.shape))
        B, _ = solve_rows(self.Xt, W, start.B, n_fixed=self.n_fixed, terms=terms, **options)
        W, B = self.normalise(W, B)
        return Point(W, B, self.objective(W, B))
