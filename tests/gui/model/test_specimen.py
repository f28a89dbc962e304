# SPDX-License-Identifier: GPL-3.0-or-later
"""Thickness and density of the specimen as texts; empty ones are not known."""

import numpy as np
import pytest

from hyperspy_psnmf.gui import PSNMFTool
from tests.helpers.maps import describe_state


def find_note(tool):
    return next(note for note in tool.composition.notes if note.startswith("absorption"))


def test_specimen__as_in_the_metadata(signal):
    signal.metadata.set_item("Sample.thickness", np.float32(80.0))
    signal.metadata.set_item("Sample.density", 4.125)
    tool = PSNMFTool(signal)
    assert (tool.thickness, tool.density) == ("80", "4.125")
    other = signal.deepcopy()
    other.metadata.set_item("Sample.thickness", 0)
    del other.metadata.Sample.density
    tool.signal = other
    assert (tool.thickness, tool.density) == ("", "")


def test_specimen__no_number_in_the_metadata_is_reported_when_it_is_used(done):
    other = done.signal.deepcopy()
    other.metadata.set_item("Sample.thickness", "thin")
    done.signal = other
    assert done.thickness == "thin"
    done.quantify()
    assert "thickness: a number in nm" in done.message


@pytest.mark.slow
def test_quantify__thickness_and_density_entered_correct_for_absorption(done):
    done.trait_set(thickness=" 150 ", density="3.5")
    done.quantify()
    assert "150 nm, 3.5 g/cm³" in find_note(done)


@pytest.mark.slow
@pytest.mark.parametrize("emptied", ["thickness", "density"])
def test_quantify__either_emptied__no_correction_but_an_error(done, emptied):
    assert done.trait_get(emptied)[emptied]
    done.trait_set(**{emptied: " "})
    done.quantify()
    assert "not corrected for" in find_note(done)
    assert done.composition.atomic.budget["absorption"].max() > 0


@pytest.mark.parametrize("name", ["thickness", "density"])
def test_quantify__texts_that_are_no_positive_number_are_reported_by_name(done, name):
    before = describe_state(done.signal)
    for text in ("thin", "4,2", "1 2", "0", "-1", "nan", "inf"):
        done.trait_set(**{name: text})
        done.quantify()
        assert done.is_problem
        assert done.message.startswith(name)
        assert done.composition is None
    assert describe_state(done.signal) == before
