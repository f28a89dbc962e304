# SPDX-License-Identifier: GPL-3.0-or-later
"""Factorise counts into loadings and spectra made of templates, the simplest by `criterion`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.lines.alternating import LineAlternation, LinePoint
from hyperspy_psnmf.nmf.lines.costs import Costs, default_costs
from hyperspy_psnmf.nmf.lines.criterion import simplest
from hyperspy_psnmf.nmf.lines.other_optima import other_optima
from hyperspy_psnmf.nmf.lines.templates import LEAST, common_ratio
from hyperspy_psnmf.nmf.lines.weights import LineSpectra
from hyperspy_psnmf.nmf.solver.one_blas_thread import one_blas_thread

FIRST_ALTERNATIONS = 12  # before the first combinations, which need the optimum only roughly
ALTERNATIONS = 40  # of a restricted fit, which starts close to its optimum
MOVES = (100, 2, 1, 0)  # combinations at most, fewer once the criterion has not fallen
# Divergence at the start of a restricted fit, relative to that before. Many combinations one after
# the other may round away the loadings.
MAX_RISE = 10.0
MAX_ROUNDS = 8  # of combinations and fits; most stop after two
MIN_DECREASE = 0.01  # nats, of the criterion in a round
# A search ends where the criterion is more than so many decreases of the last round above the
# lowest: decreases halve from round to round, or fall faster.
HOPE = 3.0
LEAST_WEIGHT = 1e-6  # at which weights start that are allowed and were zero


@dataclass(frozen=True, eq=False)
class LineFit:
    """Loadings and spectra of the lowest criterion.

    Attributes
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts.
    spectra : LineSpectra
        Of unit sum.
    divergence : float
        In nats.
    criterion : float
        Divergence and costs, in nats.
    kkt_residual : float
        Duality gap of the loadings and predicted decrease of the weights, of those that are
        not zero by the criterion, in nats per count.
    n_iter : int
        Alternations, of all starts.
    tol : float
        Relative residual asked for.
    """

    W: np.ndarray
    spectra: LineSpectra
    divergence: float
    criterion: float
    kkt_residual: float
    n_iter: int
    tol: float = 1e-5

    @property
    def converged(self) -> bool:
        """Whether the residual is at most `tol`."""
        return self.kkt_residual <= self.tol


@one_blas_thread()
def factorise_lines(
    X,
    starts: Iterable[tuple[np.ndarray, LineSpectra]],
    *,
    costs: Costs | None = None,
    max_iter: int = 500,
    tol: float = 1e-5,
    n_jobs: int | None = 1,
    callback=None,
) -> LineFit:
    """Factorise counts with spectra made of templates.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    starts : iterable of (ndarray of shape (n_rows, n_components), LineSpectra)
        Loadings and spectra to start from; the one with the lowest criterion is kept.
    costs : Costs, optional
        Of what is not zero; by default those of `criterion` for the counts in X.
    max_iter : int
        Alternations of one fit at most.
    tol : float
        Relative KKT residual below which the result counts as converged.
    n_jobs : int or None
        Threads; None is all cores.
    callback : callable, optional
        Called after every alternation with the divergence in nats.
    """
    search = None
    for W, spectra in starts:
        if search is None:
            search = _Search(X, spectra, costs, max_iter, n_jobs, callback)
        search.run(W, spectra)
    # Once more from the optimum of all loadings and lines nearby: what earlier rounds have set to
    # zero may be wrong by now. Before, there is no point in looking for it in every round.
    search.zeros_return = True
    search.run(search.best.W, search.best.spectra)
    search.try_other_optima()
    search.finish(tol)
    best = search.best
    return LineFit(
        best.W, best.spectra, best.loss, search.criterion, search.residual, search.n_iter, tol
    )


@one_blas_thread()
def simplest_nearby(
    X, W: np.ndarray, spectra: LineSpectra, *, costs: Costs, max_iter: int = 500
) -> tuple[np.ndarray, LineSpectra]:
    """Return the loadings and spectra of the lowest criterion near those of other counts.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    W : ndarray of shape (n_rows, n_components)
        Loadings to start from.
    spectra : LineSpectra
        Spectra to start from.
    costs : Costs
        Of what is not zero.
    max_iter : int
        Alternations of one fit at most.
    """
    search = _Search(X, spectra, costs, max_iter, 1, None)
    search.zeros_return = True
    search.run(W, spectra)
    search.try_other_optima()
    return search.best.W, search.best.spectra


class _Search:
    """The lowest criterion from several starts."""

    def __init__(self, X, spectra, costs, max_iter, n_jobs, callback):
        self.problem = LineAlternation(X, spectra, n_jobs)
        self.costs = costs or default_costs(self.problem.n_counts)
        self.counts = total_counts(X, axis=0)
        self.allowed = spectra.allowed
        self.max_iter, self.n_jobs, self.callback = max_iter, n_jobs, callback
        self.n_iter, self.best, self.criterion, self.residual = 0, None, np.inf, np.inf
        self.zeros_return = False  # whether loadings that are zero may become free again

    def run(self, W, spectra) -> None:
        """Lower the criterion from a start until it falls no more."""
        self.problem.restrict(None)
        point = self._converge(self.problem.at(W, spectra), FIRST_ALTERNATIONS)
        point = self._correct(point)
        # What a simplification loses is only estimated; no simpler one may be as likely.
        self._compare(point)
        self._descend(point, MOVES)

    def try_other_optima(self) -> None:
        """Lower the criterion from its other minima near the lowest one."""
        W, spectra = self.best.W, self.best.spectra
        options = {"gradient": self.problem.gradient(self.best), "n_jobs": self.n_jobs}
        for start in other_optima(W, spectra, self.costs, **options):
            self.problem.restrict(None)
            # With their zeros from the first fit on: without, it returns along the valley.
            self._descend(self.problem.at(*start), (0,))

    def _descend(self, point, moves) -> None:
        lowest = np.finfo(float).max
        for _ in range(MAX_ROUNDS):
            point, moves = self._simplify(point, moves)
            best = self.criterion
            criterion = self._compare(point)
            decrease, excess = lowest - criterion, criterion - best
            known = 0 <= excess < MIN_DECREASE  # an optimum found before
            if not decrease >= MIN_DECREASE or known or excess / HOPE > decrease:
                break
            lowest = criterion

    def finish(self, tol) -> None:
        """Converge the best factorisation with its zeros, which may have been left early."""
        if self.residual <= tol:
            return
        spectra = replace(self.best.spectra, allowed=self._of_elements(self.best.spectra))
        self.problem.restrict(self.best.W > 0)
        start = self.problem.at(self.best.W, spectra)
        options = {"callback": self.callback, "tol": tol}
        point, n_iter = self.problem.converge(start, self.max_iter, **options)
        self.n_iter += n_iter
        self._compare(point)

    def _compare(self, point) -> float:
        """Keep a point if its criterion is the lowest, and return the criterion."""
        criterion = self._criterion(point)
        if criterion < self.criterion:
            self.best, self.criterion = self._lift(point), criterion
            self.residual = self.problem.residual(point)
        return criterion

    def _criterion(self, point) -> float:
        return point.loss + self.costs.of(point.W, point.spectra)

    def _correct(self, point):
        """Return the point with templates that have the detector's response of the sum."""
        ratio = common_ratio(self.counts, point.B @ point.W.sum(axis=0))
        templates = point.spectra.templates.corrected(ratio)
        return self.problem.at(point.W, replace(point.spectra, templates=templates))

    def _simplify(self, point, moves) -> tuple[LinePoint, tuple[int, ...]]:
        """Return the optimum with the zeros of the simplest combination, and moves left to try.

        Zeros of many loadings of alike spectra may cost far more together than one by one.
        """
        highest, found, tried = self._criterion(point) + MIN_DECREASE, point, None
        for max_moves in moves:
            start = self._with_zeros(point, max_moves)
            is_close = start.loss <= MAX_RISE * point.loss or max_moves == 0
            if start.loss == tried or not is_close:
                continue
            found, tried = self._converge(start, ALTERNATIONS), start.loss
            if self._criterion(found) <= highest:
                break
        return found, moves[moves.index(max_moves) :]

    def _with_zeros(self, point, max_moves) -> LinePoint:
        """Return a point with the zeros of a combination, to which the problem is restricted."""
        spectra = self._lift(point).spectra
        gradient = self.problem.gradient(point) if self.zeros_return else None
        options = {"max_moves": max_moves, "gradient": gradient, "n_jobs": self.n_jobs}
        W, weights = simplest(point.W, spectra, self.costs, **options)
        is_free = self._of_elements(replace(spectra, weights=weights))
        # What no other template has must stay, or its counts would have no expectation.
        lost = (self.counts > 0) & ~(is_free.any(axis=0) @ spectra.templates.spectra > LEAST)
        lost &= ~(spectra.fixed > LEAST).any(axis=0)
        is_free |= self.allowed & (spectra.templates.spectra[:, lost] > LEAST).any(axis=1)
        weights = np.where(is_free, weights.clip(LEAST_WEIGHT), 0.0)
        restricted = replace(spectra, weights=weights, allowed=is_free)
        self.problem.restrict(W > 0)
        return self.problem.at(W, restricted)

    def _of_elements(self, spectra) -> np.ndarray:
        """Return which templates are allowed: continuum, and lines of the elements there are."""
        allowed = self.allowed.copy()
        allowed[:, spectra.templates.is_line] &= spectra.has_element[:, spectra.templates.elements]
        return allowed

    def _lift(self, point) -> LinePoint:
        """Return the same without the zeros of a combination as constraints."""
        return replace(point, spectra=replace(point.spectra, allowed=self.allowed))

    def _converge(self, point, max_iter):
        point, n_iter = self.problem.converge(point, min(max_iter, self.max_iter), self.callback)
        self.n_iter += n_iter
        return point
