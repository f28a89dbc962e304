# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with the window of the widget, run by test_view.py in a process of its own.

The toolkit of traitsui can be chosen once per process, and no other test has Qt. Prints what
was seen, as JSON, on the last line; screenshots go to the folder named.
"""

import json
import sys
import time
from pathlib import Path

import hyperspy.api as hs
import matplotlib
from pyface.qt import QtGui

from hyperspy_psnmf import data
from hyperspy_psnmf.gui import PSNMFTool
from hyperspy_psnmf.gui.traitsui.view import ToolHandler, make_view

LONG = 60  # s
TABS = ("settings", "advanced", "phases", "residuals", "composition", "save")


def open_window(tool):
    """Return the user interface of a tool."""
    return tool.edit_traits(view=make_view(tool), handler=ToolHandler(tool=tool))


def work_until(reached):
    """Let Qt work until something is so."""
    end = time.monotonic() + LONG
    while not reached() and time.monotonic() < end:
        QtGui.QApplication.instance().processEvents()
        time.sleep(0.02)
    return reached()


def main(folder):
    """Choose, cancel, run, quantify and export; return what was seen."""
    matplotlib.use("agg")
    signal = data.mineral_grains(shape=(40, 52), counts=300, n_channels=1000, seed=2)
    tool, seen = PSNMFTool(signal), {}
    ui = open_window(tool)
    press = ui.handler.trait_set
    seen["preview"] = len(ui.handler.preview_png)

    tool.trait_set(auto_binning=False, binning=0)
    seen["bad binning"] = tool.message
    tool.auto_binning = True

    tool.estimate_number = True
    press(run=True)
    seen["fraction"] = work_until(lambda: tool.fraction > 0) and tool.fraction
    press(cancel=True)
    work_until(lambda: not tool.is_running)
    seen["cancelled"] = [tool.state, tool.message, signal.learning_results.factors is None]

    tool.estimate_number = False
    press(run=True)
    work_until(lambda: not tool.is_running and ui.handler.phases_png)
    seen["done"] = [tool.state, signal.learning_results.factors is not None]
    press(find_residuals=True)
    seen["waiting"], quantify = [], tool.quantify
    tool.quantify = lambda: (seen["waiting"].append(tool.message), quantify())
    press(quantify=True)
    seen["images"] = [len(ui.handler.residuals_png), len(ui.handler.composition_png)]
    seen["table"] = ui.handler.composition_table

    tool.folder = str(folder / "results")
    for button in ("export_png", "export_csv", "export_hspy"):
        press(**{button: True})
    seen["files"] = sorted(path.name for path in (folder / "results").iterdir())

    tabs = ui.control.findChildren(QtGui.QTabWidget)[0]
    for i, name in enumerate(TABS):
        tabs.setCurrentIndex(i)
        QtGui.QApplication.instance().processEvents()
        ui.control.grab().save(str(folder / f"traitsui_{i}_{name}.png"))
    seen["bar"] = ui.control.findChildren(QtGui.QProgressBar)[0].value()
    ui.dispose()

    asking = PSNMFTool()
    ui = open_window(asking)
    press = ui.handler.trait_set
    press(open=True)
    seen["no file"] = asking.message
    asking.filename = str(folder / "results" / "map.hspy")
    press(open=True)
    seen["opened"] = len(ui.handler.preview_png)
    seen["choices"] = [list(asking.choices)]
    several = folder / "several.hspy"
    several.touch()
    line = signal.inav[:, 3].deepcopy()
    asking.filename, hs.load = str(several), lambda path: [signal.inav[:30], line, signal]
    press(open=True)
    seen["choices"] += [list(asking.choices), asking.choice]
    box = next(b for b in ui.control.findChildren(QtGui.QComboBox) if b.count() == 3
               and b.currentText() == asking.choice)  # fmt: skip
    box.setCurrentText(asking.choices[0])
    box.textActivated.emit(asking.choices[0])
    seen["choices"] += [list(asking.signal.data.shape), asking.message]
    ui.control.grab().save(str(folder / "traitsui_6_choice.png"))
    ui.dispose()
    return seen


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))  # noqa: T201 - read by the test
