# SPDX-License-Identifier: GPL-3.0-or-later
"""The widget's model with what makes no sense.

Traits refuse a wrong type by name. Actions raise nothing, as views have nowhere to catch
it: what is wrong is a message that names it, and map and earlier results stay as they were.
"""

from pathlib import Path

import numpy as np
import pytest
from hyperspy.signals import Signal1D, Signal2D
from traits.api import TraitError

from hyperspy_psnmf.gui import PSNMFTool
from tests.helpers.hostile_maps import REFUSED_MAPS
from tests.helpers.maps import FREE, describe_state

LONG = 60  # s
SPECTRA = np.ones((2, 310))

# trait: values of a wrong type
NO_VALUES = {
    "signal": ["map.hspy", 3, [1], np.ones((4, 5, 31)), Signal2D(np.ones((4, 5)))],
    "result": ["map.hspy", 3, np.ones((4, 5, 31)), Signal1D(np.ones((4, 5, 31)))],
    "filename": [None, 3, Path("map.hspy"), b"map.hspy", ["map.hspy"]],
    "choice": [None, 0, ["0"], b"0"],
    "choices": [None, "0: map", 3, [0]],
    "elements": [None, ["Fe"], b"Fe", 26],
    "number_of_phases": ["3", 2.5, None, np.nan, 3 + 0j, [3], "auto"],
    "binning": ["auto", 2.5, None, (2, 2)],
    "init": ["nope", None, 3, True, SPECTRA, "Vertex"],
    "spectra": ["line", None, 3, True, ["lines"], "Lines"],
    "absent": [None, {0: ["Fe"]}, 0, ["0: Fe"]],
    "energy_range": [None, (0.1, 2.0), 2.0, [0.1, 2.0]],
    "fixed_spectra_file": [None, Path("x"), 3],
    "guide_file": [None, Path("x"), 3],
    **{name: ["auto", None, 1j, [0.5]] for name in ("volume", "smoothing")},
    "parsimony": ["yes", None, 1],
    "estimate_number": ["yes", None, 1, np.nan],
    "store_when_done": ["no", None, 0],
    "thickness": [None, 100.0, b"100", ["100"]],
    "density": [None, 4.2, b"4.2", ["4.2"]],
    "composition_units": ["ppm", None, 0],
    "names": [None, ["a", "b", "c"], 3],
    "folder": [None, Path("x"), 3],
    "factors": [None, {"Fe_Ka": 1.0}, ["Fe_Ka"], 3],
}


def id_of(value):
    # Not the address of an object, which differs between processes.
    return type(value).__name__ + str(value)[:12].split(" object at")[0].replace("\n", "")


VALUES = [
    pytest.param(name, value, id=f"{name}-{id_of(value)}")
    for name, values in NO_VALUES.items()
    for value in values
]


@pytest.fixture
def tool(grains, earlier):
    earlier(grains)
    return PSNMFTool(grains, folder="nowhere")


def assert_told(tool, act, message, before):
    getattr(tool, act)()
    tool.wait(LONG)
    assert tool.is_problem
    assert message in tool.message
    assert describe_state(tool.signal) == before
    assert not tool.is_stored


@pytest.mark.spot_checks("name")
@pytest.mark.parametrize(("name", "value"), VALUES)
def test_PSNMFTool__a_trait_of_a_wrong_type_is_refused_by_name(tool, name, value):
    before, old = describe_state(tool.signal), getattr(tool, name)
    with pytest.raises(TraitError, match=f"'{name}' trait"):
        setattr(tool, name, value)
    assert getattr(tool, name) is old
    assert describe_state(tool.signal) == before


@pytest.mark.parametrize("value", [3, "map.hspy", np.ones((4, 5, 31)), Signal2D(np.ones((4, 5)))])
def test_PSNMFTool__a_tool_for_what_is_no_map_is_refused(value):
    with pytest.raises(TraitError, match="'signal' trait"):
        PSNMFTool(value)


def without(*names):
    return {f"auto_{name}": False for name in names}


# What is of the right type, but makes no sense, and what the message must hold.
SETTINGS = [
    ({"number_of_phases": -1}, "output_dimension"),
    ({"number_of_phases": 10**30}, "output_dimension=1" + 30 * "0"),
    ({**without("binning"), "binning": -3}, "binning"),
    ({**without("binning"), "binning": 10**30}, "binning"),
    ({**without("binning"), "binning": 20}, "binning=(20, 20) leaves"),
    ({"parsimony": False, "volume": np.nan}, "volume"),
    ({"parsimony": False, "volume": np.inf}, "volume"),
    ({"parsimony": False, "volume": 0.5, "spectra": "lines"}, "volume"),
    ({**without("smoothing"), "smoothing": np.nan}, "smoothing"),
    ({**without("smoothing"), "smoothing": -np.inf}, "smoothing"),
    ({"guide_file": "nowhere.hspy"}, "no file 'nowhere.hspy'"),
    ({"absent": "9: Fe"}, "absent names phase 9"),
    ({"absent": "-1: Fe"}, "absent"),
    ({"absent": "0: 26"}, "absent names '26'"),
    ({"absent": "0: Li"}, "absent names Li, which has no X-ray line"),
    ({"absent": "matrix: Fe"}, "absent"),
    ({"absent": "Fe"}, "absent elements: a phase, a colon and elements"),
    ({"energy_range": "2, 1"}, "energy_range"),
    ({"energy_range": "nan, 2"}, "energy_range"),
    ({"energy_range": "1, 2, 3"}, "energy range: two numbers"),
    ({"energy_range": "low, high"}, "energy range: two numbers"),
    ({"energy_range": "inf, inf"}, "energy_range"),
    ({"elements": "Fe, Xx"}, "elements: Xx is no element"),
    ({"elements": "Fe.Ka"}, "elements: Fe.Ka is no element"),
    ({"elements": "__doc__"}, "elements: __doc__ is no element"),
    ({"fixed_spectra": "Fe"}, "fixed_spectra"),
    ({"fixed_spectra": 3.0}, "fixed_spectra"),
    ({"fixed_spectra": object()}, "fixed_spectra"),
    ({"fixed_spectra": -SPECTRA}, "fixed_spectra"),
    ({"fixed_spectra": np.nan * SPECTRA}, "fixed_spectra"),
    ({"fixed_spectra": 1j * SPECTRA}, "fixed_spectra"),
    ({"fixed_spectra": SPECTRA[:, 1:]}, "fixed_spectra"),
    ({"fixed_spectra": np.ones((4, 310))}, "fixed_spectra has 4 spectra"),
    ({"fixed_spectra": Signal1D(SPECTRA)}, "fixed_spectra"),
    ({"fixed_spectra_file": "nowhere.hspy"}, "nowhere.hspy cannot be read"),
    ({"estimate_number": True, "absent": "0: Fe"}, "absent"),
]


def _id(value):
    values = value.items() if isinstance(value, dict) else ()
    return "-".join(f"{k}={id_of(v)}" for k, v in values if not k.startswith("auto"))


@pytest.mark.spot_checks("settings")
@pytest.mark.parametrize(("settings", "message"), SETTINGS, ids=_id)
def test_PSNMFTool__setting_that_makes_no_sense_is_reported_when_it_is_used(
    tool, settings, message
):
    before = describe_state(tool.signal)
    tool.trait_set(**settings)
    assert_told(tool, "run", message, before)
    assert tool.result is None


@pytest.mark.spot_checks("act")
@pytest.mark.parametrize("act", ["run", "update_preview"])
@pytest.mark.parametrize(("make", "error", "match"), REFUSED_MAPS.values(), ids=REFUSED_MAPS)
def test_PSNMFTool__a_map_that_has_no_counts_is_reported(grains, make, error, match, act):
    tool = PSNMFTool(make(grains))
    before = describe_state(tool.signal)
    getattr(tool, act)()
    # Looking at bins reads no single count, so it may be content.
    if tool.wait(LONG) != "ready" or act == "run":
        assert tool.state == "failed"
        assert tool.is_problem
    assert (tool.preview is None) == tool.is_problem or act == "run"
    assert tool.result is None
    assert describe_state(tool.signal) == before


BROKEN_SPECTRA = {
    "text.hspy": lambda path, s: path.write_text("no hdf5"),
    "image.hspy": lambda path, s: Signal2D(np.ones((4, 5))).save(path),
    "map.hspy": lambda path, s: s.deepcopy().save(path),  # which notes it in the metadata
    "half.hspy": lambda path, s: path.write_bytes(_saved(path, s)[:5000]),
    "other.hspy": lambda path, s: s.inav[:2, 0].isig[30:].save(path),
}


def _saved(path, s):
    s.inav[:2, 0].save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", BROKEN_SPECTRA)
def test_PSNMFTool__a_file_that_has_no_fixed_spectra_is_reported(tool, tmp_path, name):
    path, before = tmp_path / name, describe_state(tool.signal)
    BROKEN_SPECTRA[name](path, tool.signal)
    tool.fixed_spectra_file = str(path)
    named = "fixed_spectra" if name == "other.hspy" else str(path)
    assert_told(tool, "run", named, before)


@pytest.mark.parametrize("name", ["", " ", "nowhere.hspy", ".", "text.hspy", "half.hspy"])
def test_PSNMFTool__a_file_that_has_no_map_is_reported_and_the_map_stays(tool, tmp_path, name):
    path, before, signal = tmp_path / name.strip(), describe_state(tool.signal), tool.signal
    if name in BROKEN_SPECTRA:
        BROKEN_SPECTRA[name](path, tool.signal)
    tool.filename = str(path) if name.strip() else name
    assert_told(tool, "open", "cannot be read", before)
    assert tool.signal is signal


# --- after a run


@pytest.fixture(scope="module")
def done_once(pristine_grains):
    tool = PSNMFTool(pristine_grains.deepcopy(), **FREE)
    tool.run()
    assert tool.wait(LONG) == "done", tool.message
    return tool.signal


@pytest.fixture
def done(done_once):
    """A tool with a result that is in the map already."""
    tool = PSNMFTool(done_once.deepcopy())
    tool.result = tool.signal
    return tool


NO_FACTORS = [
    ({"value": 0.0}, "Al_Ka must be positive"),
    ({"value": -1.0}, "Al_Ka must be positive"),
    ({"value": np.nan}, "Al_Ka must be positive"),
    ({"value": np.inf}, "Al_Ka must be positive"),
    ({"sigma": -1.0}, "Al_Ka must be positive"),
    ({"sigma": np.nan}, "Al_Ka must be positive"),
    ({"line": ""}, " is no X-ray line"),
    ({"line": "Al"}, "Al is no X-ray line"),
    ({"line": "Xx_Ka"}, "Xx_Ka is no X-ray line"),
    ({"line": "U_Ka"}, "U_Ka not on the energy axis"),
]


@pytest.mark.spot_checks("traits")
@pytest.mark.parametrize(("traits", "message"), NO_FACTORS, ids=_id)
def test_PSNMFTool__a_factor_that_makes_no_sense_is_reported_by_its_line(done, traits, message):
    before = describe_state(done.signal)
    assert done.factors[0].line == "Al_Ka"
    done.factors[0].trait_set(**traits)
    assert_told(done, "quantify", message, before)
    assert done.composition is None


@pytest.mark.parametrize("name", ["line", "value", "sigma", "in_specimen"])
def test_PSNMFTool__a_factor_of_a_wrong_type_is_refused_by_name(done, name):
    with pytest.raises(TraitError, match=f"'{name}' trait"):
        setattr(done.factors[0], name, None)


@pytest.mark.parametrize("names", ["", ",", "a, b", "a, b, c, d", "a, a, b", "a, , c"])
def test_PSNMFTool__names_that_make_no_sense_are_reported(done, names):
    before = describe_state(done.signal)
    done.names = names
    assert_told(done, "rename", "names", before)


@pytest.mark.parametrize("act", ["export_csv", "export_hspy"])
@pytest.mark.parametrize("below", ["", "folder"])
def test_PSNMFTool__a_folder_that_cannot_be_is_reported(done, tmp_path, act, below):
    (tmp_path / "file").write_text("mine")
    before = describe_state(done.signal)
    done.folder = str(tmp_path / "file" / below)
    assert_told(done, act, str(tmp_path / "file"), before)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("act", ["find_residuals", "rename", "quantify", "export_csv", "store"])
def test_PSNMFTool__a_result_of_a_map_cropped_since_is_reported(done, act):
    done.signal.crop_signal(1.0, 2.0)
    before = describe_state(done.signal)
    if act == "store":
        done.result = None
    getattr(done, act)()
    assert done.is_problem
    assert "press Run" in done.message if act == "store" else "cropped" in done.message
    assert describe_state(done.signal) == before


# --- the accessor's way in

TOOLKITS = ["nope", "", ["ipywidgets", "nope"], 3, True, object()]


@pytest.mark.parametrize("toolkit", TOOLKITS, ids=id_of)
def test_gui__a_toolkit_that_there_is_not_is_refused_by_name(unmixed, toolkit):
    before = describe_state(unmixed)
    with pytest.raises(ValueError, match="toolkit"):
        unmixed.psnmf.gui(display=False, toolkit=toolkit)
    assert describe_state(unmixed) == before


def test_gui__the_widget_needs_no_results_and_gives_none(pristine_grains):
    pytest.importorskip("hyperspy_gui_ipywidgets")
    s = pristine_grains.deepcopy()
    before = describe_state(s)
    s.psnmf.gui(display=False, toolkit="ipywidgets")
    assert describe_state(s) == before
