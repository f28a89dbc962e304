# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a tool as PNG images, which every toolkit can show, and as files."""

import io

from hyperspy_psnmf import plot
from hyperspy_psnmf.eds.files.export import new_files
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.phase_map.fractions import find_fractions
from hyperspy_psnmf.eds.phase_map.label_map import find_labels, label_map
from hyperspy_psnmf.eds.signals.phases import phase_maps
from hyperspy_psnmf.gui.model.messages import action
from hyperspy_psnmf.plot.figure import off_screen

DPI = 100
FILE_DPI = 200
CONFIDENCE = 0.95  # of labels, as of `s.psnmf.label_map()`


def preview_png(tool) -> bytes:
    """Return the image of the binned map, or of nothing."""
    return _image(tool.preview, _plot_preview)


def phases_png(tool) -> bytes:
    """Return the image of the phases' maps and spectra, or of nothing."""
    return _image(tool.result, _plot_phases)


def residuals_png(tool) -> bytes:
    """Return the image of the residuals, or of nothing."""
    return _image(tool.residuals, plot.plot_residuals)


def composition_png(tool) -> bytes:
    """Return the image of the composition, or of nothing."""
    return _image(tool.composition, plot.plot_composition)


@action
def export_png(tool) -> None:
    """Write the images of all results that there are."""
    tool.require_result()
    plots = {
        "phases.png": (tool.result, _plot_phases),
        "residuals.png": (tool.residuals, plot.plot_residuals),
        "composition.png": (tool.composition, plot.plot_composition),
        "label_map.png": (tool.result, _plot_label_map),
    }
    there = {name: parts for name, parts in plots.items() if parts[0] is not None}
    paths = new_files(there, *tool.target())
    for path, (result, draw) in zip(paths, there.values(), strict=True):
        path.write_bytes(_image(result, draw, FILE_DPI))
    tool.show_written(paths)


def _plot_preview(preview):
    return plot.plot_binned_map(preview.map, preview.images)


def _plot_phases(result):
    decomposed = Decomposed.read(result)
    return plot.plot_phases(phase_maps(decomposed), decomposed.spectra)


def _plot_label_map(result):
    decomposed = Decomposed.read(result)
    labels = find_labels(decomposed, CONFIDENCE)
    return plot.plot_label_map(label_map(decomposed, labels), find_fractions(decomposed, labels))


def _image(result, draw, dpi=DPI):
    if result is None:
        return b""
    with off_screen():
        figure, _ = draw(result)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()
