# SPDX-License-Identifier: GPL-3.0-or-later
r"""Factorisations with spectra made of templates, compared by held-out counts.

Some 30 weights per spectrum cost less held-out deviance than a hundred channels, so that phases
are found at few counts that free spectra lose. The same makes them sensitive to what is no phase:
absorption and thickness change lines by some per cent from bin to bin, and the continuum more.
So every bin's counts in each template, :math:`A = W P`, are corrected before they predict,

.. math:: \mu = A G + U G, \qquad U_{it} \sim N(0, \sigma_{it}^2),

with the U of the highest posterior density in a step of Fisher scoring from the training counts.
A component that only imitates such corrections predicts no better than they do.
"""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import Fold, held_out_deviance
from hyperspy_psnmf.nmf.lines.alternating import LineAlternation
from hyperspy_psnmf.nmf.lines.templates import Templates, common_ratio
from hyperspy_psnmf.nmf.lines.weights import LineSpectra, nearest_sums
from hyperspy_psnmf.nmf.solver.convex import solve_loadings

# Standard deviations of corrections: of a line and of a continuum template relative to their
# counts in the bin, and of the latter relative to all counts of it. Chosen on five real maps and
# three phantoms at 15 counts per pixel, seeds 0 to 2.
LINE_CHANGE, CONTINUUM_CHANGE, CONTINUUM_OF_ALL = 0.1, 0.3, 0.003
LEAST_COUNTS = 1e-3  # standard deviation at least, for an invertible information
LEAST_RATIO = 0.1  # of corrected to expected counts: a step may lead below zero
START_TOL = 1.0  # nats, of `nearest_sums`: a start is a rough spectrum
# A component that fits noise need not converge. With 30 the choices are the same on three phantoms
# and three real maps, in twice the time; with 5 one of them has a component more.
MAX_ALTERNATIONS = 10
ROWS_AT_A_TIME = 256


def first_of_lines(X, templates: Templates, fixed: np.ndarray | None, n_jobs: int | None = 1):
    """Return W and spectra with the fixed components only, or with one.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    templates : Templates
        On the channels of X. Where the sum of X deviates from them, they follow it.
    fixed : ndarray of shape (n_fixed, n_channels) or None
        Fixed spectra of unit sum.
    n_jobs : int or None
        Threads; None is all cores.
    """
    total = total_counts(X, axis=0)
    allowed = np.ones((1, len(templates)), dtype=bool)
    mean = nearest_sums(total[None] / max(total.sum(), 1.0), templates, allowed, tol=START_TOL)
    expected = mean.H[0] * total.sum() / max(mean.H[0].sum(), TINY)
    templates = templates.corrected(common_ratio(total, expected))
    if fixed is not None:
        none = np.empty((0, len(templates)))
        spectra = LineSpectra(templates, none, none.astype(bool), fixed)
        return solve_loadings(X, fixed, n_jobs=n_jobs), spectra
    spectra = replace(mean, templates=templates)
    return _converge(X, total_counts(X, axis=1)[:, None], spectra, n_jobs)


def one_more_of_lines(X, spectra: LineSpectra, start: np.ndarray, n_jobs: int | None = 1):
    """Return W and spectra with one component more, from its `start` of shape (n_channels,)."""
    allowed = np.ones((len(spectra.weights) + 1, len(spectra.templates)), dtype=bool)
    new = nearest_sums(start[None], spectra.templates, allowed[:1], tol=START_TOL).weights
    weights = np.vstack([spectra.weights, new / max(new.sum(), TINY)])
    spectra = replace(spectra, weights=weights, allowed=allowed)
    return _converge(X, solve_loadings(X, spectra.H, n_jobs=n_jobs), spectra, n_jobs)


def _converge(X, W, spectra, n_jobs):
    problem = LineAlternation(X, spectra, n_jobs)
    point, _ = problem.converge(problem.at(W, spectra), MAX_ALTERNATIONS)
    return point.W, point.spectra


def tolerant_deviance(
    fold: Fold, W: np.ndarray, spectra: LineSpectra, *, n_jobs: int | None = 1
) -> float:
    """Return the held-out deviance with lines and continuum of every row corrected.

    Parameters
    ----------
    fold : Fold
    W : ndarray of shape (n_rows, n_components)
        Loadings fitted to its training counts.
    spectra : LineSpectra
        Fixed spectra have no corrections.
    n_jobs : int or None
        Threads; None is all cores.
    """
    train, deviance = fold.train, 0.0
    total, identity = total_counts(train, axis=0), np.eye(train.shape[1])
    for i in range(0, len(W), ROWS_AT_A_TIME):
        rows = slice(i, i + ROWS_AT_A_TIME)
        mu = corrected_counts(_dense(train[rows]), W[rows], spectra)
        options = {"n_jobs": n_jobs}
        deviance += held_out_deviance(
            _dense(fold.test[rows]), mu, identity, fold.fraction, total, **options
        )
    return deviance


def _dense(X) -> np.ndarray:
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=float)


def corrected_counts(X: np.ndarray, W: np.ndarray, spectra: LineSpectra) -> np.ndarray:
    """Return expected counts with the corrections of highest posterior density.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_channels)
        Training counts.
    W : ndarray of shape (n_rows, n_components)
        Loadings fitted to them.
    spectra : LineSpectra

    Returns
    -------
    ndarray of shape (n_rows, n_channels)
    """
    templates, n = spectra.templates, spectra.n_fixed
    G, is_line = templates.spectra, templates.is_line
    A = W[:, n:] @ spectra.weights
    mu = np.maximum(W @ spectra.H, TINY)
    of_all = CONTINUUM_OF_ALL * A.sum(axis=1, keepdims=True)
    sigma = np.where(is_line, LINE_CHANGE * A, CONTINUUM_CHANGE * A + of_all)
    sigma = np.maximum(sigma, LEAST_COUNTS)
    # In units of sigma, where the information of the prior is one.
    score = sigma * ((X / mu - 1.0) @ G.T)
    pairs = (G[:, None] * G).reshape(-1, G.shape[1])
    information = ((1.0 / mu) @ pairs.T).reshape(len(A), len(G), len(G))
    information *= sigma[:, :, None] * sigma[:, None, :]
    step = np.linalg.solve(information + np.eye(len(G)), score[..., None])[..., 0]
    return np.maximum(mu + (sigma * step) @ G, LEAST_RATIO * mu)
