# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors from spectra against plain numpy and against maps that are measured again."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.method.binned import BinnedSettings, factorise_binned
from hyperspy_psnmf.nmf.method.refits import FreeRefits
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.uncertainty.jackknife import errors_from_spectra, spectra_without_folds
from tests.helpers.problems import both, planted

OPTIONS = {"max_iter": 200, "tol": 1e-5, "n_jobs": 1}


@pytest.fixture(scope="module")
def problem():
    """Counts, true spectra and how to find them: 13 x 11 pixels, 50 channels, 3 components."""
    cube, W, H = planted(shape=(13, 11), n_channels=50, counts=400.0, seed=3)
    settings = BinnedSettings(3, np.empty((0, 50)), 1, "vertex", 0.0, 1)
    return cube.reshape(-1, 50), W.reshape(-1, 3), H, settings


def again(X, H, settings, seed=0, n_folds=3, n_splits=2, **kwargs):
    refits = FreeRefits(X, H, settings, OPTIONS["max_iter"], OPTIONS["tol"])
    kwargs |= {"n_folds": n_folds, "n_splits": n_splits, "n_fixed": len(settings.fixed)}
    return spectra_without_folds(refits, H, np.random.default_rng(seed), **kwargs)


def test_spectra_without_folds__spectra_come_in_the_order_of_those_found(problem):
    X, _, H, settings = problem
    found = again(X, H, settings)
    assert found.shape == (6, 3, 50)
    np.testing.assert_allclose(found.sum(axis=2), 1.0)
    assert np.abs(found - H).max() < 0.05
    backwards = again(X, H[::-1], settings)
    np.testing.assert_allclose(backwards[:, ::-1], found, atol=1e-4)
    assert len(np.unique(found[:, 0, 0])) == 6


def test_spectra_without_folds__fixed_ones_unchanged_and_first(problem):
    X, _, H, _ = problem
    settings = BinnedSettings(3, H[1:2], 1, "vertex", 0.0, 1)
    found = again(X, H[[1, 2, 0]], settings)
    assert (found[:, 0] == H[1]).all()
    assert np.abs(found - H[[1, 2, 0]]).max() < 0.05


@pytest.mark.slow
def test_spectra_without_folds__dense_equals_sparse_and_serial_parallel(problem):
    X, _, H, settings = problem
    fits = []
    a, b = (again(x, H, settings, notify=lambda: fits.append(1)) for x in both(X))
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    assert len(fits) == len(both(X)) * (1 + len(a))
    np.testing.assert_array_equal(a, again(X, H, settings, n_jobs=2))


def test_errors_from_spectra__errors_are_the_mean_squared_difference_of_loadings(problem):
    X, _, H, _ = problem
    others = np.array([H, H])
    others[1, 0] = 0.8 * H[0] + 0.2 * H[1]
    W = solve_loadings(X, H)
    found = errors_from_spectra(X, W, H, others, n_folds=4)
    apart = solve_loadings(X, others[1]) - W
    # Of two sets of spectra one is the one found; four folds count three times.
    np.testing.assert_allclose(found, np.sqrt(3 / 2) * np.abs(apart), atol=0.1)
    assert errors_from_spectra(X, W, H, others[:1], n_folds=4).max() < 0.05


def found_in(X, H, settings, rng):
    """Return the spectra found in counts, in the order of the true ones."""
    fit = factorise_binned(X.astype(float), settings, rng, OPTIONS, lambda *_: None)
    return fit.H[np.argmax(H @ fit.H.T / np.linalg.norm(fit.H, axis=1), axis=1)]


@pytest.mark.slow
@pytest.mark.parametrize("n_folds", [2, 5])
def test_errors_from_spectra__errors_are_within_factor_of_two_those_of_maps_measured_again(
    problem, n_folds
):
    _, W, H, settings = problem
    rng, expected = np.random.default_rng(5), W @ H
    maps = [rng.poisson(expected) for _ in range(20)]
    spectra = [found_in(X, H, settings, rng) for X in maps]
    scatter = np.var([solve_loadings(expected, each) for each in spectra], axis=0, ddof=1)
    squared = []
    for seed, (X, found) in enumerate(zip(maps[:4], spectra, strict=False)):
        others = again(X, found, settings, seed, n_folds=n_folds, n_splits=10 // n_folds)
        errors = errors_from_spectra(expected, W, found, others, n_folds=n_folds)
        squared.append((errors**2).mean(axis=0))
    ratio = np.sqrt(np.mean(squared, axis=0) / scatter.mean(axis=0))
    assert (ratio > 0.5).all(), ratio
    assert (ratio < 2.0).all(), ratio
