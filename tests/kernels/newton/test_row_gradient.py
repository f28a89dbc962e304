# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradient, duality gap and active set of one row, each against its formula."""

import math

import numpy as np
import pytest

from tests.kernels.newton.single_row import K, N, Row, plain

KINDS = pytest.mark.parametrize("quadratic", [False, True], ids=["plain", "quadratic"])

# Gradient


@KINDS
def test_row_gradient__the_gradient_is_that_of_finite_differences(quadratic):
    row = Row(1, quadratic=quadratic, pseudo=[0.0, 0.5, 2.0, 3.0])
    _, _, _, g, _ = row.fill_gradient(row.v)
    for c, step in enumerate(1e-6 * np.eye(K)):
        change = row.objective(row.v + step) - row.objective(row.v - step)
        assert g[c] == pytest.approx(change / 2e-6, rel=1e-6, abs=1e-6)


@KINDS
@pytest.mark.parametrize("absent", [(), (0,), (1, 3)])
def test_row_gradient__gradient_comes_with_model_its_ratio_to_counts_and_prices(absent, quadratic):
    row = Row(2, quadratic=quadratic)
    row.v[list(absent)] = 0.0
    all_explained, mu, ratio, g, price = row.fill_gradient(row.v)
    expected_g, expected_price = row.slopes(row.v)
    assert all_explained
    np.testing.assert_allclose(mu, row.b.T @ row.v, rtol=1e-14)
    np.testing.assert_allclose(ratio, row.x / mu, rtol=1e-14)
    np.testing.assert_allclose(price, expected_price, rtol=1e-13)
    np.testing.assert_allclose(g, expected_g, rtol=1e-11, atol=1e-12)


def test_row_gradient__a_count_where_the_model_is_zero_is_not_explained_and_a_zero_is():
    row = Row(3)
    row.b[:, 2] = 0.0
    row.x[2] = 1.0
    assert not row.fill_gradient(row.v)[0]
    row.x[2] = 0.0
    all_explained, _, ratio, g, _ = row.fill_gradient(row.v)
    assert all_explained
    assert ratio[2] == 0
    assert np.isfinite(g).all()


def test_row_gradient__a_basis_of_any_scale_explains_counts():
    row = Row(4, quadratic=False)
    row.b *= 1e-150
    assert row.fill_gradient(row.v)[0]


# Duality gap


@pytest.mark.parametrize("scale", [0.01, 1.0])
@pytest.mark.parametrize("n_fixed", [0, 1, 3])
def test_row_gradient__gap_is_what_slope_and_most_rewarding_component_promise(n_fixed, scale):
    row = Row(5)
    row.b, row.cost, row.v = scale * row.b, scale * row.cost, row.v / scale
    row.Q = scale**2 * row.Q
    row.cost[2] = 0.0  # left alone
    g, price = row.slopes(row.v)
    free = [c for c in range(n_fixed, K) if row.cost[c] > 0]
    promise = max(0.0, *(-g[c] / price[c] for c in free))
    assert promise > 0
    expected = g[free] @ row.v[free] + row.n_counts * promise
    assert row.gap(row.v, n_fixed) == pytest.approx(expected, rel=1e-12)


def test_row_gradient__without_a_component_that_rewards_the_gap_is_the_slope():
    row = Row(6)
    row.v *= 50
    g, _ = row.slopes(row.v)
    assert (g > 0).all()
    assert row.gap(row.v) == pytest.approx(g @ row.v, rel=1e-12)


@pytest.mark.parametrize("share", [0.6, 0.9, 1.0, 1.5, 7.0])
def test_row_gradient__pseudo_counts_alone_have_a_gap_that_is_exact(share):
    # c v - gamma log v is lowest at gamma / c.
    gamma = np.array([2.0, 0.7, 1.0, 3.0])
    row = Row(7, quadratic=False, pseudo=gamma)
    row.x[:N] = 0.0
    best = gamma / row.cost
    v = share * best
    left = row.objective(v) - row.objective(best)
    if share >= 1:  # above, the slope alone is a bound
        assert row.gap(v) >= left - 1e-12
        assert row.gap(v) == pytest.approx((share - 1) * gamma.sum(), abs=1e-12)
    else:
        assert row.gap(v) == pytest.approx(left, rel=1e-9)


def test_row_gradient__pseudo_counts_far_too_few_for_the_slope_do_not_bound_it():
    # Its own channel cannot give way any more than it holds.
    row = Row(8, quadratic=False, pseudo=[1.0, 1.0, 1.0, 1.0])
    row.x[:N] = 0.0
    v = 0.4 / row.cost  # g v = -0.6
    g, price = row.slopes(v)
    expected = g @ v + row.n_counts * (-g / price).max()
    assert row.gap(v) == pytest.approx(expected, rel=1e-12)


def test_row_gradient__a_component_that_costs_nothing_more_promises_everything():
    row = Row(9)
    point = row.point(row.v)
    point.g[1], point.price[1] = -1.0, 0.0
    gap = plain("_gap")(row.problem(), point, row.n_counts)
    assert gap == math.inf


# Active set


def test_row_gradient__components_are_fixed_at_zero_only_where_the_gradient_pushes_outwards():
    row = Row(10)
    row.v[:2] = 0.0
    rising, falling = np.array([1.0, 1.0, 1.0, -1.0]), np.array([-1.0, 1.0, 1.0, -1.0])
    assert row.free(row.v, rising) == [2, 3]
    assert row.free(row.v, falling) == [0, 2, 3]
    assert row.free(row.v, rising, n_fixed=3) == [3]


def test_row_gradient__components_without_a_cost_are_fixed():
    row = Row(10)
    row.cost[1] = 0.0
    assert row.free(row.v, -np.ones(K)) == [0, 2, 3]


def test_row_gradient__zero_is_a_tiny_fraction_of_the_counts_whatever_the_scale_of_the_basis():
    row = Row(10)
    up = np.ones(K)
    for share, free in [(1e-13, []), (1e-7, [1])]:
        for scale in (1e-6, 1.0, 1e6):
            row.cost[:] = scale
            v = np.zeros(K)
            v[1] = share * row.n_counts / scale
            assert row.free(v, up) == free


def test_row_gradient__pseudo_counts_that_balance_near_zero_keep_a_component_free():
    row = Row(10)
    row.pseudo[0] = [0.0, 1e-3, 1e-3, 0.0]
    v = np.full(K, 1e-14)
    # The price of staying is below the pseudo-counts in the second alone.
    assert row.free(v, np.array([1.0, 1.0, 1e12, 1.0])) == [1]
