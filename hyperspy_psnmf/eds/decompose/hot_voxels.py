# SPDX-License-Identifier: GPL-3.0-or-later
"""Hot voxels of a map: single channels of single pixels with implausibly many counts."""

import numpy as np

from hyperspy_psnmf.eds.signals.axes import energies, map_shape
from hyperspy_psnmf.eds.xray.detector import TYPICAL_RESOLUTION, peak_fwhms
from hyperspy_psnmf.nmf.diagnostics.hot_voxels import find_hot_voxels

MAX_NAMED = 4
N_WIDTHS = 64  # energies at which line widths are computed, to interpolate between


def describe_hot_voxels(signal, X, keep_channels=None, **options) -> list[str]:
    """Return a sentence that names the hot voxels of a map, or none.

    The data are not changed. Lazy maps are looked at block by block.

    Parameters
    ----------
    signal : EDSSpectrum
        The map. Without a unit of its energy axis the width of lines is unknown, and nothing
        is found.
    X : csr_array or CountBlocks of shape (n_pixels, n_channels_in_use)
        Its counts.
    keep_channels : ndarray of bool, optional
        Channels in use.
    **options
        As for `find_hot_voxels`.
    """
    try:
        energy = energies(signal)
    except ValueError:  # an axis without units has been warned of
        return []
    some = np.linspace(energy.min(), energy.max(), N_WIDTHS)
    width = np.interp(energy, some, peak_fwhms(TYPICAL_RESOLUTION, some))
    width /= np.abs(np.gradient(energy))
    if keep_channels is not None:
        energy, width = energy[keep_channels], width[keep_channels]
    found = find_hot_voxels(X, map_shape(signal), width, **options)
    if not found:
        return []
    places = [_place(signal, voxel, energy) for voxel in found[:MAX_NAMED]]
    more = [f"{len(found) - MAX_NAMED} more"] if len(found) > MAX_NAMED else []
    return [
        f"hot voxel{'s' * (len(found) > 1)}: {'; '.join([*places, *more])}. No X-ray line is that "
        "sharp: leave such pixels out with navigation_mask, or channels with signal_mask"
    ]


def _place(signal, voxel, energy):
    index = np.unravel_index(voxel.row, map_shape(signal))[::-1]
    return (
        f"pixel ({', '.join(map(str, index))}) has {voxel.counts:.0f} counts in the channel at "
        f"{energy[voxel.channel]:.3f} keV, where about {voxel.expected:.2g} are expected"
    )
