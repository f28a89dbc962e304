# SPDX-License-Identifier: GPL-3.0-or-later
"""A map in tiles that overlap, for methods that compare neighbouring pixels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np


@dataclass(frozen=True)
class Tile:
    """A rectangle of one image of a map.

    Attributes
    ----------
    map_shape : tuple of int
        Images, rows and columns of the map.
    image : int
        The image.
    around : tuple of slice
        Rows and columns with the overlap.
    kept : tuple of slice
        Rows and columns of the tile alone.
    """

    map_shape: tuple[int, int, int]
    image: int
    around: tuple[slice, slice]
    kept: tuple[slice, slice]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns, with the overlap."""
        return tuple(along.stop - along.start for along in self.around)

    def take(self, values: np.ndarray) -> np.ndarray:
        """Return the values (n_pixels, ...) of a map in the tile and its overlap."""
        found = values.reshape(*self.map_shape, *values.shape[1:])[(self.image, *self.around)]
        return found.reshape(math.prod(self.shape), *values.shape[1:])

    def put(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write what was computed from `take`, but for the overlap, to the map `out`."""
        inside = tuple(
            slice(kept.start - around.start, kept.stop - around.start)
            for kept, around in zip(self.kept, self.around, strict=True)
        )
        of_map = out.reshape(*self.map_shape, *out.shape[1:])  # a view: maps are in C order
        of_map[(self.image, *self.kept)] = values.reshape(*self.shape, *out.shape[1:])[inside]


def overlapping_tiles(
    shape: tuple[int, ...], halo: tuple[int, int], n_pixels: int
) -> Iterator[Tile]:
    """Cut a map into tiles, about squares.

    Parameters
    ----------
    shape : tuple of int
        Of the map, in array order. Along the first of three axes pixels are no neighbours.
    halo : (int, int)
        Rows and columns of overlap on each side.
    n_pixels : int
        Of a tile at most, without the overlap; where the overlap would be most of a tile, it is
        larger. Tiles are about equal, since they are processed in parallel.
    """
    rows, columns = shape[-2] if len(shape) > 1 else 1, shape[-1]
    n_images = math.prod(shape) // (rows * columns)
    least = min(rows, 2 * halo[0]) * min(columns, 2 * halo[1])
    n_pixels = max(n_pixels, least, 1)
    n_across = math.ceil(columns * min(rows, math.isqrt(n_pixels)) / n_pixels)
    n_down = math.ceil(rows * math.ceil(columns / n_across) / n_pixels)
    along = _cut(rows, n_down, halo[0]), _cut(columns, n_across, halo[1])
    for image, *both in product(range(n_images), *along):
        around, kept = zip(*both, strict=True)
        yield Tile((n_images, rows, columns), image, around, kept)


def _cut(n, n_parts, halo):
    """Return parts of an axis with their overlap and without, as slices."""
    edges = [n * i // n_parts for i in range(n_parts + 1)]
    return [
        (slice(max(0, start - halo), min(n, stop + halo)), slice(start, stop))
        for start, stop in pairwise(edges)
    ]
