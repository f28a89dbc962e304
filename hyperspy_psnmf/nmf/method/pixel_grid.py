# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels of a map in rows, and the windows of growing size of its adaptive smoothing."""

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import MOST_AXES

# The last radius limits the averaging to about 60 pixels; chosen on the built-in phantoms.
RADII = np.array([1.5, 2.2, 3.2, 4.5, 6.5])  # pixels: twice the area from one to the next


class PixelGrid:
    """Pixels of a map, flat and in rows, and the windows around them.

    Parameters
    ----------
    shape : tuple of int
        Of the map. Windows are along its last two axes, or its only one. A map of one row or
        column is a line scan, with the shape (..., 1, n).
    n_pixels : int
        Number of pixels.
    """

    def __init__(self, shape, n_pixels):
        if not 1 <= len(shape) <= MOST_AXES or np.prod(shape) != n_pixels:
            raise ValueError(
                f"shape must be of one to three axes and {n_pixels} pixels, not {tuple(shape)}"
            )
        if len(shape) > 1 and shape[-1] == 1:
            shape = (*shape[:-2], 1, shape[-2])
        self.shape, self.n_columns = shape, shape[-1]
        self.n_rows = shape[-2] if len(shape) > 1 else 1

    def fold(self, values: np.ndarray) -> np.ndarray:
        """Return values (n_pixels, n_values) as rows of pixels, the layout of kernels."""
        rows = values.reshape(-1, self.n_columns, values.shape[1]).transpose(0, 2, 1)
        return np.ascontiguousarray(rows, dtype=np.float32)

    def unfold(self, rows: np.ndarray) -> np.ndarray:
        """Undo `fold`."""
        values = rows.transpose(0, 2, 1).reshape(-1, rows.shape[1])
        return np.ascontiguousarray(values, dtype=float)

    @property
    def rows_and_columns(self):
        """Shape of all slices of the map below one another."""
        return -1, self.n_columns

    @property
    def surroundings(self):
        """Rows and columns of the last window, or of as many pixels in a line scan."""
        size = int(2 * RADII[-1])
        return (size, size) if self.n_rows > 1 else (1, size * size)

    @property
    def radii(self):
        """Radii of the windows; in a line scan, one of as many pixels as in a map is longer."""
        return RADII if self.n_rows > 1 else RADII**2 / 2

    @property
    def reach(self):
        """Rows and columns around a pixel on which its average depends."""
        # Each window needs estimates of the previous one, also of the pixels beside it.
        reach = sum(int(radius) + 1 for radius in self.radii)
        return (reach if self.n_rows > 1 else 0), reach

    def windows(self, weight):
        """Yield offsets of half of the neighbours and their weights, for growing windows."""
        for radius in self.radii:
            reach = int(radius) * np.array([self.n_rows > 1, 1])
            offsets = np.indices(2 * reach + 1).reshape(2, -1).T - reach
            near = 1 - (offsets**2).sum(axis=1) / radius**2
            chosen = near > 0
            chosen[: len(offsets) // 2 + 1] = False  # the opposite ones, and the pixel itself
            yield offsets[chosen], weight * near[chosen]
