# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that solve one row, each against its formula."""

import math

import numpy as np
import pytest

from hyperspy_psnmf.kernels.newton.problem import Point, RowProblem
from tests.kernels.newton.single_row import K, N, Row, plain

KINDS = pytest.mark.parametrize("quadratic", [False, True], ids=["plain", "quadratic"])


# Newton steps


def find_direction(row, free, A, d):
    """Fill A and the direction d from the row's v; return the gradient there."""
    point = row.point(row.v)
    plain("find_direction")(row.problem(), point, row.x / point.mu, free, A, d)
    return point.g


@KINDS
@pytest.mark.parametrize("free", [[2], [0, 3], [1, 2, 3], [0, 1, 2, 3]])
def test_row_steps__the_step_solves_the_newton_equations_of_the_free_components(free, quadratic):
    row = Row(11, quadratic=quadratic)
    row.x += 1.0
    d, A = np.full(K, np.nan), np.full((K, K), np.nan)
    g = find_direction(row, np.array(free), A, d)
    expected = np.linalg.solve(row.hessian(row.v)[np.ix_(free, free)], -g[free])
    np.testing.assert_allclose(d[: len(free)], expected, rtol=1e-6)


def test_row_steps__a_singular_hessian_still_gives_a_step_downhill():
    row = Row(12, quadratic=False)
    row.b[3] = row.b[0]  # alike
    row.x[2:] = 0.0  # two channels, four components
    row.cost[:] = row.b.sum(axis=1)
    d = np.empty(K)
    g = find_direction(row, np.arange(K), np.empty((K, K)), d)
    assert np.isfinite(d).all()
    assert g @ d < 0


def test_row_steps__a_component_that_no_count_knows_of_gets_a_step_that_is_a_number():
    row = Row(13, quadratic=False)
    row.b[1] = 0.0
    d = np.empty(K)
    g = find_direction(row, np.arange(K), np.empty((K, K)), d)
    assert not np.isnan(d).any()
    assert d[1] * g[1] < 0


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_row_steps__weighted_products_fill_the_lower_triangle(n):
    row = Row(14)
    free, weight = np.array([3, 0, 2, 1]), np.linspace(0.5, 2.0, N)
    A = np.zeros((K, K))
    plain("weighted_products")(row.b, weight, free[:n], A)
    used = row.b[free[:n]]
    np.testing.assert_allclose(np.tril(A[:n, :n]), np.tril((used * weight) @ used.T), rtol=1e-13)


# Length of a step


def first_step(row, d, free, v):
    return plain("_first_step")(np.array(d), np.array(free), v, row.cost, row.n_counts)


def test_row_steps__a_newton_step_is_cut_where_one_component_would_cost_more_than_all_counts():
    row = Row(15, quadratic=False)
    row.cost[:] = [1.0, 2.0, 4.0, 8.0]
    v = np.full(K, 1e-3)
    assert first_step(row, [0.5, -1e9], [1, 3], v) == 1
    assert first_step(row, [-1e9, -1e9], [1, 3], v) == 1
    assert first_step(row, [row.n_counts, 1.0], [1, 3], v) == pytest.approx(0.5)
    assert first_step(row, [1.0, row.n_counts], [1, 3], v) == pytest.approx(0.125)


def test_row_steps__steps_of_faint_rows_are_cut_too():
    row = Row(15, quadratic=False)
    row.cost[:] = 1.0
    row.x *= 0.1 / row.n_counts
    assert first_step(row, [0.5, 0.2], [1, 3], np.full(K, 1e-3)) == pytest.approx(0.2)


def test_row_steps__what_a_row_spends_already_it_may_spend_again():
    row = Row(15, quadratic=False)
    row.cost[:] = [1.0, 2.0, 4.0, 8.0]
    v = row.n_counts * np.array([5.0, 7.0, 2.0, 0.0])  # 7 x 2 + 2 x 4 times what there is
    assert first_step(row, [44 * row.n_counts, 1.0], [1, 2], v) == pytest.approx(0.25)


@KINDS
@pytest.mark.parametrize("scale", [1.0, 1e-3])
@pytest.mark.parametrize("seed", range(6))
def test_row_steps__a_step_is_taken_where_the_objective_falls_enough(seed, scale, quadratic):
    row = Row(16, quadratic=quadratic)
    row.x, row.cost, row.Q = scale * row.x, scale * row.cost, scale * row.Q
    rng = np.random.default_rng(seed)
    point, taken = row.point(row.v), 0
    g = point.g
    for length in (-1.0, -0.1, 1e-3, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0):
        v = np.maximum(row.v - length * rng.uniform(0.2, 1, K) * np.abs(row.v) * np.sign(g), 1e-3)
        new = row.point(v)
        falls = plain("_falls")(row.x, point, new, np.empty(N), np.empty(N))
        slope, change = g @ (v - row.v), row.objective(v) - row.objective(row.v)
        still_downhill = slope < 0 and new.g @ (v - row.v) <= 0
        assert falls == (change <= 1e-4 * slope or still_downhill)
        assert not falls or change < 0
        taken += falls
    assert 1 < taken < 8  # both kinds are among them


def test_row_steps__a_step_that_falls_less_than_its_slope_promises_is_not_enough():
    # One component: c v - x log v from v = 2 v* to where the objective is the same again.
    x, b, cost = np.array([9.0]), np.array([[1.0]]), np.array([1.0])
    Q = np.empty((0, 0))
    v, low, high = np.array([18.0]), 1e-6, 9.0
    f = lambda v: v - 9 * math.log(v)  # noqa: E731
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) > f(18.0) else (low, middle)
    problem = RowProblem(x, b, cost, np.zeros((2, 1)), Q, 0)
    points = []
    for at in (v, np.array([high]), np.array([high * 1.01])):
        points.append(Point(at, *(np.empty(1) for _ in range(3))))
        plain("_gradient")(problem, points[-1], np.empty(1))
    start, equal, lower = points
    assert not plain("_falls")(x, start, equal, np.empty(1), np.empty(1))
    assert plain("_falls")(x, start, lower, np.empty(1), np.empty(1))


# What is done beside Newton steps


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_row_steps__an_em_step_distributes_the_counts(scale):
    row = Row(17, quadratic=False)
    row.b *= scale
    row.cost[:] = row.b.sum(axis=1)
    v = np.full(K, np.nan)
    plain("_em_step")(row.problem(1), row.point(row.v), v)
    share = row.b * row.v[:, None] * row.x / (row.b.T @ row.v)
    np.testing.assert_allclose(v[1:], share.sum(axis=1)[1:] / row.cost[1:], rtol=1e-12)
    assert v[0] == row.v[0]


def test_row_steps__an_em_step_leaves_alone_what_has_no_cost_or_no_price_and_ends_at_zero():
    row = Row(17)
    _, mu, _, g, price = row.fill_gradient(row.v)
    row.cost[0], price[2], g[3] = 0.0, 0.0, 2 * price[3]
    v = np.full(K, np.nan)
    plain("_em_step")(row.problem(), Point(row.v, mu, g, price), v)
    assert v[0] == row.v[0]
    assert v[2] == row.v[2]
    assert v[3] == 0
    assert v[1] == pytest.approx(row.v[1] * (1 - g[1] / price[1]), rel=1e-14)


def test_row_steps__coefficients_are_scaled_to_spend_the_counts():
    row = Row(18)
    v = row.v.copy()
    plain("_scale_to")(row.n_counts, v, row.cost)
    assert v @ row.cost == pytest.approx(row.n_counts, rel=1e-13)
    np.testing.assert_allclose(v / v[0], row.v / row.v[0], rtol=1e-13)
    small = np.full(K, 1e-3)
    plain("_scale_to")(row.n_counts, small, row.cost)
    assert small @ row.cost == pytest.approx(row.n_counts, rel=1e-13)
    nothing = np.zeros(K)
    plain("_scale_to")(row.n_counts, nothing, row.cost)
    assert not nothing.any()


def test_row_steps__free_coefficients_are_raised_to_the_least_and_held_ones_are_not():
    v = np.array([0.1, 0.1, 5.0, 0.0])
    plain("_raise_to")(np.array([1.0, 1.0, 1.0, 0.0]), v, 1)
    np.testing.assert_array_equal(v, [0.1, 1.0, 5.0, 0.0])


# Start


def start(row, v, n_fixed=0):
    """Return the counts left, and the gradient, after the start of a row; v becomes that start."""
    point, ratio = row.no_point(v), np.full(row.x.size, np.nan)
    n_counts = plain("_start_row")(row.problem(n_fixed), point, ratio)
    _, mu, g, price = point
    expected_g, expected_price = row.slopes(v)
    np.testing.assert_allclose(mu, np.maximum(row.b.T @ v, 1e-300), rtol=1e-13)
    np.testing.assert_allclose(ratio, row.x / mu, rtol=1e-13)
    np.testing.assert_allclose(price, expected_price, rtol=1e-13)
    np.testing.assert_allclose(g, expected_g, rtol=1e-10, atol=1e-10 * np.abs(price).max())
    return n_counts


def test_row_steps__a_start_that_explains_all_counts_is_scaled_to_spend_them():
    row = Row(19, quadratic=False)
    v = row.v.copy()
    assert start(row, v) == row.n_counts
    np.testing.assert_allclose(v, row.v * row.n_counts / (row.cost @ row.v), rtol=1e-13)


@pytest.mark.parametrize(("quadratic", "n_fixed"), [(True, 0), (False, 1), (True, 1)])
def test_row_steps__with_quadratic_cost_or_held_coefficients_there_is_no_best_scale(
    quadratic, n_fixed
):
    row = Row(19, quadratic=quadratic)
    v = row.v.copy()
    assert start(row, v, n_fixed) == row.n_counts
    np.testing.assert_array_equal(v, row.v)


def test_row_steps__a_start_is_not_below_what_pseudo_counts_allow():
    row = Row(19, pseudo=np.ones(K))
    row.pseudo[1] = 0.3
    v = np.array([0.1, 0.1, 0.5, 0.0])
    start(row, v, n_fixed=1)
    np.testing.assert_array_equal(v, [0.1, 0.3, 0.5, 0.3])


def exclusive(quadratic, scale=1.0):
    """Return a row whose first channel only component 2 explains."""
    row = Row(20, quadratic=quadratic)
    row.cost *= scale
    row.b[:, 0], row.x[0] = [0.0, 0.0, 0.5, 0.0], 5.0
    return row


@pytest.mark.parametrize("scale", [1.0, 0.01])
@pytest.mark.parametrize("held", [2.0, 1e4])
@pytest.mark.parametrize("n_fixed", [1, 2])
def test_row_steps__where_start_explains_nothing_free_components_get_millionth(
    n_fixed, held, scale
):
    row = exclusive(True, scale)
    row.cost[3] = 0.0
    v = np.array([held, 0.0, 0.0, 0.7])
    spent, n_counts = v @ row.cost, row.n_counts
    assert start(row, v, n_fixed) == n_counts
    share = 1e-6 * max(spent, n_counts)
    expected = [held, 0.0 if n_fixed == 2 else share / row.cost[1], share / row.cost[2], 0.7]
    np.testing.assert_allclose(v, expected, rtol=1e-13)
    np.testing.assert_array_equal(row.x, exclusive(True).x)


def test_row_steps__fractions_are_scaled_to_spend_the_counts():
    row = exclusive(False)
    v = np.array([0.0, 1.0, 0.0, 2.0])
    n_counts = start(row, v)
    assert n_counts == row.n_counts
    assert v @ row.cost == pytest.approx(n_counts, rel=1e-13)
    assert (v > 0).all()
    assert v[3] / v[1] == pytest.approx(2.0, rel=1e-13)


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_row_steps__counts_that_nothing_explains_are_dropped_and_only_they(n_fixed):
    row = Row(21, quadratic=False)
    row.b[:, 3], row.x[3] = 0.0, 6.0
    before = row.x.copy()
    v = row.v.copy()
    n_counts = start(row, v, n_fixed)
    before[3] = 0.0
    np.testing.assert_array_equal(row.x, before)
    assert n_counts == before.sum()
    if n_fixed:
        np.testing.assert_array_equal(v, row.v)
    else:
        assert v @ row.cost == pytest.approx(n_counts, rel=1e-13)
