# SPDX-License-Identifier: GPL-3.0-or-later
"""The window of the widget, with PySide6 and no screen.

Screenshots are kept in ``$PSNMF_SCREENSHOTS``, if set.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hyperspy_gui_traitsui", reason="needs the extra gui-traitsui")

SESSION = Path(__file__).with_name("traitsui_session.py")
OFFSCREEN = {"QT_QPA_PLATFORM": "offscreen", "ETS_TOOLKIT": "qt", "MPLBACKEND": "agg"}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a session with the window saw."""
    pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)
    chosen = os.environ.get("PSNMF_SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("traitsui")
    folder.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(SESSION), str(folder)],
        env={**os.environ, **OFFSCREEN},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_view__the_preview_is_there(seen):
    assert seen["preview"] > 1000


def test_view__bad_input_is_a_message(seen):
    assert "binning must be at least 1" in seen["bad binning"]
    assert "there is no file" in seen["no file"]


def test_view__a_run_can_be_cancelled(seen):
    assert 0 < seen["fraction"] < 1
    assert seen["cancelled"] == ["cancelled", "Cancelled; the signal is unchanged.", True]


def test_view__a_run_ends_with_pictures_and_a_table(seen):
    assert seen["done"] == ["done", True]
    assert seen["bar"] == 100
    assert min(seen["images"]) > 1000
    assert "Composition in at%" in seen["table"]


def test_view__exports(seen):
    assert {"phases.png", "composition.csv", "map.hspy"} <= set(seen["files"])


def test_view__that_compositions_take_long_is_shown_before(seen):
    assert ["may take longer than the run" in text for text in seen["waiting"]] == [True]


def test_view__without_a_map_a_file_is_opened(seen):
    assert seen["opened"] > 1000


def test_choice__of_several_maps_in_a_file(seen):
    one, several, at_first, shape, message = seen["choices"]
    assert one == []
    assert [c[:6] for c in several] == ["0: map", "1: lin", "2: map"]
    assert at_first == several[2]
    assert shape == [40, 30, 1000]
    assert "30 x 40 pixels" in message


def test_view__the_model_is_returned_instead_of_displayed():
    code = (
        "from hyperspy_psnmf import data\n"
        "s = data.mineral_grains(shape=(8, 9), n_channels=300)\n"
        "tool = s.psnmf.gui(display=False, toolkit='traitsui')['traitsui']\n"
        "assert tool.signal is s\n"
        "s.psnmf.gui(toolkit='traitsui')\n"  # HyperSpy says nothing where there is no Qt
    )
    env = {**os.environ, "MPLBACKEND": "agg"}
    run = [sys.executable, "-W", "ignore", "-c", code]
    subprocess.run(run, env=env, check=True, timeout=300)
