# SPDX-License-Identifier: GPL-3.0-or-later
"""Unlisted elements are found, fitted and reported, and other elements are not affected."""

import warnings

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.line_model.linear_model import families
from tests.eds.on_signals import measure_lines
from tests.helpers.compositions import as_found
from tests.helpers.real_maps import load, needs_maps

PHANTOMS = [
    "mineral_grains",
    "core_shell_particles",
    "grain_boundary",
    "sem_two_phases",
    "embedded_spheres",
    "sharp_interface",
    "isolated_particles",
]


def one_line_each(signal):
    lines = {}
    for line in map(str, signal.metadata.Sample.xray_lines):
        lines.setdefault(line.split("_")[0], line)
    return lines


def symbols(measured):
    """Return what is not listed, elements by their symbols."""
    return [str(one) for one in measured.unlisted]


def measure(signal, lines, elements):
    """Return the intensities without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measure_lines(signal, list(lines), elements=elements)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_left_out"),
    # Two elements of a thin and of a thick specimen.
    [(PHANTOMS[0], 2), ("sem_two_phases", 2)]
    + [pytest.param(name, None, marks=pytest.mark.thorough) for name in PHANTOMS],
)
def test_measure_lines__any_one_element_may_be_left_out(name, n_left_out):
    s = as_found(getattr(data, name)(shape=(32, 32), counts=600, seed=1))
    lines = one_line_each(s)
    full = measure(s, lines.values(), lines)
    assert full.unlisted == ()
    for left_out in list(lines)[:n_left_out]:
        rest = [e for e in lines if e != left_out]
        found = measure(s, [lines[e] for e in rest], rest)
        kept = [i for i, e in enumerate(lines) if e != left_out]
        np.testing.assert_array_less(
            np.abs(found.net - full.net[:, kept]), 3 * full.sigma[:, kept], err_msg=left_out
        )
        # Titanium is not significant: 1 % of a phase with 1 % of the counts.
        assert symbols(found) in ([left_out], [] if left_out == "Ti" else None)


@pytest.mark.slow
def test_measure_lines__it_is_reported_with_the_counts_and_the_call_that_lists_it():
    s = as_found(data.mineral_grains(shape=(11, 13), n_channels=800, counts=2000, seed=1))
    with pytest.warns(UserWarning, match=r"not in .*: Si \(\d+ counts in Si_Ka\).*add_elements"):
        found = measure_lines(s, ["Mg_Ka", "Fe_Ka"], elements=["O", "Ca", "Ti", "Al"])
    assert found.lines == ["Mg_Ka", "Fe_Ka"]
    assert any("Si_Ka" in note for note in found.notes)


@pytest.mark.thorough
def test_measure_lines__most_of_the_elements_may_be_left_out():
    s = as_found(data.embedded_spheres(shape=(32, 32), counts=600, seed=1))
    lines = one_line_each(s)
    full = measure(s, lines.values(), lines)
    found = measure(s, ["Fe_Ka", "S_Ka"], ["Fe", "S"])
    kept = [list(lines).index(e) for e in ("Fe", "S")]
    assert (np.abs(found.net - full.net[:, kept]) < 3 * full.sigma[:, kept]).all()
    assert set(symbols(found)) == set(lines) - {"Fe", "S"}


def test_measure_lines__a_peak_that_no_element_has_is_fitted_by_itself():
    s = as_found(data.sharp_interface(shape=(20, 24), n_channels=900, counts=600, seed=1))
    energy = s.axes_manager.signal_axes[0].axis
    factors = s.learning_results.factors
    peak = np.exp(-0.5 * ((energy - 5.20) / 0.05) ** 2)
    factors = factors + 0.02 * peak[:, None] / peak.sum()
    s.learning_results.factors = factors / factors.sum(axis=0)
    found = measure(s, ["Fe_Ka", "Mg_Ka"], ["O"])
    (peak,) = found.unlisted
    assert peak.kind == "unknown peak"
    assert peak.energy == pytest.approx(5.20, abs=0.02)


@pytest.mark.slow
def test_measure_lines__an_axis_that_is_off_is_no_reason_for_other_elements():
    s = as_found(data.mineral_grains(shape=(24, 26), counts=800, seed=1))
    s.axes_manager.signal_axes[0].offset += 0.012
    lines = one_line_each(s)
    assert measure(s, lines.values(), lines).unlisted == ()
    rest = {e: line for e, line in lines.items() if e not in ("Si", "Fe")}
    assert set(symbols(measure(s, rest.values(), rest))) == {"Si", "Fe"}


@pytest.mark.slow
def test_quantify__net_counts_far_below_zero_are_reported_and_are_their_own_error():
    s = as_found(data.mineral_grains(shape=(11, 13), n_channels=800, counts=2000, seed=1))
    lines = one_line_each(s)
    energy = s.axes_manager.signal_axes[0].axis
    # Unmixing took from the first phase the iron of another, and more.
    factors = s.learning_results.factors.copy()
    factors[np.abs(energy - 6.40) < 0.15, 0] = 0.0
    s.learning_results.factors = factors / factors.sum(axis=0)
    with pytest.warns(UserWarning, match="below zero by more than noise: Fe_Ka of Silicate"):
        found = measure_lines(s, list(lines.values()), elements=lines)
    fe = found.lines.index("Fe_Ka")
    assert found.net[0, fe] < 0
    assert found.sigma[0, fe] >= -found.net[0, fe]
    assert found.blank[0, fe] >= -found.net[0, fe]
    k = s.metadata.Truth.k_factors.as_dictionary()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = s.psnmf.quantify(factors=k)
    assert not result.detected[0, result.elements.index("Fe")]
    assert "below zero" in repr(result)


@pytest.mark.slow
def test_families__are_those_of_exspys_model():
    s = data.mineral_grains(shape=(2, 3), n_channels=1500).inav[0, 0]
    s.set_elements(["Fe", "Pt", "Si"])
    model = s.create_model(auto_background=False, auto_add_lines=False)
    model.add_family_lines(["Fe_Ka", "Fe_La", "Pt_La", "Pt_Ma", "Si_Ka"])
    for line in model.xray_lines:
        line.A.value = 1.0
    lines = {line.name: line for line in (*model.xray_lines, *model.family_lines)}
    energy = s.axes_manager.signal_axes[0].axis
    names, members = families(["Fe", "Pt", "Si"], energy[0], energy[-1], 200.0)
    assert set(names) == {line.name for line in model.xray_lines} | {"Pt_Lb1"}
    assert len(members) == len(lines)
    # Lines of platinum from 11 to 14 keV are recorded less well than La, so they are fitted alone.
    ratios = {}
    for family, energy, weight in members:
        scale = 1.0 if names[int(family)].endswith("a") else lines[names[int(family)]].A.value
        ratios[names[int(family)].split("_")[0], round(energy, 4)] = weight * scale
    for name, line in lines.items():
        key = (name.split("_")[0], round(line.centre.value, 4))
        assert ratios[key] == pytest.approx(line.A.value, rel=1e-6)


# --- real maps, with lists that a microscopist might give


@pytest.mark.slow
@needs_maps("core_shell.hspy", "mineral_lamella_88.hspy", "bcf_v2_50x50px.bcf")
@pytest.mark.thorough_cases("Pt O", "mineral_lamella", "-Ag Cu")
@pytest.mark.parametrize(
    ("file", "n_phases", "full", "listed"),
    [
        ("core_shell.hspy", 3, "C Cu Fe O Pt Si", "Fe Pt"),
        ("core_shell.hspy", 3, "C Cu Fe O Pt Si", "Fe Pt O"),
        ("mineral_lamella_88.hspy", 3, "Al Ca Cu Fe Ga Mg Si", "Fe Mg"),
        ("mineral_lamella_88.hspy", 3, "Al Ca Cu Fe Ga Mg Si", "Fe Mg Si Ca Al"),
        ("bcf_v2_50x50px.bcf", 2, "Ag Al C Cu", "Ag Al"),
        ("bcf_v2_50x50px.bcf", 2, "Ag Al C Cu", "Ag Cu"),
    ],
)
def test_decomposition__real_maps_with_incomplete_lists(file, n_phases, full, listed):
    s = load(file)
    s.decomposition(
        algorithm="PSNMF", output_dimension=n_phases, print_info=False, show_progressbar=False
    )
    full, listed = full.split(), listed.split()
    lines = [f"{e}_{'La' if e in ('Pt', 'Ag') else 'Ka'}" for e in listed]
    expected, found = measure(s, lines, full), measure(s, lines, listed)
    assert expected.unlisted == ()
    assert set(symbols(found)) == set(full) - set(listed)
    np.testing.assert_array_less(np.abs(found.net - expected.net), 3 * expected.sigma)
