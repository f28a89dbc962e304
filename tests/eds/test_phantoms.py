# SPDX-License-Identifier: GPL-3.0-or-later
"""The phantoms hold what their truth says, and eXSpy's own tools run on them."""

import hyperspy.api as hs
import numpy as np
import pytest
from exspy.material import elements, mass_absorption_coefficient
from exspy.signals import EDSSEMSpectrum, EDSTEMSpectrum

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.phantoms import _counting, _detector, _xray
from hyperspy_psnmf.kernels.score import divergence
from hyperspy_psnmf.nmf.counts import count_matrix, total_counts

SHAPE = (11, 14)
PHANTOMS = [getattr(data, name) for name in data.__all__]
FAST = {"shape": SHAPE, "seed": 3}


@pytest.fixture(scope="module", params=PHANTOMS, ids=data.__all__)
def phantom(request):
    return request.param(**FAST)


@pytest.fixture(scope="module", params=PHANTOMS, ids=data.__all__)
def large_phantom(request):
    return request.param(shape=(62, 58), counts=120, seed=3)


def angle(a, b):
    return np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def line_energy(name):
    element, line = name.split("_")
    return elements[element].Atomic_properties.Xray_lines[line]["energy (keV)"]


def expected_counts(signal):
    truth = signal.metadata.Truth
    return (truth.loadings @ truth.factors.T).reshape(signal.data.shape)


def as_plain(truth):
    return truth.as_dictionary()


def noise_free(signal, phase):
    """One spectrum of a pure phase, without noise."""
    spectrum = signal.inav[0, 0].deepcopy()
    index = signal.metadata.Truth.phase_names.index(phase)
    spectrum.data = 1e6 * signal.metadata.Truth.factors[:, index]
    return spectrum


# --- the truth


def test_factors_sum_to_one_and_are_not_negative(phantom):
    factors = phantom.metadata.Truth.factors
    np.testing.assert_allclose(factors.sum(axis=0), 1.0, rtol=1e-12)
    assert factors.min() >= 0.0


def test_truth_has_one_column_per_phase_and_one_row_per_pixel_and_channel(phantom):
    truth = phantom.metadata.Truth
    n_phases = len(truth.phase_names)
    assert truth.factors.shape == (1980, n_phases)
    assert truth.loadings.shape == (SHAPE[0] * SHAPE[1], n_phases)


def test_loadings_sum_to_the_requested_counts(phantom):
    loadings = phantom.metadata.Truth.loadings
    assert loadings.min() >= 0.0
    np.testing.assert_allclose(loadings.sum(axis=1).mean(), 250.0, rtol=1e-12)


def test_compositions_sum_to_100_percent_and_agree(phantom):
    truth = phantom.metadata.Truth
    for name in truth.phase_names:
        atomic = as_plain(truth.atomic_percent)[name]
        weight = as_plain(truth.weight_percent)[name]
        mass = {el: at * elements[el].General_properties.atomic_weight for el, at in atomic.items()}
        assert sum(atomic.values()) == pytest.approx(100.0)
        assert weight == pytest.approx(
            {el: 100.0 * value / sum(mass.values()) for el, value in mass.items()}
        )


def test_k_factors_cover_the_xray_lines(phantom):
    k_factors = as_plain(phantom.metadata.Truth.k_factors)
    assert sorted(k_factors) == phantom.metadata.Sample.xray_lines
    assert all(np.isfinite(k) and k > 0.0 for k in k_factors.values())


def test_truth_survives_saving_and_loading(phantom, tmp_path):
    phantom.save(tmp_path / "phantom.hspy")
    loaded = hs.load(tmp_path / "phantom.hspy")
    before, after = as_plain(phantom.metadata.Truth), as_plain(loaded.metadata.Truth)
    assert type(loaded) is type(phantom)
    for key in [key for key, value in before.items() if isinstance(value, np.ndarray)]:
        np.testing.assert_array_equal(before.pop(key), after.pop(key))
    assert before == after


# --- the counts


def test_counts_have_the_variance_and_mean_of_poisson(large_phantom):
    expected = expected_counts(large_phantom)
    per_pixel = large_phantom.data.sum(axis=-1, dtype=int)
    mean = expected.sum(axis=-1)
    chi2 = ((per_pixel - mean) ** 2 / mean).sum()
    # The sum of n such terms has mean n and variance 2 n + Σ 1/mean.
    spread = np.sqrt(2.0 * mean.size + (1.0 / mean).sum())
    assert abs(chi2 - mean.size) < 4.0 * spread
    assert abs(per_pixel.sum() - mean.sum()) < 4.0 * np.sqrt(mean.sum())


def test_counts_follow_the_expected_spectrum_channel_by_channel(large_phantom):
    expected = expected_counts(large_phantom).sum(axis=(0, 1))
    counted = large_phantom.data.sum(axis=(0, 1), dtype=int)
    filled = expected > 5.0
    chi2 = ((counted - expected)[filled] ** 2 / expected[filled]).sum()
    assert abs(chi2 - filled.sum()) < 4.0 * np.sqrt(2.2 * filled.sum())


@pytest.mark.parametrize("draw", [_counting._draw_photons, _counting._draw_channels])
def test_both_ways_of_drawing_are_poisson_in_every_cell(draw):
    rng = np.random.default_rng(5)
    loadings = np.array([[3.0, 1.0], [0.0, 6.0]])
    factors = np.array([[0.5, 0.1], [0.5, 0.0], [0.0, 0.9]])
    draws = np.stack([draw(loadings, factors, rng) for _ in range(4000)])
    expected = loadings @ factors.T
    np.testing.assert_allclose(draws.mean(axis=0), expected, atol=0.15)
    np.testing.assert_allclose(draws.var(axis=0), expected, rtol=0.12, atol=1e-12)


def test_same_seed_gives_same_counts_and_another_seed_others():
    first, again = (data.mineral_grains(shape=SHAPE, seed=9) for _ in range(2))
    other = data.mineral_grains(shape=SHAPE, seed=10)
    np.testing.assert_array_equal(first.data, again.data)
    assert (first.data != other.data).any()
    np.testing.assert_array_equal(first.metadata.Truth.loadings, other.metadata.Truth.loadings)


@pytest.mark.parametrize(("counts", "dtype"), [(250, np.uint8), (20_000, np.uint16)])
def test_counts_are_stored_in_the_smallest_unsigned_type(counts, dtype):
    assert data.sem_two_phases(shape=(5, 7), counts=counts).data.dtype == dtype


# --- the physics


def test_lines_hold_30_to_70_percent_of_every_phase(phantom):
    fractions = as_plain(phantom.metadata.Truth.continuum_fraction)
    assert list(fractions) == phantom.metadata.Truth.phase_names
    assert all(0.3 <= fraction <= 0.7 for fraction in fractions.values())


def test_one_average_spectrum_is_far_from_all_phases_but_the_dominating(large_phantom):
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


def test_one_average_spectrum_is_much_less_likely_than_the_truth(large_phantom):
    truth = large_phantom.metadata.Truth
    X = count_matrix(large_phantom.data)
    mean = total_counts(X, axis=0)
    trivial = divergence(X, total_counts(X, axis=1)[:, None], mean[:, None] / mean.sum())
    # A likelihood ratio of 1 nat per pixel, where chance brings 1/2 per component.
    assert trivial > divergence(X, truth.loadings, truth.factors) + X.shape[0]


def test_ca_silicate_holds_about_one_percent_of_the_counts():
    truth = data.mineral_grains(shape=(64, 61), counts=30).metadata.Truth
    share = truth.loadings.sum(axis=0) / truth.loadings.sum()
    assert 0.005 < share[truth.phase_names.index("Ca silicate")] < 0.02


def test_every_pixel_of_the_mineral_grains_holds_every_phase():
    assert data.mineral_grains(**FAST).metadata.Truth.loadings.min() > 0.0


def test_a_core_is_never_seen_without_shell_and_support():
    support, shell, core = data.core_shell_particles(**FAST).metadata.Truth.loadings.T
    assert (shell[core > 1.0] > 0.0).all()
    assert (support > 0.0).all()


def test_nothing_is_expected_above_the_beam_energy():
    signal = data.sem_two_phases(**FAST)
    assert signal.isig[15.3:].data.max() == 0
    below = slice(1390, 1440)  # 14.0 to 14.5 keV
    assert signal.metadata.Truth.factors[below].min() > 0.0


def test_a_line_keeps_its_counts_and_centre_on_the_axis():
    shape = _detector.line_shapes(6.4039, 1980)[:, 0]
    energy = _detector.channel_energies(1980)
    centre = shape @ energy
    # Sheppard: integrating over a channel adds the variance of the channel.
    variance = shape @ (energy - centre) ** 2 - 0.01**2 / 12.0
    fwhm = np.sqrt(8.0 * np.log(2.0) * variance)
    assert shape.sum() == pytest.approx(1.0)
    assert centre == pytest.approx(6.4039, abs=1e-6)
    assert fwhm == pytest.approx(float(_detector.peak_fwhm(6.4039)), rel=1e-5)


def test_the_resolution_at_mn_ka_is_the_nominal_one():
    assert float(_detector.peak_fwhm(line_energy("Mn_Ka"))) == pytest.approx(0.130, abs=1e-5)


def test_the_window_stops_soft_x_rays_and_passes_hard_ones():
    efficiency = _detector.detector_efficiency([0.277, 0.525, 6.4, 19.0])
    assert 0.1 < efficiency[0] < efficiency[1] < efficiency[2] <= 1.0
    assert efficiency[3] < efficiency[2]
    silicon = mass_absorption_coefficient("Si", [19.0])[0]
    assert efficiency[3] < 1.0 - np.exp(-silicon * _detector.SENSOR_MASS_THICKNESS)


def test_a_shell_above_the_beam_energy_does_not_emit():
    at_15 = _xray.emitted_lines("Mo", beam_energy=15.0, bulk=True)
    at_200 = _xray.emitted_lines("Mo", beam_energy=200.0, bulk=False)
    assert "Mo_La" in at_15
    assert "Mo_Ka" not in at_15
    assert "Mo_Ka" in at_200


@pytest.mark.parametrize(
    ("family", "number", "measured"),
    [("K", 26, 0.340), ("K", 29, 0.440), ("L", 78, 0.32)],
)
def test_fluorescence_yields_are_near_the_tabulated_ones(family, number, measured):
    modelled = _xray.fluorescence_yield(_xray.SHELLS[family], number)
    assert modelled == pytest.approx(measured, rel=0.2)


def test_k_factors_are_near_the_measured_ones():
    """Rounded measured k(X, Si) of K lines at 100 to 200 keV."""
    measured = {"Mg_Ka": 1.05, "Al_Ka": 0.97, "Ca_Ka": 1.0, "Fe_Ka": 1.3}
    k_factors = as_plain(data.mineral_grains(**FAST).metadata.Truth.k_factors)
    assert {line: k_factors[line] for line in measured} == pytest.approx(measured, rel=0.2)


# --- what a microscopist does with it


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
def test_k_factors_recover_the_composition_from_noise_free_spectra(make, phase, lines):
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


def test_signal_type_title_and_lines_are_set(phantom):
    is_bulk = {"Al2Cu", "Fo90"} & set(phantom.metadata.Truth.phase_names)
    kind = EDSSEMSpectrum if is_bulk else EDSTEMSpectrum
    assert type(phantom) is kind
    assert phantom.metadata.General.title
    in_phases = set().union(*as_plain(phantom.metadata.Truth.atomic_percent).values())
    assert set(phantom.metadata.Sample.elements) == in_phases
    assert {line.split("_")[0] for line in phantom.metadata.Sample.xray_lines} == in_phases


def test_axes_are_calibrated(phantom):
    x, y = phantom.axes_manager.navigation_axes
    energy = phantom.axes_manager.signal_axes[0]
    assert (x.name, y.name, energy.name) == ("x", "y", "Energy")
    assert (x.size, y.size) == (14, 11)
    assert x.scale * x.size == pytest.approx(y.scale * y.size)
    assert (energy.units, energy.scale) == ("keV", 0.01)
    assert 0.0 < energy.offset < 0.277


def test_acquisition_parameters_are_complete(phantom):
    instrument = phantom.metadata.Acquisition_instrument
    instrument = instrument.SEM if "SEM" in instrument else instrument.TEM
    assert instrument.beam_energy in (15.0, 200.0)
    assert instrument.beam_current > 0.0
    for name in ("live_time", "energy_resolution_MnKa", "azimuth_angle", "elevation_angle"):
        assert name in instrument.Detector.EDS


def test_line_intensities_and_a_model_can_be_had_from_every_phantom(phantom):
    lines = phantom.get_lines_intensity()
    assert [line.metadata.Sample.xray_lines[0] for line in lines] == (
        phantom.metadata.Sample.xray_lines
    )
    model = phantom.sum().create_model()
    model.fit_background()
    assert len(model.xray_lines) > 0


# --- the parameters


@pytest.mark.parametrize("make", PHANTOMS)
def test_a_shorter_axis_is_the_long_one_cut_off(make):
    short = make(shape=(3, 4), n_channels=321)
    factors = make(shape=(3, 4)).metadata.Truth.factors[:321]
    assert short.data.shape == (3, 4, 321)
    np.testing.assert_allclose(
        short.metadata.Truth.factors, factors / factors.sum(axis=0), rtol=1e-9
    )


@pytest.mark.parametrize("make", PHANTOMS)
@pytest.mark.parametrize("n_channels", [100, 2048])
def test_axes_of_any_length_hold_only_lines_that_lie_on_them(make, n_channels):
    signal = make(shape=(3, 4), n_channels=n_channels)
    end = signal.axes_manager.signal_axes[0].high_value
    lines = signal.metadata.Sample.xray_lines
    assert all(line_energy(line) < end for line in lines)
    assert sorted(as_plain(signal.metadata.Truth.k_factors)) == lines


@pytest.mark.parametrize("make", PHANTOMS)
def test_a_map_of_one_pixel_is_possible(make):
    assert make(shape=(1, 1)).data.shape[-1] == 1980


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
def test_a_bad_argument_is_refused_by_its_name(make, name, value, error):
    with pytest.raises(error, match=name):
        make(**{name: value})


def test_arguments_are_keyword_only():
    with pytest.raises(TypeError):
        data.mineral_grains((11, 14))
