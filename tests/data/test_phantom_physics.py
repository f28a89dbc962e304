# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines, continua and k-factors of the phantoms are near to nature."""

import numpy as np
import pytest
from exspy.material import mass_absorption_coefficient

from hyperspy_psnmf import data
from hyperspy_psnmf.data.physics import detector, xray
from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.counts.matrix import count_matrix, total_counts
from tests.data.phantom_truth import FAST, angle, as_plain, line_energy


def test_phantom_physics__lines_have_30_to_70_percent_of_every_phase(phantom):
    fractions = as_plain(phantom.metadata.Truth.continuum_fraction)
    assert list(fractions) == phantom.metadata.Truth.phase_names
    assert all(0.3 <= fraction <= 0.7 for fraction in fractions.values())


def test_phantom_physics__one_average_spectrum_is_far_from_all_phases_but_dominating(large_phantom):
    truth = large_phantom.metadata.Truth
    total = truth.loadings.sum(axis=0)
    mean = truth.factors @ total
    # Steps of a solid solution lie next to its mean; what is to be found are the ends.
    ends = truth.get_item("end_members", default=truth.phase_names)
    searched = np.isin(truth.phase_names, ends)
    angles = np.array([angle(factor, mean) for factor in truth.factors.T])
    dominating = total.argmax()
    assert np.delete(angles, dominating)[np.delete(searched, dominating)].min() > 10.0
    if total[dominating] < 0.9 * total.sum():
        assert angles[dominating] > 4.0


def test_total_counts__one_average_spectrum_is_much_less_likely_than_the_truth(large_phantom):
    truth = large_phantom.metadata.Truth
    X = count_matrix(large_phantom.data)
    mean = total_counts(X, axis=0)
    trivial = divergence(X, total_counts(X, axis=1)[:, None], mean[:, None] / mean.sum())
    # A likelihood ratio of 1 nat per pixel, where chance brings 1/2 per component.
    assert trivial > divergence(X, truth.loadings, truth.factors) + X.shape[0]


def test_phantom_physics__ca_silicate_has_about_one_percent_of_the_counts():
    truth = data.mineral_grains(shape=(64, 61), counts=30).metadata.Truth
    share = truth.loadings.sum(axis=0) / truth.loadings.sum()
    assert 0.005 < share[truth.phase_names.index("Ca silicate")] < 0.02


def test_phantom_physics__every_pixel_of_the_mineral_grains_has_every_phase():
    assert data.mineral_grains(**FAST).metadata.Truth.loadings.min() > 0.0


def test_phantom_physics__a_core_is_never_seen_without_shell_and_support():
    support, shell, core = data.core_shell_particles(**FAST).metadata.Truth.loadings.T
    assert (shell[core > 1.0] > 0.0).all()
    assert (support > 0.0).all()


def test_phantom_physics__nothing_is_expected_above_the_beam_energy():
    signal = data.sem_two_phases(**FAST)
    assert signal.isig[15.3:].data.max() == 0
    below = slice(1390, 1440)  # 14.0 to 14.5 keV
    assert signal.metadata.Truth.factors[below].min() > 0.0


def test_detector__a_line_keeps_its_counts_and_centre_on_the_axis():
    shape = detector.line_shapes(6.4039, 1980)[:, 0]
    energy = detector.channel_energies(1980)
    centre = shape @ energy
    # Sheppard: integrating over a channel adds the variance of the channel.
    variance = shape @ (energy - centre) ** 2 - 0.01**2 / 12.0
    fwhm = np.sqrt(8.0 * np.log(2.0) * variance)
    assert shape.sum() == pytest.approx(1.0)
    assert centre == pytest.approx(6.4039, abs=1e-6)
    assert fwhm == pytest.approx(float(detector.peak_fwhm(6.4039)), rel=1e-5)


def test_peak_fwhm__the_resolution_at_mn_ka_is_the_nominal_one():
    assert float(detector.peak_fwhm(line_energy("Mn_Ka"))) == pytest.approx(0.130, abs=1e-5)


def test_detector__the_window_stops_soft_x_rays_and_passes_hard_ones():
    efficiency = detector.detector_efficiency([0.277, 0.525, 6.4, 19.0])
    assert 0.1 < efficiency[0] < efficiency[1] < efficiency[2] <= 1.0
    assert efficiency[3] < efficiency[2]
    silicon = mass_absorption_coefficient("Si", [19.0])[0]
    assert efficiency[3] < 1.0 - np.exp(-silicon * detector.SENSOR_MASS_THICKNESS)


def test_emitted_lines__a_shell_above_the_beam_energy_does_not_emit():
    at_15 = xray.emitted_lines("Mo", beam_energy=15.0, bulk=True)
    at_200 = xray.emitted_lines("Mo", beam_energy=200.0, bulk=False)
    assert "Mo_La" in at_15
    assert "Mo_Ka" not in at_15
    assert "Mo_Ka" in at_200


@pytest.mark.parametrize(
    ("family", "number", "measured"),
    [("K", 26, 0.340), ("K", 29, 0.440), ("L", 78, 0.32)],
)
def test_xray__fluorescence_yields_are_near_the_tabulated_ones(family, number, measured):
    modelled = xray.fluorescence_yield(xray.SHELLS[family], number)
    assert modelled == pytest.approx(measured, rel=0.2)


def test_phantom_physics__k_factors_are_near_the_measured_ones():
    """Rounded measured k(X, Si) of K lines at 100 to 200 keV."""
    measured = {"Mg_Ka": 1.05, "Al_Ka": 0.97, "Ca_Ka": 1.0, "Fe_Ka": 1.3}
    k_factors = as_plain(data.mineral_grains(**FAST).metadata.Truth.k_factors)
    assert {line: k_factors[line] for line in measured} == pytest.approx(measured, rel=0.2)
