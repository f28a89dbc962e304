# SPDX-License-Identifier: GPL-3.0-or-later
"""Significant peaks in the residuals of a line model.

They are searched for in the spectrum of each phase, where the elements of a rare phase are
significant, and in their sum. Counts that unmixing assigns to the wrong phase are no peak of the
sum, so a peak must be significant there too.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hyperspy_psnmf.eds.line_model.calibration import solve, sum_within
from hyperspy_psnmf.eds.line_model.detector_artefacts import with_sum_peaks
from hyperspy_psnmf.eds.xray.detector import peak_fwhm, peak_fwhms
from hyperspy_psnmf.eds.xray.lines import split_line

SIGNIFICANT = 8.0  # standard deviations
SIGNIFICANT_IN_SUM = 5.0  # standard deviations
MIN_FRACTION = 0.003  # of all counts; smaller peaks change no composition noticeably
# Model errors of lines, which must not be taken for other elements: relative errors by shell, as
# Gaussians have no tails and ratios within an L or M shell are rough.
LINE_ERROR = {"K": 0.03, "L": 0.3, "M": 0.3}
MIN_WEIGHT = 0.2  # of the main line: the error of weaker L and M lines is that of this weight
TAILS = 0.005  # of a line's counts
TAILS_REACH = 4.0  # FWHM


class Peak(NamedTuple):
    """A significant peak: its row, its energy in keV, and its counts."""

    row: int
    energy: float
    counts: float


def find_peak(model, spectra: np.ndarray, weights: np.ndarray, explained=()) -> Peak | None:
    """Return the most significant unexplained peak, or None if there is none.

    Parameters
    ----------
    model : LineModel
    spectra : ndarray of shape (1 + n_phases, n_channels)
        Counts: the sum of all phases, then each.
    weights : ndarray of shape (1 + n_phases, n_channels_in_use)
        1 over the standard deviations of the counts.
    explained : sequence of float
        Energies in keV around which no peak is looked for.
    """
    excess, noise = np.array(
        [_excess(model, s, w) for s, w in zip(spectra, weights, strict=True)]
    ).swapaxes(0, 1)
    significance = excess / noise
    threshold = np.maximum(
        SIGNIFICANT * noise, MIN_FRACTION * spectra[:, model.use].sum(axis=1, keepdims=True)
    )
    significant = (excess > threshold) & (significance[0] > SIGNIFICANT_IN_SUM)
    energy = model.energy[model.use]
    for at in explained:
        significant &= np.abs(energy - at) > peak_fwhm(model.resolution, at) / 2
    if not significant.any():
        return None
    best = np.argmax(np.where(significant, significance, 0.0))
    row, channel = np.unravel_index(best, excess.shape)
    return Peak(int(row), float(energy[channel]), float(excess[row, channel]))


def _excess(model, counts, weights):
    """Return counts above the fit within a line's width of each channel, and their noise."""
    energy = model.energy[model.use]
    model = with_sum_peaks(model, counts, weights)
    coefficients = solve(model, counts[model.use], weights)
    width = peak_fwhms(model.resolution, energy)
    step = energy[1] - energy[0]

    def around(values, width):
        return sum_within(energy, step, values, energy, width / 2)

    residual = around(counts[model.use] - model.columns @ coefficients, width)
    noise = np.sqrt(around(weights**-2.0, width))
    lines = np.maximum(coefficients[: len(model.lines)], 0.0)
    # Twice as wide: errors of width or energy leave residuals beside the line.
    residual -= around(_errors(model)[model.use] @ lines, 2 * width)
    peaks = model.peaks[model.use] @ lines
    return residual - TAILS * around(peaks, TAILS_REACH * width), noise


def _errors(model):
    """Return the model error of each family of lines, of shape (n_channels, n_lines)."""
    members = model.members.copy()
    for member in members:
        shell = split_line(model.lines[int(member[0])])[1][:1]
        faint = 0.0 if shell not in ("L", "M") else MIN_WEIGHT
        member[2] = LINE_ERROR.get(shell, 0.03) * max(member[2], faint)
    return replace(model, members=members, sum_peaks=0.0).peaks
