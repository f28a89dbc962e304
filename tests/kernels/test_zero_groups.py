# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of 13 correlated estimates set to zero, in 5 groups, one estimate in none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_psnmf.kernels.zero_groups import zero_groups
from tests.helpers import naive

GROUPS = [[0, 1], [2], [3, 4, 5], [6, 7, 8, 9], [10, 11]]
SEEDS = st.integers(0, 2**32 - 1)
REPEATED = settings(max_examples=25, deadline=None, derandomize=True)


def estimates(seed):
    """Return estimates, some of them negative, their covariance, and costs of groups."""
    rng = np.random.default_rng(seed)
    x, root = rng.normal(0.5, 2.0, size=13), rng.normal(size=(13, 15))
    return x, root @ root.T / 15, rng.gamma(2.0, size=5)


@REPEATED
@given(SEEDS)
def test_zero_groups__as_the_naive_reference(seed):
    x, covariance, limits = estimates(seed)
    found = zero_groups(x, covariance, GROUPS, limits)
    expected = naive.zero_groups(x, covariance, GROUPS, limits)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@REPEATED
@given(SEEDS)
def test_zero_groups__groups_are_whole_and_what_is_given_is_unchanged(seed):
    x, covariance, limits = estimates(seed)
    before = x.copy(), covariance.copy()
    found = zero_groups(x, covariance, GROUPS, limits)
    assert all((found[group] == 0).all() or (found[group] != 0).all() for group in GROUPS)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(covariance, before[1])


def test_zero_groups__at_no_cost_all_stay_and_at_an_infinite_one_none():
    x, covariance, limits = np.abs(estimates(3)[0]), *estimates(3)[1:]
    np.testing.assert_array_equal(zero_groups(x, covariance, GROUPS, 0 * limits), x)
    found = zero_groups(x, covariance, GROUPS, np.full(5, np.inf))
    assert not found[:12].any()
    assert found[12] != 0


def test_zero_groups__the_others_take_over_what_is_correlated():
    """Of two that are nearly one, the weaker vanishes and the other has the counts of both."""
    x, covariance = [1.0, 9.0], np.array([[1.0, -0.99], [-0.99, 1.0]])
    np.testing.assert_allclose(zero_groups(x, covariance, [[0], [1]], [2.0, 2.0]), [0.0, 9.99])


def test_zero_groups__without_an_error_only_what_is_zero_vanishes():
    found = zero_groups([0.0, 3.0, 0.1], np.diag([0.0, 0.0, 1.0]), [[0], [1], [2]], [9.0] * 3)
    np.testing.assert_array_equal(found, [0.0, 3.0, 0.0])


@pytest.mark.parametrize("groups", [[], [[]]])
def test_zero_groups__no_groups_no_change(groups):
    x, covariance, _ = estimates(4)
    np.testing.assert_array_equal(zero_groups(x, covariance, groups, [1.0] * len(groups)), x)
