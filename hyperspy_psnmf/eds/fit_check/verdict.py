# SPDX-License-Identifier: GPL-3.0-or-later
"""Goodness of fit: whether the model fits, and where it does not.

Tested on the binned map, with channels of about 40 eV: deviance common to neighbouring pixels,
as of a missed phase or a drift, adds up there, and noise does not. A drift of the energy axis
by less than a channel hardly raises the deviance, so it is tested separately.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import label, maximum_position

from hyperspy_psnmf.eds.fit_check.binned import find_binned_deviance
from hyperspy_psnmf.eds.fit_check.drift import Drift, find_drift
from hyperspy_psnmf.eds.fit_check.pile_up import SumPeak, find_sum_peaks
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lazy.not_counts import judge_values
from hyperspy_psnmf.eds.signals.metadata import sample_lines
from hyperspy_psnmf.eds.signals.weaknesses import CountLikeness
from hyperspy_psnmf.eds.xray.lines import line_energy

# Thresholds in standard deviations, tuned on phantoms. Fits reach 4 in the worst of 500 channels,
# small errors of the spectra 7, a missed phase 18; and 4 in the total at 50 counts per pixel, where
# the degrees of freedom are not exactly one per parameter.
SIGNIFICANT_CHANNEL = 8.0
SIGNIFICANT_TOTAL = 5.0
NEAR = 0.08  # keV, half the width of a line


@dataclass(frozen=True)
class SignificantResidual:
    """A run of channels with significant deviance.

    Attributes
    ----------
    energy : float
        Of the largest deviance, in keV.
    deviance : float
        Above its expectation, in standard deviations.
    line : str or None
        X-ray line of the specimen there.
    """

    energy: float
    deviance: float
    line: str | None


@dataclass(frozen=True)
class FitQuality:
    """How well a model fits, on the binned map.

    Attributes
    ----------
    total, scatter : float
        Deviance per degree of freedom, and how far that scatters about 1 by noise.
    places : list of SignificantResidual
        Energies with significant deviance, the worst first.
    drift : Drift or None
        The drift of lines along the map, if significant.
    sum_peaks : list of SumPeak
        Likely sum peaks in the map's spectrum.
    values : CountLikeness
        Whether the data are counts: the deviance of others is not expected to be 1.
    """

    total: float
    scatter: float
    places: list[SignificantResidual]
    drift: Drift | None
    sum_peaks: list[SumPeak]
    values: CountLikeness

    @property
    def is_within_noise(self) -> bool:
        """Whether the deviance is no larger than that of Poisson counts."""
        return not self.places and self.total < 1 + SIGNIFICANT_TOTAL * self.scatter

    @property
    def fits(self) -> bool:
        """Whether data are counts, with deviance within noise and no drift of the energy axis."""
        return self.is_within_noise and self.drift is None and self.values.are_counts


def find_fit_quality(decomposed: Decomposed) -> FitQuality:
    """Return how well the model of a decomposed map fits its counts."""
    signal = decomposed.signal
    with decomposed.open_counts() as X:
        binned = find_binned_deviance(decomposed, X)
        values = judge_values(X, decomposed.W, decomposed.H)
    found, energy = binned.excess, binned.energy
    places, drift, sum_peaks = [], None, []
    if energy is not None:
        bins, width = binned.bins, binned.width
        first = np.arange(0, energy.size, width)
        last = np.minimum(first + width, energy.size) - 1
        places = _places(found.channels, (energy[first] + energy[last]) / 2, signal)
        names = _axis_names(signal, len(bins.shape))
        drift = find_drift(binned.X, decomposed.H, bins, energy, names)
        sum_peaks = find_sum_peaks(signal, X, energy)
    values = replace(values, deviance=found.total, scatter=found.scatter)
    return FitQuality(found.total, found.scatter, places, drift, sum_peaks, values)


def _axis_names(signal, n_axes):
    """Return the names of the map's axes, in array order."""
    names = [str(axis.name or "") for axis in signal.axes_manager.navigation_axes[::-1]]
    # An unfolded map has fewer axes than when it was decomposed, and some have no name.
    known = len(names) == n_axes and all(name.isidentifier() for name in names)
    return names if known else [f"axis {i} of the array" for i in range(n_axes)]


def _places(z, energy, signal):
    """Return runs of channels with significant deviance, the worst first."""
    z = np.nan_to_num(z)
    runs, n = label(z > SIGNIFICANT_CHANNEL)
    peaks = [position[0] for position in maximum_position(z, runs, range(1, n + 1))]
    return [
        SignificantResidual(float(energy[j]), float(z[j]), _line_at(signal, energy[j]))
        for j in sorted(peaks, key=lambda j: -z[j])
    ]


def _line_at(signal, energy):
    """Return the nearest line of the specimen, or None if it is not near."""
    distance = {line: abs(line_energy(line) - energy) for line in sample_lines(signal)}
    nearest = min(distance, key=distance.get, default=None)
    return nearest if nearest is not None and distance[nearest] < NEAR else None
