# SPDX-License-Identifier: GPL-3.0-or-later
"""Net intensities of lines: right on noise-free spectra, with honest errors on noisy ones."""

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.data import scenes
from hyperspy_psnmf.data import spectra as _spectra
from hyperspy_psnmf.data.physics import detector
from hyperspy_psnmf.eds.line_model import linear_model
from hyperspy_psnmf.eds.line_model.calibration import calibrate
from hyperspy_psnmf.eds.line_model.linear_model import build_line_model
from hyperspy_psnmf.eds.xray import lines as sample
from hyperspy_psnmf.eds.xray.detector import peak_fwhm
from tests.eds.on_signals import measure_lines

TOTAL = 1e5  # counts of a phase


def true_intensities(scene, truth, n_channels):
    """Return the counts of each line in spectra of `TOTAL` counts, one dict per phase."""
    lines, continuum = _spectra.phase_spectra(
        scene.phases,
        scene.microscope,
        continuum_share=scene.continuum_share,
        n_channels=n_channels,
    )
    yields = (lines + continuum).sum(axis=0)
    found = []
    for phase, total in zip(scene.phases, yields, strict=True):
        counts = {}
        for element, share in phase.weight_fraction.items():
            for name, line in _spectra.emitted(element, scene.microscope).items():
                passed = _spectra.transmission(np.array([line.energy]), phase, scene.microscope)
                efficiency = detector.detector_efficiency(line.energy)
                counts[name] = TOTAL / total * share * line.intensity * (passed * efficiency)[0]
        found.append(counts)
    return found


def as_decomposed(signal, factors, loadings):
    """Return a copy with these as its decomposition."""
    signal = signal.deepcopy()
    results = signal.learning_results
    results.factors, results.loadings = factors, loadings
    results.decomposition_algorithm = "truth"
    results.output_dimension = factors.shape[1]
    return signal


@pytest.fixture(scope="module")
def grains():
    return data.mineral_grains(shape=(11, 13), n_channels=800, counts=2000, seed=1)


@pytest.fixture(scope="module")
def ideal(grains):
    """The map with its true maps and spectra."""
    truth = grains.metadata.Truth
    return as_decomposed(grains, truth.factors, truth.loadings)


@pytest.fixture(scope="module")
def measured(ideal):
    return measure_lines(ideal, ["Si_Ka", "Fe_Ka", "Al_Ka", "Mg_Ka"], elements=["O", "Ca", "Ti"])


def test_spectra__the_model_finds_the_counts_of_lines_in_noise_free_spectra(grains, measured):
    truth = true_intensities(scenes.MINERALS, grains.metadata.Truth, 800)
    for p, counts in enumerate(measured.counts):
        for i, line in enumerate(measured.lines):
            expected = truth[p].get(line, 0.0) * counts / TOTAL
            assert measured.net[p, i] == pytest.approx(expected, rel=0.01, abs=6e-4 * counts)


def test_measure_lines__results_are_in_the_order_asked_for(ideal, measured):
    other = measure_lines(ideal, ["Fe_Ka", "Si_Ka"], elements=["O", "Ca", "Ti", "Al", "Mg"])
    np.testing.assert_allclose(other.net, measured.net[:, [1, 0]], rtol=1e-9)
    np.testing.assert_allclose(other.sigma, measured.sigma[:, [1, 0]], rtol=1e-9)


@pytest.mark.slow
def test_measure_lines__errors_are_those_of_repeated_counts_of_a_fixed_fit(grains, measured):
    # Noisy spectra, solved with the true maps, and measured by the operators of one fit.
    truth, rng = grains.metadata.Truth, np.random.default_rng(5)
    mean, inverse = truth.loadings @ truth.factors.T, np.linalg.pinv(truth.loadings)
    found = []
    for _ in range(100):
        factors = np.maximum(inverse @ rng.poisson(mean), 0.0)
        factors /= factors.sum(axis=1, keepdims=True)
        found.append(measured.of(measured.counts[:, None] * factors))
    scatter = np.std(found, axis=0, ddof=1)
    strong = np.mean(found, axis=0) > 300
    assert strong.sum() >= 3
    assert (measured.sigma[strong] < 1.6 * scatter[strong]).all()
    assert (measured.sigma[strong] > 0.55 * scatter[strong]).all()


@pytest.mark.thorough
def test_measure_lines__errors_are_those_of_repeated_counts(grains):
    # Noisy spectra, solved with the true maps: their lines must scatter by the standard errors.
    truth, rng = grains.metadata.Truth, np.random.default_rng(5)
    mean = truth.loadings @ truth.factors.T
    lines, found, errors = ["Fe_Ka", "Si_Ka"], [], []
    inverse = np.linalg.pinv(truth.loadings)
    for _ in range(16):
        noisy = grains.deepcopy()
        counts = rng.poisson(mean)
        noisy.data = counts.reshape(noisy.data.shape)
        factors = np.maximum(inverse @ counts, 0.0).T
        s = as_decomposed(noisy, factors / factors.sum(axis=0), truth.loadings)
        result = measure_lines(s, lines, elements=["O", "Ca", "Ti", "Al", "Mg"])
        found.append(result.net)
        errors.append(result.sigma)
    scatter, estimated = np.std(found, axis=0, ddof=1), np.mean(errors, axis=0)
    # Least squares with equal weights is not quite as good as the weighted fit assumes.
    strong = np.mean(found, axis=0) > 300
    assert strong.sum() >= 3
    assert (estimated[strong] < 1.6 * scatter[strong]).all()
    assert (estimated[strong] > 0.55 * scatter[strong]).all()


def test_measure_lines__the_unmixing_adds_to_the_noise_of_counts(measured):
    counting = np.sqrt(np.diagonal(measured.counting, axis1=1, axis2=2))
    assert (measured.sigma >= counting * (1 - 1e-9)).all()
    assert (measured.sigma > 1.05 * counting).any()


def test_measure_lines__covariance_of_counting_unmixing_and_shapes(measured):
    variance, operators = measured.fit.sigma**2, measured.operators
    # Phases overlap, so a spectrum varies by more than its counts do.
    assert (variance.sum(axis=1) > 1.02 * measured.counts + 0.5 * variance.shape[1]).any()
    of_spectra = np.einsum("pjl,pj,pjm->plm", operators, variance, operators)
    np.testing.assert_allclose(measured.covariance, of_spectra + measured.of_shapes)
    assert (np.diagonal(measured.of_shapes, axis1=1, axis2=2) > 1.0).any()


def test_measure_lines__a_blank_is_known_better_than_a_strong_line(measured):
    assert (measured.blank <= measured.sigma * (1 + 1e-9)).all()
    assert measured.blank[0, 0] < 0.7 * measured.sigma[0, 0]  # Si in the silicate


def test_measure_lines__absent_lines_scatter_around_zero_and_may_be_negative(measured):
    absent = measured.net[2, measured.lines.index("Fe_Ka")]
    assert abs(absent) < 3 * measured.blank[2, 1]


@pytest.mark.slow
def test_measure_lines__overlapping_lines_are_separated_by_the_model_only():
    # Fe Kb lies beside Co Ka; there is no cobalt.
    s = data.sharp_interface(shape=(9, 12), n_channels=900, counts=3000, seed=1)
    s = as_decomposed(s, s.metadata.Truth.factors, s.metadata.Truth.loadings)
    s.add_elements(["Co"])
    model = measure_lines(s, ["Co_Ka", "Fe_Ka"], elements=["O", "Mg"])
    windows = measure_lines(s, ["Co_Ka", "Fe_Ka"], method="windows")
    assert abs(model.net[0, 0]) < 3 * model.sigma[0, 0] < 0.02 * model.net[0, 1]
    assert windows.net[0, 0] > 0.05 * windows.net[0, 1]


def test_measure_lines__windows_are_those_of_exspy(ideal):
    lines = ["Si_Ka", "Fe_Ka"]
    found = measure_lines(ideal, lines, method="windows")
    spectra = ideal.psnmf.phase_spectra()
    expected = spectra.get_lines_intensity(
        lines, background_windows=spectra.estimate_background_windows(xray_lines=lines)
    )
    for i, signal in enumerate(expected):
        np.testing.assert_allclose(found.net[:, i], np.ravel(signal.data))


@pytest.mark.slow
def test_measure_lines__masked_channels_are_no_zeros(ideal, measured):
    s = ideal.deepcopy()
    s.learning_results.factors = s.learning_results.factors.copy()
    s.learning_results.factors[330:390] = np.nan  # 3.4 to 4 keV: Ca Ka
    lines, others = ["Si_Ka", "Fe_Ka"], ["O", "Al", "Mg"]
    found = measure_lines(s, lines, elements=others)
    np.testing.assert_allclose(found.net[0], measured.net[0, :2], rtol=0.02)
    with pytest.raises(ValueError, match=r"Ca_Ka: the model has"):
        measure_lines(s, ["Ca_Ka", "Fe_Ka"], elements=others)
    with pytest.raises(ValueError, match=r"Ca_Ka: the windows hold channels"):
        measure_lines(s, ["Ca_Ka", "Fe_Ka"], method="windows")


@pytest.mark.slow
def test_measure_lines__lines_beside_the_main_ones_need_windows(ideal):
    with pytest.raises(ValueError, match=r"Fe_Kb: the model has .*Fe_Ka.*intensities='windows'"):
        measure_lines(ideal, ["Fe_Kb", "Si_Ka"])
    assert measure_lines(ideal, ["Fe_Kb", "Si_Ka"], method="windows").net[1, 0] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "apart", [0.0, *(pytest.param(keV, marks=pytest.mark.thorough) for keV in (0.002, 0.005))]
)
def test_measure_lines__lines_too_close_are_named_with_errors_that_cover(ideal, monkeypatch, apart):
    # Gallium with a line of its own beside Mg Ka, and none in the map.
    expected = measure_lines(ideal, ["Mg_Ka", "Si_Ka"], elements=["O", "Al", "Fe", "Ca", "Ti"])
    near = {"Ka": (1.2536 + apart, 1.0)}
    monkeypatch.setattr(
        linear_model, "line_table", lambda e: near if e == "Ga" else sample.line_table(e)
    )
    with pytest.warns(UserWarning, match="do not distinguish: .*Mg_Ka and Ga_Ka"):
        found = measure_lines(
            ideal, ["Mg_Ka", "Ga_Ka", "Si_Ka"], elements=["O", "Al", "Fe", "Ca", "Ti"]
        )
    both = found.net[:, :2].sum(axis=1)
    np.testing.assert_allclose(both, expected.net[:, 0], rtol=0.03, atol=300)
    assert (found.sigma[:, 0] > np.abs(found.net[:, 0] - expected.net[:, 0]) / 3).all()
    np.testing.assert_allclose(found.net[:, 2], expected.net[:, 1], rtol=0.01, atol=300)


def test_phase_spectra__offset_and_resolution_are_found(ideal):
    spectra = ideal.psnmf.phase_spectra()
    elements = list(spectra.metadata.Sample.elements)
    spectra.metadata.Acquisition_instrument.TEM.Detector.EDS.energy_resolution_MnKa = 145.0
    spectra.axes_manager.signal_axes[0].offset += 0.004
    model = calibrate(build_line_model(spectra, elements, np.ones(800, bool)), spectra.data)
    assert model.resolution == pytest.approx(130.0, abs=2.0)
    assert model.offset + 1.74 * model.gain == pytest.approx(0.004, abs=5e-4)


def test_phase_spectra__few_counts_do_not_move_the_calibration(ideal):
    spectra = ideal.psnmf.phase_spectra()
    few = np.random.default_rng(0).poisson(spectra.data * 1e-4)
    model = build_line_model(spectra, ["Si", "O"], np.ones(800, bool))
    moved = calibrate(model, few)
    assert abs(moved.offset) < 0.01
    assert moved.resolution == pytest.approx(130.0, abs=15)


def test_peak_fwhm__widths_are_those_of_fiori_and_newbury_and_never_imaginary():
    assert peak_fwhm(130.0, 5.8987) == pytest.approx(0.130)
    assert peak_fwhm(130.0, 1.74) == pytest.approx(detector.peak_fwhm(1.74))
    assert peak_fwhm(110.0, 0.28) == pytest.approx(0.030)


def test_measure_lines__the_signal_is_left_alone(unmixed_copy, state):
    before = state(unmixed_copy)
    measure_lines(unmixed_copy, ["Si_Ka", "Mg_Ka"], elements=["O", "Al"])
    measure_lines(unmixed_copy, ["Si_Ka", "Mg_Ka"], method="windows")
    assert state(unmixed_copy) == before


def test_measure_lines__an_axis_in_ev_gives_the_same(ideal, measured):
    s = ideal.deepcopy()
    axis = s.axes_manager.signal_axes[0]
    axis.scale, axis.offset, axis.units = 1000 * axis.scale, 1000 * axis.offset, "eV"
    found = measure_lines(s, measured.lines, elements=["O", "Ca", "Ti"])
    np.testing.assert_allclose(found.net, measured.net, rtol=1e-5, atol=1)
