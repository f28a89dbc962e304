# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositions of phases: right, order-free, with errors, and never a false 100 %."""

import warnings

import exspy
import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds import quantify as quantify_module
from hyperspy_psnmf.eds.composition import (
    Quantifier,
    derivatives,
    limits,
    propagate,
    trial_intensities,
)

# What the specimen itself absorbs: phantoms know it, so quantification is told.
LAMELLA = {"absorption_correction": True, "thickness": 100.0, "density": 4.1}


def as_found(signal):
    """Return a copy with the true maps and spectra as learning results."""
    signal, truth = signal.deepcopy(), signal.metadata.Truth
    results = signal.learning_results
    results.factors, results.loadings = truth.factors, truth.loadings
    results.decomposition_algorithm, results.output_dimension = "truth", truth.factors.shape[1]
    results.psnmf = {"phase_names": list(truth.phase_names)}
    return signal


@pytest.fixture(scope="module")
def pristine():
    return as_found(data.mineral_grains(shape=(20, 26), n_channels=800, counts=2000, seed=3))


@pytest.fixture
def minerals(pristine):
    """A TEM map of three minerals, unmixed perfectly; a copy."""
    return pristine.deepcopy()


@pytest.fixture(scope="module")
def factors(pristine):
    return pristine.metadata.Truth.k_factors.as_dictionary()


@pytest.fixture(scope="module")
def result(pristine, factors):
    return pristine.deepcopy().psnmf.quantify(factors=factors, **LAMELLA)


@pytest.fixture(scope="module")
def plain(pristine, factors):
    """The same without absorption correction, which takes eXSpy some seconds."""
    return pristine.deepcopy().psnmf.quantify(factors=factors)


def truth_of(signal, unit="atomic_percent"):
    """Return {element: per cent of each phase}."""
    truth = signal.metadata.Truth[unit].as_dictionary()
    return {
        element: np.array([phase.get(element, 0.0) for phase in truth.values()])
        for element in signal.metadata.Sample.elements
    }


# --- values


def test_compositions_are_those_of_the_phantom(result, pristine):
    assert result.names == ["Silicate", "Ferropericlase", "Ca silicate"]
    for unit, found in (("atomic", result.atomic_percent), ("weight", result.weight_percent)):
        for element, expected in truth_of(pristine, f"{unit}_percent").items():
            np.testing.assert_allclose(found[element], expected, atol=1.0)
    for percent in (result.atomic, result.weight):
        np.testing.assert_allclose(percent.values.sum(axis=1), 100)


def test_minor_elements_are_right_within_a_fifth(result, pristine):
    expected = truth_of(pristine)
    for element, phase in (("Fe", 0), ("Al", 0), ("Al", 2), ("Ti", 2)):
        assert result.atomic_percent[element][phase] == pytest.approx(
            expected[element][phase], rel=0.2
        )


@pytest.mark.parametrize("intensities", ["model", "windows"])
def test_the_order_of_factors_changes_nothing(minerals, factors, intensities):
    options = {"intensities": intensities}
    found = minerals.psnmf.quantify(factors=factors, **options)
    swapped = minerals.psnmf.quantify(factors=dict(reversed(factors.items())), **options)
    assert swapped.elements == found.elements[::-1]
    np.testing.assert_allclose(swapped.atomic.values, found.atomic.values[:, ::-1], rtol=1e-9)
    np.testing.assert_allclose(swapped.atomic.sigma, found.atomic.sigma[:, ::-1], rtol=1e-6)


def test_excluded_elements_are_fitted_but_left_out(minerals, factors):
    with pytest.warns(UserWarning, match="O_Ka ignored"):
        found = minerals.psnmf.quantify(factors=factors, exclude="O")
    assert "O" not in found.elements
    expected = truth_of(minerals)
    total = sum(v for element, v in expected.items() if element != "O")
    mg = 100 * expected["Mg"] / total
    np.testing.assert_allclose(found.atomic_percent["Mg"][:2], mg[:2], atol=3)


def test_zeta_factors_and_cross_sections_give_the_same_as_k_factors(minerals, factors):
    # A zeta factor is a k-factor times a constant, a cross section its inverse.
    weights = {
        line: exspy.material.elements[line.split("_")[0]].General_properties.atomic_weight
        for line in factors
    }
    plain = minerals.psnmf.quantify(factors=factors)
    zeta = minerals.psnmf.quantify("zeta", {line: 400 * k for line, k in factors.items()})
    cross = minerals.psnmf.quantify(
        "cross_section", {line: 0.02 * weights[line] / k for line, k in factors.items()}
    )
    np.testing.assert_allclose(zeta.atomic.values, plain.atomic.values, rtol=1e-9)
    np.testing.assert_allclose(cross.atomic.values, plain.atomic.values, rtol=1e-9)
    np.testing.assert_allclose(cross.atomic.sigma, plain.atomic.sigma, rtol=1e-3)


@pytest.mark.parametrize("method", ["zeta", "cross_section"])
def test_exspy_quantifies_phase_spectra_itself(minerals, method):
    spectra = minerals.psnmf.phase_spectra()
    lines = ["Mg_Ka", "Si_Ka"]
    intensities = spectra.get_lines_intensity(lines)
    area = spectra.metadata.Acquisition_instrument.TEM.probe_area
    options = {"probe_area": area} if method == "cross_section" else {}
    composition, _ = spectra.quantification(
        intensities, method, [400.0, 500.0], navigation_mask=None, **options
    )
    total = np.sum([np.ravel(c.data) for c in composition], axis=0)
    np.testing.assert_allclose(total, 100)


def test_cross_sections_count_atoms_as_exspy_does_in_the_map(minerals):
    spectra = minerals.psnmf.phase_spectra()
    lines = ["Mg_Ka", "Si_Ka"]
    area = spectra.metadata.Acquisition_instrument.TEM.probe_area
    atoms = [
        signal.quantification(
            signal.get_lines_intensity(lines), "cross_section", [9.0, 8.0], navigation_mask=None,
            probe_area=probe_area,
        )[1]
        for signal, probe_area in ((spectra, area), (minerals, minerals.get_probe_area()))
    ]  # fmt: skip
    for of_phases, of_pixels in zip(*atoms, strict=True):
        np.testing.assert_allclose(of_phases.data.sum(), of_pixels.data.sum(), rtol=0.02)


# --- errors


def test_errors_of_factors_go_through(minerals, factors, plain):
    given = {**factors, "Fe_Ka": (factors["Fe_Ka"], 0.1 * factors["Fe_Ka"])}
    found = minerals.psnmf.quantify(factors=given)
    np.testing.assert_allclose(found.atomic.values, plain.atomic.values)
    fe = found.elements.index("Fe")
    budget = found.atomic.budget
    # 10 % of the factor is 10 % of the element, less what normalising takes back.
    ratio = found.atomic.values[:2, fe] / 100
    expected = 10 * ratio * (1 - ratio)
    np.testing.assert_allclose(budget["factors"][:2, fe], expected, rtol=0.25)
    np.testing.assert_allclose(
        found.atomic.sigma**2, sum(part**2 for part in budget.values()), rtol=1e-6
    )
    assert (plain.atomic.budget["factors"] == 0).all()


def test_few_counts_have_large_errors(factors, pristine):
    truth, few = pristine.metadata.Truth, pristine.deepcopy()
    few.data = np.random.default_rng(1).poisson(few.data * 0.02).astype("uint16")
    few.learning_results.loadings = truth.loadings * 0.02
    many, less = (s.psnmf.quantify(factors=factors) for s in (pristine.deepcopy(), few))
    ratio = less.atomic.sigma[:2] / many.atomic.sigma[:2]
    assert np.median(ratio) == pytest.approx(50**0.5, rel=0.2)


def test_absent_elements_have_a_detection_limit_and_no_sharp_zero(result):
    ti = result.elements.index("Ti")
    assert result.detected[:, ti].tolist() == [False, False, True]
    limits = result.atomic.limits[:2, ti]
    assert ((limits > 0.005) & (limits < 1)).all()
    assert (result.atomic.values[:2, ti] < limits).all()
    rows = result.table().rows
    assert rows[0][2 + ti].startswith("< ")
    assert "±" in rows[2][2 + ti]


def test_the_budget_is_a_table_of_its_parts(result):
    table = result.budget()
    assert table.field_names == ["Phase", "Element", "counting", "spectra", "factors"]
    assert len(table.rows) == 3 * 7


def test_the_band_of_ambiguity_holds_what_was_found(unmixed):
    lines = {"Mg_Ka": 1.08, "Si_Ka": 1.0, "O_Ka": (2.3, 0.1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = unmixed.psnmf.quantify(
            factors=lines, exclude=("Al", "Ca", "Fe", "Ti"), ambiguity=True, confidence=0.9
        )
    low, high = np.moveaxis(found.atomic.band, -1, 0)
    assert ((low <= found.atomic.values) & (found.atomic.values <= high)).all()
    assert ((low >= 0) & (high <= 100)).all()
    assert "ambiguity" in found.atomic.budget
    assert " to " in str(found)


def test_derivatives_are_those_of_a_linear_function_and_one_sided_at_zero():
    matrix = np.array([[1.0, 2.0, 0.5], [0.0, 3.0, 1.0], [2.0, 0.0, 4.0]])
    net, sigma = np.array([[5.0, 0.0, 2.0], [1.0, 4.0, -3.0]]), np.full((2, 3), 0.4)
    trials = trial_intensities(net, sigma, np.full((2, 3), 7.0))
    assert (trials >= 0).all()
    jacobian = derivatives(trials, trials @ matrix.T)
    np.testing.assert_allclose(jacobian, np.broadcast_to(matrix, (2, 3, 3)))
    covariance = np.broadcast_to(np.diag([1.0, 4.0, 9.0]), (2, 3, 3))
    np.testing.assert_allclose(
        propagate(jacobian, covariance)[0], np.sqrt([1 + 16 + 2.25, 36 + 9, 4 + 144])
    )
    np.testing.assert_allclose(limits(trials @ np.diag([1.0, 2.0, 3.0])), [[7, 14, 21]] * 2)


# --- maps


def test_maps_are_compositions_with_masks_where_counts_are_few(plain, pristine):
    maps = plain.maps(min_counts=50)
    assert [m.metadata.Sample.elements[0] for m in maps] == plain.elements
    assert maps[0].axes_manager.navigation_shape == pristine.axes_manager.navigation_shape
    np.testing.assert_allclose(sum(m.data for m in maps), 100)
    purest = np.argmax(pristine.metadata.Truth.loadings[:, 1])
    mg = maps[plain.elements.index("Mg")].data.ravel()[purest]
    assert mg == pytest.approx(40, abs=8)
    assert np.isnan(plain.maps(min_counts=1e6)[0].data).all()
    with pytest.raises(ValueError, match="min_counts"):
        plain.maps(min_counts=0)


def test_absorption_in_maps_does_not_depend_on_how_many_pixels_there_are(minerals):
    exclude = ("Al", "Ca", "Fe", "Ti", "Si")
    cross = {"Mg_Ka": 8.0, "O_Ka": 4.0}
    found, plain = (
        minerals.psnmf.quantify("cross_section", cross, exclude=exclude, absorption_correction=c)
        for c in (True, False)
    )
    oxygen, without = (np.nanmean(r.maps()[1].data) for r in (found, plain))
    # The dose of all pixels together would make the correction 520 times smaller or larger.
    of_phases = (found.atomic.values - plain.atomic.values)[:2, 1]
    assert 0.3 * of_phases.min() < oxygen - without < 3 * of_phases.max()


# --- exports


def test_rows_hold_everything(result):
    rows = result.rows()
    assert len(rows) == 3 * 7
    row = next(r for r in rows if (r["phase"], r["element"]) == ("Ferropericlase", "Mg"))
    assert row["line"] == "Mg_Ka"
    assert row["at%"] == result.atomic_percent["Mg"][1]
    assert {"wt%", "wt%_sigma", "at%_limit", "at%_counting", "net_counts"} <= set(row)


def test_a_data_frame_needs_pandas(result, monkeypatch):
    def without_pandas(name, *args):
        raise ImportError(name)

    monkeypatch.setattr("hyperspy_psnmf.eds.quantification.import_module", without_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_dataframe()


def test_a_data_frame_has_one_row_per_phase_and_element(result):
    pytest.importorskip("pandas")
    assert result.to_dataframe().shape == (3 * 7, len(result.rows()[0]))


def test_weight_per_cent_in_tables_when_asked_for(minerals, factors):
    found = minerals.psnmf.quantify(factors=factors, composition_units="weight")
    assert "wt%" in found.table().title
    assert found.percent is found.weight
    assert repr(found) == str(found.table())


# --- bulk specimens


def test_a_bulk_specimen_gets_k_ratios_and_no_zaf(sem):
    s = as_found(sem)
    standards = {"Al_Ka": 2e6, "Cu_La": (3e6, 3e5)}
    found = s.psnmf.quantify(factors=standards)
    assert found.method == "k_ratios"
    assert "without any ZAF" in found.table().title
    ratios = found.net / [2e6, 3e6]
    expected = 100 * ratios / ratios.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.weight.values, expected)
    assert (found.weight.budget["factors"][1] > 0.5).all()


@pytest.mark.parametrize("method", ["CL", "zeta", "cross_section"])
def test_thin_film_methods_refuse_a_bulk_specimen(sem, method):
    with pytest.raises(TypeError, match=r"needs an EDS_TEM map.*k_ratios"):
        as_found(sem).psnmf.quantify(method, {"Al_Ka": 1.0, "Cu_La": 1.5})


# --- bad input


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"factors": None}, TypeError, "factors must be a dict"),
        ({"factors": {}}, TypeError, "factors must be a dict"),
        ({"factors": [1.0, 2.0]}, TypeError, "factors must be a dict"),
        ({"factors": {"Mg_Ka": "1"}}, TypeError, "Mg_Ka must be a number"),
        ({"factors": {"Mg_Ka": True}}, TypeError, "Mg_Ka must be a number"),
        ({"factors": {"Mg_Ka": (1.0, 2.0, 3.0)}}, TypeError, "Mg_Ka must be a number"),
        ({"factors": {"Mg_Ka": -1.0}}, ValueError, "Mg_Ka must be positive"),
        ({"factors": {"Mg_Ka": np.nan}}, ValueError, "Mg_Ka must be positive"),
        ({"factors": {"Mg_Ka": (1.0, -0.1)}}, ValueError, "Mg_Ka must be positive"),
        ({"factors": {"Mg_Kz": 1.0}}, ValueError, "Mg_Kz is no X-ray line"),
        ({"factors": {"Nonsense": 1.0}}, ValueError, "Nonsense is no X-ray line"),
        ({"factors": {"Mg_Ka": 1.0, "Si_Ka": 1.0}}, ValueError, "none for Al, Ca, Fe, O, Ti"),
        ({"add": {"Fe_La": 1.0}}, ValueError, "one line per element, but two of Fe"),
        ({"add": {"Zn_Ka": 1.0}}, ValueError, "Zn_Ka not on the energy axis"),
        ({"exclude": ["Al", "Ca", "Fe", "O", "Ti", "Mg"]}, ValueError, "at least two lines"),
        ({"exclude": "Xx"}, ValueError, "exclude: Xx is no element"),
        ({"exclude": 5}, TypeError, "exclude must be a list"),
        ({"xray_lines": "Mg_Ka"}, TypeError, "xray_lines must be a list"),
        ({"xray_lines": ["Mg_Ka", "Na_Ka"]}, ValueError, "none for Na_Ka, Al"),
        ({"method": "ZAF"}, ValueError, "method must be one of"),
        ({"composition_units": "mass"}, ValueError, "composition_units must be one of"),
        ({"intensities": "guess"}, ValueError, "intensities must be one of"),
        ({"absorption_correction": True}, ValueError, "thickness in nm is needed"),
        ({"absorption_correction": 1}, TypeError, "absorption_correction must be True or False"),
        ({"thickness": -5}, ValueError, "thickness must be positive"),
        ({"thickness": [5, 6]}, ValueError, "thickness must be positive, one number or one per"),
        ({"thickness": {"Silicate": 5}}, ValueError, "thickness must have a value for each of"),
        ({"density": "high"}, TypeError, "density must be a number"),
        ({"take_off_angle": 100}, ValueError, "take_off_angle must be"),
        ({"method": "cross_section", "probe_area": 0}, ValueError, "probe_area must be"),
        ({"confidence": 2}, ValueError, "confidence must lie"),
        ({"no_such": 2}, TypeError, "no_such"),
    ],
)
def test_bad_arguments_are_named_before_any_work(minerals, factors, monkeypatch, change, error,
                                                 match):  # fmt: skip
    def work(*args, **kwargs):
        raise AssertionError("lines were measured")

    monkeypatch.setattr(quantify_module, "measure_lines", work)
    arguments = {"factors": {**factors, **change.pop("add", {})}} | change
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=match):
            minerals.psnmf.quantify(**arguments)


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("CL", "beam_energy", "beam_energy"),
        ("CL", "Detector.EDS.energy_resolution_MnKa", "energy_resolution_MnKa"),
        ("zeta", "beam_current", "beam_current"),
        ("zeta", "Detector.EDS.live_time", "live_time"),
        ("cross_section", "beam_current", "beam_current"),
        ("cross_section", "Detector.EDS.live_time", "live_time"),
    ],
)
def test_what_the_metadata_lack_is_named_with_the_call_that_sets_it(
    minerals, factors, method, path, call
):
    *parents, last = path.split(".")
    node = minerals.metadata.Acquisition_instrument.TEM
    for name in parents:
        node = node[name]
    delattr(node, last)
    with pytest.raises(ValueError, match=rf"set_microscope_parameters\({call}"):
        minerals.psnmf.quantify(method, factors)


def test_a_probe_area_is_asked_for_where_axes_have_no_length(minerals, factors):
    for axis in minerals.axes_manager.navigation_axes:
        axis.units = "s"
    with pytest.raises(ValueError, match=r"probe_area is not known.*pass probe_area"):
        minerals.psnmf.quantify("cross_section", factors)
    assert minerals.psnmf.quantify("cross_section", factors, probe_area=2.0).detected.any()


def test_phases_without_counts_are_nan_and_no_hundred_per_cent(minerals, factors):
    loadings = minerals.learning_results.loadings.copy()
    loadings[:, 1] = 0.0
    minerals.learning_results.loadings = loadings
    with pytest.warns(UserWarning, match="Ferropericlase: too few counts"):
        found = minerals.psnmf.quantify(factors=factors)
    assert np.isnan(found.atomic.values[1]).all()
    assert np.isnan(found.atomic.sigma[1]).all()
    assert found.table().rows[1][2:] == ["too few counts"] * 7
    assert np.isfinite(found.atomic.values[[0, 2]]).all()


def test_lines_of_which_a_phase_has_none_are_no_composition(minerals, factors):
    # Ca and Ti are in the third phase only: the others must not read 100 % of noise.
    with pytest.warns(UserWarning, match="too few counts"):
        found = minerals.psnmf.quantify(
            factors={line: factors[line] for line in ("Ca_Ka", "Ti_Ka")},
            exclude=("Al", "Fe", "Mg", "O", "Si"),
        )
    assert np.isnan(found.atomic.values[:2]).all()
    assert found.atomic_percent["Ca"][2] == pytest.approx(18.5 / 19.5 * 100, abs=1)


def test_intensities_below_exspys_threshold_are_no_zeros(pristine):
    # eXSpy's Cliff-Lorimer takes less than 0.1 counts for none, and one line for 100 %.
    quantifier = Quantifier(
        pristine.psnmf.phase_spectra(), "CL", ["Mg_Ka", "Si_Ka"], np.array([1.0, 1.0]),
        options={"take_off_angle": 22.0},
    )  # fmt: skip
    tiny = np.array([[0.02, 0.06], [0.05, 0.0], [0.0, -1.0]])
    np.testing.assert_allclose(quantifier.atomic(tiny), quantifier.atomic(1e4 * tiny))
    assert np.isnan(quantifier.atomic(tiny)[2]).all()


def test_nothing_decomposed_yet_is_said(factors):
    s = data.mineral_grains(shape=(5, 6), n_channels=800)
    with pytest.raises(RuntimeError, match="no factors and loadings yet"):
        s.psnmf.quantify(factors=factors)


def test_the_signal_is_left_alone(minerals, factors, state):
    before = state(minerals)
    found = minerals.psnmf.quantify("zeta", factors, absorption_correction=True)
    found.maps()
    assert state(minerals) == before
