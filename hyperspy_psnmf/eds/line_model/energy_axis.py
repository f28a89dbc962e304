# SPDX-License-Identifier: GPL-3.0-or-later
r"""Grid search for the offset and gain of an energy axis: the start of local fits.

A line of energy E is recorded at :math:`E + o + g E`. Axes of files can be off by more than the
width of a line, where local fits converge to a wrong minimum. So offsets o and gains g on a grid
are tried with the sum of all spectra. At each, lines of the listed elements and of the usual
unlisted ones are fitted on a smooth background by non-negative least squares. Residuals are
truncated at a limit, as unlisted elements have peaks too. `calibrate` starts from the best grid
point.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from hyperspy_psnmf.eds.line_model.linear_model import LineModel

# Grid steps below the width of a line.
OFFSETS = 1e-3 * np.arange(-75, 76, 15)  # keV; lines are at least 60 eV wide
GAINS = 1e-3 * np.arange(-12, 13, 3)  # 24 eV at 8 keV, where lines are 150 eV wide
OFFSET_STEP, GAIN_STEP = 0.015, 0.003  # of these, halved twice about the best
PRIOR_SIGMA = (0.02, 0.003)  # offset in keV, gain: standard deviations
PRIOR_WEIGHT = 10.0  # of the prior in the grid search, so that unlisted peaks cause no shift
SEARCH_CHANNEL = 0.02  # keV, width of channels for the search
PEAK_ERROR = 0.03  # of a peak: tails, and widths that are not those of the file
RESIDUAL_LIMIT = 5.0  # standard deviations; larger residuals are from unlisted peaks
MIN_IMPROVEMENT = 50.0  # squared standard deviations, to reject the axis of the file


def find_axis(model: LineModel, total: np.ndarray) -> tuple[float, float]:
    """Return the offset in keV and the gain of the energy axis, to within a line's width.

    Parameters
    ----------
    model : LineModel
        Lines to look for, on the file's axis.
    total : ndarray of shape (n_channels,)
        Counts of all spectra together.
    """
    if not model.lines or total[model.use].sum() < 1:
        return model.offset, model.gain
    search = _Search(*_coarser(model, total))
    at = np.array([(offset, gain) for offset in OFFSETS for gain in GAINS])
    objective = np.array([search.objective(*shift, prior_weight=PRIOR_WEIGHT) for shift in at])
    unshifted = search.objective(0.0, 0.0)
    if objective.min() > unshifted - MIN_IMPROVEMENT:
        return model.offset, model.gain
    offset, gain = at[np.argmin(objective)]
    for step in (0.5, 0.25):
        near = [
            (offset + i * step * OFFSET_STEP, gain + j * step * GAIN_STEP)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        ]
        offset, gain = min(near, key=lambda shift: search.objective(*shift))
    return model.offset + offset, model.gain + gain


def _coarser(model, total):
    """Return the model and the counts with channels summed."""
    width = model.energy[1] - model.energy[0]
    n = max(1, round(SEARCH_CHANNEL / width))
    whole = total.size // n * n

    def grouped(values):
        return values[:whole].reshape(-1, n)

    energy = grouped(model.energy).mean(axis=1)
    use = grouped(model.use).all(axis=1)
    background = model.background[:whole].reshape(-1, n, model.background.shape[1]).sum(axis=1)
    coarse = replace(model, energy=energy, use=use, background=background)
    return coarse, grouped(total).sum(axis=1)


class _Search:
    """The objective of the grid search: residuals of lines on a shifted axis, and a prior."""

    def __init__(self, model, total):
        self.model, self.use = model, model.use
        counts = total[self.use]
        smooth = gaussian_filter1d(total, 1.0, mode="nearest")[self.use]
        # Strong peaks must not outweigh all others together.
        self.weights = 1.0 / np.sqrt(np.maximum(smooth, 1.0) + (PEAK_ERROR * smooth) ** 2)
        self.basis, _ = np.linalg.qr(model.background[self.use] * self.weights[:, None])
        self.residual = self._project_out(counts * self.weights)

    def _project_out(self, weighted):
        """Return the part orthogonal to the background."""
        return weighted - self.basis @ (self.basis.T @ weighted)

    def objective(self, offset, gain, *, prior_weight=1.0):
        """Return the sum of squared residuals, truncated, plus the prior's penalty."""
        moved = replace(self.model, offset=offset, gain=gain, sum_peaks=0.0)
        columns = self._project_out(moved.peaks[self.use] * self.weights[:, None])
        size = np.linalg.norm(columns, axis=0)
        columns = columns[:, size > 0] / size[size > 0]
        lines = nnls(columns, self.residual)[0]
        residuals = np.minimum((self.residual - columns @ lines) ** 2, RESIDUAL_LIMIT**2)
        penalty = (offset / PRIOR_SIGMA[0]) ** 2 + (gain / PRIOR_SIGMA[1]) ** 2
        return residuals.sum() + prior_weight * penalty


@dataclass(frozen=True)
class EnergyCalibration:
    """Offset, gain and resolution of an energy axis, with standard errors.

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
