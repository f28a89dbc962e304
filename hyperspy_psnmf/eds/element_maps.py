# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.element_maps()``: net counts of X-ray lines in every pixel.

A map is the sum over phases of loadings times the net counts of the line per count of
the phase, so overlapping lines are told apart by the phases they come from, and what
is known of the spectra of all pixels serves each of them.
"""

import copy

import numpy as np
from hyperspy.signals import BaseSignal

from hyperspy_psnmf.eds.axes import require_rising
from hyperspy_psnmf.eds.factors import check_lines, check_on_axis, element_of
from hyperspy_psnmf.eds.line_fit import METHODS, LineIntensities, measure_lines
from hyperspy_psnmf.eds.line_model import read_beam_energy, read_resolution
from hyperspy_psnmf.eds.results import read_counts_and_spectra, require_results
from hyperspy_psnmf.eds.sample import sample_elements, sample_lines
from hyperspy_psnmf.eds.uncertainty import intensity_errors, pixels_in_use
from hyperspy_psnmf.nmf.validate import check_choice


def element_maps(signal, xray_lines=None, *, method: str = "model", standard_errors: bool = False):
    """Return net maps of X-ray lines; see the accessor."""
    require_results(signal)
    check_choice("method", method, METHODS)
    if not isinstance(standard_errors, bool):
        raise TypeError(f"standard_errors must be True or False, not {standard_errors!r}")
    require_rising(signal)
    read_beam_energy(signal), read_resolution(signal)
    lines = _lines_asked_for(signal, xray_lines)
    measured = measure_lines(signal, lines, method=method, elements=sample_elements(signal))
    maps = line_maps(signal, measured)
    return (maps, error_maps(signal, measured)) if standard_errors else maps


def _lines_asked_for(signal, xray_lines):
    if xray_lines is not None:
        lines = check_lines("xray_lines", xray_lines)
        check_on_axis("xray_lines", signal, lines)
        return lines
    lines = signal._get_xray_lines_in_spectral_range(sample_lines(signal))[0]
    if not lines:
        raise ValueError(
            "xray_lines: none given, and none in the metadata: pass a list, or s.add_lines()"
        )
    return lines


def line_maps(signal, measured: LineIntensities) -> list:
    """Return the net counts of each line in every pixel, NaN in masked ones."""
    loadings, _ = read_counts_and_spectra(signal)
    loadings = np.where(pixels_in_use(signal)[:, None], loadings, np.nan)
    values = loadings @ _per_count(measured, measured.net)
    return [
        _as_map(signal, line, column, "X-ray line intensity", "Counts")
        for line, column in zip(measured.lines, values.T, strict=True)
    ]


def error_maps(signal, measured: LineIntensities) -> list:
    """Return standard errors of `line_maps`, in counts.

    Those of the loadings, given the spectra, and those of the net intensities of
    phases, which all pixels share, so that they do not average out.
    """
    loadings = np.nan_to_num(read_counts_and_spectra(signal)[0])
    of_loadings = intensity_errors(signal, _per_count(measured, np.maximum(measured.net, 0.0)))
    of_lines = np.sqrt(loadings**2 @ _per_count(measured, measured.sigma) ** 2)
    values = np.hypot(of_loadings, of_lines)
    values[~pixels_in_use(signal)] = np.nan
    return [
        _as_map(signal, line, column, "Standard error", "Standard error in counts")
        for line, column in zip(measured.lines, values.T, strict=True)
    ]


def _per_count(measured, intensities):
    """Return intensities (n_phases, n_lines) per count of the phase."""
    counts = measured.counts[:, None]
    return np.divide(intensities, counts, out=np.zeros_like(intensities), where=counts > 0)


def _as_map(signal, line, values, what, quantity):
    """Return a signal like those of eXSpy's ``get_lines_intensity``."""
    am = signal.axes_manager
    energy = signal._get_line_energy(line)
    metadata = copy.deepcopy(signal.metadata.as_dictionary())
    for unwanted in ("Truth", "_HyperSpy"):
        metadata.pop(unwanted, None)
    title = f"{what} of {signal.metadata.General.title}: {line} at {energy:.2f} "
    metadata["General"]["title"] = title + str(am.signal_axes[0].units)
    metadata["Sample"] = metadata.get("Sample", {}) | {
        "elements": [element_of(line)],
        "xray_lines": [line],
    }
    metadata["Signal"] = {"quantity": quantity, "signal_type": ""}
    axes = [axis.get_axis_dictionary() for axis in am.navigation_axes[::-1]]
    data = np.ascontiguousarray(values).reshape(am.navigation_shape[::-1])
    result = BaseSignal(data, axes=axes, metadata=metadata)
    return result
