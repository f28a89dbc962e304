# SPDX-License-Identifier: GPL-3.0-or-later
"""The search along the projected arc of one row, and the loop around it."""

import numpy as np
import pytest

from hyperspy_psnmf.kernels.newton.problem import scratch
from tests.kernels.newton.single_row import K, Row, plain

KINDS = pytest.mark.parametrize("quadratic", [False, True], ids=["plain", "quadratic"])
ALONG = np.arange(K)


def search(row, v, d, free=ALONG, n_fixed=0):
    """Return whether the search along d finds a lower point, and the last point tried."""
    new, buffers = row.no_point(), tuple(np.full(row.x.size, np.nan) for _ in range(3))
    step = np.append(d, np.zeros(K - len(d)))
    arguments = (row.problem(n_fixed), row.point(v), new, row.n_counts, np.asarray(free))
    found = plain("_try_step")(*arguments, step, buffers)
    if found:
        for a, b in zip(new, row.point(new.v), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)
    return found, new.v


def is_enough(row, v, new):
    """Return whether the objective falls enough, or is still falling at the end."""
    if ((row.b.T @ new <= 0) & (row.x > 0)).any():
        return False
    s, (g, _), (g_new, _) = new - v, row.slopes(v), row.slopes(new)
    return row.objective(new) - row.objective(v) <= 1e-4 * g @ s or (g @ s < 0 and g_new @ s <= 0)


@KINDS
@pytest.mark.parametrize("scale", [0.2, 1.0, 30.0])
@pytest.mark.parametrize("length", [1.0, 7.0, 60.0])
def test_row_search__a_step_is_halved_until_the_objective_falls_enough(length, scale, quadratic):
    row = Row(30, quadratic=quadratic)
    row.Q *= 0.05
    v = scale * row.v
    d = -length * np.sign(row.slopes(v)[0]) * v * [1.0, 0.8, 0.6, 0.7]
    found, new = search(row, v, d)
    assert found
    longest = (d * row.cost).max()
    step = min(1.0, max(row.n_counts, v @ row.cost) / longest) if longest > 0 else 1.0
    tried = [np.maximum(v + step * 0.5**n * d, 0.0) for n in range(30)]
    first = next(n for n, each in enumerate(tried) if is_enough(row, v, each))
    np.testing.assert_allclose(new, tried[first], rtol=1e-13)
    assert first > 0 or length < 60 or scale == 0.2


def test_row_search__a_direction_uphill_is_given_up():
    row = Row(31, quadratic=False)
    assert not search(row, row.v, np.sign(row.slopes(row.v)[0]) * row.v)[0]


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_row_search__components_that_do_not_move_stay_but_for_those_at_zero(scale):
    row = Row(32)
    row.cost *= scale
    row.pseudo[1, 2] = 1e-13
    v = np.array([1e-14, 1.0, 1e-14, 3.0])
    d = -np.sign(row.slopes(v)[0][3:]) * 0.1
    # The first is held; the third is at zero, so as near as pseudo-counts let it.
    found, new = search(row, v, d, free=[3], n_fixed=1)
    assert found
    np.testing.assert_array_equal(new[:3], [1e-14, 1.0, 1e-13])
    assert new[3] == v[3] + d[0]
    found, new = search(row, v, d, free=[3])
    np.testing.assert_array_equal(new[:3], [0.0, 1.0, 1e-13])
    row.cost[0] = 0.0  # left alone
    found, new = search(row, v, d, free=[3])
    np.testing.assert_array_equal(new[:3], [1e-14, 1.0, 1e-13])


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize(("share", "is_at_zero"), [(1e-11, True), (1e-9, False)])
def test_row_search__at_zero_is_less_than_a_tiny_fraction_of_the_counts(share, is_at_zero, scale):
    row = Row(32, quadratic=False)
    row.cost[:] = scale
    row.x *= 50
    v = np.array([1.0, 1.0, share * row.n_counts / scale, 3.0])
    d = -np.sign(row.slopes(v)[0][3:]) * 1e-3
    found, new = search(row, v, d, free=[3])
    assert found
    assert new[2] == (0.0 if is_at_zero else v[2])


def test_row_search__a_step_ends_at_the_least_there_may_be():
    row = Row(33, quadratic=False)
    row.pseudo[1] = 0.01
    v = np.array([5.0, 0.5, 0.5, 5.0])
    assert (row.slopes(v)[0] > 0).all()
    found, new = search(row, v, np.array([-0.2, -100.0]), free=[0, 2])
    assert found
    np.testing.assert_array_equal(new, [4.8, 0.5, 0.01, 5.0])


# The loop


def solve(row, v, *, n_fixed=0, tol=1e-9, rtol=np.inf, max_iter=100):
    """Solve the row from v in place; return the gap."""
    memory = scratch(K, row.x.size)
    return plain("solve_row")(row.problem(n_fixed), v, tol, rtol, max_iter, memory)


@KINDS
def test_scratch__the_gap_returned_is_that_of_the_solution(quadratic):
    row = Row(34, quadratic=quadratic)
    for max_iter in (1, 2, 3):
        v = row.v.copy()
        gap = solve(row, v, tol=0.0, max_iter=max_iter, n_fixed=1)
        assert gap == pytest.approx(row.gap(v, 1), rel=1e-9, abs=1e-12)


@KINDS
def test_scratch__one_newton_step_is_taken_at_a_time(quadratic):
    row = Row(35, quadratic=quadratic)
    free = ALONG[1:]
    g, hessian = row.slopes(row.v)[0], row.hessian(row.v)
    d = np.linalg.solve(hessian[1:, 1:], -g[1:])
    found, new = search(row, row.v, d, free=free, n_fixed=1)
    assert found
    v = row.v.copy()
    solve(row, v, tol=0.0, max_iter=1, n_fixed=1)
    np.testing.assert_allclose(v, new, rtol=1e-6)


@pytest.mark.parametrize("seed", [359, 370])
def test_scratch__a_step_beyond_the_lowest_point_is_taken_if_the_objective_falls(seed):
    # By the prices at its end alone it would not seem to.
    row = Row(seed)
    row.Q *= 10
    start = 10 * row.v
    s = np.append(0.0, np.linalg.solve(row.hessian(start)[1:, 1:], -row.slopes(start)[0][1:]))
    change = row.objective(start + s) - row.objective(start)
    assert row.slopes(start + s)[0] @ s > 0
    assert change < 1e-4 * row.slopes(start)[0] @ s < change + s @ row.Q @ s / 2
    v = start.copy()
    solve(row, v, tol=0.0, max_iter=1, n_fixed=1)
    np.testing.assert_allclose(v, start + s, rtol=1e-6)


@pytest.mark.parametrize(("tol", "rtol"), [(1e-1, np.inf), (np.inf, 1e-3), (1e-3, 1e-1)])
def test_scratch__it_ends_as_soon_as_the_gap_is_small_enough(tol, rtol):
    row = Row(37)
    limit = min(tol, rtol * row.n_counts)
    gaps = []
    for max_iter in range(8):
        v = row.v.copy()
        gaps.append(solve(row, v, tol=0.0, max_iter=max_iter, n_fixed=1))
    expected = next(gap for gap in gaps if gap <= limit)
    assert gaps[0] > limit
    assert solve(row, row.v.copy(), tol=tol, rtol=rtol, n_fixed=1) == expected


@pytest.mark.parametrize("n_fixed", [0, 2])
def test_scratch__without_counts_only_what_is_fixed_or_left_alone_stays(n_fixed):
    row = Row(38)
    row.x[:] = 0.0
    row.cost[3] = 0.0
    v = row.v.copy()
    assert solve(row, v, n_fixed=n_fixed) == 0
    expected = np.where(np.isin(ALONG, [*range(n_fixed), 3]), row.v, 0.0)
    np.testing.assert_array_equal(v, expected)


def test_scratch__costs_below_one_are_costs():
    row = Row(38, quadratic=False)
    row.x[:] = 0.0
    row.cost *= 0.01
    v = row.v.copy()
    solve(row, v)
    assert not v.any()


def test_scratch__in_the_end_the_counts_are_spent():
    row = Row(39, quadratic=False)
    v = row.v.copy()
    solve(row, v, tol=1e9)
    assert v @ row.cost == pytest.approx(row.n_counts, rel=1e-14)
    v = row.v.copy()
    solve(row, v, tol=0.0, max_iter=1)
    assert v @ row.cost == pytest.approx(row.n_counts, rel=1e-14)
