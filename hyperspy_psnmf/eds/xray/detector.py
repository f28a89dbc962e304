# SPDX-License-Identifier: GPL-3.0-or-later
"""Peak shapes of an energy-dispersive detector: Gaussians, their widths (FWHM), and channels.

References
----------
Fiori & Newbury, SEM/1978/I, p. 401 (widths).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csc_array
from scipy.special import ndtr

MN_KA = 5.8987  # keV, where the resolution of a detector is specified
TYPICAL_RESOLUTION = 130.0  # eV at Mn Ka, of silicon drift detectors
FANO = 2500.0  # eV² per keV: the variance of the number of charges, as a squared FWHM
ELECTRONICS = 30.0  # eV, the width of a peak without counting statistics of charges
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))
# keV: below it are the noise peak of the electronics and no line but Be Ka (0.108 keV) and
# Li Ka (0.054 keV), which no spectrum is quantified by; above it B Ka (0.183 keV) and all others.
ZERO_PEAK = 0.12
# Widths in keV, for a detector of typical resolution; the map's own may be missing or a default.
# Chosen on the built-in phantoms.
COARSE_CHANNEL = 0.040  # a third of the FWHM at Mn Ka: lines stay resolved
LINE_CHANNEL = 0.16  # a little more than the FWHM at Mn Ka: about one channel per line
LINE_WIDTH = 0.5  # four FWHM at Mn Ka: over less, the background varies more slowly than lines
MIN_COARSE_CHANNELS = 32  # that a binning of the energy axis leaves
PEAK_REACH = 7.0  # standard deviations; a peak of 1e11 counts has less than one count beyond


def peak_fwhm(resolution: float, energy: float, fano: float = 1.0) -> float:
    """Return the width of a line in keV, after Fiori and Newbury.

    Never below 30 eV, the electronic noise alone: eXSpy's own formula has no real
    root for the lightest elements where the resolution is below 122 eV.
    """
    return float(peak_fwhms(resolution, np.array(energy), fano))


def peak_fwhms(resolution: float, energy: np.ndarray, fano: float = 1.0) -> np.ndarray:
    """Return `peak_fwhm` of several energies.

    Parameters
    ----------
    resolution : float
        FWHM at Mn Ka, in eV.
    energy : ndarray
        In keV.
    fano : float
        Statistics of charges, relative to 2500 eV² per keV.
    """
    squared = squared_fwhms(resolution, energy, fano)
    return 1e-3 * np.sqrt(np.maximum(squared, ELECTRONICS**2))


def squared_fwhms(resolution: float, energy: np.ndarray, fano: float = 1.0) -> np.ndarray:
    """Return the squared widths in eV² that Fiori and Newbury give; see `peak_fwhms`."""
    return resolution**2 + fano * FANO * (energy - MN_KA)


@dataclass(frozen=True, eq=False)
class PeakShapes:
    """Peaks of unit area in channels, and their derivatives, (n_channels, n_peaks) each.

    Attributes
    ----------
    n_channels : int
    channels : ndarray of shape (n_peaks, n_near)
        Those within reach of each peak; some may be beyond the energy axis.
    borders : ndarray of shape (n_peaks, n_near + 1)
        Of these channels, in standard deviations from the centre.
    fwhm : ndarray of shape (n_peaks,)
        In keV.
    """

    n_channels: int
    channels: np.ndarray
    borders: np.ndarray
    fwhm: np.ndarray

    @cached_property
    def peaks(self) -> csc_array:
        """Fraction of a peak in each channel."""
        return self._columns(np.diff(ndtr(self.borders), axis=1))

    @cached_property
    def by_centre(self) -> csc_array:
        """Derivative by the centre, per keV."""
        per_sigma = (1.0 / (self.fwhm / FWHM_PER_SIGMA))[:, None]
        return self._columns(-np.diff(self._density, axis=1) * per_sigma)

    @cached_property
    def by_fwhm(self) -> csc_array:
        """Derivative by the width, per keV."""
        return self._columns(-np.diff(self.borders * self._density, axis=1) / self.fwhm[:, None])

    @cached_property
    def by_skewness(self) -> csc_array:
        """Derivative by the skewness: a Gaussian times the third Hermite polynomial."""
        # It has no area (Gram-Charlier).
        return self._columns(np.diff(-self._density * (self.borders**2 - 1.0) / 6.0, axis=1))

    @cached_property
    def _density(self):
        return np.exp(-0.5 * self.borders**2) / np.sqrt(2 * np.pi)

    @cached_property
    def _inside(self):
        return (self.channels >= 0) & (self.channels < self.n_channels)

    def _columns(self, values):
        inside = self._inside
        ends = np.append(0, np.cumsum(inside.sum(axis=1)))
        shape = self.n_channels, len(self.fwhm)
        return csc_array((values[inside], self.channels[inside], ends), shape)


def peak_shapes(energy, centres, fwhm) -> PeakShapes:
    """Return Gaussians integrated over channels.

    Parameters
    ----------
    energy : ndarray of shape (n_channels,)
        Centres of channels of equal width, in keV.
    centres, fwhm : ndarray of shape (n_peaks,)
        In keV.
    """
    width, sigma = energy[1] - energy[0], np.asarray(fwhm) / FWHM_PER_SIGMA
    reach = PEAK_REACH * sigma.max(initial=width)
    first = np.floor((np.asarray(centres) - reach - energy[0]) / width).astype(int)
    index = first[:, None] + np.arange(int(2 * reach / width) + 3)
    borders = energy[0] + width * (np.pad(index, ((0, 0), (0, 1)), mode="edge") - 0.5)
    borders[:, -1] += width
    z = (borders - np.asarray(centres)[:, None]) / sigma[:, None]
    return PeakShapes(energy.size, index, z, np.asarray(fwhm))
