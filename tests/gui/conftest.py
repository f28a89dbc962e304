# SPDX-License-Identifier: GPL-3.0-or-later
"""A tool for a small map, before and after its run."""

import threading

import pytest

from hyperspy_psnmf.eds.signals.progress import with_listener
from hyperspy_psnmf.gui import PSNMFTool
from hyperspy_psnmf.gui.model import tool as tool_module
from tests.helpers.maps import FREE


@pytest.fixture(autouse=True)
def quick_figures(right_axis):
    """Draw phases at once."""


@pytest.fixture
def signal(grains):
    return grains


@pytest.fixture
def tool(signal):
    return PSNMFTool(signal, **FREE)


@pytest.fixture
def done(tool):
    """A tool after its run."""
    tool.run()
    assert tool.wait(60) == "done", tool.message
    return tool


@pytest.fixture
def endless(monkeypatch):
    """Runs that go on until they are cancelled; an event tells that one has begun."""
    begun = threading.Event()

    def iterate(signal, settings):
        for i in range(1, 100_000):
            with_listener(None)("binned map", i, 10.0**-i if i < 5 else 1e-4)
            begun.set()
            threading.Event().wait(0.01)

    monkeypatch.setattr(tool_module, "decompose", iterate)
    monkeypatch.setattr(tool_module, "INTERVAL", 0.02)
    return begun
