# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the mapped area: their noise, their shift, and what they may not do to loadings."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.method.guides import NoiseScale, find_shift
from hyperspy_psnmf.nmf.method.smoothing import smooth_loadings
from hyperspy_psnmf.nmf.solver.convex import solve_loadings

SHAPE = (44, 52)
H = np.array([[5, 3, 1, 1, 0.5, 0.2], [0.3, 1, 1, 4, 3, 1.0]])
H /= H.sum(axis=1, keepdims=True)


def scene(counts=30, seed=0):
    """Return true loadings of two phases that mix in a film of varying thickness."""
    rng = np.random.default_rng(seed)
    first = gaussian_filter(rng.standard_normal(SHAPE), 3)
    fraction = 1 / (1 + np.exp(-4 * first / first.std()))
    thickness = 1 + 0.3 * np.sin(np.arange(SHAPE[1]) / 2.5)
    return counts * np.stack([thickness * fraction, thickness * (1 - fraction)], axis=2)


def image_of(truth, seed=1):
    rng = np.random.default_rng(seed)
    bright = truth @ [1.0, 3.0]
    return bright * (1 + 0.03 * rng.standard_normal(SHAPE))


def errors(images):
    """Return the error of the maps with each of the images, relative to that without."""
    truth = scene()
    flat = truth.reshape(-1, 2)
    X = count_matrix(np.random.default_rng(2).poisson(flat @ H).astype(np.uint16))
    W = solve_loadings(X, H)
    found = [smooth_loadings(X, H, W, SHAPE, images=each).W for each in (None, *images)]
    distances = np.array([np.linalg.norm(each - flat) for each in found])
    return distances[1:] / distances[0]


def test_smooth_loadings__a_right_image_makes_maps_better_and_a_wrong_one_not_worse():
    right, rng = image_of(scene()), np.random.default_rng(4)
    ramp = np.add.outer(np.arange(SHAPE[0]), np.arange(SHAPE[1])).astype(float)
    wrong = [right[:, ::-1], right[::-1], rng.standard_normal(SHAPE), ramp, image_of(scene(seed=9))]
    found = errors([image.reshape(1, -1) for image in (right, *wrong)])
    assert found[0] < 0.9
    assert found[1:].max() < 1.03


def test_smooth_loadings__scale_offset_and_sign_of_an_image_do_not_matter():
    image = image_of(scene())
    one, other, inverted = errors([i.reshape(1, -1) for i in (image, 7e4 * image - 3, -image)])
    assert other == pytest.approx(one, rel=1e-6)
    assert inverted == pytest.approx(one, rel=0.02)


def test_smooth_loadings__two_images_are_no_worse_than_one():
    one, other = image_of(scene()), scene() @ [2.0, -1.0]
    alone, both = errors([one.reshape(1, -1), np.stack([one.ravel(), other.ravel()])])
    assert both < alone


@pytest.mark.parametrize("noise", [lambda g: 0.05 * g, lambda g: np.sqrt(g), lambda g: 3 + 0 * g])
def test_noise_scale__noise_of_any_kind_has_the_variance_of_counts(noise):
    rng = np.random.default_rng(0)
    truth = 100 + 60 * np.sin(np.arange(9000) / 700).reshape(90, 100)
    image = truth + noise(truth) * rng.standard_normal(truth.shape)
    scale = NoiseScale(image)
    roots = np.sqrt(scale.as_counts(image)) - np.sqrt(scale.as_counts(truth))
    assert roots.std() == pytest.approx(0.5, rel=0.15)
    back, variance = scale.as_image(scale.as_counts(image))
    np.testing.assert_allclose(back, image, rtol=1e-9)
    assert np.sqrt(variance).mean() == pytest.approx(noise(truth).mean(), rel=0.15)


def test_noise_scale__an_image_of_two_values_and_no_noise():
    image = np.zeros((9, 14))
    image[:, 5:] = 2
    back, variance = NoiseScale(image).as_image(NoiseScale(image).as_counts(image))
    np.testing.assert_allclose(back, image, atol=1e-9)
    assert (variance > 0).all()


@pytest.mark.parametrize("shift", [(0, 0), (2, -3), (-1, 0)])
def test_find_shift__an_image_is_moved_back(shift):
    truth = scene()
    moved = np.roll(image_of(truth), tuple(-s for s in shift), (0, 1))
    assert find_shift(truth, moved) == shift


def test_find_shift__what_has_nothing_to_do_with_the_map_is_not_moved():
    noise = np.random.default_rng(0).standard_normal(SHAPE)
    assert find_shift(scene(), noise) == (0, 0)
