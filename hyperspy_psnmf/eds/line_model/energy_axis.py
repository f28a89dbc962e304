# SPDX-License-Identifier: GPL-3.0-or-later
r"""How far an energy axis is off: a search over shifts, before anything is fitted locally.

A line of energy E is recorded at :math:`E + o + g E`. Files can be off by more than a line
is wide, where local fits end beside it. So offsets o and gains g on a grid are tried with the
sum of all spectra. At each, lines of the listed elements and of those that hardly any
spectrum lacks are fitted on a smooth background, none of them negative. Residuals count up
to a limit, as unlisted elements have peaks too. The best of the grid is where `calibrate`
begins.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from hyperspy_psnmf.eds.line_model.linear_model import LineModel

OFFSETS = 1e-3 * np.arange(-75, 76, 15)  # keV; lines are at least 60 eV wide
GAINS = 1e-3 * np.arange(-12, 13, 3)  # 24 eV at 8 keV, where lines are 150 eV wide
EXPECTED = (0.02, 0.003)  # offset in keV, gain: standard deviations
HELD_BY = 10.0  # times that, to choose a shift: unlisted peaks are no reason for one
COARSE = 0.02  # keV, width of channels for the search
PEAKS_KNOWN_TO = 0.03  # of a peak: tails, and widths that are not those of the file
LIMIT = 5.0  # standard deviations at which residuals are unlisted peaks
BETTER = 50.0  # in squared standard deviations, to leave the axis of the file


def find_axis(model: LineModel, total: np.ndarray) -> tuple[float, float]:
    """Return the offset in keV and the gain of the energy axis, to within a line's width.

    Parameters
    ----------
    model : LineModel
        Lines to look for, where the file's axis has them.
    total : ndarray of shape (n_channels,)
        Counts of all spectra together.
    """
    if not model.lines or total[model.use].sum() < 1:
        return model.offset, model.gain
    search = _Search(*_coarser(model, total))
    at = np.array([(offset, gain) for offset in OFFSETS for gain in GAINS])
    badness = np.array([search.badness(*shift, held_by=HELD_BY) for shift in at])
    here = search.badness(0.0, 0.0)
    if badness.min() > here - BETTER:
        return model.offset, model.gain
    offset, gain = at[np.argmin(badness)]
    for step in (0.5, 0.25):
        near = [
            (offset + i * step * 0.015, gain + j * step * 0.003)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        ]
        offset, gain = min(near, key=lambda shift: search.badness(*shift))
    return model.offset + offset, model.gain + gain


def _coarser(model, total):
    """Return the model and the counts with channels summed."""
    width = model.energy[1] - model.energy[0]
    n = max(1, round(COARSE / width))
    whole = total.size // n * n

    def grouped(values):
        return values[:whole].reshape(-1, n)

    energy = grouped(model.energy).mean(axis=1)
    use = grouped(model.use).all(axis=1)
    background = model.background[:whole].reshape(-1, n, model.background.shape[1]).sum(axis=1)
    coarse = replace(model, energy=energy, use=use, background=background)
    return coarse, grouped(total).sum(axis=1)


class _Search:
    """How badly lines fit to a spectrum on a moved axis."""

    def __init__(self, model, total):
        self.model, self.use = model, model.use
        counts = total[self.use]
        smooth = gaussian_filter1d(total, 1.0, mode="nearest")[self.use]
        # Strong peaks must not outweigh all others together.
        self.weights = 1.0 / np.sqrt(np.maximum(smooth, 1.0) + (PEAKS_KNOWN_TO * smooth) ** 2)
        self.basis, _ = np.linalg.qr(model.background[self.use] * self.weights[:, None])
        self.left = self._beside(counts * self.weights)

    def _beside(self, weighted):
        """Return what the background does not explain."""
        return weighted - self.basis @ (self.basis.T @ weighted)

    def badness(self, offset, gain, *, held_by=1.0):
        """Return the sum of squared residuals up to the limit, and of what is expected."""
        moved = replace(self.model, offset=offset, gain=gain, sum_peaks=0.0)
        columns = self._beside(moved.peaks[self.use] * self.weights[:, None])
        size = np.linalg.norm(columns, axis=0)
        columns = columns[:, size > 0] / size[size > 0]
        lines = nnls(columns, self.left)[0]
        residuals = np.minimum((self.left - columns @ lines) ** 2, LIMIT**2)
        expected = (offset / EXPECTED[0]) ** 2 + (gain / EXPECTED[1]) ** 2
        return residuals.sum() + held_by * expected


@dataclass(frozen=True)
class EnergyCalibration:
    """Where lines are recorded on an energy axis, and how wide, with standard errors.

    A line of energy E is at E + offset + gain E. The axis of the signal is left as it is.

    Attributes
    ----------
    offset, offset_error : float
        In keV.
    gain, gain_error : float
    resolution, resolution_error : float
        FWHM at Mn Ka, in eV.
    correlation : float
        Of the errors of offset and gain.
    axis : tuple of float
        First and last energy in keV of the channels in use.
    """

    offset: float
    offset_error: float
    gain: float
    gain_error: float
    resolution: float
    resolution_error: float
    correlation: float
    axis: tuple[float, float]

    def shift(self, energy: float) -> float:
        """Return how far above its true energy a line is recorded, in keV."""
        return self.offset + self.gain * energy

    def shift_error(self, energy: float) -> float:
        """Return the standard error of `shift`, in keV."""
        of_gain = self.gain_error * energy
        both = 2.0 * self.correlation * self.offset_error * of_gain
        return float(np.sqrt(max(self.offset_error**2 + of_gain**2 + both, 0.0)))

    def __str__(self):
        low, high = self.axis
        middle = 0.5 * (low + high)
        at = [f"{1e3 * self.shift(e):+.1f} ± {1e3 * self.shift_error(e):.1f} eV at {e:.1f} keV"
              for e in (low, middle, high)]  # fmt: skip
        return (
            f"lines are recorded {', '.join(at)} from their energies; resolution "
            f"{self.resolution:.1f} ± {self.resolution_error:.1f} eV at Mn Ka"
        )
