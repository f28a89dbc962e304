# SPDX-License-Identifier: GPL-3.0-or-later
"""One factor with the other held: convex, so whatever the start, the answer is one."""

import naive
import numpy as np
import pytest
import scipy.sparse as sp
from problems import start_problem

from hyperspy_psnmf.kernels.score import divergence
from hyperspy_psnmf.nmf.convex import solve_loadings, solve_spectra


def test_loadings_do_not_depend_on_where_the_search_starts():
    X, H, _ = start_problem(seed=18)
    X[3] = 0
    expected = solve_loadings(X, H, tol=1e-8)
    for start in (np.full((42, 3), 1e-3), np.full((42, 3), 1e7), np.eye(42, 3)):
        np.testing.assert_allclose(solve_loadings(X, H, start, tol=1e-8), expected, atol=1e-2)


def test_other_pixels_change_loadings_by_less_than_a_twentieth_of_their_error():
    X, H, _ = start_problem(seed=19, counts=20)
    bright = np.vstack([X, 1_000_000 * X[:1]])
    change = solve_loadings(bright, H)[:-1] - solve_loadings(X, H)
    assert (np.abs(change) <= 0.05 * np.sqrt(X.sum(axis=1, keepdims=True))).all()


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_without_counts_loadings_are_zero(convert):
    _, H, _ = start_problem()
    assert not solve_loadings(convert(np.zeros((4, 29), np.uint8)), H).any()


def test_spectra_are_the_most_likely_ones_for_the_loadings():
    X, H, _ = start_problem(seed=20)
    W = solve_loadings(X, H)
    W_new, H_new = solve_spectra(X, W, H, tol=1e-8)
    best = naive.solve_rows(X.T, W).T
    assert divergence(X, W_new, H_new.T) == pytest.approx(divergence(X, W, best.T), abs=1e-4)
    np.testing.assert_allclose(H_new.sum(axis=1), 1)
    np.testing.assert_allclose(W_new / W_new.sum(axis=0), W / W.sum(axis=0))


def test_spectra_with_fixed_ones_are_the_most_likely_ones():
    X, H, _ = start_problem(seed=21)
    W = solve_loadings(X, H)
    W_new, H_new = solve_spectra(X, W, H, n_fixed=1, tol=1e-8)
    np.testing.assert_array_equal(H_new[0], H[0])
    np.testing.assert_array_equal(W_new[:, 0], W[:, 0])
    best = naive.solve_rows(X.T, W, H.T, n_fixed=1).T
    assert divergence(X, W_new, H_new.T) == pytest.approx(divergence(X, W, best.T), abs=1e-4)
