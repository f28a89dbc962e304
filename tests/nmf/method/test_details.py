# SPDX-License-Identifier: GPL-3.0-or-later
"""Details of images are added where counts confirm them, and nowhere else."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from hyperspy_psnmf.nmf.method import details as module
from hyperspy_psnmf.nmf.method.details import SIGNIFICANT, find_details
from hyperspy_psnmf.nmf.solver.fisher import covariance

B = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
SHAPE, SIZE = (36, 42), (13, 13)


def scene(seed=0):
    """Return loadings of pixels, blurred ones, and the details that these have lost."""
    rng = np.random.default_rng(seed)
    pattern = np.where(np.add.outer(np.arange(36) // 2, np.arange(42) // 3) % 2, 1.0, -1.0)
    truth = np.stack([10 + 6 * pattern, np.full(SHAPE, 8.0)], axis=2)
    blurred = np.stack([uniform_filter(truth[:, :, c], 7) for c in range(2)], axis=2)
    P = covariance(truth.reshape(-1, 2), B.T)
    noise = np.einsum("iab,ib->ia", np.linalg.cholesky(P), rng.standard_normal((len(P), 2)))
    lost = (pattern - uniform_filter(pattern, 7)).reshape(-1, 1)
    return truth.reshape(-1, 2), truth.reshape(-1, 2) + noise, blurred.reshape(-1, 2), lost


def test_find_details__what_the_smoothing_has_lost_is_found():
    truth, W, means, lost = scene()
    added = find_details(W, means, B, lost, np.ones(len(W)), SHAPE, size=SIZE)
    assert np.linalg.norm(means + added - truth) < 0.4 * np.linalg.norm(means - truth)
    # The other phase has no details.
    assert np.linalg.norm(added[:, 1]) < 0.05 * np.linalg.norm(added[:, 0])
    opposite = find_details(W, means, B, -3 * lost, np.ones(len(W)), SHAPE, size=SIZE)
    np.testing.assert_allclose(opposite, added, atol=1e-9)


def test_find_details__none_of_an_image_that_has_nothing_to_do_with_the_map():
    _, W, means, lost = scene()
    rng = np.random.default_rng(1)
    for smooth in (1, 3, 5):
        image = uniform_filter(rng.standard_normal(SHAPE), smooth).reshape(-1, 1)
        added = find_details(W, means, B, image, np.ones(len(W)), SHAPE, size=SIZE)
        assert np.mean(added != 0) < 0.01
    noise_only = find_details(means, means, B, lost, np.ones(len(W)), SHAPE, size=SIZE)
    np.testing.assert_array_equal(noise_only, 0)


def test_find_details__as_the_formula_has_it():
    _, W, means, lost = scene()
    added = find_details(W, means, B, lost, np.ones(len(W)), SHAPE, size=SIZE)
    row, column = 17, 20
    window = np.zeros(SHAPE, bool)
    window[row - 6 : row + 7, column - 6 : column + 7] = True
    near = window.ravel()
    d, P = lost[near, 0], covariance(means[near] + 1, B.T)[:, 0, 0]
    beta = d @ (W - means)[near, 0] / (d @ d)
    variance = (d**2 @ P) / (d @ d) ** 2
    pixel = row * SHAPE[1] + column
    expected = max(1 - SIGNIFICANT**2 * variance / beta**2, 0) * beta * lost[pixel, 0]
    assert added[pixel, 0] == pytest.approx(expected, rel=1e-9)


def test_find_details__pixels_left_out_and_bands(monkeypatch):
    _, W, means, lost = scene()
    used = np.ones(len(W))
    used[300:420] = 0
    expected = find_details(W, means, B, lost, used, SHAPE, size=SIZE)
    np.testing.assert_array_equal(expected[300:420], 0)
    W[300:420], lost[300:420] = 1e6, -1e6
    monkeypatch.setattr(module, "TILE_BYTES", 1)
    found = find_details(W, means, B, lost, used, SHAPE, size=SIZE, n_jobs=2)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_find_details__two_images_share_what_they_both_have():
    _, W, means, lost = scene()
    one = find_details(W, means, B, lost, np.ones(len(W)), SHAPE, size=SIZE)
    both = find_details(W, means, B, np.hstack([lost, lost]), np.ones(len(W)), SHAPE, size=SIZE)
    assert np.linalg.norm(both - one) < 0.1 * np.linalg.norm(one)
