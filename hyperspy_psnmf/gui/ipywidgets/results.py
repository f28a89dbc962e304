# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the notebook view that shows results: tabs of figures, tables and buttons."""

import html

import ipywidgets as ipw
from hyperspy_gui_ipywidgets.utils import enum2dropdown, set_title_container
from link_traits import link

from hyperspy_psnmf.gui import figures

# At the start of the line, pictures keep their size.
PICTURE = {"max_width": "100%", "align_self": "flex-start"}
TITLES = ("Phases", "Residuals", "Composition", "Save")
NUMBER = {"width": "110px"}


class Results:
    """Tabs that follow the results of a tool.

    Parameters
    ----------
    tool : PSNMFTool
        The model.
    parts : dict
        Widgets by name, to which those of the tabs are added.
    thread : OwnThread
        Where to act.

    Attributes
    ----------
    widget : ipywidgets.Tab
        Hidden as long as there is no result.
    """

    def __init__(self, tool, parts, thread):
        self.tool, self.parts, self.thread = tool, parts, thread
        self.widget = ipw.Tab(
            [self._phases(), self._residuals(), self._composition(), self._save()]
        )
        set_title_container(self.widget, TITLES)
        parts["results"] = self.widget
        self.show_factors()
        self.show_factors_note()
        self.show_result()
        self.show_stored()
        self.show_residuals()
        self.show_composition()

    def show_result(self):
        """Show phases and summary."""
        tool, parts = self.tool, self.parts
        self.widget.layout.display = "none" if tool.result is None else ""
        self._draw("phases", figures.phases_png)
        parts["summary"].value = f"<pre>{html.escape(tool.summary)}</pre>"

    def show_stored(self):
        """Show whether the signal has the result."""
        store, stored = self.parts["store"], self.tool.is_stored
        store.disabled = stored
        store.description = "Stored in the signal" if stored else "Store"

    def show_residuals(self):
        """Show residuals."""
        self._draw("residuals", figures.residuals_png)

    def show_composition(self):
        """Show the composition as a table with notes and as bars."""
        self.parts["composition_table"].value = self.tool.composition_html
        self._draw("composition", figures.composition_png)

    def show_factors(self):
        """Show a row of inputs for each X-ray line."""
        head = ("X-ray line", "k-factor", "1 sigma", "in the specimen")
        rows = [ipw.HBox([ipw.Label(text, layout=NUMBER) for text in head])]
        rows += [self._factor_row(row) for row in self.tool.factors]
        self.parts["factors"].children = rows

    def show_factors_note(self):
        """Show which k-factors are computed."""
        self.parts["factors_note"].value = html.escape(self.tool.factors_note)

    def _factor_row(self, row):
        inputs = {
            "value": ipw.FloatText(layout=NUMBER),
            "sigma": ipw.FloatText(layout=NUMBER),
            "in_specimen": ipw.Checkbox(indent=False, layout=NUMBER),
        }
        for name, widget in inputs.items():
            link((row, name), (widget, "value"))
        return ipw.HBox([ipw.Label(row.line, layout=NUMBER), *inputs.values()])

    def _add(self, name, widget):
        self.parts[name] = widget
        return widget

    def _text(self, name):
        trait = self.tool.trait(name)
        style = {"description_width": "initial"}
        widget = ipw.Text(description=trait.label, tooltip=trait.desc, style=style)
        link((self.tool, name), (widget, "value"))
        return self._add(name, widget)

    def _button(self, name, text, act, **options):
        button = self._add(name, ipw.Button(description=text, **options))
        button.on_click(lambda _: self._press(button, act))
        return button

    def _press(self, button, act):
        """Do what may take a second, with the button disabled."""

        def act_and_release():
            try:
                act()
            finally:
                button.disabled = False
                self.show_stored()

        button.disabled = True
        self.thread.act(act_and_release)

    def _image(self, name):
        return self._add(name, ipw.Image(format="png", layout=PICTURE))

    def _draw(self, name, draw):
        image = self.parts[name]
        try:
            image.value = draw(self.tool)
        except Exception as error:  # a figure that fails must not take the widget along
            image.value = b""
            self.tool.show_error(error)
        image.layout.display = "" if image.value else "none"

    def _phases(self):
        return ipw.VBox([self._image("phases"), self._add("summary", ipw.HTML())])

    def _residuals(self):
        button = self._button("find_residuals", "Show residuals", self.tool.find_residuals)
        return ipw.VBox([button, self._image("residuals")])

    def _composition(self):
        units = enum2dropdown(self.tool.trait("composition_units"), "Per cent")
        link((self.tool, "composition_units"), (units, "value"))
        quantify = self._button("quantify", "Quantify", self.tool.quantify, button_style="primary")
        return ipw.VBox(
            [
                self._add("factors", ipw.VBox()),
                self._add("factors_note", ipw.HTML()),
                ipw.HBox([self._text("thickness"), self._text("density")]),
                ipw.HBox([quantify, self._add("composition_units", units)]),
                self._add("composition_table", ipw.HTML()),
                self._image("composition"),
            ]
        )

    def _save(self):
        tool = self.tool
        wide = {"style": {"description_width": "130px"}, "layout": {"width": "420px"}}
        names = self._add("names", ipw.Text(description="Names of phases", **wide))
        folder = self._add("folder", ipw.Text(description="Folder", **wide))
        overwrite = self._add("overwrite", ipw.Checkbox(description="Replace files"))
        for name, widget in (("names", names), ("folder", folder), ("overwrite", overwrite)):
            link((tool, name), (widget, "value"))
        button = self._button
        return ipw.VBox(
            [
                ipw.HBox([names, button("rename", "Rename", tool.rename)]),
                button(
                    "store",
                    "Store",
                    tool.store,
                    icon="check",
                    layout={"width": "auto", "align_self": "flex-start"},
                ),
                ipw.HBox([folder, overwrite]),
                ipw.HBox(
                    [
                        button("export_png", "PNG", lambda: figures.export_png(tool)),
                        button("export_csv", "CSV", tool.export_csv),
                        button("export_hspy", ".hspy", tool.export_hspy),
                    ]
                ),
            ]
        )
