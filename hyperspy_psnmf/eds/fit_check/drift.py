# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift of the energy axis along the scan: energies of lines that rise or fall with position."""

from dataclasses import dataclass

import numpy as np

from hyperspy_psnmf.nmf.diagnostics.energy_shift import energy_shifts, trends

SMOOTHING = 0.04  # keV, a third of a line's width
SIGNIFICANT = 6.0  # standard errors


@dataclass(frozen=True)
class Drift:
    """A significant drift of the energy axis along an axis of the map.

    Attributes
    ----------
    shift, error : float
        Change of the lines' energies from the first to the last pixels, in eV, and its
        standard error.
    along : str
        Name of the map's axis.
    """

    shift: float
    error: float
    along: str


def find_drift(X, H, bins, energy, names) -> Drift | None:
    """Return how lines move along a map, or None where they do not.

    The drift is a lower limit: where phases are confined to a part of the map, their spectra
    contain the mean shift of its pixels.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_bins, n_channels)
        Counts of the binned map.
    H : ndarray of shape (n_phases, n_channels)
        Spectra of unit sum.
    bins : PixelBins
        Bins of the map.
    energy : ndarray of shape (n_channels,)
        In keV.
    names : list of str
        Of the map's axes, in array order.
    """
    used = [axis for axis, n in enumerate(bins.binned_shape) if n > 2]
    channel = float(np.median(np.diff(energy)))
    shift, error = energy_shifts(X, H, smoothing=SMOOTHING / abs(channel), n_jobs=None)
    if not used or np.isfinite(error).sum() < len(used) + 2:
        return None
    at = np.indices(bins.binned_shape).reshape(len(bins.shape), -1).T[:, used]
    along = trends(shift, error, at / at.max(axis=0))
    worst = max(range(len(used)), key=lambda i: abs(along[i].change) / along[i].error)
    change, uncertainty = (1e3 * channel * value for value in along[worst])
    uncertainty = abs(uncertainty)  # channels fall in energy where the axis does
    if abs(change) < SIGNIFICANT * uncertainty:
        return None
    return Drift(float(change), float(uncertainty), names[used[worst]])
