# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the widget's model, without any toolkit."""

import logging
import math
import threading

import numpy as np
import pytest

from hyperspy_psnmf.gui.model import background
from hyperspy_psnmf.gui.model import results as results_module
from hyperspy_psnmf.gui.model import tool as tool_module
from hyperspy_psnmf.gui.model.tool import PSNMFTool, time_text

LONG = 60  # s; no test waits that long


def results_of(signal):
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else repr(value)
        for name, value in vars(signal.learning_results).items()
    }


@pytest.mark.slow
def test_decomposition__a_run_is_a_decomposition(signal):
    tool = PSNMFTool(signal)
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


@pytest.mark.slow
def test_PSNMFTool__the_number_can_be_estimated(tool):
    tool.estimate_number = True
    tool.run()
    assert tool.wait(LONG) == "done"
    assert "chosen among" in tool.summary


def test_PSNMFTool__weaknesses_are_notes(tool, recwarn):
    tool.trait_set(auto_binning=False, binning=1)
    tool.run()
    tool.wait(LONG)
    assert "Note: " in tool.message
    assert not tool.is_problem
    assert tool.message in tool.summary.replace("\n", " ")
    assert not [w for w in recwarn if issubclass(w.category, UserWarning)]


def test_PSNMFTool__without_storing_the_signal_waits_for_store(tool, signal):
    before = results_of(signal)
    tool.store_when_done = False
    tool.run()
    assert tool.wait(LONG) == "done"
    assert results_of(signal) == before
    assert not tool.is_stored
    tool.store()
    assert tool.is_stored
    assert signal.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]
    tool.names = "a, b, c"
    tool.rename()
    assert signal.psnmf.phase_names == ["a", "b", "c"]


def test_PSNMFTool__a_cancelled_run_leaves_signal_and_result(done, signal, endless):
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", ["fit of lines", "binning", "binned map", "channels", "neighbours"]
)
def test_PSNMFTool__a_real_run_can_be_cancelled_at_any_step(tool, signal, monkeypatch, step):
    listen = background.BackgroundRun._listen

    def cancel_at(self, current, iteration, residual):
        if current == step:
            self.cancel()
        listen(self, current, iteration, residual)

    monkeypatch.setattr(background.BackgroundRun, "_listen", cancel_at)
    before = results_of(signal)
    tool.spectra = "lines" if step in ("fit of lines", "channels") else "free"
    tool.run()
    assert tool.wait(LONG) == "cancelled"
    assert results_of(signal) == before
    assert tool.result is None


def test_PSNMFTool__a_cancel_that_comes_too_late_for_the_run_still_counts(tool, monkeypatch):
    def cancel_itself(signal, settings):
        tool.cancel()

    monkeypatch.setattr(tool_module, "decompose", cancel_itself)
    release = threading.Event()
    monkeypatch.setattr(background.BackgroundRun, "_run", _after(release, background.BackgroundRun))
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


def test_PSNMFTool__progress_and_times_are_shown(tool, endless):
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


@pytest.mark.slow
def test_PSNMFTool__a_second_run_at_the_same_time_is_refused(tool, endless):
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


def test_PSNMFTool__another_map_gives_up_the_run(tool, pristine_grains, endless):
    tool.run()
    endless.wait(LONG)
    tool.signal = pristine_grains.deepcopy()
    assert tool.wait(LONG) == "cancelled"
    assert tool.result is None


@pytest.mark.parametrize("when", ["at its end", "when it is shown", "when it is stored"])
def test_PSNMFTool__another_map_never_gets_the_result(tool, pristine_grains, monkeypatch, when):
    first, other = tool.signal, pristine_grains.deepcopy()

    def open_another(event=None):
        tool.signal = other

    if when == "at its end":
        finish = tool._finish
        tool._finish = lambda run: open_another() or finish(run)
    elif when == "when it is shown":
        tool.observe(lambda event: event.new is not None and open_another(), "result")
    else:
        monkeypatch.setattr(results_module, "keep_results", open_another)
    tool.run()
    assert tool.wait(LONG) == "cancelled"
    assert (tool.result, tool.is_stored) == (None, False)
    assert other.learning_results.loadings is None
    assert (first.learning_results.loadings is None) == (when != "when it is stored")
    tool.store()
    assert tool.is_problem
    assert other.learning_results.loadings is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"number_of_phases": 0}, "output_dimension"),
        ({"number_of_phases": 10**6}, "too large"),
        ({"auto_binning": False, "binning": 0}, "binning"),
        ({"parsimony": False, "volume": -1.0}, "volume"),
        ({"auto_smoothing": False, "smoothing": -1.0}, "smoothing"),
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
def test_PSNMFTool__bad_input_is_message_and_tool_stays_usable(
    tool, signal, settings, message, caplog
):
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


def test_PSNMFTool__what_nobody_expected_is_a_message_with_its_name(tool, monkeypatch):
    def fail(signal, settings):
        raise KeyError("x")

    monkeypatch.setattr(tool_module, "decompose", fail)
    tool.run()
    assert tool.wait(LONG) == "failed"
    assert tool.message == "KeyError: 'x'"


def test_PSNMFTool__data_that_are_no_counts_are_reported(signal):
    signal.data = signal.data - 1.0
    tool = PSNMFTool(signal)
    tool.run()
    assert tool.wait(LONG) == "failed"
    assert "negative" in tool.message


@pytest.mark.parametrize(
    "act", ["update_preview", "run", "store", "rename", "find_residuals", "quantify",
            "export_csv", "export_hspy"],
)  # fmt: skip
def test_PSNMFTool__without_a_map_everything_says_what_to_do(act):
    tool = PSNMFTool()
    getattr(tool, act)()
    assert tool.is_problem
    assert ("open a file" in tool.message) or ("press Run" in tool.message)


# --- progress


def test_Progress__never_goes_back_and_ends_below_one():
    progress, seen = background.Progress(), []
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


@pytest.mark.parametrize(
    ("first", "rest", "done_before"), [("binning", ["parsimony"], 0.5), ("fit of lines", [], 0.2)]
)
def test_Progress__binned_map_takes_most_of_the_time_with_lines(first, rest, done_before):
    progress, seen = background.Progress(["number of phases"]), {}
    steps = ["binning", "bin", "binned map", *rest, "full resolution", "neighbours"]
    for step in [first, *steps]:
        progress(step, 0, math.inf)
        seen[step] = progress.fraction
    assert list(seen.values()) == sorted(seen.values())
    assert 0 < seen["binned map"] < done_before
    assert seen["full resolution"] > 0.85
    assert ("parsimony" in seen) == (first == "binning")


def test_time_text__times_are_written_as_people_do():
    assert [time_text(t) for t in (0.04, 9.0, 9.96, 61, 3600)] == [
        "0.0 s", "9.0 s", "10 s", "1 min 01 s", "60 min 00 s"
    ]  # fmt: skip
