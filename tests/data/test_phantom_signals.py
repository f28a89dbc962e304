# SPDX-License-Identifier: GPL-3.0-or-later
"""eXSpy's own tools run on the phantoms, and bad arguments are refused."""

import numpy as np
import pytest
from exspy.signals import EDSSEMSpectrum, EDSTEMSpectrum

from hyperspy_psnmf import data
from tests.data.phantom_truth import FAST, PHANTOMS, as_plain, line_energy, noise_free


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "phase", "lines"),
    [
        (data.grain_boundary, "Austenite", ["Cr_Ka", "Fe_Ka", "Ni_Ka"]),
        (data.grain_boundary, "Ferrite", ["Cr_Ka", "Fe_Ka"]),
        (data.mineral_grains, "Silicate", ["Fe_Ka", "Mg_Ka", "Si_Ka"]),
        (data.mineral_grains, "Ca silicate", ["Ca_Ka", "Si_Ka"]),
        (data.core_shell_particles, "Core", ["Fe_Ka", "Pt_La"]),
        (data.embedded_spheres, "Sulfide", ["Fe_Ka", "S_Ka"]),
    ],
)
def test_phantom_signals__k_factors_recover_composition_from_noise_free_spectra(make, phase, lines):
    signal = make(**FAST)
    spectrum = noise_free(signal, phase)
    windows = spectrum.estimate_background_windows(line_width=[5.0, 2.0], xray_lines=lines)
    intensities = spectrum.get_lines_intensity(lines, background_windows=windows)
    k_factors = as_plain(signal.metadata.Truth.k_factors)
    quantified = spectrum.quantification(intensities, "CL", [k_factors[line] for line in lines])
    measured = {line: float(q.data[0]) for line, q in zip(lines, quantified, strict=True)}
    atomic = as_plain(signal.metadata.Truth.atomic_percent)[phase]
    total = sum(atomic[line.split("_")[0]] for line in lines)
    truth = {line: 100.0 * atomic[line.split("_")[0]] / total for line in lines}
    assert measured == pytest.approx(truth, abs=3.0)


def test_phantom_signals__signal_type_title_and_lines_are_set(phantom):
    is_bulk = {"Al2Cu", "Fo90"} & set(phantom.metadata.Truth.phase_names)
    kind = EDSSEMSpectrum if is_bulk else EDSTEMSpectrum
    assert type(phantom) is kind
    assert phantom.metadata.General.title
    in_phases = set().union(*as_plain(phantom.metadata.Truth.atomic_percent).values())
    assert set(phantom.metadata.Sample.elements) == in_phases
    assert {line.split("_")[0] for line in phantom.metadata.Sample.xray_lines} == in_phases


def test_phantom_signals__axes_are_calibrated(phantom):
    x, y = phantom.axes_manager.navigation_axes
    energy = phantom.axes_manager.signal_axes[0]
    assert (x.name, y.name, energy.name) == ("x", "y", "Energy")
    assert (x.size, y.size) == (14, 11)
    assert x.scale * x.size == pytest.approx(y.scale * y.size)
    assert (energy.units, energy.scale) == ("keV", 0.01)
    assert 0.0 < energy.offset < 0.277


def test_phantom_signals__acquisition_parameters_are_complete(phantom):
    instrument = phantom.metadata.Acquisition_instrument
    instrument = instrument.SEM if "SEM" in instrument else instrument.TEM
    assert instrument.beam_energy in (15.0, 200.0)
    assert instrument.beam_current > 0.0
    for name in ("live_time", "energy_resolution_MnKa", "azimuth_angle", "elevation_angle"):
        assert name in instrument.Detector.EDS


@pytest.mark.slow
@pytest.mark.spot_checks
def test_phantom_signals__line_intensities_and_a_model_can_be_had_from_every_phantom(phantom):
    lines = phantom.get_lines_intensity()
    assert [line.metadata.Sample.xray_lines[0] for line in lines] == (
        phantom.metadata.Sample.xray_lines
    )
    model = phantom.sum().create_model()
    model.fit_background()
    assert len(model.xray_lines) > 0


# --- the parameters


@pytest.mark.slow
@pytest.mark.parametrize("make", PHANTOMS)
def test_phantom_signals__a_shorter_axis_is_the_long_one_cut_off(make):
    short = make(shape=(3, 4), n_channels=321)
    factors = make(shape=(3, 4)).metadata.Truth.factors[:321]
    assert short.data.shape == (3, 4, 321)
    np.testing.assert_allclose(
        short.metadata.Truth.factors, factors / factors.sum(axis=0), rtol=1e-9
    )


@pytest.mark.slow
@pytest.mark.parametrize("make", PHANTOMS)
@pytest.mark.parametrize("n_channels", [100, 2048])
def test_phantom_signals__axes_of_any_length_have_only_lines_that_lie_on_them(make, n_channels):
    signal = make(shape=(3, 4), n_channels=n_channels)
    end = signal.axes_manager.signal_axes[0].high_value
    lines = signal.metadata.Sample.xray_lines
    assert all(line_energy(line) < end for line in lines)
    assert sorted(as_plain(signal.metadata.Truth.k_factors)) == lines


@pytest.mark.slow
@pytest.mark.parametrize("make", PHANTOMS)
def test_phantom_signals__a_map_of_one_pixel_is_possible(make):
    assert make(shape=(1, 1)).data.shape[-1] == 1980


@pytest.mark.crossed("make", "value")
@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("shape", (0, 5), ValueError),
        ("shape", (5, -1), ValueError),
        ("shape", (5, 6, 7), ValueError),
        ("shape", 5, ValueError),
        ("shape", (5.0, 6), TypeError),
        ("shape", (True, 6), TypeError),
        ("counts", 0, ValueError),
        ("counts", -1.0, ValueError),
        ("counts", np.nan, ValueError),
        ("counts", np.inf, ValueError),
        ("counts", "many", TypeError),
        ("counts", True, TypeError),
        ("seed", -1, ValueError),
        ("seed", 1.5, TypeError),
        ("seed", None, TypeError),
        ("n_channels", 99, ValueError),
        ("n_channels", 5000, ValueError),
        ("n_channels", 200.0, TypeError),
    ],
)
@pytest.mark.parametrize("make", PHANTOMS)
def test_phantom_signals__bad_argument_refused_by_its_name(make, name, value, error):
    with pytest.raises(error, match=name):
        make(**{name: value})


def test_phantom_signals__arguments_are_keyword_only():
    with pytest.raises(TypeError):
        data.mineral_grains((11, 14))
