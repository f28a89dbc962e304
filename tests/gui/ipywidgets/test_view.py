# SPDX-License-Identifier: GPL-3.0-or-later
"""The notebook view, by its widgets, as the tests of hyperspy_gui_ipywidgets do."""

import asyncio
import threading

import hyperspy.api as hs
import pytest

ipywidgets = pytest.importorskip("ipywidgets")
pytest.importorskip("hyperspy_gui_ipywidgets")

from hyperspy_psnmf.gui import PSNMFTool  # noqa: E402
from hyperspy_psnmf.gui.ipywidgets.own_thread import OwnThread  # noqa: E402

LONG = 60  # s


def is_png(image):
    return bytes(image.value).startswith(b"\x89PNG")


def open_view(tool):
    return tool.gui(display=False, toolkit="ipywidgets")["ipywidgets"]["wdict"]


@pytest.fixture
def parts(tool):
    return open_view(tool)


@pytest.fixture
def done(tool, parts):
    parts["run"].click()
    assert tool.wait(LONG) == "done", tool.message
    return parts


def test_gui__the_accessor_returns_the_widget(signal):
    found = signal.psnmf.gui(display=False, toolkit="ipywidgets")["ipywidgets"]
    assert isinstance(found["widget"], ipywidgets.VBox)
    assert found["wdict"]["run"].description == "Run"


def test_gui__it_displays_itself(signal, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    assert signal.psnmf.gui(toolkit="ipywidgets") is None
    assert isinstance(shown[0], ipywidgets.VBox)


def test_PSNMFTool__widgets_and_traits_follow_each_other(tool, parts):
    parts["number_of_phases"].value = 5
    assert tool.number_of_phases == 5
    tool.absent = "0: O"
    assert parts["absent"].value == "0: O"
    parts["init"].value = "vertex"
    assert tool.init == "vertex"
    parts["spectra"].value = "lines"
    assert tool.spectra == "lines"


def test_PSNMFTool__the_choice_of_spectra_is_explained(parts):
    assert parts["spectra"].options == ("auto", "lines", "free")
    for word in (*parts["spectra"].options, "continuum", "few counts"):
        assert word in parts["spectra"].tooltip


def test_PSNMFTool__the_preview_is_there_and_follows_the_binning(parts):
    first = bytes(parts["preview"].value)
    assert is_png(parts["preview"])
    parts["auto_binning"].value = False
    parts["binning"].value = 4
    assert is_png(parts["preview"])
    assert bytes(parts["preview"].value) != first
    assert "4 x 4 pixels per bin: 35 bins" in parts["preview_text"].value


def test_PSNMFTool__what_is_chosen_automatically_cannot_be_typed(parts):
    for auto, typed in (
        ("auto_binning", "binning"),
        ("parsimony", "volume"),
        ("auto_smoothing", "smoothing"),
    ):
        assert parts[typed].disabled
        parts[auto].value = False
        assert not parts[typed].disabled
    parts["estimate_number"].value = True
    assert parts["number_of_phases"].disabled


def test_PSNMFTool__advanced_settings_are_folded(parts):
    assert parts["advanced"].selected_index is None


def test_PSNMFTool__a_run_shows_phases_and_summary(done):
    assert is_png(done["phases"])
    assert "output_dimension=3" in done["summary"].value
    assert done["status"].value.startswith("Done in")
    assert done["progress"].value == 1.0
    assert done["results"].layout.display == ""
    assert not done["run"].disabled
    assert done["cancel"].disabled
    assert done["store"].disabled


def test_tool__a_run_can_be_cancelled(tool, parts, endless):
    assert parts["results"].layout.display == "none"
    parts["run"].click()
    assert endless.wait(LONG)
    assert parts["run"].disabled
    assert not parts["cancel"].disabled
    threading.Event().wait(0.1)
    assert 0 < parts["progress"].value < 1
    assert "binned map: " in parts["status"].value
    parts["cancel"].click()
    assert tool.wait(LONG) == "cancelled"
    assert "Cancelled" in parts["message"].value
    assert not parts["run"].disabled
    assert parts["results"].layout.display == "none"


@pytest.mark.slow
def test_PSNMFTool__bad_input_shows_its_message_and_leaves_the_widget_usable(tool, parts):
    parts["auto_binning"].value = False
    parts["binning"].value = 0
    assert "binning must be at least 1" in parts["message"].value
    assert parts["preview"].layout.visibility == "hidden"
    parts["absent"].value = "<b>"
    parts["binning"].value = 2
    parts["run"].click()
    assert "&lt;b&gt;" in parts["message"].value
    assert not parts["run"].disabled
    parts["absent"].value = ""
    parts["run"].click()
    assert tool.wait(LONG) == "done"


@pytest.mark.slow
def test_PSNMFTool__quantify_shows_table_and_bars(tool, done):
    rows = done["factors"].children
    assert len(rows) == 1 + len(tool.factors)
    label, value, _, in_specimen = rows[1].children
    assert label.value == tool.factors[0].line
    value.value = 2.5
    assert tool.factors[0].value == 2.5
    in_specimen.value = False
    done["composition_units"].value = "weight"
    done["quantify"].click()
    assert "wt%" in done["composition_table"].value
    assert is_png(done["composition"])
    assert not done["quantify"].disabled


def test_PSNMFTool__residuals_are_shown(done):
    assert done["residuals"].layout.display == "none"
    done["find_residuals"].click()
    assert is_png(done["residuals"])


@pytest.mark.slow
def test_PSNMFTool__names_are_used_in_the_figure(done):
    before = bytes(done["phases"].value)
    done["names"].value = "a, b, c"
    done["rename"].click()
    assert bytes(done["phases"].value) != before


@pytest.mark.slow
def test_PSNMFTool__exports_are_reported(tool, done, tmp_path, monkeypatch):
    monkeypatch.setattr("hyperspy_psnmf.gui.figures.FILE_DPI", 40)  # sooner drawn
    done["folder"].value = str(tmp_path)
    done["quantify"].click()
    for name in ("export_png", "export_csv", "export_hspy"):
        done[name].click()
        assert "Wrote" in done["message"].value
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "phases.png", "label_map.png", "composition.png",
        "phases.csv", "spectra.csv", "composition.csv",
        "map.hspy", "phase_spectra.hspy", "phase_maps.hspy",
    }  # fmt: skip
    done["export_png"].click()
    assert "tick Replace files" in done["message"].value


@pytest.mark.slow
def test_PSNMFTool__store(tool, parts, signal):
    parts["store_when_done"].value = False
    parts["run"].click()
    tool.wait(LONG)
    assert signal.learning_results.factors is None
    parts["store"].click()
    assert signal.learning_results.factors is not None
    assert parts["store"].description == "Stored in the signal"


@pytest.mark.slow
def test_PSNMFTool__a_figure_that_fails_is_reported(tool, parts, monkeypatch):
    def fail(*args):
        raise ValueError("no figure of this")

    monkeypatch.setattr("hyperspy_psnmf.gui.figures.plot.plot_residuals", fail)
    parts["run"].click()
    tool.wait(LONG)
    parts["find_residuals"].click()
    assert "no figure of this" in parts["message"].value
    assert parts["residuals"].layout.display == "none"


@pytest.mark.slow
def test_PSNMFTool__without_a_map_it_asks_for_a_file(signal, tmp_path, monkeypatch):
    signal.save(tmp_path / "map.hspy")
    monkeypatch.chdir(tmp_path)
    tool = PSNMFTool()
    parts = open_view(tool)
    assert parts["run"].disabled
    assert parts["filename"].options == ("map.hspy",)
    parts["open"].click()
    assert "there is no file" in parts["message"].value
    parts["filename"].value = "map.hspy"
    parts["open"].click()
    assert not parts["run"].disabled
    assert is_png(parts["preview"])


def test_choice__a_file_with_several_maps(signal, tmp_path, monkeypatch):
    (tmp_path / "project.elid").touch()
    contents = [signal.inav[:9], signal.inav[:, 3], signal]
    monkeypatch.setattr(hs, "load", lambda name: contents)
    tool = PSNMFTool(filename=str(tmp_path / "project.elid"))
    parts = open_view(tool)
    assert parts["choice"].layout.display == "none"
    parts["open"].click()
    assert parts["choice"].layout.display == ""
    assert [text[:6] for text in parts["choice"].options] == ["0: map", "1: lin", "2: map"]
    assert parts["choice"].value == parts["choice"].options[2]
    assert tool.signal is signal
    parts["choice"].value = parts["choice"].options[0]
    assert tool.signal is contents[0]
    assert "9 x 20 pixels" in parts["message"].value
    del contents[1:]
    parts["open"].click()
    assert parts["choice"].layout.display == "none"
    assert tool.signal is contents[0]


def test_PSNMFTool__a_lazy_map_is_read_for_a_preview_only_when_asked(signal):
    tool = PSNMFTool(signal.as_lazy())
    parts = open_view(tool)
    assert parts["preview"].value == b""


@pytest.mark.slow
def test_PSNMFTool__pyplot_never_sees_a_figure(tool, parts, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("pyplot may draw and close it while it is being made")

    monkeypatch.setattr("matplotlib.pyplot.figure", fail)
    parts["binning"].value = 3
    parts["run"].click()
    assert tool.wait(LONG) == "done"
    parts["find_residuals"].click()
    parts["quantify"].click()
    assert all(is_png(parts[p]) for p in ("preview", "phases", "residuals", "composition"))


def test_OwnThread__changes_in_other_threads_come_to_the_thread_of_the_loop(tool):
    seen = []

    async def notebook():
        OwnThread().observe(tool, lambda: seen.append(threading.get_ident()), "fraction")
        await asyncio.to_thread(tool.trait_set, fraction=0.5)
        await asyncio.sleep(0.05)
        tool.fraction = 0.7
        return threading.get_ident()

    own = asyncio.run(notebook())
    assert seen == [own, own]


def test_OwnThread__a_button_waits_for_what_was_entered_before_it_whichever_thread_brings_it(tool):
    async def notebook():
        thread, done = OwnThread(), asyncio.Event()
        seen = []

        def act():
            seen.append((tool.number_of_phases, threading.get_ident()))
            done.set()

        await asyncio.to_thread(thread.act, act)
        await asyncio.to_thread(tool.trait_set, number_of_phases=7)
        await asyncio.wait_for(done.wait(), LONG)
        return seen == [(7, threading.get_ident())]

    assert asyncio.run(notebook())
