# SPDX-License-Identifier: GPL-3.0-or-later
r"""Poisson NMF of one matrix, to convergence.

Minimise :math:`D(X, W H) = \sum x \log(x / \mu) - x + \mu`, with the term of
`volume` where asked for, over non-negative W and H with rows of H of unit sum.
Projected-Newton solutions of W and of H alternate, with extrapolation between them (see
`alternation`), and the objective never rises. The first few sweeps are EM.

Stopping: the relative KKT residual, that is the decrease that new
loadings or new spectra could still bring with the other fixed (duality gaps,
see `kernels.likelihood`), per count, is at most `tol`, *and* the decrease still to
come, extrapolated from the last ones as a geometric series, was below 0.1 nat
three times running. The relative change of the objective is no criterion: it is 1e-8 while
spectra still turn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from hyperspy_psnmf.kernels.likelihood import duality_gap
from hyperspy_psnmf.kernels.newton.rows import NO_TERMS
from hyperspy_psnmf.nmf.counts.blocks import divergence, em_sweep, score, solve_rows
from hyperspy_psnmf.nmf.solver.alternation import NEWTON_STEPS, PATIENCE, Alternation, Point
from hyperspy_psnmf.nmf.solver.convex import freeze_at_zero, solve_channels, solve_loadings
from hyperspy_psnmf.nmf.solver.volume import VolumeTerm

EM_SWEEPS = 5  # before the first Newton steps, which need a start near the data
START_TOL = 1e-2  # nats per count, of the loadings to start from
INNER = 0.1  # fraction of the present duality gap to which rows are solved
MAX_RATIO = 0.99  # of decreases, in the geometric series that is extrapolated
MAX_REMAINING = 0.1  # nats, extrapolated; far below the 1.92 of a likelihood-ratio test


@dataclass(frozen=True, eq=False)
class Factorisation:
    """What `poisson_nmf` found.

    Attributes
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    divergence : float
        Kullback-Leibler divergence in nats.
    kkt_residual : float
        Duality gaps of loadings and spectra, in nats per count.
    n_iter : int
        Alternations done.
    converged : bool
        Whether both criteria were met.
    history : list of float
        The objective, divergence and volume term, after every alternation.
    """

    W: np.ndarray
    H: np.ndarray
    divergence: float
    kkt_residual: float
    n_iter: int
    converged: bool
    history: list[float] = field(default_factory=list, repr=False)


def poisson_nmf(
    X,
    H: np.ndarray,
    W: np.ndarray | None = None,
    *,
    n_fixed: int = 0,
    volume: float = 0.0,
    pattern: np.ndarray | None = None,
    frozen: np.ndarray | None = None,
    max_iter: int = 500,
    tol: float = 1e-5,
    n_jobs: int | None = 1,
    callback: Callable[[int, float, float], None] | None = None,
) -> Factorisation:
    """Factorise counts into loadings and spectra.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum to start from.
    W : ndarray of shape (n_rows, n_components), optional
        Loadings to start from.
    n_fixed : int
        The first `n_fixed` spectra are kept as they are.
    volume : float
        Weight of the volume term; see `volume`.
    pattern : ndarray of bool of shape (n_rows, n_components), optional
        Sparsity pattern: loadings outside it are zero. Needs `W`.
    frozen : ndarray of bool of shape (n_components, n_channels), optional
        Entries of the spectra that are not changed, but for the spectrum's scale.
    max_iter : int
        Alternations at most.
    tol : float
        Relative KKT residual, in nats per count.
    n_jobs : int or None
        Threads; None is all cores.
    callback : callable, optional
        Called after every alternation with its number, the objective and the
        relative KKT residual. An exception in it ends the factorisation.
    """
    volume_term = VolumeTerm(X, len(H), volume, n_fixed)
    problem = _Problem(X, volume_term, pattern, frozen, n_fixed, n_jobs)
    if pattern is None:
        # Wrong zeros in W would stay zero in EM sweeps.
        W = solve_loadings(X, H, W, tol=START_TOL * problem.n_counts / len(problem.row_counts))
    else:
        W = np.where(pattern, W, 0.0)
    point = first = problem.warm_up(W, np.ascontiguousarray(H.T, dtype=float))
    history, patience, converged, n_iter = [point.loss], _Patience(), False, 0
    for n_iter, (point, _) in enumerate(islice(problem.run(first), max_iter), start=1):
        patience.note(history[-1] - point.loss)
        history.append(point.loss)
        residual = point.gap / problem.n_counts
        if callback is not None:
            callback(n_iter, point.loss, residual)
        converged = residual <= tol and patience.is_out
        if converged:
            break
    residual = point.gap / problem.n_counts
    loss = point.loss - problem.volume.value(point.B)
    return Factorisation(point.W, point.B.T, loss, residual, n_iter, converged, history)


class _Patience:
    """Counts the alternations running after which little decrease remains."""

    def __init__(self):
        self.decreases, self.n_small = [], 0

    def note(self, decrease: float) -> None:
        self.decreases = [*self.decreases[-1:], max(decrease, 0.0)]
        before = self.decreases[0]
        ratio = min(decrease / before, MAX_RATIO) if 0 < before < np.inf else 0.0
        remaining = max(decrease, 0.0) * max(1.0, ratio / (1 - ratio))
        self.n_small = self.n_small + 1 if remaining < MAX_REMAINING else 0

    @property
    def is_out(self) -> bool:
        return self.n_small >= PATIENCE


class _Problem(Alternation):
    """The divergence with the volume term, and the updates that decrease it."""

    def __init__(self, X, volume, pattern, frozen, n_fixed, n_jobs):
        super().__init__(X, n_fixed, frozen, n_jobs)
        self.volume = volume
        self.pattern, self.terms = True, NO_TERMS
        if pattern is not None:
            self.pattern, self.terms = pattern, freeze_at_zero(~pattern)

    def objective(self, W, B):
        return divergence(self.X, W, B, n_jobs=self.n_jobs) + self.volume.value(B)

    def warm_up(self, W, B):
        for _ in range(EM_SWEEPS):
            W, B_new = em_sweep(self.X, W, B, n_jobs=self.n_jobs)
            self.restore(B_new, B)
            W, B = self.normalise(W, B_new)
        return self.evaluate(W, B)

    def evaluate(self, W, B, gap_of_spectra=0.0):
        S, loss = score(self.X, W, B, n_jobs=self.n_jobs)
        gap = duality_gap(W, S * self.pattern, B.sum(axis=0), self.row_counts).sum()
        gap += gap_of_spectra
        return Point(W, B, float(loss.sum()) + self.volume.value(B), float(gap))

    def update(self, start, last):
        found = self.alternate(start, last.gap)
        if found.loss > last.loss:  # by rounding
            return replace(last, gap=min(last.gap, found.gap))
        return found

    def alternate(self, start, gap):
        options = {"max_iter": NEWTON_STEPS, "n_jobs": self.n_jobs}
        tol = INNER * min(gap, self.n_counts) / self.X.shape[0]
        W, _ = solve_rows(self.X, start.B, start.W, tol=tol, terms=self.terms, **options)
        tol = INNER * min(gap, self.n_counts) / self.X.shape[1]
        options |= {"n_fixed": self.n_fixed, "terms": self.volume.bound(start.B)}
        B, gaps = solve_channels(self.Xt, W, start.B, self.frozen, tol=tol, **options)
        W, B = self.normalise(W, B)
        if self.volume:
            # The gap of the bound at the new spectra, not of the one just minimised.
            options |= {"max_iter": 0, "terms": self.volume.bound(B)}
            _, gaps = solve_channels(self.Xt, W, B, self.frozen, **options)
        return self.evaluate(W, B, gaps.sum())
