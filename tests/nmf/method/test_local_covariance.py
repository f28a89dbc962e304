# SPDX-License-Identifier: GPL-3.0-or-later
"""The linear filter of loading maps against a loop over pixels, and what it must not do."""

import numpy as np
import pytest
from scipy.stats import chi2

from hyperspy_psnmf.nmf.method import local_covariance
from hyperspy_psnmf.nmf.method.local_covariance import RARE, shrink_to_surroundings
from hyperspy_psnmf.nmf.solver.fisher import covariance

B = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
SHAPE, SIZE = (14, 19), (5, 5)


def noisy(W, n, seed=0):
    """Return loadings with the errors of averages of n pixels, and n in each pixel."""
    rng = np.random.default_rng(seed)
    P = covariance(W, B.T) / n
    errors = np.einsum("iab,ib->ia", np.linalg.cholesky(P), rng.standard_normal(W.shape))
    return np.maximum(W + errors, 0), np.full(len(W), float(n))


def flat(counts=(40.0, 20.0), shape=SHAPE):
    return np.tile(counts, (int(np.prod(shape)), 1))


def reference(W, n, shape, size):
    """Return the estimate of each pixel, from the formulas as they are written."""
    P = covariance(W + 1 / n[:, None], B.T) / n[:, None, None]
    rows, columns = np.divmod(np.arange(len(W)), shape[1])
    shifts, distances = np.empty_like(W), np.empty(len(W))
    for i, v in enumerate(W):
        near = abs(rows - rows[i]) <= size[0] // 2
        near &= abs(columns - columns[i]) <= size[1] // 2
        m = W[near].mean(axis=0)
        # Of each neighbour the deviation from the mean around itself.
        deviations = [
            W[j] - W[_window(j, rows, columns, size)].mean(axis=0) for j in np.where(near)[0]
        ]
        C = np.mean([np.outer(d, d) for d in deviations], axis=0)
        around = P[near].mean(axis=0)
        sigma = np.sqrt(np.diag(around))
        values, vectors = np.linalg.eigh((C - around) / np.outer(sigma, sigma))
        S = np.outer(sigma, sigma) * ((vectors * np.maximum(values, 0)) @ vectors.T)
        inverse = np.linalg.inv(S + P[i])
        shifts[i], distances[i] = P[i] @ inverse @ (v - m), (v - m) @ inverse @ (v - m)
    largest = [distances[_window(i, rows, columns, (3, 3))].max() for i in range(len(W))]
    shifts *= np.clip(2 - 2 * np.array(largest) / chi2.isf(RARE, W.shape[1]), 0, 1)[:, None]
    return np.where(shifts > 0, W**2 / (W + np.maximum(shifts, 0)), W - shifts)


def _window(i, rows, columns, size):
    return (abs(rows - rows[i]) <= size[0] // 2) & (abs(columns - columns[i]) <= size[1] // 2)


def test_shrink_to_surroundings__as_a_loop_over_pixels_has_it():
    truth = flat()
    truth[: len(truth) // 2, 0] = 60
    W, n = noisy(truth, 9)
    found, _ = shrink_to_surroundings(W, B, n, SHAPE, size=SIZE)
    np.testing.assert_allclose(found, reference(W, n, SHAPE, SIZE), rtol=1e-6)


def test_shrink_to_surroundings__what_is_flat_becomes_flatter():
    W, n = noisy(flat(shape=(40, 50)), 30)
    found, n_found = shrink_to_surroundings(W, B, n, (40, 50), size=(13, 13))
    assert (found.std(axis=0) < 0.5 * W.std(axis=0)).all()
    # The variances that follow from it are those of the maps, with what is common to windows.
    variance = n[0] / np.median(n_found)
    assert found.var(axis=0).mean() / W.var(axis=0).mean() == pytest.approx(variance, rel=0.3)


def test_shrink_to_surroundings__a_closed_sum_gains_though_its_parts_vary():
    """Of a film of constant thickness, the sum has no variance but noise."""
    rng = np.random.default_rng(2)
    first = 30 + 20 * rng.random(40 * 50)
    truth = np.column_stack([first, 60 - first])
    W, n = noisy(truth, 30)
    found, _ = shrink_to_surroundings(W, B, n, (40, 50), size=(13, 13))
    sums, parts = (found - truth).sum(axis=1), found - truth
    assert sums.std() < 0.5 * (W - truth).sum(axis=1).std()
    assert parts.std() < (W - truth).std()


def test_shrink_to_surroundings__an_edge_and_a_particle_stay():
    shape = (40, 50)
    truth = flat(shape=shape).reshape(*shape, 2)
    truth[:, 25:] = 20, 40
    truth[10:13, 10:13] = 5, 55
    truth = truth.reshape(-1, 2)
    W, n = noisy(truth, 30)
    found, _ = shrink_to_surroundings(W, B, n, shape, size=(13, 13))
    maps = found.reshape(*shape, 2)
    sigma = np.sqrt(covariance(truth, B.T)[0].diagonal() / 30)
    edge = maps[15:, 24:26].mean(axis=0)
    np.testing.assert_allclose(edge, [[40, 20], [20, 40]], atol=sigma.max())
    particle = maps[10:13, 10:13].mean(axis=(0, 1))
    np.testing.assert_allclose(
        particle, W.reshape(*shape, 2)[10:13, 10:13].mean(axis=(0, 1)), atol=0.5
    )


def test_shrink_to_surroundings__pixels_left_out_neither_give_nor_receive():
    truth = flat()
    W, n = noisy(truth, 9)
    gone = np.zeros(len(W), bool)
    gone[40:95] = True
    n[gone] = 0
    results = []
    for value in (0.0, 1e6):
        W[gone] = value
        found, n_found = shrink_to_surroundings(W, B, n, SHAPE, size=SIZE)
        np.testing.assert_array_equal(found[gone], value)
        np.testing.assert_array_equal(n_found[gone], 0)
        results.append(found[~gone])
    np.testing.assert_allclose(*results, rtol=1e-9)


def test_shrink_to_surroundings__never_negative_and_zeros_may_rise():
    truth = flat((40.0, 0.3))
    W, n = noisy(truth, 4)
    found, n_found = shrink_to_surroundings(W, B, n, SHAPE, size=SIZE)
    assert (W[:, 1] == 0).any()
    assert (found >= 0).all()
    assert (n_found >= n).all()
    assert np.isfinite(found).all()


def test_shrink_to_surroundings__an_empty_map_stays_empty():
    W, n = np.zeros((int(np.prod(SHAPE)), 2)), np.full(int(np.prod(SHAPE)), 7.0)
    found, n_found = shrink_to_surroundings(W, B, n, SHAPE, size=SIZE)
    np.testing.assert_array_equal(found, 0)
    assert np.isfinite(n_found).all()


def test_shrink_to_surroundings__a_hole_stays_empty():
    truth = flat().reshape(*SHAPE, 2)
    truth[4:9, 6:12] = 0
    W, n = truth.reshape(-1, 2), np.full(int(np.prod(SHAPE)), 9.0)
    found, _ = shrink_to_surroundings(W, B, n, SHAPE, size=SIZE)
    np.testing.assert_array_equal(found.reshape(*SHAPE, 2)[4:9, 6:12], 0)


def test_shrink_to_surroundings__an_image_tells_thickness_that_counts_do_not():
    """Loadings follow an image that they vary with, and no other."""
    shape, rng = (40, 50), np.random.default_rng(3)
    thickness = (1 + 0.1 * np.sin(np.arange(2000) / 1.7))[:, None]
    truth = flat(shape=shape) * thickness
    W, n = noisy(truth, 9)
    noise = np.full((2000, 1), 1e-4)
    image = thickness + 0.01 * rng.standard_normal(thickness.shape)
    errors = []
    for images in (None, (image, noise), (-3 * image, 9 * noise), (image[::-1], noise)):
        found, _ = shrink_to_surroundings(W, B, n, shape, size=(13, 13), images=images)
        errors.append((found - truth).std())
    none, right, inverted, wrong = errors
    assert right < 0.85 * none
    assert inverted == pytest.approx(right, rel=1e-6)
    assert wrong < 1.03 * none


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_shrink_to_surroundings__bands_and_threads_change_nothing(monkeypatch, n_jobs):
    truth = flat()
    truth[100:, 0] = 90
    W, n = noisy(truth, 9)
    expected = shrink_to_surroundings(W, B, n, SHAPE, size=SIZE)
    monkeypatch.setattr(local_covariance, "TILE_BYTES", 1)
    found = shrink_to_surroundings(W, B, n, SHAPE, size=SIZE, n_jobs=n_jobs)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_shrink_to_surroundings__slices_of_a_series_are_independent():
    W, n = noisy(np.vstack([flat(), flat((20.0, 80.0))]), 9)
    found, _ = shrink_to_surroundings(W, B, n, (2, *SHAPE), size=SIZE)
    half = len(W) // 2
    for part in (slice(0, half), slice(half, None)):
        alone, _ = shrink_to_surroundings(W[part], B, n[part], SHAPE, size=SIZE)
        np.testing.assert_allclose(found[part], alone, rtol=1e-9)
