# SPDX-License-Identifier: GPL-3.0-or-later
"""One Newton step for pixels side by side, against plain numpy and the solver of rows."""

import numpy as np
import pytest

from hyperspy_psnmf.kernels.newton.pixels import NEGLIGIBLE, newton_step
from hyperspy_psnmf.kernels.newton.rows import solve_rows
from tests.helpers import naive
from tests.helpers.problems import rows


def problem(n_rows=3, n_columns=7, n_channels=17, k=3, counts=60.0, seed=0):
    """Return counts, a basis (k, n_channels) of unit sum, and loadings to start from."""
    X, V, B = rows(seed, n_rows * n_columns, n_channels, k, counts)
    return X, (B / B.sum(axis=0)).T, V


def side_by_side(X, n_columns):
    by_row = X.reshape(-1, n_columns, X.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(by_row, dtype=np.float32)


def divergences(X, V, B):
    return np.array([naive.divergence_of_row(x, v, B.T) for x, v in zip(X, V, strict=True)])


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_newton_step__from_near_by_it_is_the_step_of_newton(k):
    _, B, V = problem(k=k)
    X = np.random.default_rng(1).poisson(1e4 * V @ B)
    best, _ = solve_rows(X, B.T, np.ones((21, k)), tol=1e-12)
    inside = (best > 0.05 * best.sum(axis=1, keepdims=True)).all(axis=1)
    assert inside.sum() > 3
    start = best * np.random.default_rng(0).uniform(0.97, 1.03, best.shape)
    start *= (X.sum(axis=1) / start.sum(axis=1))[:, None]
    found, is_done = newton_step(side_by_side(X, 7), B, start)
    assert is_done[inside].all()
    for x, v, w in zip(X[inside], start[inside], found[inside], strict=True):
        mu = v @ B
        hessian = (B * x / mu**2) @ B.T
        newton = v - np.linalg.solve(hessian, 1 - B @ (x / mu))
        np.testing.assert_allclose(w, newton * x.sum() / newton.sum(), rtol=2e-3)


@pytest.mark.parametrize("counts", [2.0, 60.0, 5000.0])
@pytest.mark.parametrize("seed", range(3))
def test_newton_step__what_is_done_is_better_and_the_rest_is_left_as_it_was(counts, seed):
    X, B, V = problem(counts=counts, seed=seed)
    V[4, 1] = V[9, 0] = 0.0
    scaled = V * (X.sum(axis=1) / V.sum(axis=1))[:, None]
    found, is_done = newton_step(side_by_side(X, 7), B, V)
    before, after = divergences(X, scaled, B), divergences(X, found, B)
    assert is_done.any()
    assert (after[is_done] <= before[is_done] + 1.1 * NEGLIGIBLE).all()
    np.testing.assert_allclose(found[~is_done], scaled[~is_done], rtol=1e-5, atol=1e-5 * X.sum())
    np.testing.assert_allclose(found.sum(axis=1), X.sum(axis=1), rtol=1e-6)
    assert (found >= 0).all()


def test_newton_step__some_steps_reach_the_optimum():
    X, B, V = problem(counts=500.0)
    best, _ = solve_rows(X, B.T, V, tol=1e-12)
    for _ in range(12):
        V, is_done = newton_step(side_by_side(X, 7), B, V)
        V[~is_done] = solve_rows(X, B.T, V, max_iter=1)[0][~is_done]
    np.testing.assert_allclose(divergences(X, V, B), divergences(X, best, B), rtol=1e-5, atol=1e-3)


def test_newton_step__components_that_are_absent_come_out_at_zero():
    B = np.array([[0.5, 0.5, 0.0], [0.0, 0.1, 0.9]])
    X = np.array([[50, 50, 0], [500, 480, 0]])
    found, is_done = newton_step(side_by_side(X, 2), B, np.ones((2, 2)))
    found, is_done = newton_step(side_by_side(X, 2), B, found)
    assert is_done.all()
    assert (found[:, 1] == 0).all()


def test_newton_step__pixels_without_counts_and_components_without_a_spectrum_are_zero():
    X, B, V = problem()
    X[5], B[1], V[:, 1] = 0, 0.0, 0.0
    found, _ = newton_step(side_by_side(X, 7), B, V)
    assert np.isfinite(found).all()
    assert (found[5] == 0).all()
    assert (found[:, 1] == 0).all()
    assert found[:5].sum(axis=1).min() > 0


@pytest.mark.parametrize("n_columns", [1, 256, 300, 600])
def test_newton_step__neither_threads_nor_how_many_pixels_are_taken_at_a_time_matter(n_columns):
    """But for the last digits: loops end with pixels one by one."""
    X, B, V = problem(600 // n_columns, n_columns)
    folded, before = side_by_side(X, n_columns), V.copy()
    found, is_done = newton_step(folded, B, V)
    for each, wanted in zip(newton_step(folded, B, V, n_jobs=3), (found, is_done), strict=True):
        np.testing.assert_array_equal(each, wanted)
    single, single_done = newton_step(side_by_side(X, 1), B, V)
    np.testing.assert_allclose(found, single, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(is_done, single_done)
    np.testing.assert_array_equal(V, before)
