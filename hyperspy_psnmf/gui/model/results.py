# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can do with the phases found, as traits and actions."""

import html
from pathlib import Path

from traits.api import Bool, Enum, Instance, List, Property, Str, observe

from hyperspy_psnmf._compat import learning_attributes
from hyperspy_psnmf.eds.decompose.notes import notes
from hyperspy_psnmf.eds.decompose.report import summary
from hyperspy_psnmf.eds.files import export
from hyperspy_psnmf.eds.fit_check.residuals import find_residuals
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.measurable_lines import describe_reasons, explain_lines, warn_left_out
from hyperspy_psnmf.eds.quantify.factors import elements_to_exclude
from hyperspy_psnmf.eds.quantify.options import Options
from hyperspy_psnmf.eds.quantify.quantify import quantify
from hyperspy_psnmf.eds.signals.learning_results import (
    read_names,
    read_record,
    stored_names,
    write_names,
)
from hyperspy_psnmf.eds.signals.metadata import sample_lines
from hyperspy_psnmf.eds.signals.stored_record import keep_results
from hyperspy_psnmf.gui.model.background import Cancelled
from hyperspy_psnmf.gui.model.k_factors import LineFactor, describe_computed, update_rows
from hyperspy_psnmf.gui.model.messages import Identified, Map, action
from hyperspy_psnmf.gui.model.settings import ToolSettings, set_elements_of_text, stand_in
from hyperspy_psnmf.gui.model.specimen import read_specimen, text_of_metadata
from hyperspy_psnmf.results import Quantification, Residuals

NO_RESULT = "there is no result yet: press Run"
QUANTIFYING = (
    "Quantifying: spectra are found again without parts of the counts, for errors that include "
    "those of unmixing, which may take longer than the run."
)


class ToolResults(ToolSettings):
    """The result of a run: kept beside the signal until it is stored there."""

    result = Map(desc="the map with its learning results")
    is_stored = Bool(False, desc="whether the signal has the result")
    names = Str(label="Names of phases", desc="separated by commas")
    summary = Property(Str, observe="result")

    factors = List(Instance(LineFactor))
    factors_note = Property(
        Str, observe="factors.items.is_computed", desc="which of them are computed"
    )
    thickness = Str(label="Thickness (nm)", desc="of a thin specimen; empty if it is not known")
    density = Str(label="Density (g/cm³)", desc="of the specimen; empty if it is not known")
    composition_units = Enum("atomic", "weight", label="Per cent")
    composition = Identified(desc="a Quantification")
    composition_html = Property(Str, observe="composition", desc="its table and its notes")
    residuals = Identified(desc="of `find_residuals`")

    folder = Str("psnmf_output", label="Folder", desc="where files are written")
    overwrite = Bool(False, label="Replace files")

    _map = Map(desc="the signal that was decomposed")

    def _get_summary(self):
        if self.result is None:
            return ""
        return "\n".join([summary(read_record(self.result)), *self.notes()])

    def _get_factors_note(self):
        return describe_computed(self.factors)

    def _get_composition_html(self):
        if self.composition is None:
            return ""
        table = self.composition.table().get_html_string(format=True)
        notes = "".join(f"<li>{html.escape(note)}.</li>" for note in self.composition.notes)
        return f"{table}<ul>{notes}</ul>"

    @observe("signal")
    def _drop_result(self, event):
        self.trait_set(result=None, is_stored=False)

    @observe("signal")
    def _take_specimen(self, event):
        self.thickness = text_of_metadata(self.signal, "thickness")
        self.density = text_of_metadata(self.signal, "density")

    @observe("result")
    def _take_result(self, event):
        self.composition = self.residuals = None
        self.names = "" if self.result is None else ", ".join(read_names(self.result))

    @observe("signal, elements")
    @action
    def _take_elements(self, event):
        """Update the table of k-factors to the X-ray lines of the specimen."""
        if self.signal is None:
            self.factors = []
            return
        # A half-typed element is an error; the message reports it until it is complete.
        other = stand_in(self.signal, self.elements)
        if self.result is not None:
            set_elements_of_text(self.result, self.elements)
        self.factors = update_rows(self.factors, other)

    def notes(self) -> list[str]:
        """Return the weaknesses of the result."""
        record = read_record(self.require_result())
        return [f"Note: {note}." for note in notes(record, stored_names(self.result))]

    @action
    def store(self) -> None:
        """Put the result into the signal, as ``s.decomposition()`` does."""
        self._store(self.require_result())

    def _store(self, result):
        self.require_same_map()
        signal, found = self._map, learning_attributes(result.learning_results)
        learning_attributes(signal.learning_results).update(found)
        # One object for both signals, so that names of phases are the same in both.
        result.learning_results = signal.learning_results
        keep_results(signal)
        set_elements_of_text(signal, self.elements)
        self.is_stored = True

    def require_same_map(self):
        """Raise Cancelled where the signal is not that which was decomposed."""
        if self.signal is not self._map:
            raise Cancelled("the result is of another map")

    @action
    def rename(self) -> None:
        """Give the phases their names."""
        write_names(self.require_result(), [n.strip() for n in self.names.split(",")])
        if self.is_stored:
            keep_results(self.signal)
        self.trait_property_changed("result", None, self.result)

    @action
    def find_residuals(self) -> None:
        """Compute the residuals: where the model does not fit the counts."""
        self.residuals = Residuals.made_of(find_residuals(Decomposed.read(self.require_result())))

    @action
    def quantify(self) -> None:
        """Quantify the composition of each phase with the k-factors of the table."""
        self.composition = None
        specimen = read_specimen(thickness=self.thickness, density=self.density)
        result, rows = self.require_result(), [row for row in self.factors if row.in_specimen]
        lines = [row.line for row in rows]
        twice = sorted({line for line in lines if lines.count(line) > 1})
        if twice:
            raise ValueError(f"table of k-factors: more than one row for {', '.join(twice)}")
        # Rows that nobody added stand for the metadata.
        decomposed = Decomposed.read(result)
        listed = [line for line in sample_lines(result) if line in lines]
        left_out = explain_lines(decomposed.spectra, decomposed.map_input, listed, "model")
        given = {row.line: row.factor() for row in rows if row.line not in left_out}
        if left_out and not given:
            raise ValueError(f"no line of the table can be measured: {describe_reasons(left_out)}")
        warn_left_out(left_out, stacklevel=1)
        options = Options(
            factors=given,
            exclude=elements_to_exclude(result, given),
            composition_units=self.composition_units,
            **specimen,
        )
        self.show_message(QUANTIFYING)
        found = Quantification.made_of(quantify(decomposed, options))
        self.show_message("")  # before views draw, as they may have to report an error
        self.composition = found

    @action
    def export_csv(self) -> None:
        """Write tables of the phases, their spectra and, if there is one, their composition."""
        paths = export.write_csv(self.require_result(), self.composition, *self.target())
        self.show_written(paths)

    @action
    def export_hspy(self) -> None:
        """Write the map with its result, and the spectra and maps of phases."""
        self.show_written(export.write_hspy(self.require_result(), *self.target()))

    def require_result(self):
        """Return the result, or raise."""
        if self.result is None:
            raise RuntimeError(NO_RESULT)
        return self.result

    def target(self) -> tuple[Path, bool]:
        """Return where to write files, and whether to replace them."""
        return Path(self.folder.strip() or "."), self.overwrite

    def show_written(self, paths) -> None:
        """Show which files were written."""
        self.show_message(f"Wrote {', '.join(str(path) for path in paths)}.")
