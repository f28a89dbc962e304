# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions of bins that look alike."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.ndimage import label

from hyperspy_psnmf.nmf.binning.regions import find_regions, sum_regions

SHAPE, N_CHANNELS = (9, 14), 5
SPECTRA = np.array([[0.5, 0.2, 0.1, 0.1, 0.1], [0.1, 0.1, 0.2, 0.2, 0.4]])


@pytest.fixture
def stripes():
    """Counts of two phases, one in columns 5 to 7 only; and which bins are of that one."""
    is_second = np.zeros(SHAPE, dtype=int)
    is_second[:, 5:8] = 1
    expected = 400.0 * SPECTRA[is_second.ravel()]
    return np.random.default_rng(0).poisson(expected).astype(float), is_second.ravel()


def test_find_regions__phases_are_not_mixed(stripes):
    X, phase = stripes
    regions = find_regions(X, SHAPE, 3)  # left, the stripe, right
    assert len(set(zip(regions.tolist(), phase.tolist(), strict=True))) == 3
    assert set(regions[phase == 1]) == {regions[5]}


def test_find_regions__dense_is_sparse(stripes):
    X, _ = stripes
    np.testing.assert_array_equal(
        find_regions(X, SHAPE, 10), find_regions(sp.csr_array(X), SHAPE, 10)
    )


@pytest.mark.parametrize("n", [1, 4, 125, 126])
def test_find_regions__of_the_number_asked_for_and_connected(stripes, n):
    regions = find_regions(stripes[0], SHAPE, n)
    assert sorted(set(regions)) == list(range(n))
    image = regions.reshape(SHAPE)
    for region in range(n):
        assert label(image == region)[1] == 1


def test_find_regions__images_of_a_series_are_not_merged():
    X = np.random.default_rng(1).poisson(30.0, (3 * 4 * 5, 6)).astype(float)
    regions = find_regions(X, (3, 4, 5), 1).reshape(3, -1)
    assert all(len(set(image)) == 1 for image in regions)
    assert len(set(regions[:, 0])) == 3


def test_find_regions__empty_bins_and_channels(stripes):
    X, _ = stripes
    X[:20] = 0.0
    X[:, 2] = 0.0
    assert np.isfinite(find_regions(X, SHAPE, 6)).all()
    assert len(set(find_regions(np.zeros_like(X), SHAPE, 6))) == 6


def test_find_regions__merged_first_are_those_that_differ_least():
    """Against an exhaustive search for the pair of neighbours of the lowest cost."""
    X = np.random.default_rng(2).poisson(50.0, (7, 4)).astype(float)
    n, f, mean = X.sum(axis=1), X / X.sum(axis=1, keepdims=True), X.sum(axis=0) / X.sum()
    costs = n[:-1] * n[1:] / (n[:-1] + n[1:]) * ((f[1:] - f[:-1]) ** 2 / mean).sum(axis=1)
    regions, a = find_regions(X, (7,), 6), costs.argmin()
    assert regions[a] == regions[a + 1]


def test_sum_regions__keeps_counts(stripes):
    X, _ = stripes
    regions = find_regions(X, SHAPE, 10)
    dense, sparse = sum_regions(X, regions), sum_regions(sp.csr_array(X), regions)
    np.testing.assert_array_equal(dense, sparse.toarray())
    np.testing.assert_array_equal(dense[4], X[regions == 4].sum(axis=0))
