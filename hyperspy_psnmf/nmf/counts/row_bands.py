# SPDX-License-Identifier: GPL-3.0-or-later
"""A map in bands of rows that overlap, for methods that compare neighbouring pixels."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Band(NamedTuple):
    """Rows of one image of a map.

    Attributes
    ----------
    shape : tuple of int
        Rows, with those of the overlap, and columns.
    pixels : slice
        Of the map: the band with its overlap.
    kept : slice
        Of the map: the band alone.
    inside : slice
        Of the band's pixels: those to keep.
    """

    shape: tuple[int, int]
    pixels: slice
    kept: slice
    inside: slice


def overlapping_bands(shape: tuple[int, ...], halo: int, n_rows: int) -> Iterator[Band]:
    """Cut a map into bands.

    Parameters
    ----------
    shape : tuple of int
        Of the map, in array order. Along the first of three axes pixels are no neighbours.
    halo : int
        Rows of overlap on each side.
    n_rows : int
        Rows of a band at most, without the overlap. Bands are about equal, since they are
        processed in parallel.
    """
    rows, columns = shape[-2] if len(shape) > 1 else 1, shape[-1]
    n_bands = -(-rows // n_rows)
    n_rows = -(-rows // n_bands)
    for first_of_image in range(0, int(np.prod(shape)), rows * columns):
        for start in range(0, rows, n_rows):
            stop = min(start + n_rows, rows)
            top, bottom = max(0, start - halo), min(rows, stop + halo)
            limits = (first_of_image + row * columns for row in (top, bottom, start, stop))
            first, last, first_kept, last_kept = limits
            yield Band(
                (bottom - top, columns),
                slice(first, last),
                slice(first_kept, last_kept),
                slice(first_kept - first, last_kept - first),
            )
