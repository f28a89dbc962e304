# SPDX-License-Identifier: GPL-3.0-or-later
"""Factorise counts into loadings and spectra made of templates, the simplest by `criterion`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock

import numpy as np

from hyperspy_psnmf.kernels.parallel import call_in_threads
from hyperspy_psnmf.nmf.lines.costs import Costs
from hyperspy_psnmf.nmf.lines.search import MIN_DECREASE, Search
from hyperspy_psnmf.nmf.lines.weights import LineSpectra
from hyperspy_psnmf.nmf.solver.one_blas_thread import one_blas_thread

# Optima from which the search begins again. Of 20 maps, the second led to a criterion lower by 3
# to 57 nats on three and higher by 28 on one; a third would have on one, to one lower by 1.
N_AGAIN = 2


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
        Called after every alternation with the divergence in nats, in any of the threads, but not
        by two at a time.
    """
    report = callback and _one_at_a_time(callback)

    def search_from(W, spectra):
        return Search(X, spectra, costs, max_iter, n_jobs, report).run(W, spectra)

    # Searches know nothing of each other, so that they can run in any order.
    found = [*call_in_threads(search_from, starts, n_jobs=n_jobs)]
    # Once more from the optimum of all loadings and lines nearby: what earlier rounds have set to
    # zero may be wrong by now. Before, there is no point in looking for it in every round.
    best = ((search,) for search in _distinct(found)[:N_AGAIN])
    search = _lowest(call_in_threads(Search.run_again, best, n_jobs=n_jobs))
    others = search.from_other_optima()
    search = _lowest([search, *others])
    search.finish(tol)
    n_iter = sum(each.n_iter for each in (*found, *others))
    W, spectra, loss = search.best.W, search.best.spectra, search.best.loss
    return LineFit(W, spectra, loss, search.criterion, search.residual, n_iter, tol)


def _one_at_a_time(callback: Callable) -> Callable:
    lock = Lock()

    def report(loss):
        with lock:
            callback(loss)

    return report


def _distinct(searches: list[Search]) -> list[Search]:
    """Return searches that ended in different optima, the lowest first."""
    searches = sorted(searches, key=lambda search: search.criterion)
    steps = np.diff([search.criterion for search in searches], prepend=-np.inf)
    return [search for search, step in zip(searches, steps, strict=True) if step >= MIN_DECREASE]


def _lowest(searches: Iterable[Search]) -> Search:
    return min(searches, key=lambda search: search.criterion)


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
    search = Search(X, spectra, costs, max_iter)
    search.zeros_return = True
    search.run(W, spectra)
    best = _lowest([search, *search.from_other_optima()]).best
    return best.W, best.spectra
