# SPDX-License-Identifier: GPL-3.0-or-later
"""Formulas that are built: charges balance, integers are small, order is a chemist's."""

import pytest

from hyperspy_psnmf.eds.formulas.candidates import ANIONS, IONIC, STATES, build_formulas


def built(*elements, minor=()):
    return {str(formula) for formula in build_formulas(list(elements), set(minor))}


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ("Fe", {"Fe"}),
        ("O", set()),
        ("Mg O", {"MgO"}),
        ("O Mg", {"MgO"}),
        ("Al O", {"Al2O3"}),
        ("Fe O", {"FeO", "Fe2O3", "Fe3O4"}),
        ("Ti O", {"TiO2", "Ti2O3", "Ti3O5"}),
        ("Na Cl", {"NaCl"}),
        ("Mg Al O", {"MgAl2O4", "Mg3Al2O6", "MgAl4O7"}),
        ("La Al O", {"LaAlO3", "(La,Al)2O3"}),
    ],
)
def test_build_formulas__of_an_oxide_or_halide_only_balanced_charges(elements, expected):
    assert built(*elements.split()) == expected


@pytest.mark.parametrize(
    ("elements", "formula"),
    [
        ("Fe Pt", "FePt"),
        ("Pt Fe", "FePt"),
        ("Al Cu", "Al2Cu"),
        ("Fe C", "Fe3C"),
        ("C Si", "SiC"),
        ("S Fe", "FeS2"),
        ("Fe Ni S", "(Fe,Ni)S"),
        ("N Si", "Si3N4"),
        ("As Ga Al", "(Ga,Al)As"),
        ("O Sr Ti", "SrTiO3"),
        ("O Mg Fe Si", "(Mg,Fe)2SiO4"),
        ("O Mg Fe Si", "(Mg,Fe)SiO3"),
        ("O Ca C", "CaCO3"),
        ("O Ca P", "Ca3P2O8"),
        ("O Ca S", "CaSO4"),
        ("O Al Si", "Al2SiO5"),
        ("O Nb Li", "LiNbO3"),
    ],
)
def test_build_formulas__well_known_ones_are_among_them(elements, formula):
    assert formula in built(*elements.split())


def test_build_formulas__every_charge_balances():
    for formula in build_formulas(["O", "Mg", "Fe", "Si", "Al"], {"Al"}):
        *cations, (anion, n) = formula.sites
        charges = {0}
        for elements, number in cations:
            states = set.intersection(*(STATES[element] for element in elements))
            one = len(cations) == 1 and len(elements) == 1
            sums = {number * q for q in states}
            if one and number == 3:  # on two sites
                sums |= {2 * p + q for p in states for q in states}
            charges = {charge + q for charge in charges for q in sums}
        assert n * ANIONS[anion[0]] in charges, str(formula)


def test_build_formulas__minor_elements_may_be_missing_and_major_ones_not():
    found = built("O", "Mg", "Si", "Al", minor={"Al"})
    assert "MgSiO3" in found
    assert not any("Si" not in formula for formula in found)
    assert built("Al", "Cu", minor={"Cu"}) == {"Al"}


def test_build_formulas__alloys_of_three_metals_have_none():
    assert built("Fe", "Cr", "Ni") == set()


def test_anions__are_no_metals():
    assert set(ANIONS) >= IONIC
    assert not set(ANIONS) & {"Fe", "Si", "Al", "Ti"}
