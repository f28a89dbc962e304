# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of pixels, and the errors of areas against repetitions."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from hyperspy_psnmf.nmf.uncertainty.labels import label_pixels


def diagonal(sigma):
    return np.eye(sigma.shape[1]) * (sigma**2)[:, None, :]


def test_label_pixels__largest_of_the_significant_or_none():
    W = np.array(
        [[9.0, 4.0, 0.0], [3.0, 8.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [9.0, 4.0, 0]]
    )
    sigma = np.array([[2.0, 1.0, 0], [1.0, 9.0, 0], [1.0, 1.0, 1.0], [0, 0, 0], [2.0, 1.0, 0]])
    fits = np.array([np.inf, 3.0, 3.0, 3.0, -0.1])
    found = label_pixels(W, diagonal(sigma), confidence=0.95, fits=fits)
    assert found.values.tolist() == [0, 0, -1, -1, -1]
    np.testing.assert_allclose(found.fractions, [0.4, 0, 0, 0.6])


def test_label_pixels__a_single_component_has_nothing_to_change_to():
    W = np.array([[50.0], [0.5]])
    found = label_pixels(W, diagonal(np.sqrt(W)), confidence=0.95)
    assert found.values.tolist() == [0, -1]
    p = norm.cdf(np.sqrt(0.5) - norm.ppf(0.95))
    np.testing.assert_allclose(found.fraction_errors, np.sqrt(p * (1 - p)) / 2, rtol=1e-6)


def test_label_pixels__correlated_errors_of_two_loadings():
    W = np.array([[60.0, 50.0]])
    covariance = np.array([[[80.0, -30.0], [-30.0, 70.0]]])
    p = norm.cdf(10 / np.sqrt(80 + 70 + 60))
    found = label_pixels(W, covariance, confidence=0.95)
    np.testing.assert_allclose(found.fraction_errors[:2], np.sqrt(p * (1 - p)), rtol=1e-6)


@pytest.mark.parametrize("width", [0.0, 2.5])
def test_fraction_errors__are_the_scatter_over_repetitions(width):
    # Two phases that cross over; smoothing by a Gaussian averages 4 pi width^2 pixels.
    rng, shape = np.random.default_rng(4), (60, 75)
    behind = max(1.0, 4 * np.pi * width**2)
    difference = np.linspace(-40, 40, shape[1]) + np.zeros(shape)
    sigma = 10.0
    areas, errors = [], []
    for _ in range(60):
        noise = rng.normal(0, sigma * np.sqrt(behind), shape)
        noise = gaussian_filter(noise, width, mode="wrap") if width else noise
        one = 500 + (difference + noise).ravel() / 2
        W = np.stack([one, 1000 - one], axis=1)
        covariance = sigma**2 / 4 * np.array([[1.0, -1.0], [-1.0, 1.0]])
        found = label_pixels(
            W,
            np.broadcast_to(covariance, (len(W), 2, 2)),
            confidence=0.95,
            n_averaged=np.full(len(W), behind),
        )
        areas.append(found.fractions[0])
        errors.append(found.fraction_errors[0])
    assert np.mean(areas) == pytest.approx(0.5, abs=0.01)
    assert 0.75 < np.std(areas, ddof=1) / np.mean(errors) < 1.25
