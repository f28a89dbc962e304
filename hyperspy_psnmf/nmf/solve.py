# SPDX-License-Identifier: GPL-3.0-or-later
r"""Poisson NMF of one matrix, to convergence.

Minimise :math:`D(X, W H) = \sum x \log(x / \mu) - x + \mu` over non-negative W
and H with rows of H of unit sum. Projected-Newton solutions of W and of H
alternate; between them both are extrapolated along their last change by a line
search on D [1]_, where a try costs a fraction of an alternation. So D never
rises. A few EM sweeps begin.

Stopping: the relative KKT residual, that is the decrease of D that new
loadings or new spectra could still bring with the other held (duality gaps,
see `kernels.score`), per count, is at most `tol`, *and* the decrease still to
come, extrapolated from the last ones as a geometric series, was below 0.1 nat
three times running. The relative change of D is no criterion: it is 1e-8 while
spectra still turn.

References
----------
.. [1] M. Rajih, P. Comon, R. A. Harshman, SIAM J. Matrix Anal. Appl. 30 (2008)
   1148 (enhanced line search). https://hal.science/hal-00327595
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from hyperspy_psnmf.kernels.em import em_sweep
from hyperspy_psnmf.kernels.newton import solve_rows
from hyperspy_psnmf.kernels.score import divergence, duality_gap, score
from hyperspy_psnmf.kernels.threads import is_csr
from hyperspy_psnmf.nmf.counts import total_counts

EM_SWEEPS = 5
NEWTON_STEPS = 2  # per alternation; the other factor moves on anyway
INNER = 0.1  # share of the present gap to which rows are solved
SHORTEST_STEP, GROWTH, MAX_TRIES = 0.1, 3.0, 6  # of the extrapolation
REMAINING = 0.1  # nats
PATIENCE = 3


@dataclass(frozen=True)
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
        Divergence at the start and after every alternation.
    """

    W: np.ndarray
    H: np.ndarray
    divergence: float
    kkt_residual: float
    n_iter: int
    converged: bool
    history: list[float] = field(default_factory=list, repr=False)


def solve_loadings(X, H, W=None, *, tol: float = 1e-3, n_jobs=1) -> np.ndarray:
    """Return the loadings that maximise the likelihood with the spectra held.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra. Channels where all are zero are ignored.
    W : ndarray of shape (n_rows, n_components), optional
        Where to start.
    tol : float
        Duality gap in nats at which a row is done; proportionately less where a
        row holds under 100 counts.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_rows, n_components)
        Loadings in counts; they add up to the counts of each row.
    """
    if W is None:
        W = np.repeat(total_counts(X, axis=1)[:, None] / len(H), len(H), axis=1)
    W = np.where(H.any(axis=1), W, 0.0)
    return solve_rows(X, H.T, W, tol=tol, rtol=1e-2 * tol, n_jobs=n_jobs)[0]


def solve_spectra(X, W, H, *, n_fixed: int = 0, tol: float = 1e-3, n_jobs=1):
    """Return W and H with H the most likely spectra for the loadings held.

    Both are rescaled so that rows of H have unit sum; the first `n_fixed` rows
    are kept as they are.
    """
    B, _ = solve_rows(_transpose(X), W, H.T, n_fixed=n_fixed, tol=tol, n_jobs=n_jobs)
    return _normalise(W, B, n_fixed)


def poisson_nmf(
    X,
    H: np.ndarray,
    W: np.ndarray | None = None,
    *,
    n_fixed: int = 0,
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
    max_iter : int
        Alternations at most.
    tol : float
        Relative KKT residual, in nats per count.
    n_jobs : int or None
        Threads; None is all cores.
    callback : callable, optional
        Called after every alternation with its number, the divergence and the
        relative KKT residual. What it raises ends the factorisation.
    """
    problem = _Problem(X, n_fixed, n_jobs)
    # Zeros in W that the start does not deserve would never grow in EM sweeps.
    W = solve_loadings(X, H, W, tol=1e-2 * problem.n_counts / len(problem.row_counts))
    point = problem.warm_up(W, np.ascontiguousarray(H.T, dtype=float))
    history, patience, converged = [point.loss], _Patience(), False
    start, step, n_iter = point, 1.0, 0
    for n_iter in range(1, max_iter + 1):
        found = problem.alternate(start, point.gap)
        if found.loss > point.loss:  # only the last digits of the divergence rose
            found = replace(point, gap=min(point.gap, found.gap))
        patience.note(point.loss - found.loss)
        start, step = problem.extrapolate(found, point, step)
        point = found
        history.append(point.loss)
        residual = point.gap / problem.n_counts
        if callback is not None:
            callback(n_iter, point.loss, residual)
        converged = residual <= tol and patience.is_out
        if converged:
            break
    residual = point.gap / problem.n_counts
    return Factorisation(point.W, point.B.T, point.loss, residual, n_iter, converged, history)


@dataclass(frozen=True)
class _Point:
    W: np.ndarray
    B: np.ndarray  # spectra as columns
    loss: float = np.inf
    gap: float = np.inf


class _Patience:
    """Counts how often running the decrease still to come was small."""

    def __init__(self):
        self.decreases, self.n_small = [], 0

    def note(self, decrease: float) -> None:
        self.decreases = [*self.decreases[-1:], max(decrease, 0.0)]
        before = self.decreases[0]
        ratio = min(decrease / before, 0.99) if before > 0 else 0.0
        remaining = max(decrease, 0.0) * max(1.0, ratio / (1 - ratio))
        self.n_small = self.n_small + 1 if remaining < REMAINING else 0

    @property
    def is_out(self) -> bool:
        return self.n_small >= PATIENCE


class _Problem:
    """The counts in both orientations, and the moves of the solver."""

    def __init__(self, X, n_fixed, n_jobs):
        self.X, self.Xt = X, _transpose(X)
        self.n_fixed, self.n_jobs = n_fixed, n_jobs
        self.row_counts = total_counts(X, axis=1)
        self.n_counts = float(self.row_counts.sum()) or 1.0

    def warm_up(self, W, B):
        for _ in range(EM_SWEEPS):
            W, B_new = em_sweep(self.X, W, B, n_jobs=self.n_jobs)
            B_new[:, : self.n_fixed] = B[:, : self.n_fixed]
            W, H = _normalise(W, B_new, self.n_fixed)
            B = np.ascontiguousarray(H.T)
        return self.judge(W, B)

    def judge(self, W, B, gap_of_spectra=0.0):
        S, loss = score(self.X, W, B, n_jobs=self.n_jobs)
        gap = duality_gap(W, S, B.sum(axis=0), self.row_counts).sum() + gap_of_spectra
        return _Point(W, B, float(loss.sum()), float(gap))

    def alternate(self, start, gap):
        options = {"max_iter": NEWTON_STEPS, "n_jobs": self.n_jobs}
        tol = INNER * min(gap, self.n_counts) / self.X.shape[0]
        W, _ = solve_rows(self.X, start.B, start.W, tol=tol, **options)
        tol = INNER * min(gap, self.n_counts) / self.X.shape[1]
        B, gaps = solve_rows(self.Xt, W, start.B, n_fixed=self.n_fixed, tol=tol, **options)
        W, H = _normalise(W, B, self.n_fixed)
        return self.judge(W, np.ascontiguousarray(H.T), gaps.sum())

    def extrapolate(self, new, old, step):
        """Follow the last change as long as D falls; return where, and the step to try next."""
        best, best_step, turned = new, 0.0, False
        for _ in range(MAX_TRIES):
            point = self.go_on(new, old, step)
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

    def go_on(self, new, old, step):
        W = np.maximum(new.W + step * (new.W - old.W), 0.0)
        B = np.maximum(new.B + step * (new.B - old.B), 0.0)
        B[:, : self.n_fixed] = new.B[:, : self.n_fixed]
        W, H = _normalise(W, B, self.n_fixed)
        B = np.ascontiguousarray(H.T)
        return _Point(W, B, divergence(self.X, W, B, n_jobs=self.n_jobs))


def _normalise(W, B, n_fixed):
    """Return W and H with unit sums in the free rows of H, the product unchanged."""
    scale = B.sum(axis=0)
    scale[:n_fixed] = 1.0
    gone = scale == 0
    if gone.any():
        # A component without a spectrum: no counts, and any spectrum will do.
        B, scale = np.where(gone, 1.0, B), np.where(gone, len(B), scale)
        W = np.where(gone, 0.0, W)
    return W * scale, (B / scale).T


def _transpose(X):
    return X.T.tocsr() if is_csr(X) else np.ascontiguousarray(X.T)
