# SPDX-License-Identifier: GPL-3.0-or-later
"""No public entry without a table of bad input: what is added later is noticed here."""

import inspect
import re
from pathlib import Path

import pytest

from hyperspy_psnmf import PSNMF, PoissonNMF, data
from hyperspy_psnmf.__main__ import _parser
from hyperspy_psnmf.accessor import PSNMFAccessor
from hyperspy_psnmf.accessor.old_names import OldNames
from hyperspy_psnmf.eds.decompose.settings import Settings
from hyperspy_psnmf.gui import PSNMFTool

HERE = Path(__file__).parent
TESTS = HERE.parent
TABLES = {
    "decomposition": [HERE / "test_bad_input_table.py",
                      TESTS / "eds" / "decompose" / "test_bad_input.py",
                      TESTS / "eds" / "test_phases_by_name.py",
                      TESTS / "eds" / "lazy" / "test_memory.py"],
    "accessor": [HERE / "test_bad_accessor_calls.py", HERE / "test_bad_widget_input.py"],
    "estimators": [HERE / "test_bad_estimator_input.py", TESTS / "estimators" / "test_errors.py",
                   TESTS / "estimators" / "test_templates.py"],
    "widget": [HERE / "test_bad_widget_input.py"],
    "command line": [HERE / "test_bad_command_line.py"],
    "phantoms": [HERE / "test_bad_phantom_arguments.py",
                 TESTS / "data" / "test_phantoms.py"],
}  # fmt: skip
# Switches take any truth value; scikit-learn's own methods are its to check; the widget shows
# what these traits are, and nobody sets them.
SWITCHES = {"algorithm", "print_info", "return_info", "show_progressbar", "help", "version",
            "overwrite", "file", "check"}  # fmt: skip
SHOWN = {"composition", "composition_html", "elapsed", "fraction", "is_problem", "is_running",
         "is_stored", "message", "opened", "preview", "preview_text", "remaining", "residuals",
         "shows_preview", "state", "status", "step", "summary", "auto_binning", "auto_smoothing",
         "overwrite", "factors_note"}  # fmt: skip


def public(cls):
    return [name for name in vars(cls) if not name.startswith("_")]


ENTRIES = {
    "decomposition": set(inspect.signature(Settings).parameters) - SWITCHES,
    # Names of earlier versions are in tests/accessor/test_every_name.py.
    "accessor": {
        name for base in PSNMFAccessor.__mro__[:-1] if base is not OldNames for name in public(base)
    },
    "estimators": {
        *(set(inspect.signature(PSNMF).parameters) | set(inspect.signature(PoissonNMF).parameters)),
        *("fit", "transform", "inverse_transform"),
    },
    "widget": {
        name for name in PSNMFTool.class_trait_names() if not name.startswith(("_", "trait"))
    }
    - SHOWN
    | {"run", "open", "store", "rename", "quantify", "find_residuals", "update_preview"}
    | {"export_csv", "export_hspy"},
    "command line": {
        action.option_strings[0] if action.option_strings else action.dest
        for action in _parser()._actions
        if action.dest not in SWITCHES
    },
    "phantoms": {
        p for name in data.__all__ for p in inspect.signature(getattr(data, name)).parameters
    },
}


@pytest.mark.parametrize("table", ENTRIES)
def test_every_entry__is_tried_with_bad_input(table):
    text = "".join(path.read_text(encoding="utf-8") for path in TABLES[table])
    missing = {e for e in ENTRIES[table] if not re.search(rf"(?<![\w-]){re.escape(e)}(?!\w)", text)}
    assert not missing, "add these"
