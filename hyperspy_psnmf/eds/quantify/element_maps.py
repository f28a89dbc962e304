# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.element_maps()``: net counts of X-ray lines in every pixel.

A map is the sum over phases of loadings times the net counts of the line per count of
the phase. So overlapping lines are separated by the phases they come from, and each pixel has the
precision of the spectra of all pixels. Counts of a line that the phases miss, as those of a rare
one that is not among them, are added where they are significant.
"""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.line_model.linear_model import read_beam_energy, read_resolution
from hyperspy_psnmf.eds.lines.intensities import METHODS, LineIntensities, measure_lines
from hyperspy_psnmf.eds.lines.measurable_lines import (
    choose_lines,
    require_measurable,
    warn_left_out,
)
from hyperspy_psnmf.eds.quantify.factors import check_lines
from hyperspy_psnmf.eds.signals.build import MapFrame
from hyperspy_psnmf.eds.signals.metadata import sample_elements
from hyperspy_psnmf.eds.uncertainty.standard_errors import intensity_errors
from hyperspy_psnmf.nmf.diagnostics.missed_counts import find_missed_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import holds_whole_counts
from hyperspy_psnmf.nmf.validation import check_choice


def element_maps(decomposed: Decomposed, xray_lines=None, **options) -> list:
    """Return net maps of X-ray lines; see the accessor."""
    return line_maps(decomposed, *_measure(decomposed, xray_lines, stacklevel=5, **options))


def element_map_errors(decomposed: Decomposed, xray_lines=None, **options) -> list:
    """Return standard errors of `element_maps`; see the accessor."""
    return error_maps(decomposed, *_measure(decomposed, xray_lines, stacklevel=4, **options))


@dataclass(frozen=True, eq=False)
class MissedCounts:
    """Net counts of lines that the phases miss in each pixel, and their variance.

    Attributes
    ----------
    counts, variance : ndarray of shape (n_pixels, n_lines), or 0.0
    """

    counts: np.ndarray | float = 0.0
    variance: np.ndarray | float = 0.0


NONE_MISSED = MissedCounts()


def find_missed(decomposed: Decomposed, measured: LineIntensities) -> MissedCounts:
    """Return the significant net counts of lines that the phases miss."""
    with decomposed.open_counts() as X:
        return _missed_in(decomposed, measured, X)


def _missed_in(decomposed, measured, X):
    """Return the same for counts that are open.

    None of data that are no whole counts, of which the noise is not known.
    """
    if not holds_whole_counts(X):
        return NONE_MISSED
    d = decomposed
    operators = measured.operators[:, d.map_input.inside]
    operator = np.einsum("p,pjl->jl", d.counts / d.counts.sum(), operators)
    found = find_missed_counts(
        X, d.W, d.H, operator, d.pixels_in_use, d.map_input.shape, n_jobs=None
    )
    return MissedCounts(*found)


def _measure(decomposed, xray_lines, *, intensities, residuals, stacklevel):
    """Return net intensities, and what they miss, of lines asked for or in the metadata."""
    check_choice("intensities", intensities, METHODS)
    if not isinstance(residuals, bool):
        raise TypeError(f"residuals must be True or False, not {residuals!r}")
    decomposed.map_input.require_rising()
    # Of the map, as eXSpy gives a new signal, such as the spectra, what its metadata lack.
    read_beam_energy(decomposed.signal), read_resolution(decomposed.signal)
    lines = _lines_asked_for(decomposed, xray_lines, intensities, stacklevel=stacklevel + 1)
    options = {"method": intensities, "elements": sample_elements(decomposed.spectra)}
    with decomposed.open_counts() if residuals else nullcontext() as X:
        if residuals:
            decomposed.bin_opened(X)  # which reads them once for both
        measured = measure_lines(decomposed, lines, stacklevel=stacklevel + 1, **options)
        return measured, _missed_in(decomposed, measured, X) if residuals else NONE_MISSED


def _lines_asked_for(decomposed, xray_lines, method, *, stacklevel):
    channels = decomposed.spectra, decomposed.map_input
    if xray_lines is None:
        lines, left_out = choose_lines(*channels, method)
        warn_left_out(left_out, stacklevel=stacklevel)
        return lines
    lines = check_lines("xray_lines", xray_lines)
    require_measurable("xray_lines", *channels, lines, method, windows="intensities='windows'")
    return lines


def line_maps(
    decomposed: Decomposed, measured: LineIntensities, missed: MissedCounts = NONE_MISSED
) -> list:
    """Return the net counts of each line in every pixel, NaN in masked ones."""
    values = loadings_in_use(decomposed) @ per_count(measured, measured.net) + missed.counts
    frame = MapFrame.of(decomposed.signal)
    return [
        frame.as_map(line, column, "X-ray line intensity", "Counts")
        for line, column in zip(measured.lines, values.T, strict=True)
    ]


def loadings_in_use(decomposed: Decomposed) -> np.ndarray:
    """Return loadings in counts, of shape (n_pixels, n_phases), NaN in masked pixels."""
    return np.where(decomposed.pixels_in_use[:, None], decomposed.loadings, np.nan)


def error_maps(
    decomposed: Decomposed, measured: LineIntensities, missed: MissedCounts = NONE_MISSED
) -> list:
    """Return standard errors of `line_maps`, in counts.

    Those of the loadings, given the spectra, those of the net intensities of
    phases, which are common to all pixels and do not average out, and those of what was missed.
    """
    loadings = np.nan_to_num(decomposed.loadings)
    of_loadings = intensity_errors(decomposed, per_count(measured, np.maximum(measured.net, 0.0)))
    of_lines = np.sqrt(loadings**2 @ per_count(measured, measured.sigma) ** 2)
    values = np.sqrt(of_loadings**2 + of_lines**2 + missed.variance)
    values[~decomposed.pixels_in_use] = np.nan
    frame = MapFrame.of(decomposed.signal)
    return [
        frame.as_map(line, column, "Standard error", "Standard error in counts")
        for line, column in zip(measured.lines, values.T, strict=True)
    ]


def per_count(measured: LineIntensities, intensities: np.ndarray) -> np.ndarray:
    """Return intensities (n_phases, n_lines) per count of the phase."""
    counts = measured.counts[:, None]
    return np.divide(intensities, counts, out=np.zeros_like(intensities), where=counts > 0)
