# SPDX-License-Identifier: GPL-3.0-or-later
"""`poisson_nmf` with a given sparsity pattern of the loadings."""

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from tests.helpers import naive
from tests.helpers.problems import MATRIX, OTHER, angles, both, grains, planted


def problem(seed=0, k=3, counts=150.0):
    """Return counts (42, 29), spectra and loadings to start from, a pattern, true spectra."""
    cube, _, H = planted((6, 7), 29, counts=counts, seed=seed)
    X = cube.reshape(42, 29)
    start = initial_spectra(X, k, "nndsvdar", np.random.default_rng(seed))
    W = solve_loadings(X, start)
    pattern = 0.2 * W.sum(axis=1, keepdims=True) < W
    pattern[np.arange(42), W.argmax(axis=1)] = True
    return X, start, W, pattern, H


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pattern__zeros_stay_zero_and_the_divergence_never_rises(seed, convert, n_fixed):
    X, H, W, pattern, _ = problem(seed)
    assert 0.1 < pattern.mean() < 0.9
    fit = poisson_nmf(convert(X), H, W, pattern=pattern, n_fixed=n_fixed)
    assert fit.converged
    assert not fit.W[~pattern].any()
    assert (np.diff(fit.history) <= 0).all()
    np.testing.assert_array_equal(fit.H[:n_fixed], H[:n_fixed])
    np.testing.assert_allclose(fit.H.sum(axis=1), 1)
    assert fit.divergence == pytest.approx(naive.divergences(X, fit.W, fit.H.T).sum(), rel=1e-9)


@pytest.mark.parametrize("tol", [1e-4, 1e-6])
def test_pattern__kkt_conditions_of_free_loadings(tol):
    X, H, W, pattern, _ = problem(seed=3)
    fit = poisson_nmf(X, H, W, pattern=pattern, tol=tol)
    gap = 0.0
    for x, w, free in zip(X, fit.W, pattern, strict=True):
        gap += naive.gap_of_row(x, w[free], fit.H[free].T)
    for x, h in zip(X.T, fit.H.T, strict=True):
        gap += naive.gap_of_row(x, h, fit.W)
    assert fit.kkt_residual <= tol
    assert gap <= 2 * tol * X.sum()


def test_pattern__of_all_entries_changes_nothing():
    X, H, W, _, _ = problem(seed=4)
    plain = poisson_nmf(X, H, W, tol=1e-7)
    fit = poisson_nmf(X, H, W, pattern=np.ones((42, 3), bool), tol=1e-7)
    assert fit.divergence == pytest.approx(plain.divergence, abs=1e-2)
    np.testing.assert_allclose(fit.H, plain.H, atol=1e-3)


def test_pattern__dense_equals_sparse():
    X, H, W, pattern, _ = problem(seed=5)
    dense, sparse = (poisson_nmf(x, H, W, pattern=pattern, tol=1e-8) for x in both(X.astype(float)))
    np.testing.assert_allclose(sparse.H, dense.H, atol=1e-6)
    np.testing.assert_allclose(sparse.W, dense.W, atol=1e-3)


def test_pattern__threads_change_no_bit(many_blocks):
    X, H, W, pattern, _ = problem(seed=6)
    one, four = (poisson_nmf(X, H, W, pattern=pattern, n_jobs=n_jobs) for n_jobs in (1, 4))
    np.testing.assert_array_equal(one.W, four.W)
    np.testing.assert_array_equal(one.H, four.H)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pattern__the_true_one_brings_spectra_closer(seed):
    truth, fractions = np.stack([MATRIX, OTHER]), grains()
    X = np.random.default_rng(seed).poisson(400 * fractions @ truth)
    plain = poisson_nmf(X, truth)
    true_pattern = poisson_nmf(X, truth, 400 * fractions, pattern=fractions > 0)
    assert angles(true_pattern.H, truth).max() < 0.6 * angles(plain.H, truth).max()


def test_pattern__empty_row_and_empty_component():
    X, H, W, pattern, _ = problem(seed=8)
    X[4] = 0
    pattern[:, 1] = False
    pattern[~pattern.any(axis=1), 0] = True
    fit = poisson_nmf(X, H, W, pattern=pattern)
    assert fit.converged
    assert np.isfinite(fit.divergence)
    assert not fit.W[4].any()
    assert not fit.W[:, 1].any()
    np.testing.assert_allclose(fit.H.sum(axis=1), 1)


def test_pattern__with_a_volume_term():
    X, H, W, pattern, _ = problem(seed=9)
    fit = poisson_nmf(X, H, W, pattern=pattern, volume=0.5)
    assert fit.converged
    assert not fit.W[~pattern].any()
    assert (np.diff(fit.history) <= 0).all()
