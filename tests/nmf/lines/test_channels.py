# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra of free channels with templates as prior: 60 rows, 47 channels, two phases."""

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.lines.channels import (
    WEIGHT_OF_FRACTIONS,
    WEIGHTS,
    choose_weights,
    spectra_in_channels,
    weights_of_sums,
)
from hyperspy_psnmf.nmf.solver.convex import solve_spectra
from tests.helpers.problems import angles
from tests.nmf.lines.line_problems import N_CHANNELS, make_counts, make_loadings, make_spectra


def test_spectra_in_channels__infinite_weight_is_what_is_expected():
    X, W, truth = make_counts()
    found_W, H = spectra_in_channels(X, W, truth.H, np.inf)
    np.testing.assert_array_equal(H, truth.H)
    np.testing.assert_array_equal(found_W, W)


def test_spectra_in_channels__of_little_weight_are_free():
    X, W, truth = make_counts()
    free_W, free = solve_spectra(X, W, truth.H)
    found_W, H = spectra_in_channels(X, W, truth.H, 1e-7)
    np.testing.assert_allclose(H, free, atol=1e-5)
    np.testing.assert_allclose(found_W, free_W, rtol=1e-3)


def test_spectra_in_channels__weights_lead_from_the_data_to_the_templates():
    X, W, truth = make_counts(counts=50.0)
    _, free = solve_spectra(X, W, truth.H)
    found = [spectra_in_channels(X, W, truth.H, w)[1] for w in (0.1, 1.0, 10.0, 1000.0)]
    to_templates = [np.abs(H - truth.H).sum() for H in found]
    to_free = [np.abs(H - free).sum() for H in found]
    assert (np.diff(to_templates) < 0).all()
    assert (np.diff(to_free) > 0).all()
    assert to_templates[-1] < 0.01 * to_templates[0]


def test_spectra_in_channels__one_component_is_the_weighted_mean():
    """With a single phase, prior counts add to those of the map."""
    X, W, truth = make_counts(1, counts=30.0)
    _, (h,) = spectra_in_channels(X, W, truth.H, 0.5)
    expected = X.sum(axis=0) + 0.5 * W.sum() * truth.H[0]
    np.testing.assert_allclose(h, expected / expected.sum(), atol=1e-6)


def test_spectra_in_channels__unit_sum_and_fixed_spectra_stay():
    X, W, truth = make_counts()
    wrong = np.roll(truth.H, 1, axis=1)
    _, H = spectra_in_channels(X, W, wrong, 0.3, n_fixed=1)
    np.testing.assert_array_equal(H[0], wrong[0])
    np.testing.assert_allclose(H.sum(axis=1), 1.0)
    assert np.abs(H[1] - wrong[1]).max() > 1e-3


def test_spectra_in_channels__dense_and_sparse_agree():
    X, W, truth = make_counts(counts=50.0)
    dense, sparse = (spectra_in_channels(x, W, truth.H, 1.0) for x in (X, sp.csr_array(X)))
    for a, b in zip(dense, sparse, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8)


def choose(X, W, expected):
    return choose_weights(X, W, lambda *_: expected, width=16, rng=np.random.default_rng(0))


def test_choose_weights__infinite_where_templates_are_right():
    X, W, truth = make_counts(counts=100.0)
    for counts in (X, sp.csr_array(X.astype(int))):
        weights = choose(counts, W, truth.H)
        assert weights.shape == (N_CHANNELS,)
        assert np.isinf(weights).mean() > 0.8


def test_choose_weights__small_where_a_peak_is_missing_from_templates():
    W, truth = make_loadings(counts=3000.0), make_spectra()
    H = truth.H.copy()
    H[1, 40:43] += 0.05
    H[1] /= H[1].sum()
    X = np.random.default_rng(0).poisson(W @ H).astype(float)
    weights = choose(X, W, truth.H)
    assert (weights[40:43] <= 0.3).all()
    _, found = spectra_in_channels(X, W, truth.H, weights)
    assert angles(found[1:], H[1:]).max() < 0.5 * angles(truth.H[1:], H[1:]).max()
    assert found[1, 40:43].sum() == pytest.approx(H[1, 40:43].sum(), rel=0.2)


def test_choose_weights__of_fractions_are_the_default():
    X, W, truth = make_counts()
    assert (choose(0.37 * X, W, truth.H) == WEIGHT_OF_FRACTIONS).all()
    assert (choose(sp.csr_array(0.37 * X), W, truth.H) == WEIGHT_OF_FRACTIONS).all()


def test_choose_weights__one_of_those_compared_and_the_same_twice():
    X, W, truth = make_counts(counts=200.0)
    rough = 0.9 * truth.H + 0.1 / N_CHANNELS
    np.testing.assert_array_equal(choose(X, W, rough), choose(X, W, rough))
    assert set(choose(X, W, rough)) <= set(WEIGHTS)


def test_weights_of_sums__data_have_the_mean_of_their_fractions():
    weights = np.array([0.0, 0.0, 1.0, np.inf, np.inf, np.inf, 3.0])
    np.testing.assert_allclose(weights_of_sums(weights, 2), [0.0, 3.0, np.inf, 3.0])
    np.testing.assert_allclose(weights_of_sums(weights, 1), weights)


def test_weights_of_sums__none_without_a_prior():
    assert weights_of_sums(None, 4) is None
