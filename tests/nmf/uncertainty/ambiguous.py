# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts that several factorisations fit alike, and these factorisations."""

import numpy as np

from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.uncertainty.priced import FreeSpectra, SpectraOfLines
from hyperspy_psnmf.nmf.uncertainty.profile_likelihood import equally_likely
from tests.helpers.problems import planted
from tests.nmf.lines.line_problems import WEIGHTS, make_spectra


def ambiguous(seed=0, k=2, n_rows=45, n_channels=36, pure=0.75):
    """Return counts whose phases share lines and are never pure, with W and H.

    No row holds less than a part of each phase, so the last one may lose or gain a
    share of the first at no cost.
    """
    rng = np.random.default_rng(seed)
    fractions = rng.dirichlet(np.full(k, 0.6), size=n_rows) * pure + (1 - pure) / k
    channel = np.arange(n_channels)
    H = np.full((k, n_channels), 0.02)
    for c in range(k):
        H[c] += np.exp(-(((channel - (c + 0.5) * n_channels / k) / 1.5) ** 2) / 2)
        H[c] += 0.6 * np.exp(-(((channel - 4) / 1.5) ** 2) / 2)
    H /= H.sum(axis=1, keepdims=True)
    W = fractions * 3000
    return rng.poisson(W @ H).astype(float), W, H


def separate(seed=0, k=3):
    cube, W, H = planted(shape=(9, 10), n_channels=40, k=k, counts=3000, seed=seed)
    return cube.reshape(90, 40).astype(float), W, H


def likely(X, H, *, n_fixed=0, **options):
    """Return the factorisations with free spectra that are as likely as the one near H."""
    problem = FreeSpectra(X, n_fixed)
    result = problem.solution(solve_loadings(X, H), H)
    return equally_likely(problem, result, **options)


def band(solutions):
    counts = np.array([s.W.sum(axis=0) for s in solutions])
    return counts.min(axis=0), counts.max(axis=0)


def never_pure(seed=0, weights=WEIGHTS[[0, 2]]):
    """Return counts of a matrix and a rim that share an element and are never pure, and truth."""
    rng = np.random.default_rng(seed)
    spectra = make_spectra(weights=weights)
    fractions = rng.uniform(0.25, 0.75, size=60)
    W = 5000.0 * np.column_stack([fractions, 1.0 - fractions])
    return rng.poisson(W @ spectra.H).astype(float), W, spectra


def likely_of_lines(X, spectra, **options):
    problem = SpectraOfLines(X, spectra)
    result = problem.solution(solve_loadings(X, spectra.H), spectra)
    return equally_likely(problem, result, **options)
