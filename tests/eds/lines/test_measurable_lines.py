# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that cannot be measured: refused where asked for, left out where only listed."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from exspy.material import elements as elements_db

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.lines.measurable_lines import LEFT_OUT, MAX_NAMES, name_some
from hyperspy_psnmf.eds.quantify import element_maps as maps_module
from hyperspy_psnmf.eds.quantify import quantify as quantify_module
from hyperspy_psnmf.eds.signals.axes import energies
from tests.eds.on_signals import explain_lines, measure_lines
from tests.helpers.compositions import as_found

pytestmark = pytest.mark.filterwarnings("ignore:(net counts below|in the spectra, but not)")


@pytest.fixture(scope="module")
def pristine():
    return as_found(data.mineral_grains(shape=(20, 26), n_channels=800, counts=2000, seed=3))


@pytest.fixture
def minerals(pristine):
    """A TEM map of three minerals from 0.1 to 8.1 keV, unmixed perfectly; a copy."""
    return pristine.deepcopy()


@pytest.fixture
def factors(pristine):
    return pristine.metadata.Truth.k_factors.as_dictionary()


def mask(s, low, high):
    """Leave channels out of the result, as a decomposition with `signal_mask` does."""
    found = np.array(s.learning_results.factors)
    found[(energies(s) > low) & (energies(s) < high)] = np.nan
    s.learning_results.factors = found


def list_line(s, line):
    s.add_elements([line.split("_")[0]])
    s.metadata.Sample.xray_lines = [*s.metadata.Sample.xray_lines, line]


def set_beam_energy(s, energy):
    s.metadata.Acquisition_instrument.TEM.beam_energy = energy


# name: (what makes it so, line, why)
KINDS = {
    "energy range": (lambda s: mask(s, 0, 0.995), "O_Ka", "outside the channels in use, 1 to 8.09"),
    "low range": (lambda s: mask(s, 6, 9), "Fe_Ka", "outside the channels in use, 0.1 to 6 keV"),
    "mask": (lambda s: mask(s, 3.4, 3.9), "Ca_Ka", "masked"),
    "mask of Si": (lambda s: mask(s, 1.5, 2.0), "Si_Ka", "masked"),
    "zero peak": (lambda s: list_line(s, "Be_Ka"), "Be_Ka", "below 0.12 keV"),
    "off axis": (lambda s: list_line(s, "Zr_Ka"), "Zr_Ka", "not on the energy axis, 0.1 to 8.09"),
    "beam": (lambda s: set_beam_energy(s, 5.0), "Fe_Ka", "above the beam energy, 5 keV"),
}
MEMBERS = {
    "K beta": (lambda s: list_line(s, "Fe_Kb"), "Fe_Kb", "recorded with its main line Fe_Ka"),
    "K beta of Ti": (lambda s: list_line(s, "Ti_Kb"), "Ti_Kb", "recorded with its main line Ti_Ka"),
    "L l": (lambda s: list_line(s, "Fe_Ll"), "Fe_Ll", "recorded with its main line Fe_La"),
}
CASES = [
    *(pytest.param(*kind, "model", id=f"{name}, model") for name, kind in KINDS.items()),
    *(pytest.param(*kind, "windows", id=f"{name}, windows") for name, kind in KINDS.items()),
    *(pytest.param(*kind, "model", id=f"{name}, model") for name, kind in MEMBERS.items()),
]


LONG_GAPS = [(0, 0.7), (3.0, 9.0)]  # keV


def left_out(caught):
    return [str(w.message) for w in caught if str(w.message).startswith(LEFT_OUT)]


def no_work(monkeypatch):
    def work(*args, **kwargs):
        raise AssertionError("lines were measured")

    monkeypatch.setattr(maps_module, "measure_lines", work)
    monkeypatch.setattr(quantify_module, "measure_lines", work)


@pytest.mark.slow
@pytest.mark.thorough_cases("windows", "energy range", "mask of Si", "axis", "of Ti", "L l")
@pytest.mark.parametrize(("change", "line", "why", "method"), CASES)
def test_element_maps__listed_line_left_out_with_one_warning(minerals, change, line, why, method):
    change(minerals)
    listed = list(minerals.metadata.Sample.xray_lines)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = minerals.psnmf.element_maps(intensities=method)
    (message,) = left_out(caught)
    assert line in message
    assert why in message
    mapped = [m.metadata.Sample.xray_lines[0] for m in found]
    assert mapped == [x for x in listed if x in mapped]
    assert line not in mapped
    assert len(mapped) >= len(listed) - 3  # windows of neighbours may be masked too
    assert all(np.isfinite(m.data).all() for m in found)


@pytest.mark.parametrize(("change", "line", "why", "method"), CASES)
def test_element_maps__line_asked_for_refused_before_work(
    minerals, monkeypatch, change, line, why, method
):
    change(minerals)
    no_work(monkeypatch)
    with pytest.raises(ValueError, match=f"^xray_lines: .*{line}.* {why}"):
        minerals.psnmf.element_maps(["Mg_Ka", line], intensities=method)


@pytest.mark.parametrize(("change", "line", "why", "method"), CASES)
def test_quantify__factor_refused_before_work(
    minerals, factors, monkeypatch, change, line, why, method
):
    change(minerals)
    no_work(monkeypatch)
    element = line.split("_")[0]
    given = {x: f for x, f in factors.items() if not x.startswith(f"{element}_")} | {line: 1.3}
    with pytest.raises(ValueError, match=f"^factors: .*{line}.* {why}"):
        minerals.psnmf.quantify(factors=given, intensities=method)


@pytest.mark.slow
@pytest.mark.thorough_cases("energy range-model", "zero peak-model")
@pytest.mark.crossed("method", "element")
@pytest.mark.parametrize("method", ["model", "windows"])
@pytest.mark.parametrize(
    ("change", "element", "why"),
    [
        (lambda s: mask(s, 0, 0.995), "O", "O_Ka outside the channels in use"),
        (lambda s: mask(s, 1.5, 2.0), "Si", "masked"),
        (lambda s: list_line(s, "Be_Ka"), "Be", "Be_Ka below 0.12 keV"),
        (lambda s: s.add_elements(["Li"]), "Li", "without lines"),
    ],
    ids=["energy range", "mask", "zero peak", "no line"],
)
def test_quantify__element_without_measurable_line_left_out(
    minerals, factors, change, element, why, method
):
    change(minerals)
    exclude = ["Al", "Mg"]  # their windows are beside those of Si
    given = {x: f for x, f in factors.items() if x.split("_")[0] not in (element, *exclude)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = minerals.psnmf.quantify(factors=given, exclude=exclude, intensities=method)
    (message,) = left_out(caught)
    assert f"{element} (" in message
    assert why in message
    assert element not in found.elements
    assert element in found.notes[0]
    # One that has a line that can be measured is no omission of the metadata.
    given.pop("Fe_Ka")
    with pytest.raises(ValueError, match=r"factors: none for Fe;"):
        minerals.psnmf.quantify(factors=given, exclude=exclude, intensities=method)


@pytest.mark.parametrize("method", ["model", "windows"])
@pytest.mark.parametrize("lines", [["Be_Ka"], ["Zr_Ka", "Be_Ka"], ["U_La"]], ids=str)
def test_element_maps__none_left_is_an_error(minerals, lines, method):
    minerals.metadata.Sample.xray_lines = lines
    with pytest.raises(ValueError, match=r"none of those in the metadata can be measured.*_.a"):
        minerals.psnmf.element_maps(intensities=method)


def test_windows__measure_a_line_by_itself(minerals):
    with pytest.raises(ValueError, match=r"Fe_Kb.*; intensities='windows' integrates a line"):
        minerals.psnmf.element_maps(["Fe_Kb"])
    assert minerals.psnmf.element_maps(["Fe_Kb"], intensities="windows")[0].data.sum() > 0


def test_messages__never_list_all_lines(minerals, factors):
    everything = [e for e, of in elements_db if of.Atomic_properties.has_item("Xray_lines.Ka")]
    alpha = [f"{e}_Ka" for e in everything]
    minerals.metadata.Sample.elements = everything
    why = explain_lines(minerals, alpha, "model")
    with pytest.raises(ValueError, match=rf"and {len(why) - MAX_NAMES} others") as refused:
        minerals.psnmf.element_maps(alpha)
    with pytest.raises(ValueError, match=r"factors: none for .* and .* others") as missing:
        minerals.psnmf.quantify(factors=factors)
    assert max(len(str(e.value)) for e in (refused, missing)) < 500
    assert name_some("abcdefghi") == "a, b, c, d, e, f, g, h and 1 other"
    assert name_some("abc") == "a, b, c"


@pytest.mark.slow
@pytest.mark.crossed("method", "gap")
@pytest.mark.parametrize("method", ["model", "windows"])
@pytest.mark.parametrize(
    "gap", [(1.3, 1.55), *(pytest.param(g, marks=pytest.mark.thorough) for g in LONG_GAPS)], ids=str
)
def test_explain_lines__agrees_with_what_can_be_measured(minerals, gap, method):
    mask(minerals, *gap)
    minerals.metadata.Sample.xray_lines = []
    minerals.add_lines(only_one=False, only_lines=None)
    lines = list(minerals.metadata.Sample.xray_lines)
    why = explain_lines(minerals, lines, method)
    good = [line for line in lines if line not in why]
    assert len(good) > 1 < len(why)
    elements = minerals.metadata.Sample.elements
    found = measure_lines(minerals, good, method=method, elements=elements)
    assert found.net.shape == (3, len(good))
    assert np.isfinite(found.net).all()
    if method == "model":
        for line in list(why)[:3]:
            with pytest.raises(ValueError, match=f"{line}: the model has"):
                measure_lines(minerals, [line], elements=elements)


@pytest.mark.slow
@pytest.mark.thorough_cases("range", "mask of Si", "zero", "axis", "beam", "of Ti", "L l")
@pytest.mark.parametrize("kind", [*KINDS.values(), *MEMBERS.values()], ids=[*KINDS, *MEMBERS])
def test_figures__are_drawn_without_the_line(minerals, factors, kind, close_figures):
    change, line, _ = kind
    change(minerals)
    p, element, before = minerals.psnmf, line.split("_")[0], set(plt.get_fignums())
    p.plot()
    with pytest.warns(UserWarning, match=f"{LEFT_OUT}.*{line}"):
        _, axes = p.plot_element_maps()
    assert len(axes) == len(minerals.metadata.Sample.xray_lines) - 1
    given = {x: f for x, f in factors.items() if x != line}
    measurable = [e for e in (element,) if all(x.split("_")[0] != e for x in given)]
    found = p.quantify(factors=given, exclude=measurable)
    found.plot(), found.plot_line_fit()
    assert len(set(plt.get_fignums()) - before) == 4
