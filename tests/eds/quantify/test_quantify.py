# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositions of phases: right, order-free, with errors, and never a false 100 %."""

import warnings

import exspy
import numpy as np
import pytest

from hyperspy_psnmf.eds.quantify.exspy_call import (
    Quantifier,
    derivatives,
    limits,
    propagate,
    trial_intensities,
)
from tests.helpers.compositions import as_found, truth_of


def test_quantify__compositions_are_those_of_the_phantom(result, pristine):
    assert result.names == ["Silicate", "Ferropericlase", "Ca silicate"]
    for unit, found in (("atomic", result.atomic_percent), ("weight", result.weight_percent)):
        for element, expected in truth_of(pristine, f"{unit}_percent").items():
            np.testing.assert_allclose(found[element], expected, atol=1.0)
    for percent in (result.atomic, result.weight):
        np.testing.assert_allclose(percent.values.sum(axis=1), 100)


def test_quantify__minor_elements_are_right_within_a_fifth(result, pristine):
    expected = truth_of(pristine)
    for element, phase in (("Fe", 0), ("Al", 0), ("Al", 2), ("Ti", 2)):
        assert result.atomic_percent[element][phase] == pytest.approx(
            expected[element][phase], rel=0.2
        )


@pytest.mark.slow
@pytest.mark.parametrize("intensities", ["model", "windows"])
def test_quantify__the_order_of_factors_changes_nothing(minerals, factors, plain, intensities):
    options = {"intensities": intensities}
    found = plain if intensities == "model" else minerals.psnmf.quantify(factors=factors, **options)
    swapped = minerals.psnmf.quantify(factors=dict(reversed(factors.items())), **options)
    assert swapped.elements == found.elements[::-1]
    np.testing.assert_allclose(swapped.atomic.values, found.atomic.values[:, ::-1], rtol=1e-9)
    np.testing.assert_allclose(swapped.atomic.sigma, found.atomic.sigma[:, ::-1], rtol=1e-6)


@pytest.mark.slow
def test_quantify__excluded_elements_are_fitted_but_left_out(minerals, factors):
    with pytest.warns(UserWarning, match="O_Ka ignored"):
        found = minerals.psnmf.quantify(factors=factors, exclude="O")
    assert "O" not in found.elements
    expected = truth_of(minerals)
    total = sum(v for element, v in expected.items() if element != "O")
    mg = 100 * expected["Mg"] / total
    np.testing.assert_allclose(found.atomic_percent["Mg"][:2], mg[:2], atol=3)


@pytest.mark.slow
def test_quantify__zeta_factors_and_cross_sections_give_the_same_as_k_factors(minerals, factors):
    # A zeta factor is a k-factor times a constant, a cross section its inverse.
    weights = {
        line: exspy.material.elements[line.split("_")[0]].General_properties.atomic_weight
        for line in factors
    }
    plain = minerals.psnmf.quantify(factors=factors, absorption_correction=False)
    zeta = minerals.psnmf.quantify("zeta", {line: 400 * k for line, k in factors.items()})
    cross = minerals.psnmf.quantify(
        "cross_section", {line: 0.02 * weights[line] / k for line, k in factors.items()}
    )
    np.testing.assert_allclose(zeta.atomic.values, plain.atomic.values, rtol=1e-9)
    np.testing.assert_allclose(cross.atomic.values, plain.atomic.values, rtol=1e-9)
    np.testing.assert_allclose(cross.atomic.sigma, plain.atomic.sigma, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["zeta", "cross_section"])
def test_phase_spectra__exspy_quantifies_phase_spectra_itself(minerals, method):
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


@pytest.mark.slow
def test_phase_spectra__cross_sections_count_atoms_as_exspy_does_in_the_map(minerals):
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


@pytest.mark.slow
def test_quantify__errors_of_factors_go_through(minerals, factors, plain):
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


@pytest.mark.slow
def test_quantify__few_counts_have_large_errors(factors, pristine, plain):
    truth, few = pristine.metadata.Truth, pristine.deepcopy()
    few.data = np.random.default_rng(1).poisson(few.data * 0.02).astype("uint16")
    few.learning_results.loadings = truth.loadings * 0.02
    less = few.psnmf.quantify(factors=factors)
    ratio = less.atomic.budget["counting"][:2] / plain.atomic.budget["counting"][:2]
    assert np.median(ratio) == pytest.approx(50**0.5, rel=0.2)
    assert (less.atomic.sigma[:2] > plain.atomic.sigma[:2]).all()


def test_limits__absent_elements_have_a_detection_limit_and_no_sharp_zero(result):
    ti = result.elements.index("Ti")
    assert result.detected[:, ti].tolist() == [False, False, True]
    limits = result.atomic.limits[:2, ti]
    assert ((limits > 0.005) & (limits < 1)).all()
    assert (result.atomic.values[:2, ti] < limits).all()
    rows = result.table().rows
    assert rows[0][2 + ti].startswith("< ")
    assert "±" in rows[2][2 + ti]


def test_quantify__the_budget_is_a_table_of_its_parts(result):
    table = result.budget()
    parts = ["counting", "spectra", "shapes", "factors", "absorption"]
    assert table.field_names == ["Phase", "Element", *parts]
    assert len(table.rows) == 3 * 7


@pytest.mark.slow
def test_quantify__the_band_of_ambiguity_has_what_was_found(unmixed):
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


def test_derivatives__are_those_of_a_linear_function_and_one_sided_at_zero():
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


def test_quantifier__mass_thickness_is_that_of_the_pixels_a_phase_fills(monkeypatch):
    seen = []
    monkeypatch.setattr(Quantifier, "_call_exspy", lambda self, net: seen.append(net) or net)
    quantifier = Quantifier(None, "zeta", ["Mg_Ka", "Si_Ka"], np.ones(2), fill=np.array([0.5, 1.0]))
    quantifier.atomic(np.array([[10.0, 20.0], [30.0, 40.0]]))
    np.testing.assert_allclose(seen[0], [[20.0, 40.0], [30.0, 40.0]])


@pytest.mark.slow
def test_quantify__a_phase_of_equal_loadings_fills_its_pixels(minerals, few):
    loadings = minerals.learning_results.loadings.copy()
    loadings[:, 0] = np.where(np.arange(520) < 130, 900.0, 0.0)
    minerals.learning_results.loadings = loadings
    found = minerals.psnmf.quantify(**few)
    assert found._maps.quantifier.fill[0] == pytest.approx(0.25)


def test_quantify__a_bulk_specimen_gets_k_ratios_and_no_zaf(sem):
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
def test_quantify__thin_film_methods_refuse_a_bulk_specimen(sem, method):
    with pytest.raises(TypeError, match=r"needs an EDS_TEM map.*k_ratios"):
        as_found(sem).psnmf.quantify(method, {"Al_Ka": 1.0, "Cu_La": 1.5})
