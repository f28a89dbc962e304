# SPDX-License-Identifier: GPL-3.0-or-later
"""The phantoms hold what their truth says."""

import hyperspy.api as hs
import numpy as np
import pytest
from exspy.material import elements

from hyperspy_psnmf import data
from hyperspy_psnmf.data import counting
from tests.data.phantom_truth import SHAPE, as_plain, expected_counts


def test_phantoms__factors_sum_to_one_and_are_not_negative(phantom):
    factors = phantom.metadata.Truth.factors
    np.testing.assert_allclose(factors.sum(axis=0), 1.0, rtol=1e-12)
    assert factors.min() >= 0.0


def test_phantoms__truth_has_one_column_per_phase_and_one_row_per_pixel_and_channel(phantom):
    truth = phantom.metadata.Truth
    n_phases = len(truth.phase_names)
    assert truth.factors.shape == (1980, n_phases)
    assert truth.loadings.shape == (SHAPE[0] * SHAPE[1], n_phases)


def test_phantoms__loadings_sum_to_the_requested_counts(phantom):
    loadings = phantom.metadata.Truth.loadings
    assert loadings.min() >= 0.0
    np.testing.assert_allclose(loadings.sum(axis=1).mean(), 250.0, rtol=1e-12)


def test_phantoms__compositions_sum_to_100_percent_and_agree(phantom):
    truth = phantom.metadata.Truth
    for name in truth.phase_names:
        atomic = as_plain(truth.atomic_percent)[name]
        weight = as_plain(truth.weight_percent)[name]
        mass = {el: at * elements[el].General_properties.atomic_weight for el, at in atomic.items()}
        assert sum(atomic.values()) == pytest.approx(100.0)
        assert weight == pytest.approx(
            {el: 100.0 * value / sum(mass.values()) for el, value in mass.items()}
        )


def test_phantoms__k_factors_cover_the_xray_lines(phantom):
    k_factors = as_plain(phantom.metadata.Truth.k_factors)
    assert sorted(k_factors) == phantom.metadata.Sample.xray_lines
    assert all(np.isfinite(k) and k > 0.0 for k in k_factors.values())


def test_phantoms__truth_survives_saving_and_loading(phantom, tmp_path):
    phantom.save(tmp_path / "phantom.hspy")
    loaded = hs.load(tmp_path / "phantom.hspy")
    before, after = as_plain(phantom.metadata.Truth), as_plain(loaded.metadata.Truth)
    assert type(loaded) is type(phantom)
    for key in [key for key, value in before.items() if isinstance(value, np.ndarray)]:
        np.testing.assert_array_equal(before.pop(key), after.pop(key))
    assert before == after


# --- the counts


def test_phantoms__counts_have_the_variance_and_mean_of_poisson(large_phantom):
    expected = expected_counts(large_phantom)
    per_pixel = large_phantom.data.sum(axis=-1, dtype=int)
    mean = expected.sum(axis=-1)
    chi2 = ((per_pixel - mean) ** 2 / mean).sum()
    # The sum of n such terms has mean n and variance 2 n + Σ 1/mean.
    spread = np.sqrt(2.0 * mean.size + (1.0 / mean).sum())
    assert abs(chi2 - mean.size) < 4.0 * spread
    assert abs(per_pixel.sum() - mean.sum()) < 4.0 * np.sqrt(mean.sum())


def test_phantoms__counts_follow_the_expected_spectrum_channel_by_channel(large_phantom):
    expected = expected_counts(large_phantom).sum(axis=(0, 1))
    counted = large_phantom.data.sum(axis=(0, 1), dtype=int)
    filled = expected > 5.0
    chi2 = ((counted - expected)[filled] ** 2 / expected[filled]).sum()
    assert abs(chi2 - filled.sum()) < 4.0 * np.sqrt(2.2 * filled.sum())


@pytest.mark.parametrize("draw", [counting._draw_photons, counting._draw_channels])
def test_phantoms__both_ways_of_drawing_are_poisson_in_every_cell(draw):
    rng = np.random.default_rng(5)
    loadings = np.array([[3.0, 1.0], [0.0, 6.0]])
    factors = np.array([[0.5, 0.1], [0.5, 0.0], [0.0, 0.9]])
    draws = np.stack([draw(loadings, factors, rng) for _ in range(4000)])
    expected = loadings @ factors.T
    np.testing.assert_allclose(draws.mean(axis=0), expected, atol=0.15)
    np.testing.assert_allclose(draws.var(axis=0), expected, rtol=0.12, atol=1e-12)


def test_phantoms__same_seed_gives_same_counts_and_another_seed_others():
    first, again = (data.mineral_grains(shape=SHAPE, seed=9) for _ in range(2))
    other = data.mineral_grains(shape=SHAPE, seed=10)
    np.testing.assert_array_equal(first.data, again.data)
    assert (first.data != other.data).any()
    np.testing.assert_array_equal(first.metadata.Truth.loadings, other.metadata.Truth.loadings)


@pytest.mark.parametrize(("counts", "dtype"), [(250, np.uint8), (20_000, np.uint16)])
def test_phantoms__counts_are_stored_in_the_smallest_unsigned_type(counts, dtype):
    assert data.sem_two_phases(shape=(5, 7), counts=counts).data.dtype == dtype
