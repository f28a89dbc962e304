# SPDX-License-Identifier: GPL-3.0-or-later
"""The view of `PSNMFTool` in a window of its own, with Qt."""

import hyperspy_gui_traitsui  # noqa: F401 - lets matplotlib's backend choose the toolkit
from traits.api import Button, Bytes, Instance, Str, observe
from traitsui import api as tu

from hyperspy_psnmf.gui import figures
from hyperspy_psnmf.gui.model.results import QUANTIFYING
from hyperspy_psnmf.gui.model.settings import PREVIEWED_TRAITS
from hyperspy_psnmf.gui.model.tool import PSNMFTool

TEXT, NOTE = 160, 60  # pixels


def psnmf_traitsui(obj, display=True, **kwargs):
    """Open a window for a `PSNMFTool`, or return the tool."""
    if not display:
        return obj
    obj.edit_traits(view=make_view(obj), handler=ToolHandler(tool=obj))
    return None


class InQt(tu.BasicEditorFactory):
    """Makes editors of `qt_editors`, which can be imported with Qt only.

    Attributes
    ----------
    name : str
        Of the class.
    """

    name = Str()

    def _get_simple_editor_class(self):
        from hyperspy_psnmf.gui.traitsui import qt_editors

        return getattr(qt_editors, self.name)


class ToolHandler(tu.Handler):
    """Buttons and images of the view.

    Attributes
    ----------
    tool : PSNMFTool
        The model. Its run sets traits in another thread, so what is observed here is
        handed over to that of the window.
    """

    tool = Instance(PSNMFTool)

    open = Button("Open")
    run = Button("Run")
    cancel = Button("Cancel")
    find_residuals = Button("Show residuals")
    quantify = Button("Quantify")
    rename = Button("Rename")
    store = Button("Store")
    export_png = Button("PNG")
    export_csv = Button("CSV")
    export_hspy = Button(".hspy")

    preview_png = Bytes()
    phases_png = Bytes()
    residuals_png = Bytes()
    composition_png = Bytes()
    composition_table = Str()

    def init(self, info):
        """Draw what there is."""
        if self.tool.shows_preview and self.tool.preview is None:
            self.tool.update_preview()
        for name in ("preview", "result", "residuals", "composition"):
            self._draw(name)
        return True

    def closed(self, info, is_ok):
        """Cancel a run whose window is closed."""
        self.tool.cancel()

    @observe("open, run, cancel, find_residuals, rename, store")
    @observe("export_csv, export_hspy")
    def _press(self, event):
        getattr(self.tool, event.name)()

    @observe("quantify")
    def _quantify(self, event):
        from hyperspy_psnmf.gui.traitsui.qt_editors import repaint

        self.tool.show_message(QUANTIFYING)
        repaint()  # the message, as the window shows nothing new before the end
        self.tool.quantify()

    @observe("export_png")
    def _export_png(self, event):
        figures.export_png(self.tool)

    @observe(f"tool.[{PREVIEWED_TRAITS}]", dispatch="ui")
    def _update_preview(self, event):
        # Of a map larger than memory only where it was asked for.
        if self.tool.shows_preview or self.tool.preview is not None:
            self.tool.update_preview()

    @observe("tool.[preview, result, residuals, composition]", dispatch="ui")
    def _show(self, event):
        if event.name != "tool":
            self._draw(event.name)

    def _draw(self, name):
        if name == "composition":
            self.composition_table = self.tool.composition_html
        image, draw = {
            "preview": ("preview_png", figures.preview_png),
            "result": ("phases_png", figures.phases_png),
            "residuals": ("residuals_png", figures.residuals_png),
            "composition": ("composition_png", figures.composition_png),
        }[name]
        try:
            self.trait_set(**{image: draw(self.tool)})
        except Exception as error:  # a figure that fails must not take the window along
            self.trait_set(**{image: b""})
            self.tool.show_error(error)


def make_view(tool) -> tu.View:
    """Return the view; it asks for a file where the tool has no map."""
    return tu.View(
        *([_file()] if tool.signal is None else []),
        tu.Group(
            _settings(),
            _advanced(),
            _phases(),
            _residuals(),
            _composition(),
            _save(),
            layout="tabbed",
        ),
        tu.HGroup(
            _button("run", enabled_when="object.signal is not None and not object.is_running"),
            _button("cancel", enabled_when="object.is_running"),
            tu.UItem("object.fraction", editor=InQt(name="Bar")),
            tu.UItem("object.status", style="readonly", springy=True),
        ),
        tu.UItem("object.message", style="readonly"),
        title="PSNMF",
        width=1000,
        height=760,
        resizable=True,
    )


def _file():
    several = {"visible_when": "object.choices", "enabled_when": "not object.is_running"}
    return tu.VGroup(
        tu.HGroup(tu.Item("object.filename", editor=tu.FileEditor(), springy=True),
                  _button("open")),
        tu.Item("object.choice", editor=tu.EnumEditor(name="object.choices"), **several),
    )  # fmt: skip


def _settings():
    return tu.HGroup(
        tu.VGroup(
            tu.Item("object.elements", editor=tu.TextEditor(auto_set=False, enter_set=True)),
            tu.Item("object.number_of_phases", enabled_when="not object.estimate_number"),
            tu.Item("object.estimate_number"),
            tu.Item("object.binning", enabled_when="not object.auto_binning"),
            tu.Item("object.auto_binning"),
            tu.Item("object.store_when_done"),
        ),
        tu.VGroup(
            _picture("preview_png"), tu.UItem("object.preview_text", editor=InQt(name="PlainText"),
                                              height=-70)
        ),
        label="Settings",
    )  # fmt: skip


def _advanced():
    return tu.VGroup(
        tu.Item("object.init"),
        tu.Item("object.fixed_spectra_file", editor=tu.FileEditor()),
        tu.Item("object.absent", tooltip="0: O, C; 2: Pt"),
        tu.Item("object.energy_range", tooltip="0.12, 12"),
        tu.Item("object.spectra"),
        tu.HGroup(
            tu.Item("object.volume", enabled_when="not object.parsimony"),
            tu.Item("object.parsimony"),
        ),
        tu.Item("object.guide_file", tooltip="a file, or auto"),
        tu.HGroup(
            tu.Item("object.smoothing", enabled_when="not object.auto_smoothing"),
            tu.Item("object.auto_smoothing"),
        ),
        label="Advanced",
    )


def _phases():
    summary = tu.UItem("object.summary", editor=InQt(name="PlainText"), height=-TEXT)
    return tu.VGroup(_picture("phases_png"), summary, label="Phases")


def _residuals():
    return tu.VGroup(
        tu.HGroup(_button("find_residuals")), _picture("residuals_png"), label="Residuals"
    )


def _composition():
    from traitsui.extras.checkbox_column import CheckboxColumn  # there is none without a toolkit

    table = tu.TableEditor(
        columns=[
            tu.ObjectColumn(name="line", label="X-ray line", editable=False),
            tu.ObjectColumn(name="value", label="k-factor", format="%.4g"),
            tu.ObjectColumn(name="sigma", label="1 sigma", format="%.4g"),
            CheckboxColumn(name="in_specimen", label="in the specimen"),
        ],
        sortable=False,
        auto_size=False,
    )
    return tu.HSplit(
        tu.VGroup(
            tu.UItem("object.factors", editor=table),
            tu.UItem(
                "object.factors_note",
                editor=InQt(name="PlainText"),
                height=-NOTE,
                visible_when="object.factors_note",
            ),
            tu.HGroup(tu.Item("object.thickness"), tu.Item("object.density")),
            tu.HGroup(_button("quantify"), tu.Item("object.composition_units")),
        ),
        tu.VGroup(
            tu.UItem("handler.composition_table", editor=InQt(name="RichText"), height=-TEXT),
            _picture("composition_png"),
        ),
        label="Composition",
    )


def _save():
    return tu.VGroup(
        tu.HGroup(tu.Item("object.names", springy=True), _button("rename")),
        tu.HGroup(_button("store", enabled_when="not object.is_stored")),
        tu.Item("object.folder", editor=tu.DirectoryEditor()),
        tu.Item("object.overwrite"),
        tu.HGroup(_button("export_png"), _button("export_csv"), _button("export_hspy")),
        label="Save",
    )


def _button(name, **options):
    return tu.UItem(f"handler.{name}", **options)


def _picture(name):
    return tu.UItem(f"handler.{name}", editor=InQt(name="Picture"), resizable=True)
