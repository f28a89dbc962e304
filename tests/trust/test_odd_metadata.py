# SPDX-License-Identifier: GPL-3.0-or-later
"""Metadata as people and files leave them: what can be done is done, and the rest is named."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.helpers.maps import describe_state

# What is not in the list is in the spectra still.
pytestmark = pytest.mark.filterwarnings("ignore:no line of the elements given explains:UserWarning")

EDS = "Acquisition_instrument.TEM.Detector.EDS"
TWO = {"Mg_Ka": 1.0, "Si_Ka": 1.0}
REST = ("Al", "Ca", "Fe", "O", "Ti")
WITHOUT_LINE = ["Li", "Mg", "Np", "Si"]  # two of them in eXSpy's tables

# name: (elements, lines, lines that are drawn)
SAMPLES = {
    "elements without lines": (WITHOUT_LINE, ["Mg_Ka", "Si_Ka"], ["Mg_Ka", "Si_Ka"]),
    "no elements": (["Mg", "Xx", "__doc__"], ["Mg_Ka", "Xx_Ka"], ["Mg_Ka"]),
    "no lines": (["Mg"], ["Mg", "Mg_Kz", "", "Mg_Ka.weight"], []),
    "words": ("Mg", "Mg_Ka", ["Mg_Ka"]),
    "None": (None, None, []),
    "bytes": ([b"Mg"], [b"Mg_Ka"], []),
    "numbers": ([12, 14], [1.25, np.nan], []),
    "arrays": (np.array(["Mg", "Si"]), np.array(["Mg_Ka", "Si_Ka"]), ["Mg_Ka", "Si_Ka"]),
    "lines without elements": (None, ["Si_Ka"], ["Si_Ka"]),
}


def listing(signal, elements, lines):
    """Return a copy of a map whose metadata list these."""
    s = signal.deepcopy()
    s.metadata.set_item("Sample.elements", elements)
    s.metadata.set_item("Sample.xray_lines", lines)
    return s


@pytest.fixture(params=SAMPLES.values(), ids=SAMPLES)
def sample(request, unmixed_free):
    *listed, drawn = request.param
    return listing(unmixed_free, *listed), drawn


# Which is fitted with lines again; of free spectra, below, all are tried.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["no elements", "None", "numbers"])
def test_report__an_odd_sample_whose_spectra_are_made_of_lines(unmixed, name):
    s = listing(unmixed, *SAMPLES[name][:2])
    before = describe_state(s)
    assert "was unmixed" in s.psnmf.report()
    assert describe_state(s) == before


@pytest.mark.slow
@pytest.mark.usefixtures("right_axis")
def test_residuals__an_odd_sample_is_reported_and_drawn_with_what_is_known_of_it(sample):
    s, drawn = sample
    before = describe_state(s)
    assert "was unmixed" in s.psnmf.report()
    s.psnmf.residuals()
    _, axes = s.psnmf.plot()
    labels = {text.get_text().replace("α", "a") for text in axes[0, 1].texts}
    assert labels == {line.replace("_", " ") for line in drawn}
    plt.close("all")
    assert describe_state(s) == before


@pytest.mark.slow
@pytest.mark.thorough_cases("elements without lines", "words", "arrays", "no ", "numbers")
def test_element_maps__lines_of_an_odd_sample_are_mapped_or_asked_for(sample):
    s, drawn = sample
    before = describe_state(s)
    if drawn:
        maps = s.psnmf.element_maps()
        assert [m.metadata.Sample.xray_lines[0] for m in maps] == drawn
    else:
        with pytest.raises(ValueError, match="xray_lines: none given, and none in the metadata"):
            s.psnmf.element_maps()
    assert len(s.psnmf.element_maps(["Si_Ka"])) == 1
    assert describe_state(s) == before


@pytest.mark.slow
def test_quantify__what_has_no_factor_in_an_odd_sample_is_left_out_by_name(sample):
    s, _ = sample
    before = describe_state(s)
    listed = s.metadata.Sample.elements
    others = [] if listed is None or isinstance(listed, str) else map(str, listed)
    unknown = [e for e in others if e not in ("Mg", "Si")]
    # Without lines, there is nothing that a factor could be of: they are left out with a warning.
    if set(unknown) - set(WITHOUT_LINE):
        with pytest.raises(ValueError, match=f"factors: none for .*{unknown[0]}"):
            s.psnmf.quantify("CL", TWO, errors="counting")
    elif unknown:
        with pytest.warns(UserWarning, match="Li, Np .without lines."):
            assert s.psnmf.quantify("CL", TWO, errors="counting").elements == ["Mg", "Si"]
    known = [e for e in unknown if e in WITHOUT_LINE]
    if known == unknown:
        found = s.psnmf.quantify("CL", TWO, exclude=(*REST, *known), errors="counting")
        assert found.elements == ["Mg", "Si"]
    assert describe_state(s) == before


NUMBERS = {
    "Acquisition_instrument.TEM.beam_energy": lambda s: s.psnmf.element_maps(),
    f"{EDS}.energy_resolution_MnKa": lambda s: s.psnmf.element_maps(),
    f"{EDS}.live_time": lambda s: s.psnmf.phase_spectra(),
    f"{EDS}.real_time": lambda s: s.psnmf.plot(),
    "Acquisition_instrument.TEM.probe_area": lambda s: s.psnmf.phase_spectra(),
}


@pytest.mark.crossed("path", "value")
@pytest.mark.parametrize("value", ["much", [1.0, 2.0], {"a": 1}, 1j], ids=str)
@pytest.mark.parametrize(("path", "use"), NUMBERS.items(), ids=NUMBERS)
def test_odd_metadata__what_should_be_a_number_is_named(unmixed, path, use, value):
    s = unmixed.deepcopy()
    s.metadata.set_item(path, value)
    before = describe_state(s)
    with pytest.raises(ValueError, match=rf"s\.metadata\.{path} must be a number"):
        use(s)
    assert describe_state(s) == before


@pytest.mark.parametrize(("path", "use"), NUMBERS.items(), ids=NUMBERS)
def test_odd_metadata__a_number_that_is_nan_is_as_good_as_none(unmixed, path, use):
    s = unmixed.deepcopy()
    s.metadata.set_item(path, np.nan)
    if path.endswith(("beam_energy", "resolution_MnKa")):
        with pytest.raises(ValueError, match=r"the metadata have no .*energy.*: set it with"):
            use(s)
    else:
        use(s)
    plt.close("all")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["Sample", "Acquisition_instrument", "Signal", "Truth"])
def test_report__a_map_without_a_part_of_its_metadata_is_unmixed_and_reported(grains, what):
    delattr(grains.metadata, what)
    before = repr(grains.metadata.as_dictionary())
    grains.decomposition(
        algorithm="PSNMF", output_dimension=2, print_info=False, show_progressbar=False
    )
    assert "was unmixed" in grains.psnmf.report()
    assert grains.psnmf.phase_spectra().data.sum() == pytest.approx(grains.data.sum())
    grains.psnmf.phase_maps(), grains.psnmf.residuals(), grains.psnmf.plot()
    plt.close("all")
    assert repr(grains.metadata.as_dictionary()) == before
