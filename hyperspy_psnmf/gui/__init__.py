# SPDX-License-Identifier: GPL-3.0-or-later
"""The widget, for the toolkits that HyperSpy has.

``s.psnmf.gui()`` opens it for a map; without one, which file to open is asked::

    from hyperspy_psnmf.gui import PSNMFTool

    PSNMFTool().gui()
"""

from hyperspy.ui_registry import TOOLKIT_REGISTRY, UI_REGISTRY

from hyperspy_psnmf.gui.model.tool import TOOLKEY, PSNMFTool

__all__ = ["PSNMFTool", "register_widgets"]

_VIEWS = {
    "ipywidgets": {"module": "hyperspy_psnmf.gui.ipywidgets.view", "function": "psnmf_ipy"},
    "traitsui": {"module": "hyperspy_psnmf.gui.traitsui.view", "function": "psnmf_traitsui"},
}


def register_widgets() -> None:
    """Register the views of `PSNMFTool` with HyperSpy, for the toolkits that are installed.

    In hyperspy_extension.yaml they would make HyperSpy believe that a toolkit is
    installed that is not, and its advice on what to install would be gone.
    """
    registered = UI_REGISTRY.setdefault(TOOLKEY, {})
    for toolkit in TOOLKIT_REGISTRY & _VIEWS.keys():
        registered[toolkit] = _VIEWS[toolkit]


register_widgets()
