# SPDX-License-Identifier: GPL-3.0-or-later
"""The view of `PSNMFTool` in notebooks."""

import html

import ipywidgets as ipw
from hyperspy_gui_ipywidgets.utils import add_display_arg, set_title_container
from link_traits import link

from hyperspy_psnmf.eds.files.load import list_files
from hyperspy_psnmf.gui import figures
from hyperspy_psnmf.gui.ipywidgets.own_thread import OwnThread
from hyperspy_psnmf.gui.ipywidgets.results import Results
from hyperspy_psnmf.gui.model.settings import PREVIEWED_TRAITS

RUN_TRAITS = "state, step, fraction, elapsed, remaining, message, is_problem, signal"
STYLE = {"description_width": "130px"}
WIDE = {"width": "360px"}
PICTURE = {"height": "280px", "align_self": "flex-start"}
COLORS = {False: "inherit", True: "#c62828"}


@add_display_arg
def psnmf_ipy(obj, **kwargs):
    """Return the widget of a `PSNMFTool` and its parts by name."""
    view = View(obj)
    return {"widget": view.widget, "wdict": view.parts}


class View:
    """Widgets, linked to a tool.

    Parameters
    ----------
    tool : PSNMFTool
        The model.

    Attributes
    ----------
    widget : ipywidgets.VBox
    parts : dict
        Widgets by name.
    """

    def __init__(self, tool):
        self.tool, self.parts = tool, {}
        self.thread = OwnThread()
        self.results = Results(tool, self.parts, self.thread)
        self.widget = ipw.VBox(
            [
                self._file_row(),
                ipw.HBox([self._settings(), self._preview()], layout={"flex_flow": "row wrap"}),
                self._advanced(),
                self._run_row(),
                self._add("message", ipw.HTML()),
                self.results.widget,
            ]
        )
        observe = self.thread.observe
        observe(tool, self._show_run, RUN_TRAITS)
        observe(tool, self._show_settings, "signal, auto_binning, estimate_number, "
                "parsimony, auto_smoothing")  # fmt: skip
        observe(tool, self._show_choices, "choices, choice")
        observe(tool, self._update_preview, PREVIEWED_TRAITS)
        observe(tool, self._show_preview, "preview")
        observe(tool, self.results.show_result, "result")
        observe(tool, self.results.show_stored, "is_stored")
        observe(tool, self.results.show_residuals, "residuals")
        observe(tool, self.results.show_composition, "composition")
        observe(tool, self.results.show_factors, "factors")
        observe(tool, self.results.show_factors_note, "factors_note")
        self._show_settings()
        self._show_choices()
        self._show_run()
        if tool.shows_preview:
            tool.update_preview()

    def _add(self, name, widget):
        self.parts[name] = widget
        return widget

    def _input(self, name, widget_class, **options):
        """Return a widget linked to a trait, with its label and tooltip."""
        trait = self.tool.trait(name)
        options = {"style": STYLE, "layout": WIDE, **options}
        widget = widget_class(description=trait.label or "", tooltip=trait.desc or "", **options)
        link((self.tool, name), (widget, "value"))
        return self._add(name, widget)

    def _dropdown(self, name):
        options = self.tool.trait(name).trait_type.values
        return self._input(name, ipw.Dropdown, options=options)

    def _tick(self, name):
        return self._input(name, ipw.Checkbox, indent=False, layout={"width": "auto"})

    def _button(self, name, text, act, **options):
        button = self._add(name, ipw.Button(description=text, **options))
        # A cancel waits for nothing.
        button.on_click(lambda _: act() if name == "cancel" else self.thread.act(act))
        return button

    def _file_row(self):
        choice = {"options": list_files(), "ensure_option": False, "continuous_update": False}
        row = [
            self._input("filename", ipw.Combobox, placeholder="choose or type", **choice),
            self._button("open", "Open", self.tool.open, icon="folder-open"),
        ]
        choice = ipw.Dropdown(description="Map", style=STYLE, layout={"width": "640px"})
        box = ipw.VBox([ipw.HBox(row), self._add("choice", choice)])
        # Who has a map needs no file.
        box.layout.display = "none" if self.tool.signal is not None else ""
        return box

    def _settings(self):
        late = {"continuous_update": False}
        return ipw.VBox(
            [
                self._input("elements", ipw.Text, **late),
                self._input("number_of_phases", ipw.IntText, **late),
                _indented(self._tick("estimate_number")),
                self._input("binning", ipw.IntText, **late),
                _indented(self._tick("auto_binning")),
                _indented(self._tick("store_when_done")),
            ]
        )

    def _preview(self):
        image = self._add("preview", ipw.Image(format="png", layout=PICTURE))
        text = self._add("preview_text", ipw.HTML(layout={"max_width": "360px"}))
        return ipw.VBox([image, text], layout={"margin": "0 0 0 24px", "min_width": "360px"})

    def _advanced(self):
        spectra = {"options": list_files(), "ensure_option": False, "continuous_update": False}
        images = {**spectra, "options": ["auto", *list_files()]}
        late = {"continuous_update": False}
        box = ipw.VBox(
            [
                self._dropdown("init"),
                self._input("fixed_spectra_file", ipw.Combobox, **spectra),
                self._input("absent", ipw.Text, placeholder="0: O, C; 2: Pt", **late),
                self._input("energy_range", ipw.Text, placeholder="all, or 0.12, 12", **late),
                self._dropdown("spectra"),
                ipw.HBox([self._input("volume", ipw.FloatText), self._tick("parsimony")]),
                self._input("guide_file", ipw.Combobox, **images),
                ipw.HBox([self._input("smoothing", ipw.FloatText), self._tick("auto_smoothing")]),
            ]
        )
        folded = ipw.Accordion([box], selected_index=None)
        set_title_container(folded, ["Advanced"])
        return self._add("advanced", folded)

    def _run_row(self):
        bar = ipw.FloatProgress(min=0.0, max=1.0, layout={"width": "300px"})
        return ipw.HBox(
            [
                self._button("run", "Run", self.tool.run, icon="play", button_style="primary"),
                self._button("cancel", "Cancel", self.tool.cancel, icon="stop"),
                self._add("progress", bar),
                self._add("status", ipw.Label()),
            ]
        )

    def _show_settings(self):
        tool, parts = self.tool, self.parts
        parts["number_of_phases"].disabled = tool.estimate_number
        parts["binning"].disabled = tool.auto_binning
        parts["volume"].disabled = tool.parsimony
        parts["smoothing"].disabled = tool.auto_smoothing

    def _show_choices(self):
        tool, choice = self.tool, self.parts["choice"]
        choice.unobserve_all("value")  # new options choose the first one
        choice.options = tool.choices
        choice.value = tool.choice if tool.choice in tool.choices else None
        choice.observe(self._choose, "value")
        choice.layout.display = "" if tool.choices else "none"

    def _choose(self, change):
        self.thread.act(lambda: self.tool.trait_set(choice=change["new"] or self.tool.choice))

    def _show_run(self):
        tool, parts = self.tool, self.parts
        parts["run"].disabled = tool.is_running or tool.signal is None
        parts["cancel"].disabled = not tool.is_running
        for name in ("open", "choice", "quantify", "find_residuals", "rename"):
            parts[name].disabled = tool.is_running
        parts["progress"].value = tool.fraction
        parts["progress"].layout.visibility = "hidden" if tool.state == "ready" else "visible"
        parts["progress"].bar_style = {"done": "success", "failed": "danger"}.get(tool.state, "")
        parts["status"].value = tool.status
        parts[
            "message"
        ].value = (
            f'<span style="color: {COLORS[tool.is_problem]}">{html.escape(tool.message)}</span>'
        )

    def _update_preview(self):
        # Of a map larger than memory only where it was asked for.
        if self.tool.shows_preview or self.tool.preview is not None:
            self.tool.update_preview()

    def _show_preview(self):
        preview = self.tool.preview
        self.parts["preview"].value = figures.preview_png(self.tool)
        self.parts["preview"].layout.visibility = "hidden" if preview is None else "visible"
        text = html.escape(self.tool.preview_text)
        self.parts["preview_text"].value = f'<div style="line-height: 1.4">{text}</div>'


def _indented(widget):
    return ipw.HBox([widget], layout={"padding": "0 0 0 134px"})
