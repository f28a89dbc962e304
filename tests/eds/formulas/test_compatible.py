# SPDX-License-Identifier: GPL-3.0-or-later
"""Formulas judged by errors: true ones first, rates of rejection, tables."""

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.formulas.compatible import LEAST_P, match_formulas
from tests.helpers.compositions import as_found


def names(composition, error):
    found = match_formulas(
        list(composition),
        np.array([*composition.values()], float),
        np.full(len(composition), error),
    )
    return [str(match.formula) for match in found if match.is_compatible]


def true_compositions(make):
    return make(shape=(20, 26)).metadata.Truth.atomic_percent.as_dictionary()


@pytest.mark.parametrize(
    ("make", "phase", "formula"),
    [
        (data.solid_solution, "Fo80", "(Mg,Fe)2SiO4"),
        (data.solid_solution, "Fo20", "(Fe,Mg)2SiO4"),
        (data.mineral_grains, "Silicate", "(Mg,Fe)SiO3"),
        (data.mineral_grains, "Ferropericlase", "(Mg,Fe)O"),
        (data.sharp_interface, "Periclase", "MgO"),
        (data.sharp_interface, "Magnetite", "Fe3O4"),
        (data.core_shell_particles, "Core", "FePt"),
        (data.isolated_particles, "Alumina", "Al2O3"),
        (data.isolated_particles, "Palladium", "Pd"),
        (data.sem_two_phases, "Al2Cu", "Al2Cu"),
        (data.sem_two_phases, "Aluminium", "Al"),
        (data.embedded_spheres, "Sulfide", "(Fe,Ni)S"),
    ],
)
def test_match_formulas__that_of_the_phantom_is_first(make, phase, formula):
    assert names(true_compositions(make)[phase], 0.6)[0] == formula


@pytest.mark.parametrize("phase", ["Glass", "Metal"])
def test_match_formulas__glasses_and_solid_solutions_of_metals_have_none(phase):
    assert names(true_compositions(data.embedded_spheres)[phase], 0.6) == []


def test_match_formulas__the_simplest_is_first_where_errors_are_large():
    iron_oxide = {"Fe": 42.86, "O": 57.14}
    assert names(iron_oxide, 0.3) == ["Fe3O4"]
    assert names(iron_oxide, 5.0)[:3] == ["Fe2O3", "Fe3O4", "FeO"]


def test_match_formulas__where_none_is_compatible_the_nearest_is_given():
    (match,) = match_formulas(["Mg", "O"], np.array([46.0, 54.0]), np.array([0.5, 0.5]))
    assert str(match.formula) == "MgO"
    assert not match.is_compatible
    assert match.chi2 == pytest.approx(64)
    assert match.degrees == 1


def test_match_formulas__missing_minor_elements_may_be_on_any_site():
    elements, percent = ["O", "Si", "Mg", "Al"], np.array([60.0, 19.0, 18.5, 2.5])
    (first, *_) = match_formulas(elements, percent, np.full(4, 0.1))
    assert str(first.formula) == "MgSiO3"
    assert first.missing == ("Al",)
    scale = 100 / 97.5
    variance = (0.1**2 + 2.5**2 / 3) * scale**2
    sites = np.array([18.5, 19.0, 60.0]) * scale - [20, 20, 60]
    assert first.chi2 == pytest.approx(2 / 3 * (sites**2).sum() / variance)


def test_match_formulas__a_true_formula_is_rejected_as_often_as_stated():
    rng, truth = np.random.default_rng(0), np.array([20.0, 20.0, 60.0])
    net, relative = truth / 100, np.array([0.03, 0.03, 0.02])
    jacobian = np.eye(3) - truth[:, None] / 100  # of per cents that sum to 100, by intensities
    sigma = np.sqrt(((jacobian * truth * relative) ** 2).sum(axis=1))
    p = []
    for _ in range(400):
        x = net * (1 + rng.normal(0, relative))
        matches = match_formulas(["Sr", "Ti", "O"], 100 * x / x.sum(), sigma)
        p += [match.p for match in matches if str(match.formula) == "SrTiO3"]
    rejected = 1 - np.mean(np.array([*p, *[0] * (400 - len(p))]) > 0.05)
    assert 0.01 < rejected < 0.12


def test_Formulas__of_a_quantification(result):
    found = result.formulas()
    assert found.names == result.names
    assert [str(matches[0].formula) for matches in found.matches][1] == "(Mg,Fe)O"
    assert found.table().field_names[:2] == ["Phase", "Compatible with"]
    rows = found.rows()
    assert {row["phase"] for row in rows} == set(result.names)
    assert all((row["p"] >= LEAST_P) == row["compatible"] for row in rows)
    assert repr(found) == str(found.table())
    pytest.importorskip("pandas")
    assert len(found.to_dataframe()) == len(rows)


@pytest.mark.slow
def test_Formulas__what_is_not_quantified_is_beside_the_formula(pristine, factors):
    s = pristine.deepcopy()
    s.set_elements(["Mg", "Si"])
    with pytest.warns(UserWarning, match="add_elements"):
        found = s.psnmf.quantify(factors={line: factors[line] for line in ("Mg_Ka", "Si_Ka")})
    rows = {row["phase"]: row for row in found.formulas().rows()}
    assert "O" in rows["Ferropericlase"]["not_in_formula"]
    assert "not quantified" in rows["Ferropericlase"]["not_in_formula"]


@pytest.mark.slow
def test_Formulas__a_phase_without_composition_has_none():
    s = as_found(data.core_shell_particles(shape=(20, 26), counts=600, seed=1))
    truth = s.metadata.Truth
    s.set_elements(["Fe", "Pt"])
    metals = {"Fe_Ka": truth.k_factors.Fe_Ka, "Pt_La": truth.k_factors.Pt_La}
    with pytest.warns(UserWarning, match="too few counts in the lines|add_elements"):
        found = s.psnmf.quantify(factors=metals).formulas()
    assert found.matches[0] == []
    assert found.table().rows[0][1] == "none"
    assert str(found.matches[2][0].formula) == "FePt"
