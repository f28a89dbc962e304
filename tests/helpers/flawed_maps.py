# SPDX-License-Identifier: GPL-3.0-or-later
"""What detectors do to maps: drifts of the energy axis and pile-up."""

import numpy as np


def drifting(signal, electronvolts, axis=0):
    """Shift spectra upwards, by nothing in the first row or column and most in the last."""
    rng, channel = np.random.default_rng(1), 1e3 * signal.axes_manager[-1].scale
    rows = signal.data.swapaxes(0, axis)
    for y, row in enumerate(rows):
        by = electronvolts * y / len(rows) / channel
        row[:] = np.roll(row, int(by), axis=-1)
        moved = rng.binomial(row, by % 1).astype(row.dtype)
        row[:] = row - moved + np.roll(moved, 1, axis=-1)
    return signal


def piled_up(signal, share):
    """Replace pairs of counts by one at the sum of their energies."""
    rng, axis = np.random.default_rng(1), signal.axes_manager[-1]
    for pixel in signal.data.reshape(-1, axis.size):
        channels = rng.permutation(np.repeat(np.arange(axis.size), pixel))
        pairs, rest = np.split(channels, [2 * (rng.binomial(len(channels), share) // 2)])
        both = np.rint(pairs[::2] + pairs[1::2] + axis.offset / axis.scale).astype(int)
        both = both[(both >= 0) & (both < axis.size)]
        pixel[:] = np.bincount(np.concatenate([rest, both]), minlength=axis.size)
    return signal
