# SPDX-License-Identifier: GPL-3.0-or-later
"""Net intensities stay bounded and their errors cover, where templates nearly coincide."""

import warnings

import numpy as np
import pytest
from exspy.material import elements as elements_db

from hyperspy_psnmf import data
from tests.eds.lines.carbon_maps import carbon_map
from tests.eds.on_signals import measure_lines
from tests.helpers.compositions import as_found


def oxygen_of(counts, **kwargs):
    """Return the net counts of O Ka over the true ones, and the standard error."""
    s, truth = carbon_map(counts, **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        s.decomposition(
            algorithm="PSNMF",
            output_dimension=1,
            energy_range=(0.15, 15),
            print_info=False,
            show_progressbar=False,
        )
        found = measure_lines(s, ["O_Ka"], elements=["C"])
    return found.net[0, 0] / truth, found.sigma[0, 0] / truth


@pytest.mark.slow
@pytest.mark.crossed("counts", "off")
@pytest.mark.parametrize("counts", [1e7, 1e5, 1e6, 1e8])
@pytest.mark.parametrize(
    "off",
    [
        {"shift": 0.006, "nitrogen": 0.015, "pile_up": 0.02},
        {"shift": 0.0},
        {"shift": 0.015, "nitrogen": 0.03},
        {"shift": -0.015, "pile_up": 0.03},
        {"shift": -0.012, "nitrogen": 0.005, "pile_up": 0.03},
        {"shift": 0.012, "nitrogen": 0.01, "pile_up": 0.02},
    ],
    ids=str,
)
def test_measure_lines__oxygen_beside_nitrogen_and_pile_up(counts, off):
    found, error = oxygen_of(counts, **off)
    assert abs(found - 1.0) < max(0.2, 3 * error)
    assert error < 0.25


def test_measure_lines__pile_up_and_nitrogen_are_reported():
    s, _ = carbon_map(1e7, nitrogen=0.03, pile_up=0.03)
    s.decomposition(algorithm="PSNMF", output_dimension=1, print_info=False, show_progressbar=False)
    with pytest.warns(UserWarning, match=r"N \(.*the sum peak of C_Ka and C_Ka"):
        found = measure_lines(s, ["C_Ka", "O_Ka"])
    assert [one.kind for one in found.unlisted] == ["element", "sum peak"]


@pytest.fixture(scope="module")
def minerals():
    return as_found(data.mineral_grains(shape=(24, 26), counts=250, seed=1))


def measure(s, lines, elements):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = measure_lines(s, lines, elements=elements)
    return found, " ".join(str(w.message) for w in said)


MORE = (
    "C",
    "N",
    "F",
    "Na",
    "P",
    "S",
    "Cl",
    "K",
    "V",
    "Cr",
    "Mn",
    "Co",
    "Ni",
    "Cu",
    "Zn",
    "Zr",
    "Ga",
)


@pytest.mark.thorough
def test_measure_lines__many_elements_change_the_others_within_their_errors(minerals):
    lines = ["Al_Ka", "Ca_Ka", "Fe_Ka", "Mg_Ka", "O_Ka", "Si_Ka", "Ti_Ka"]
    few, _ = measure(minerals, lines, ())
    many, _ = measure(minerals, lines, MORE)
    assert (np.abs(many.net - few.net) < 3 * many.sigma).all()


@pytest.mark.slow
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.thorough), 2])
def test_measure_lines__no_more_counts_than_there_are(minerals, step):
    symbols = [name for name, e in elements_db if e.Atomic_properties.has_item("Xray_lines")]
    listed = sorted({*symbols[4:60:step], "Al", "Ca", "Fe", "Mg", "O", "Si", "Ti"})
    lines = [f"{e}_Ka" for e in ("Al", "Ca", "Fe", "Mg", "O", "Si", "Ti")]
    found, said = measure(minerals, lines, listed)
    few, _ = measure(minerals, lines, ())
    assert (np.abs(found.net) <= found.counts[:, None]).all()
    assert (found.sigma <= found.counts[:, None]).all()
    assert (np.abs(found.net - few.net) < 3.5 * np.hypot(found.sigma, few.sigma)).all()
    assert step > 1 or "do not distinguish" in said
    assert len(said) < 2000


def test_measure_lines__what_is_unlisted_is_significant():
    s, _ = carbon_map(1e7, shift=-0.012, nitrogen=0.005, pile_up=0.03)
    s.decomposition(
        algorithm="PSNMF",
        output_dimension=1,
        energy_range=(0.15, 15),
        print_info=False,
        show_progressbar=False,
    )
    found, _ = measure(s, ["C_Ka", "O_Ka"], ())
    assert all(one.counts > 0 for one in found.unlisted)
