# SPDX-License-Identifier: GPL-3.0-or-later
"""What terms add to the problem of one row, each part against its formula."""

import numpy as np
import pytest

from hyperspy_psnmf.kernels.newton import rows as newton
from hyperspy_psnmf.kernels.newton.problem import RowProblem
from hyperspy_psnmf.kernels.newton.rows import RowTerms, solve_rows
from tests.helpers import naive
from tests.helpers.problems import rows
from tests.kernels.plain import plain as as_python

K, N, ROW = 3, 5, 2


def plain(name):
    """Return a kernel as the Python function it is compiled from."""
    return as_python(getattr(newton, name))


def make_terms(quadratic, n_rows=4):
    rng = np.random.default_rng(0)
    linear, pseudo, diagonal = (rng.gamma(1.0, size=(n_rows, K)) for _ in range(3))
    if not quadratic:
        return RowTerms(linear, pseudo)
    root = rng.normal(size=(K, K))
    return RowTerms(linear, pseudo, rng.gamma(1.0, size=n_rows), root @ root.T, diagonal)


def added(terms, basis_cost, v, n_fixed=0):
    """Return counts, x, b, cost, pseudo and Q of one row."""
    rng = np.random.default_rng(1)
    size = K if terms.scale.size else 0
    x, b, cost, pseudo = np.full(N + K, 7.0), rng.random((K, N + K)), np.empty(K), np.empty((2, K))
    Q = np.full((size, size), np.nan)
    problem = newton.Problem(np.empty((K, N)), basis_cost, n_fixed, terms, 0.0, 0.0, 0)
    row = RowProblem(x, b, cost, pseudo, Q, n_fixed)
    n = plain("_add_terms")(ROW, N, problem, v, row)
    return n, x, b, cost, pseudo, Q


def least_by_loops(x, v, n_fixed, cost, Q, pseudo):
    """Return the pseudo-counts over the highest price that there can be."""
    held, free = np.arange(K) < n_fixed, (np.arange(K) >= n_fixed) & (cost > 0)
    spent = np.where(held, v, 0.0)
    budget = x.sum() + (spent @ Q @ spent / 4 if Q.size else 0.0)
    least = np.zeros(K)
    for c in range(K):
        price = cost[c]
        for r in range(len(Q)):
            price += max(Q[c, r], 0.0) * (budget / cost[r] if free[r] else v[r])
        if price > 0:
            least[c] = pseudo[c] / price
    return least


BASIS_COSTS = [np.array([1.0, 0.5, 2.0]), np.array([1.0, 0.0, 2.0]), np.array([0.1, 0.2, 0.3])]


@pytest.mark.parametrize("n_fixed", [0, 1, 2])
@pytest.mark.parametrize("basis_cost", BASIS_COSTS, ids=["all seen", "one unseen", "cheap"])
@pytest.mark.parametrize("quadratic", [False, True], ids=["linear", "quadratic"])
def test_rows__terms_are_added_as_the_formulas_say(quadratic, basis_cost, n_fixed):
    terms, v = make_terms(quadratic), np.array([3.0, 20.0, 1.5])
    terms = terms._replace(linear=0.1 * terms.linear)
    n, x, b, cost, pseudo, Q = added(terms, basis_cost, v, n_fixed)
    seen = basis_cost > 0
    assert basis_cost.max() > 0.5 or cost.max() < 1
    assert n == N + K
    np.testing.assert_array_equal(x[:N], 7.0)
    np.testing.assert_array_equal(x[N:], np.where(seen, terms.pseudo_counts[ROW], 0.0))
    np.testing.assert_array_equal(b[:, N:], np.eye(K))
    np.testing.assert_array_equal(cost, np.where(seen, basis_cost + terms.linear[ROW], 0.0))
    np.testing.assert_array_equal(pseudo[0], x[N:])
    if quadratic:
        expected = terms.scale[ROW] * terms.matrix + np.diag(terms.diagonal[ROW])
        np.testing.assert_allclose(Q, expected, rtol=1e-14)
    least = least_by_loops(x, v, n_fixed, cost, Q, pseudo[0])
    np.testing.assert_allclose(pseudo[1], least, rtol=1e-13)


def test_rows__without_a_price_there_is_no_least():
    pseudo = np.empty((2, K))
    x, cost = np.array([1.0, 0.5, 0.5, 0.5]), np.array([1.0, 0.0, 2.0])
    plain("_find_least")(x, np.ones(K), 0, cost, np.empty((0, 0)), pseudo)
    np.testing.assert_array_equal(pseudo, [[0.5, 0.5, 0.5], [0.5, 0.0, 0.25]])


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_rows__no_solution_is_below_the_least(seed, n_fixed):
    X, V, B = rows(seed, n_rows=4, n_columns=N, k=K, counts=3)
    terms = make_terms(True)._replace(scale=np.full(4, 5.0))
    Q = 5.0 * terms.matrix + np.diag(terms.diagonal[ROW])
    best = naive.solve_row_with_terms(
        X[ROW], B, terms.linear[ROW], terms.pseudo_counts[ROW], Q, v_fixed=V[ROW, :n_fixed]
    )
    x, pseudo = np.append(X[ROW], terms.pseudo_counts[ROW]).astype(float), np.empty((2, K))
    cost = B.sum(axis=0) + terms.linear[ROW]
    plain("_find_least")(x, V[ROW], n_fixed, cost, Q, pseudo)
    assert (best[n_fixed:] >= pseudo[1, n_fixed:] * (1 - 1e-9)).all()
    assert (pseudo[1] > 0).all()


def test_solve_rows__rows_are_solved_to_the_counts_they_have():
    # A gap of so many nats per count is more for a row of many counts.
    X, V, B = rows(seed=1, n_rows=9, n_columns=11, counts=30)
    X[4] *= 1000
    n_counts = X.sum(axis=1)
    for rtol in (1e-2, 1e-4):
        _, gaps = solve_rows(X, B, V, tol=np.inf, rtol=rtol)
        assert (gaps <= rtol * n_counts).all()
        _, gaps = solve_rows(X, B, V, tol=1e-3, rtol=rtol)
        assert (gaps <= np.minimum(1e-3, rtol * n_counts)).all()


@pytest.mark.parametrize("quadratic", [False, True])
def test_solve_rows__a_row_that_is_solved_is_not_touched(quadratic):
    # Only the scale is made exact, where there is a best one.
    X, V, B = rows(seed=2, n_rows=4, n_columns=N, k=K)
    terms = make_terms(True) if quadratic else newton.NO_TERMS
    n_fixed = 0 if quadratic else 1
    V, gaps = solve_rows(X, B, V, n_fixed=n_fixed, terms=terms, tol=1e-9)
    again, same = solve_rows(X, B, V, n_fixed=n_fixed, terms=terms, tol=gaps.max())
    np.testing.assert_array_equal(again, V)
    np.testing.assert_allclose(same, gaps, rtol=1e-2, atol=1e-12)
