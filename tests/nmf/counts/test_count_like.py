# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps between values, gaps and the scatter of neighbours, on values of known make."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.counts.count_like import are_smooth, find_step, have_gaps


@pytest.fixture
def counts(rng):
    """Counts of pixels and channels, of expectations from 0.01 to 30."""
    mean = np.outer(rng.gamma(2.0, 1.0, 61), np.geomspace(0.005, 15, 83))
    return rng.poisson(mean)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


FACTORS = [1, 2, 3, 7, 20, 1000, 1 / 2, 1 / 3, 1 / 16, 1 / 255, 0.37, 0.0123, 4.56e-7, np.pi]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_find_step__is_the_factor(counts, factor, dtype):
    assert find_step((counts * factor).astype(dtype).ravel()) == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint64, np.float32])
def test_find_step__of_counts_is_one_in_any_type(counts, dtype):
    assert find_step(counts.astype(dtype).ravel()) == 1.0


def test_find_step__without_ones(counts):
    large = counts[counts > 4]
    assert find_step(large) == 1.0
    assert find_step(large / 12) == pytest.approx(1 / 12)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, rng: x * rng.uniform(0.5, 1.5, (x.shape[0], 1)),
        lambda x, rng: x + rng.normal(0.0, 1e-3, x.shape) ** 2,
        lambda x, rng: np.sqrt(x),
        lambda x, rng: x + np.roll(x, 1, axis=0) * np.exp(-1) + np.roll(x, 2, axis=0) * 1e-9,
    ],
    ids=["normalised", "noise added", "square root", "smoothed"],
)
def test_find_step__none_where_there_is_none(counts, rng, change):
    assert find_step(change(counts, rng).ravel()) is None


@pytest.mark.parametrize("n", [0, 1, 19])
def test_find_step__few_values_say_nothing(n):
    assert find_step(np.full(n, 0.3)) == 1.0


def test_find_step__of_one_value(counts):
    assert find_step((counts > 0).ravel() * 20) == 20.0
    assert find_step((counts > 0).ravel() * 0.05) == pytest.approx(0.05)


@pytest.mark.parametrize("gain", [1.2, 1.5, 2.5, 3.3])
def test_have_gaps__where_counts_were_multiplied_and_rounded(counts, gain):
    assert have_gaps(np.rint(counts * gain).ravel())
    assert not have_gaps(counts.ravel())


@pytest.mark.parametrize("mean", [0.01, 0.3, 3.0, 40.0])
def test_have_gaps__not_in_counts_of_one_expectation(rng, mean):
    assert not any(have_gaps(rng.poisson(mean, 50_000)) for _ in range(5))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("step", [1.0, 0.25, 20.0])
def test_are_smooth__running_means_are(counts, axis, step):
    smooth = (counts + np.roll(counts, 1, axis) + np.roll(counts, 2, axis)) * step
    mean = np.outer(counts.mean(axis=1), counts.mean(axis=0)) / counts.mean()
    expected = (mean + np.roll(mean, 1, axis) + np.roll(mean, 2, axis)) * step
    assert are_smooth(smooth, expected, step) == [("pixels", "channels")[axis]]
    assert are_smooth(counts * step, mean * step, step) == []
    assert are_smooth(counts * step, 0.0, step) == []


def test_are_smooth__means_differ_by_less_both_ways(counts, rng):
    mean = np.outer(counts.mean(axis=1), counts.mean(axis=0)) / counts.mean()
    means = rng.poisson(mean, (4, *mean.shape)).mean(axis=0)
    assert are_smooth(means, mean) == ["pixels", "channels"]
