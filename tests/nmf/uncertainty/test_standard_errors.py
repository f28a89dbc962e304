# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of loadings against plain numpy, brute force and simulated counts."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import kl_div
from scipy.stats import norm

from hyperspy_psnmf.kernels import expected as kernels
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.uncertainty.standard_errors import (
    loading_covariance,
    loading_errors,
    reconstruction_errors,
)
from hyperspy_psnmf.nmf.uncertainty.upper_limits import upper_limits
from tests.helpers.problems import both, planted


@pytest.fixture(scope="module")
def fitted():
    """Counts, loadings and spectra of 13 x 11 pixels, 50 channels and 3 components."""
    cube, _, H = planted(shape=(13, 11), n_channels=50, counts=60.0, seed=3)
    X = cube.reshape(-1, 50)
    W = solve_loadings(X, H)
    W[W < 1e-6] = 0.0
    assert (W == 0).any()
    return X, W, H


def test_loading_covariance__covariances_equal_the_formula(fitted):
    _, W, H = fitted
    found = loading_covariance(W, H)
    for i in range(len(W)):
        free = np.flatnonzero(W[i])
        mu = (W[i] + 1) @ H
        expected = np.zeros((3, 3))
        expected[np.ix_(free, free)] = np.linalg.inv(H[free] @ np.diag(1 / mu) @ H[free].T)
        np.testing.assert_allclose(found[i], expected, rtol=1e-8, atol=1e-8)


def test_loading_covariance__blocks_and_threads_change_nothing(fitted, monkeypatch):
    _, W, H = fitted
    expected = loading_covariance(W, H)
    monkeypatch.setattr(kernels, "ENTRIES_PER_BLOCK", 350)
    for n_jobs in (1, 3):
        np.testing.assert_allclose(loading_covariance(W, H, n_jobs=n_jobs), expected, rtol=1e-12)


def test_loading_errors__a_component_alone_has_the_posterior_of_a_poisson_mean():
    H = np.full((1, 7), 1 / 7)
    np.testing.assert_allclose(loading_errors(np.array([[24.0], [3.0]]), H), [[5.0], [2.0]])


def test_loading_errors__there_is_no_sigma_at_zero_and_no_limit_elsewhere(fitted):
    X, W, H = fitted
    np.testing.assert_array_equal(np.isnan(loading_errors(W, H)), W == 0)
    np.testing.assert_array_equal(np.isnan(upper_limits(X, W, H)), W > 0)


def test_reconstruction_errors__spectra_that_are_alike_have_large_finite_errors(fitted):
    _, W, H = fitted
    H = H.copy()
    H[1] = H[0]
    both_free = (W[:, 0] > 0) & (W[:, 1] > 0)
    errors = loading_errors(W, H)[both_free]
    assert np.isfinite(errors[:, :2]).all()
    assert (errors[:, :2] > 1000).all()
    total = reconstruction_errors(loading_covariance(W, H), np.array([1.0, 1.0, 0.0]))
    assert (total[both_free] < 30).all()


def test_reconstruction_errors__errors_of_linear_functions_equal_the_quadratic_form(fitted):
    _, W, H = fitted
    covariance = loading_covariance(W, H)
    a = np.random.default_rng(0).uniform(size=(3, 5))
    expected = np.sqrt(np.einsum("cl,icd,dl->il", a, covariance, a))
    np.testing.assert_allclose(reconstruction_errors(covariance, a), expected, rtol=1e-10)
    np.testing.assert_allclose(reconstruction_errors(covariance, a[:, 2]), expected[:, 2])


def test_reconstruction_errors__all_counts_together_are_as_uncertain_as_counts(fitted):
    X, W, H = fitted
    inside = (W > 0).all(axis=1)
    errors = reconstruction_errors(loading_covariance(W, H), np.ones(3))[inside]
    np.testing.assert_allclose(errors, np.sqrt(X.sum(axis=1)[inside] + 3), rtol=1e-6)


def test_reconstruction_errors__a_pixel_without_counts_has_limits_only(fitted):
    X, W, H = fitted
    X, W = X.copy(), W.copy()
    X[4] = W[4] = 0
    assert np.isnan(reconstruction_errors(loading_covariance(W, H), H)[4]).all()
    # exp(-U) is all there is to the likelihood.
    np.testing.assert_allclose(upper_limits(X, W, H)[4], norm.ppf(0.95) ** 2 / 2, rtol=2e-3)


def profile(x, H, c, U):
    """Minimise the divergence with one loading held, by scipy."""
    others = np.delete(H, c, axis=0)

    def loss(v):
        return kl_div(x, np.maximum(U * H[c] + v @ others, 1e-12)).sum()

    start = np.full(len(others), x.sum() / len(H))
    options = {"ftol": 1e-13, "gtol": 1e-9, "maxiter": 500}
    bounds = [(0, None)] * len(others)
    return minimize(loss, start, method="L-BFGS-B", bounds=bounds, options=options).fun


@pytest.mark.parametrize("confidence", [0.68, 0.95])
def test_upper_limits__limits_are_where_the_profile_likelihood_has_fallen(fitted, confidence):
    X, W, H = fitted
    X, W = X[::6], W[::6]
    found = upper_limits(X, W, H, confidence=confidence)
    rise = norm.ppf(confidence) ** 2 / 2
    checked = np.argwhere(W == 0)[:6]
    for i, c in checked:
        x = X[i].astype(float)
        lowest = profile(x, H, c, 0.0)
        expected = brentq(lambda u: profile(x, H, c, u) - lowest - rise, 0, 200, xtol=1e-3)  # noqa: B023
        assert found[i, c] == pytest.approx(expected, rel=0.02)


def test_upper_limits__dense_equals_sparse_equals_threads(fitted):
    X, W, H = fitted
    expected, *others = (upper_limits(x, W, H, n_jobs=n) for x in both(X) for n in (1, 3))
    for other in others:
        np.testing.assert_allclose(other, expected, rtol=1e-6)


def test_upper_limits__loadings_need_not_be_a_solution(fitted):
    X, _, H = fitted
    wrong = np.where(np.arange(3) == 0, X.sum(axis=1, keepdims=True), 0.0)
    best = solve_loadings(X, H)
    limits = upper_limits(X, wrong, H)
    assert np.isfinite(limits[:, 1:]).all()
    assert (limits > best)[:, 1:].all()


def test_loading_errors__a_component_without_a_spectrum_is_unlimited(fitted):
    X, W, H = fitted
    H, W = np.vstack([H, np.zeros(50)]), np.hstack([W, np.zeros((143, 1))])
    assert np.isinf(upper_limits(X, W, H)[:, 3]).all()
    assert np.isnan(loading_errors(W, H)[:, 3]).all()


@pytest.mark.parametrize("confidence", [0.5, 1.0, -1])
def test_upper_limits__a_confidence_outside_its_range_is_named(fitted, confidence):
    with pytest.raises(ValueError, match="confidence"):
        upper_limits(*fitted, confidence=confidence)


def test_loading_errors__smaller_by_the_root_of_n_pixels(fitted):
    _, W, H = fitted
    n = np.full(len(W), 4.0)
    ratio = loading_errors(W, H, n_averaged=n) / loading_errors(W, H)
    # The count that errors are evaluated at in addition matters where there are few.
    np.testing.assert_allclose(ratio[W > 20], 0.5, rtol=0.05)
