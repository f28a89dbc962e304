# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of the widget, without any toolkit."""

import csv
import logging
import math
import threading

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf.eds import tool as tool_module
from hyperspy_psnmf.eds import tool_run
from hyperspy_psnmf.eds.tool import PSNMFTool, time_text
from hyperspy_psnmf.eds.tool_settings import read_absent, read_range

LONG = 60  # s; no test waits that long


def results_of(signal):
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else repr(value)
        for name, value in vars(signal.learning_results).items()
    }


@pytest.fixture
def done(tool):
    tool.run()
    assert tool.wait(LONG) == "done", tool.message
    return tool


# --- settings and preview


def test_it_starts_with_the_elements_of_the_map(tool, signal):
    assert tool.elements == ", ".join(signal.metadata.Sample.elements)
    assert [row.line for row in tool.factors] == list(signal.metadata.Sample.xray_lines)
    assert all(row.value > 0 for row in tool.factors)  # the phantom knows them


def test_the_preview_holds_all_counts_in_bins(tool, signal):
    tool.trait_set(auto_binning=False, binning=3)
    tool.update_preview()
    preview = tool.preview
    assert preview.map.data.shape == (7, 9)
    assert preview.map.data.sum() == signal.data.sum(dtype=int)
    assert preview.map.data[1, 2] == signal.data[3:6, 6:9].sum(dtype=int)
    assert preview.binning == (3, 3)
    x, y = preview.map.axes_manager.signal_axes
    scale = signal.axes_manager[0].scale
    assert (x.size, y.size, x.scale, x.offset) == pytest.approx((9, 7, 3 * scale, scale))
    assert "3 x 3 pixels per bin: 63 bins" in tool.preview_text


def test_the_preview_of_auto_says_that_smaller_bins_are_tried(tool):
    tool.update_preview()
    assert tool.preview.is_chosen
    assert "Smaller bins are tried too" in tool.preview_text


@pytest.mark.parametrize("binning", [0, -2, 100])
def test_a_binning_that_does_not_fit_is_told(tool, binning):
    tool.trait_set(auto_binning=False, binning=binning)
    tool.update_preview()
    assert tool.preview is None
    assert tool.is_problem
    assert "binning" in tool.message
    tool.binning = 2
    tool.update_preview()
    assert tool.preview is not None
    assert tool.message == ""


@pytest.mark.parametrize("kind", ["line", "series", "lazy"])
def test_previews_of_other_signals(signal, kind):
    s = {"line": signal.inav[:, 3], "lazy": signal.as_lazy()}.get(kind)
    if kind == "series":
        s = hs.stack([signal, signal])
    tool = PSNMFTool(s)
    assert tool.shows_preview == (kind != "lazy")
    tool.update_preview()
    assert tool.message == ""
    assert tool.preview.map.data.sum() == np.asarray(s.data).sum(dtype=int)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        (" ", None),
        ("0: O, C", {0: ["O", "C"]}),
        ("0:O C; Core : Pt;", {0: ["O", "C"], "Core": ["Pt"]}),
    ],
)
def test_absent_elements_are_read(text, expected):
    assert read_absent(text) == expected


@pytest.mark.parametrize("text", ["O", "0:", ": O", "0 O; 1: Pt"])
def test_what_is_no_absent_element_is_refused(text):
    with pytest.raises(ValueError, match="absent elements: a phase, a colon"):
        read_absent(text)


def test_energy_ranges_are_read():
    assert read_range(" ") is None
    assert read_range("0.12, 12") == read_range("0.12 12") == (0.12, 12.0)
    for text in ("1", "1, 2, 3", "low, high"):
        with pytest.raises(ValueError, match="energy range: two numbers"):
            read_range(text)


def test_every_setting_becomes_an_argument(tool, tmp_path, done):
    done.trait_set(folder=str(tmp_path))
    done.export_hspy()
    tool.trait_set(
        estimate_number=False, number_of_phases=4, auto_binning=False, binning=2,
        init="vertex", fixed_spectra_file=str(tmp_path / "phase_spectra.hspy"),
        absent="3: Fe", energy_range="0.2, 5", auto_volume=False, volume=0.5,
        auto_prior=False, spatial_prior=2.0,
    )  # fmt: skip
    arguments = tool.arguments()
    assert arguments.pop("fixed_spectra").data.shape[0] == 3
    assert arguments == {
        "output_dimension": 4, "binning": 2, "init": "vertex", "absent": {3: ["Fe"]},
        "energy_range": (0.2, 5.0), "volume": 0.5, "spatial_prior": 2.0,
    }  # fmt: skip
    tool.run()
    assert tool.wait(LONG) == "done", tool.message
    record = tool.result.learning_results.psnmf
    assert record["n_components"] == 4
    assert record["n_fixed"] == 3


# --- runs


def test_a_run_is_a_decomposition(tool, signal):
    other = signal.deepcopy()
    other.decomposition(algorithm="PSNMF", output_dimension=3, print_info=False)
    tool.run()
    assert tool.wait(LONG) == "done"
    np.testing.assert_array_equal(signal.learning_results.loadings, other.learning_results.loadings)
    assert tool.is_stored
    assert tool.fraction == 1.0
    assert tool.status.startswith("Done in")
    assert "output_dimension=3" in tool.summary
    assert tool.names == "Phase 0, Phase 1, Phase 2"


def test_the_number_can_be_estimated(tool):
    tool.estimate_number = True
    tool.run()
    assert tool.wait(LONG) == "done"
    assert "chosen among" in tool.summary


def test_weaknesses_are_notes(tool, recwarn):
    tool.trait_set(auto_binning=False, binning=1)
    tool.run()
    tool.wait(LONG)
    assert "Note: " in tool.message
    assert not tool.is_problem
    assert tool.message in tool.summary.replace("\n", " ")
    assert not [w for w in recwarn if issubclass(w.category, UserWarning)]


def test_without_storing_the_signal_waits_for_store(tool, signal):
    before = results_of(signal)
    tool.store_when_done = False
    tool.run()
    assert tool.wait(LONG) == "done"
    assert results_of(signal) == before
    assert not tool.is_stored
    tool.store()
    assert tool.is_stored
    assert signal.psnmf.names == ["Phase 0", "Phase 1", "Phase 2"]
    tool.names = "a, b, c"
    tool.rename()
    assert signal.psnmf.names == ["a", "b", "c"]


def test_a_cancelled_run_leaves_signal_and_result(done, signal, endless):
    before, result = results_of(signal), done.result
    done.run()
    assert endless.wait(LONG)
    assert done.is_running
    done.cancel()
    assert done.wait(LONG) == "cancelled"
    assert results_of(signal) == before
    assert done.result is result
    assert "Cancelled" in done.message
    assert not done.is_problem


@pytest.mark.parametrize("step", ["binning", "binned map", "neighbours"])
def test_a_real_run_can_be_cancelled_at_any_step(tool, signal, monkeypatch, step):
    listen = tool_run.BackgroundRun._listen

    def cancel_at(self, current, iteration, residual):
        if current == step:
            self.cancel()
        listen(self, current, iteration, residual)

    monkeypatch.setattr(tool_run.BackgroundRun, "_listen", cancel_at)
    before = results_of(signal)
    tool.run()
    assert tool.wait(LONG) == "cancelled"
    assert results_of(signal) == before
    assert tool.result is None


def test_a_cancel_that_comes_too_late_for_the_run_still_counts(tool, monkeypatch):
    def cancel_itself(signal, **kwargs):
        tool.cancel()

    monkeypatch.setattr(tool_module, "decompose", cancel_itself)
    release = threading.Event()
    monkeypatch.setattr(tool_run.BackgroundRun, "_run", _after(release, tool_run.BackgroundRun))
    tool.run()
    release.set()
    assert tool.wait(LONG) == "cancelled"
    assert tool.result is None


def _after(event, cls):
    run = cls._run

    def wait_and_run(self):
        event.wait(LONG)
        run(self)

    return wait_and_run


def test_progress_and_times_are_shown(tool, endless):
    seen = []
    tool.observe(lambda event: seen.append((tool.fraction, tool.status)), "fraction, elapsed")
    tool.run()
    assert endless.wait(LONG)
    threading.Event().wait(0.3)
    tool.cancel()
    tool.wait(LONG)
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert 0 < fractions[-1] < 1
    assert any("elapsed, about" in status for _, status in seen)
    assert tool.elapsed > 0.2


def test_a_second_run_at_the_same_time_is_refused(tool, endless):
    tool.run()
    endless.wait(LONG)
    tool.run()
    assert tool.is_problem
    assert "cancel it first" in tool.message
    tool.filename = "other.hspy"
    tool.open()
    assert "cancel it first" in tool.message
    tool.cancel()
    tool.wait(LONG)


def test_another_map_gives_up_the_run(tool, pristine, endless):
    tool.run()
    endless.wait(LONG)
    tool.signal = pristine.deepcopy()
    assert tool.wait(LONG) == "cancelled"
    assert tool.result is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"number_of_phases": 0}, "output_dimension"),
        ({"number_of_phases": 10**6}, "too large"),
        ({"auto_binning": False, "binning": 0}, "binning"),
        ({"auto_volume": False, "volume": -1.0}, "volume"),
        ({"auto_prior": False, "spatial_prior": -1.0}, "spatial_prior"),
        ({"absent": "7: Fe"}, "absent"),
        ({"absent": "0: Xx"}, "Xx"),
        ({"energy_range": "5"}, "two numbers"),
        ({"energy_range": "500, 600"}, "energy_range"),
        ({"elements": "Xx"}, "Xx"),
        ({"fixed_spectra_file": "nowhere.hspy"}, "no file 'nowhere.hspy'"),
        ({"estimate_number": True, "absent": "0: Fe"}, "not 'auto'"),
    ],
    ids=str,
)
def test_bad_input_is_a_message_and_the_tool_stays_usable(tool, signal, settings, message, caplog):
    before, old = results_of(signal), tool.trait_get(list(settings))
    tool.trait_set(**settings)
    tool.run()
    assert tool.wait(LONG) in {"ready", "failed"}
    assert tool.is_problem
    assert message in tool.message
    assert results_of(signal) == before
    assert not [r for r in caplog.records if r.levelno > logging.INFO]
    tool.trait_set(**old)
    tool.run()
    assert tool.wait(LONG) == "done"
    assert not tool.is_problem


def test_what_nobody_expected_is_a_message_with_its_name(tool, monkeypatch):
    def fail(signal, **kwargs):
        raise KeyError("x")

    monkeypatch.setattr(tool_module, "decompose", fail)
    tool.run()
    assert tool.wait(LONG) == "failed"
    assert tool.message == "KeyError: 'x'"


def test_data_that_are_no_counts_are_told(signal):
    signal.data = signal.data - 1.0
    tool = PSNMFTool(signal)
    tool.run()
    assert tool.wait(LONG) == "failed"
    assert "negative" in tool.message


@pytest.mark.parametrize(
    "act", ["update_preview", "run", "store", "rename", "find_residuals", "quantify",
            "export_csv", "export_hspy"],
)  # fmt: skip
def test_without_a_map_everything_says_what_to_do(act):
    tool = PSNMFTool()
    getattr(tool, act)()
    assert tool.is_problem
    assert ("open a file" in tool.message) or ("press Run" in tool.message)


# --- files


def test_from_a_file_to_a_composition(signal, tmp_path):
    elements = list(signal.metadata.Sample.elements)
    del signal.metadata.Sample, signal.metadata.Truth
    signal.save(tmp_path / "map.hspy")
    tool = PSNMFTool(filename=str(tmp_path / "map.hspy"))
    tool.open()
    assert tool.signal.data.shape == signal.data.shape
    assert tool.factors == []
    tool.elements = ", ".join(elements)
    for row in tool.factors:
        row.value = 1.2
    tool.run()
    assert tool.wait(LONG) == "done"
    tool.quantify()
    assert sorted(tool.composition.elements) == sorted(elements)
    assert list(tool.signal.metadata.Sample.elements) == sorted(elements)


@pytest.mark.parametrize("name", ["", "nowhere.hspy", "text.hspy", "image.hspy"])
def test_files_that_hold_no_map_are_told(name, tmp_path):
    (tmp_path / "text.hspy").write_text("no hdf5")
    hs.signals.Signal2D(np.ones((4, 5))).save(tmp_path / "image.hspy")
    tool = PSNMFTool(filename=str(tmp_path / name) if name else "")
    tool.open()
    assert tool.signal is None
    assert tool.is_problem


def test_exports(done, tmp_path):
    done.folder = str(tmp_path / "new")
    done.quantify()
    done.export_csv()
    done.export_hspy()
    assert not done.is_problem
    rows = list(csv.DictReader((tmp_path / "new" / "phases.csv").open(encoding="utf-8")))
    assert [row["phase"] for row in rows] == ["Phase 0", "Phase 1", "Phase 2"]
    assert sum(float(row["share of counts"]) for row in rows) == pytest.approx(1, abs=1e-5)
    spectra = list(csv.reader((tmp_path / "new" / "spectra.csv").open(encoding="utf-8")))
    assert len(spectra) == 1 + 310
    assert len(spectra[0]) == 4
    assert (tmp_path / "new" / "composition.csv").exists()
    loaded = hs.load(tmp_path / "new" / "map.hspy")
    assert loaded.psnmf.names == ["Phase 0", "Phase 1", "Phase 2"]


def test_exports_replace_nothing_unasked(done, tmp_path):
    (tmp_path / "phases.csv").write_text("mine")
    done.folder = str(tmp_path)
    done.export_csv()
    assert done.is_problem
    assert "phases.csv" in done.message
    assert (tmp_path / "phases.csv").read_text() == "mine"
    assert not (tmp_path / "spectra.csv").exists()
    done.overwrite = True
    done.export_csv()
    assert not done.is_problem


# --- results


def test_lines_that_are_not_of_the_specimen_are_excluded(done):
    done.factors[0].in_specimen = False
    done.quantify()
    assert done.composition.elements == [row.line.split("_")[0] for row in done.factors[1:]]


def test_a_missing_factor_is_told_and_the_old_composition_gone(done):
    done.quantify()
    assert done.composition is not None
    done.factors[0].value = 0.0
    done.quantify()
    assert done.composition is None
    assert done.factors[0].line in done.message


def test_units_are_chosen(done):
    done.composition_units = "weight"
    done.quantify()
    assert "wt%" in str(done.composition)


def test_residuals(done):
    done.find_residuals()
    assert done.residuals.total == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("names", ["a, b", "a, a, b", ""])
def test_bad_names_are_told(done, names):
    done.names = names
    done.rename()
    assert done.is_problem
    assert "names" in done.message


def test_new_results_drop_what_was_made_of_the_old(done):
    done.quantify()
    done.find_residuals()
    done.run()
    done.wait(LONG)
    assert done.composition is None
    assert done.residuals is None


def test_half_typed_elements_keep_the_table(done):
    lines = [row.line for row in done.factors]
    done.elements = "Mg, Xx"
    assert done.is_problem
    assert [row.line for row in done.factors] == lines
    done.elements = "Mg, Fe"
    assert not done.is_problem
    assert {row.line.split("_")[0] for row in done.factors} == {"Mg", "Fe"}


def test_factors_survive_another_element(tool):
    tool.factors[0].value = 7.0
    line = tool.factors[0].line
    tool.elements = f"{line.split('_')[0]}, Pt"
    assert {row.line: row.value for row in tool.factors}[line] == 7.0


# --- progress


def test_progress_never_goes_back_and_ends_below_one():
    progress, seen = tool_run.Progress(), []
    calls = [
        ("binning", 0, math.inf),
        ("binned map", 1, 1e-2),
        ("block 2 of 5", 0, math.inf),
        ("binned map", 2, 1e-1),
        ("binned map", 3, 1e-7),
        ("neighbours", 0, math.inf),
    ]
    for call in calls:
        progress(*call)
        seen.append(progress.fraction)
    assert seen == sorted(seen)
    assert seen[-1] < 1
    progress("block 3 of 5", 0, math.inf)
    assert progress.step == "neighbours, block 3 of 5"


def test_times_are_written_as_people_do():
    assert [time_text(t) for t in (0.04, 9.0, 9.96, 61, 3600)] == [
        "0.0 s", "9.0 s", "10 s", "1 min 01 s", "60 min 00 s"
    ]  # fmt: skip
