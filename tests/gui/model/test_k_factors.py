# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of k-factors, with computed ones until others are entered."""

import pytest
from exspy.signals import EDSSEMSpectrum

from hyperspy_psnmf.eds.quantify.computed_factors import computed_factor
from hyperspy_psnmf.gui import PSNMFTool

BEAM = "Acquisition_instrument.TEM.beam_energy"


@pytest.fixture
def signal(grains):
    del grains.metadata.Truth
    return grains


def values(tool):
    return [(row.value, row.sigma) for row in tool.factors]


def computed(tool):
    beam_energy = tool.signal.metadata.get_item(BEAM)
    return [pytest.approx(computed_factor(row.line, beam_energy), rel=0.05) for row in tool.factors]


def test_factors__computed_with_errors_on_maps_of_thin_specimens(tool):
    assert values(tool) == computed(tool)
    assert all(row.line in tool.factors_note for row in tool.factors)
    assert "scaled" not in tool.factors_note


@pytest.mark.slow
def test_factors__nothing_entered__composition_as_without_factors(done):
    done.quantify()
    expected = done.result.psnmf.quantify(exclude="Ca")  # in the metadata without a line
    assert done.composition.atomic.values == pytest.approx(expected.atomic.values)
    assert done.composition.atomic.sigma == pytest.approx(expected.atomic.sigma)
    assert any("k-factors are computed" in note for note in done.composition.notes)


@pytest.mark.slow
def test_factors__entered_ones_are_used_and_no_longer_called_computed(done):
    first, *others = done.factors
    first.trait_set(value=3 * first.value, sigma=0.01)
    before, after = done.factors_note.split("are computed")
    assert first.line not in before
    assert all(row.line in before for row in others)
    assert "scaled to those entered" in after
    done.quantify()
    expected = done.result.psnmf.quantify(
        factors={first.line: (first.value, 0.01), **{row.line: "computed" for row in others}},
        exclude="Ca",
    )
    assert done.composition.atomic.values == pytest.approx(expected.atomic.values)


def test_factors__all_entered__none_is_called_computed(tool):
    for row in tool.factors:
        row.value = 1.2
    assert tool.factors_note == ""


def test_factors__another_map__computed_anew_but_for_entered_ones(tool):
    tool.factors[0].trait_set(value=7.0, sigma=0.5)
    other = tool.signal.deepcopy()
    other.metadata.set_item(BEAM, 80.0)
    tool.signal = other
    assert values(tool)[0] == (7.0, 0.5)
    assert values(tool)[1:] == computed(tool)[1:]


def test_factors__without_beam_energy_none(signal):
    del signal.metadata.Acquisition_instrument.TEM.beam_energy
    tool = PSNMFTool(signal)
    assert {*values(tool)} == {(0.0, 0.0)}
    assert tool.factors_note == ""


def test_factors__of_bulk_specimens_none(signal):
    bulk = EDSSEMSpectrum(signal.data)
    bulk.axes_manager[-1].scale = signal.axes_manager[-1].scale
    bulk.axes_manager[-1].units = "keV"
    bulk.set_microscope_parameters(beam_energy=20.0)
    bulk.set_lines(["Al_Ka", "Mg_Ka"])
    tool = PSNMFTool(bulk)
    assert [row.line for row in tool.factors] == ["Al_Ka", "Mg_Ka"]
    assert {*values(tool)} == {(0.0, 0.0)}
    assert tool.factors_note == ""


def test_factors__of_phantoms_are_the_true_ones(pristine_grains):
    truth = pristine_grains.metadata.Truth.k_factors
    tool = PSNMFTool(pristine_grains.deepcopy())
    true = [pytest.approx(truth[row.line], rel=1e-3) for row in tool.factors]
    assert [row.value for row in tool.factors] == true
    assert tool.factors_note == ""
