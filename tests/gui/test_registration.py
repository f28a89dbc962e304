# SPDX-License-Identifier: GPL-3.0-or-later
"""HyperSpy finds the widget, and says what to install where there is no toolkit."""

import subprocess
import sys

import pytest
from hyperspy import ui_registry
from hyperspy.extensions import ALL_EXTENSIONS

from hyperspy_psnmf import gui
from hyperspy_psnmf.gui.model.tool import TOOLKEY


@pytest.fixture
def toolkits(monkeypatch):
    """Let HyperSpy have some toolkits only, as after a fresh import."""

    def let(*names):
        monkeypatch.setattr(ui_registry, "TOOLKIT_REGISTRY", set(names))
        monkeypatch.setattr(gui, "TOOLKIT_REGISTRY", set(names))
        monkeypatch.setitem(ui_registry.UI_REGISTRY, TOOLKEY, {})
        gui.register_widgets()

    return let


def test_registration__the_toolkey_is_declared_and_no_widget_is():
    assert TOOLKEY in ALL_EXTENSIONS["GUI"]["toolkeys"]
    widgets = ALL_EXTENSIONS["GUI"]["widgets"].values()
    assert not any(key.startswith("hyperspy_psnmf") for keys in widgets for key in keys)


@pytest.mark.parametrize("names", [(), ("ipywidgets",), ("traitsui",), ("ipywidgets", "traitsui")])
def test_gui__only_toolkits_that_are_there_are_registered(toolkits, names):
    toolkits(*names, "anywidget")
    assert set(ui_registry.UI_REGISTRY[TOOLKEY]) == set(names)


def test_gui__without_a_toolkit_there_is_hyperspys_own_message(toolkits, signal):
    toolkits()
    with pytest.raises(ImportError, match="Install hyperspy_gui_ipywidgets"):
        signal.psnmf.gui()


def test_gui__with_another_toolkit_there_is_hyperspys_own_message(toolkits, signal):
    toolkits("anywidget")
    with pytest.raises(NotImplementedError, match="no user interface registered"):
        signal.psnmf.gui()


def test_gui__a_toolkit_that_is_not_there_is_refused(toolkits, signal):
    toolkits("ipywidgets")
    with pytest.raises(ValueError, match="traitsui is not a registered toolkit"):
        signal.psnmf.gui(toolkit="traitsui")


@pytest.mark.thorough
def test_registration__the_accessor_loads_no_toolkit():
    code = (
        "import sys, exspy\n"
        "s = exspy.signals.EDSTEMSpectrum([[1, 2], [3, 4]])\n"
        "s.psnmf\n"
        "import hyperspy_psnmf.gui\n"
        "found = {'ipywidgets', 'traitsui', 'hyperspy_gui_traitsui'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)
