# SPDX-License-Identifier: GPL-3.0-or-later
"""Costs of estimates that may be zero: 11 estimates in 4 groups, 7 multiples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_psnmf.kernels import truncated_costs
from hyperspy_psnmf.kernels.truncated_costs import (
    CELLS,
    best_multiples,
    sum_costs,
    sum_costs_of_number,
)
from tests.helpers import naive

MULTIPLES = np.array([-2.0, -0.5, -0.1, 0.0, 0.2, 0.7, 3.0])
NO_CHANGE = np.zeros(1)
SEEDS = st.integers(0, 2**32 - 1)
REPEATED = settings(max_examples=25, deadline=None, derandomize=True)


def estimates(seed, n=11, n_groups=4):
    """Return values, change, variances of both and their covariance, groups and limits."""
    rng = np.random.default_rng(seed)
    values, change = rng.normal(0.5, 2.0, size=(2, n))
    first, second = rng.gamma(2.0, size=(2, n)) + 0.1
    covariances = rng.uniform(-0.9, 0.9, n) * np.sqrt(first * second)
    groups = rng.integers(0, n_groups, n)
    return values, change, np.array([first, covariances, second]), groups, rng.gamma(1.0, size=4)


@REPEATED
@given(SEEDS)
def test_sum_costs__as_the_naive_reference(seed):
    problem = estimates(seed)
    expected = [naive.cost(*problem, t) for t in MULTIPLES]
    np.testing.assert_allclose(sum_costs(*problem, MULTIPLES), expected, rtol=1e-9)


@REPEATED
@given(SEEDS)
def test_sum_costs__without_limits_half_the_sum_of_squares(seed):
    values, change, variances, groups, limits = estimates(seed)
    without = np.full(limits.size, np.inf)
    found = sum_costs(values, change, variances, groups, without, NO_CHANGE)
    assert found[0] == pytest.approx((values**2 / variances[0]).sum() / 2, rel=1e-12)


@REPEATED
@given(SEEDS)
def test_sum_costs__without_cost_of_groups_only_negative_ones_cost(seed):
    values, change, variances, groups, limits = estimates(seed)
    (found,) = sum_costs(values, change, variances, groups, 0 * limits, NO_CHANGE)
    negative = np.minimum(values, 0.0)
    assert found == pytest.approx((negative**2 / variances[0]).sum() / 2, rel=1e-12, abs=1e-12)


@REPEATED
@given(SEEDS, st.floats(0, 10))
def test_sum_costs__monotone_in_the_limits(seed, more):
    *problem, limits = estimates(seed)
    low, high = (sum_costs(*problem, each, MULTIPLES) for each in (limits, limits + more))
    assert (low <= high).all()
    assert (high <= low + limits.size * more + 1e-9).all()


@REPEATED
@given(SEEDS)
def test_sum_costs__order_of_the_estimates_does_not_matter(seed):
    values, change, variances, groups, limits = estimates(seed)
    p = np.random.default_rng(seed).permutation(values.size)
    expected = sum_costs(values, change, variances, groups, limits, MULTIPLES)
    found = sum_costs(values[p], change[p], variances[:, p], groups[p], limits, MULTIPLES)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@REPEATED
@given(SEEDS)
def test_sum_costs__of_groups_are_the_sum(seed):
    values, change, variances, groups, limits = estimates(seed)
    each = [
        sum_costs(
            values[g == groups],
            change[g == groups],
            variances[:, g == groups],
            np.zeros(np.count_nonzero(g == groups), int),
            limits[g : g + 1],
            MULTIPLES,
        )
        for g in range(limits.size)
    ]
    together = sum_costs(values, change, variances, groups, limits, MULTIPLES)
    np.testing.assert_allclose(together, sum(each), rtol=1e-12)


def concave(n, costs):
    """Return costs of none to n estimates, each less than the one before."""
    return np.append(0.0, np.cumsum(np.sort(np.resize(costs, n))[::-1]))


@REPEATED
@given(SEEDS)
def test_sum_costs_of_number__as_the_naive_reference(seed):
    *problem, _, costs = estimates(seed)
    of_number = concave(problem[0].size, costs)
    expected = [naive.cost_of_number(*problem, of_number, t) for t in MULTIPLES]
    found, _ = sum_costs_of_number(*problem, of_number, MULTIPLES)
    width = costs.max() / CELLS
    assert (found >= np.array(expected) * (1 - 1e-9)).all()
    assert (found <= np.array(expected) + problem[0].size * width).all()


@REPEATED
@given(SEEDS)
def test_sum_costs_of_number__of_one_cost_each_as_groups_of_one(seed):
    *problem, _, costs = estimates(seed)
    n, limit = problem[0].size, costs[0]
    found, limits = sum_costs_of_number(*problem, limit * np.arange(n + 1), MULTIPLES)
    expected = sum_costs(*problem, np.arange(n), np.full(n, limit), MULTIPLES)
    np.testing.assert_allclose(found, expected, atol=n * limit / CELLS)
    assert (limits <= limit * (1 + 1e-12)).all()


@REPEATED
@given(SEEDS)
def test_sum_costs_of_number__limits_reproduce_the_cost(seed):
    values, change, variances, _, costs = estimates(seed)
    of_number = concave(values.size, costs)
    (found,), (limit,) = sum_costs_of_number(values, change, variances, of_number, NO_CHANGE)
    z = values**2 / variances[0] / 2
    zero = (values < 0) | (z < limit)
    assert found == pytest.approx(z[zero].sum() + of_number[np.count_nonzero(~zero)], rel=1e-9)


def test_sum_costs_of_number__a_cost_of_some_lets_all_be_or_few():
    """The same estimates are all worth their cost where most are, and none where few are."""
    values, variances = np.full(10, 1.2), np.array([[1.0], [0.0], [0.0]]).repeat(10, axis=1)
    of_number = np.minimum(np.arange(11) * 1.0, 5.0)
    (found,), (limit,) = sum_costs_of_number(values, 0 * values, variances, of_number, NO_CHANGE)
    assert (found, limit < 0.72) == (pytest.approx(5.0), True)
    values[2:] = 0.0
    (found,), (limit,) = sum_costs_of_number(values, 0 * values, variances, of_number, NO_CHANGE)
    assert (found, limit > 0.72) == (pytest.approx(2 * 0.72), True)


def test_sum_costs__a_group_vanishes_together():
    """Three nats and one: with a limit of two each by itself, with one limit for both."""
    values, variances = np.sqrt([6.0, 2.0]), np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    apart, together = np.array([0, 1]), np.array([0, 0])
    args = values, 0 * values, variances
    assert sum_costs(*args, apart, [2.0, 2.0], NO_CHANGE) == pytest.approx(2.0 + 1.0)
    assert sum_costs(*args, together, [2.0], NO_CHANGE) == pytest.approx(2.0)
    assert sum_costs(*args, together, [5.0], NO_CHANGE) == pytest.approx(4.0)


def test_sum_costs__a_variance_of_zero_leaves_no_choice():
    """Of a change that cancels an estimate exactly, with its error."""
    variances = np.array([[1.0], [-1.0], [1.0]])
    found = sum_costs([1.0], [-1.0], variances, [0], [0.5], [1.0, 1.5])
    np.testing.assert_allclose(found, [0.0, 0.5])


COARSE, FINE = np.array([-3.0, -0.7, -0.2, 0.1, 0.4, 0.9]), np.array([-0.1, -0.03, 0.0, 0.05])


def components(seed):
    """Return loadings of 17 rows, half of them zero, weights of 7 templates, and what they cost."""
    rng = np.random.default_rng(seed)
    W, P = rng.normal(1.0, 2.0, size=(17, 3)), rng.gamma(1.0, size=(3, 7))
    of_W, of_P = (
        np.einsum("iac,ibc->iab", a, a) for a in (rng.normal(size=(n, 3, 3)) for n in (17, 7))
    )
    zero = rng.random(W.shape) < 0.5
    W[zero] = 0.0
    of_W[zero] = 0.0
    of_W.swapaxes(1, 2)[zero] = 0.0
    P[rng.random(P.shape) < 0.2] = 0.0
    costs = concave(17, rng.gamma(1.0, size=4))
    groups, limits = rng.integers(0, 4, 7), rng.gamma(1.0, size=(3, 4))
    pairs = np.array([(a, b) for a in range(3) for b in range(3) if a != b])
    return W, of_W, costs, P, of_P.transpose(1, 2, 0), groups, limits, pairs


def decrease(problem, pair, multiples):
    """Return what each multiple saves, by the two sums."""
    W, of_W, of_number, P, of_P, groups, limits, _ = problem
    a, b = pair

    def cost(t):
        variances = [of_W[:, b, b], of_W[:, a, b], of_W[:, a, a]]
        of_loadings, _ = sum_costs_of_number(W[:, b], W[:, a], variances, of_number, t)
        variances = [of_P[a, a], -of_P[a, b], of_P[b, b]]
        return of_loadings + sum_costs(P[a], -P[b], variances, groups, limits[a], t)

    return cost(NO_CHANGE)[0] - cost(np.array(multiples))


@REPEATED
@given(SEEDS)
def test_best_multiples__the_best_of_all_tried_and_of_those_about_it(seed):
    problem = components(seed)
    P, pairs = problem[3], problem[-1]
    found = best_multiples(*problem, coarse=COARSE, fine=FINE)
    for (saved, multiple), (a, b) in zip(found, pairs, strict=True):
        vanishing = P[a, P[b] > 0] / P[b, P[b] > 0]
        tried = [*COARSE, *vanishing[(vanishing > COARSE[0]) & (vanishing < COARSE[-1])]]
        best = tried[decrease(problem, (a, b), tried).argmax()]
        about = np.append(best * (1 + FINE), 0.0)
        of_each = decrease(problem, (a, b), about)
        assert saved == pytest.approx(of_each.max(), rel=1e-9, abs=1e-9)
        assert decrease(problem, (a, b), [multiple])[0] == pytest.approx(saved, rel=1e-9, abs=1e-9)
        assert np.isclose(multiple, about).any()


def test_best_multiples__parallel_equals_serial(monkeypatch):
    problem = components(0)
    serial = best_multiples(*problem, coarse=COARSE, fine=FINE)
    monkeypatch.setattr(truncated_costs, "COSTS_PER_BLOCK", 1)
    parallel = best_multiples(*problem, coarse=COARSE, fine=FINE, n_jobs=3)
    np.testing.assert_array_equal(parallel, serial)


def test_best_multiples__no_pairs_no_multiples():
    *problem, pairs = components(0)
    assert best_multiples(*problem, pairs[:0], coarse=COARSE, fine=FINE).shape == (0, 2)
