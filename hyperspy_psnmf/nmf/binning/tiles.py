# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiles spread over a large map, for choices that do not need all pixels."""

from typing import Any, NamedTuple

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import (
    MIN_BINS,
    MIN_BINS_PER_COMPONENT,
    choose_binning,
    spatial_axes,
)
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.counts.matrix import total_counts

N_PIXELS = 1 << 16  # in all tiles, at least
SIDE = 64  # pixels of a tile; features of the phantoms are smaller
MIN_FILLED = 0.5  # pixels with counts, as a fraction of those in the tile with most


class Tiles(NamedTuple):
    """Some tiles of a map.

    Attributes
    ----------
    X : csr_array of shape (n_pixels, n_channels)
        Counts.
    shape : tuple of int
        Of the map of these pixels, in array order. Tiles are treated as images of a series.
    """

    X: Any
    shape: tuple[int, ...]


def take_tiles(X, shape: tuple[int, ...], n_components: int) -> Tiles:
    """Return the counts of 65 536 pixels in tiles, of more where bins are large, or of all.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts.
    shape : tuple of int
        Of the map, in array order.
    n_components : int
        Number of components to be found.
    """
    n_pixels, counts = X.shape[0], total_counts(X, axis=1)
    binning = choose_binning(counts, shape, spatial_axes(len(shape)), n_components)
    n_bins = max(MIN_BINS, MIN_BINS_PER_COMPONENT * n_components)
    wanted = max(N_PIXELS, n_bins * int(np.prod(binning)))
    if wanted >= n_pixels:
        return Tiles(_take(X, np.arange(n_pixels)), shape)
    b = max(binning)
    side = -(-SIDE // b) * b
    tile = (wanted,) if len(shape) == 1 else tuple(min(side, n) for n in shape[-2:])
    tiles = _cut(np.arange(n_pixels).reshape(shape), tile)
    filled = np.count_nonzero(counts[tiles], axis=1)
    tiles = tiles[filled >= MIN_FILLED * filled.max()]
    n_tiles = min(len(tiles), -(-wanted // tiles.shape[1]))
    pixels = tiles[np.linspace(0, len(tiles) - 1, n_tiles).astype(int)]
    return Tiles(_take(X, pixels.ravel()), tile if len(shape) == 1 else (n_tiles, *tile))


def _take(X, rows):
    if isinstance(X, CountBlocks):
        return X.take(rows)
    return X if len(rows) == X.shape[0] else X[rows]


def _cut(pixel, tile):
    """Return the pixels of all tiles that lie within the map, of shape (n_tiles, n_pixels)."""
    if pixel.ndim == 1:
        n = len(pixel) // tile[0]
        return pixel[: n * tile[0]].reshape(n, -1)
    images = pixel.reshape(-1, *pixel.shape[-2:])
    (h, w), (n, n_rows, n_columns) = tile, images.shape
    rows, columns = n_rows // h, n_columns // w
    images = images[:, : rows * h, : columns * w].reshape(n, rows, h, columns, w)
    return images.transpose(0, 1, 3, 2, 4).reshape(-1, h * w)
