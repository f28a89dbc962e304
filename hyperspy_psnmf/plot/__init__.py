# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures. Functions take signals and results, and return matplotlib objects."""

from hyperspy_psnmf.plot.binned_map import plot_binned_map
from hyperspy_psnmf.plot.fit_check import plot_residuals
from hyperspy_psnmf.plot.label_map import plot_label_map
from hyperspy_psnmf.plot.lines import plot_line_fit
from hyperspy_psnmf.plot.n_phases import plot_number_of_components
from hyperspy_psnmf.plot.overlay import plot_overlay
from hyperspy_psnmf.plot.phases import phase_color, plot_phases
from hyperspy_psnmf.plot.quantify import plot_composition, plot_element_maps
from hyperspy_psnmf.plot.uncertainty import plot_ambiguity

__all__ = [
    "phase_color",
    "plot_ambiguity",
    "plot_binned_map",
    "plot_composition",
    "plot_element_maps",
    "plot_label_map",
    "plot_line_fit",
    "plot_number_of_components",
    "plot_overlay",
    "plot_phases",
    "plot_residuals",
]
