# SPDX-License-Identifier: GPL-3.0-or-later
"""From the chunks of a dask array to parts of a CSR matrix, each chunk read once.

Chunks may have any shape. Small ones are converted several at a time; those of one window of
the map with different channels, together where they are small, and otherwise one by
one. Chunks that are masked entirely are not read.
"""

import math
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import dask
import numpy as np

from hyperspy_psnmf.kernels.csr import sum_rows_and_columns
from hyperspy_psnmf.nmf.counts.csr_part import Part, join, smallest_type
from hyperspy_psnmf.nmf.counts.matrix import check_no_mask, count_matrix, scale_counts

DENSE_BYTES = 32_000_000  # of chunks read by one task
MIN_TASKS = 32  # where chunks allow it, for an even load of threads


@dataclass(frozen=True, eq=False)
class Piece:
    """What to convert of one chunk.

    Attributes
    ----------
    index : tuple of int
        Of the chunk.
    window : tuple of (int, int)
        Begin and end along every axis of the map.
    first_channel : int
        Number of channels in use before those of the chunk.
    keep_pixels, keep_channels : ndarray of bool or None
        What to use of the chunk, pixels in C order.
    shape : tuple of int
        Of the chunk.
    nbytes : int
        Size of the chunk.
    """

    index: tuple[int, ...]
    window: tuple[tuple[int, int], ...]
    first_channel: int
    keep_pixels: np.ndarray | None
    keep_channels: np.ndarray | None
    shape: tuple[int, ...]
    nbytes: int

    def pixels(self, shape) -> np.ndarray:
        """Return the numbers of its pixels, ascending, in a map of a shape."""
        along = [np.arange(*limits) for limits in self.window]
        found = np.ravel_multi_index(np.meshgrid(*along, indexing="ij"), shape).ravel()
        return found.astype(smallest_type(math.prod(shape)))


@dataclass(frozen=True, eq=False)
class Converted:
    """A part, and sums of it.

    Attributes
    ----------
    part : Part
        Counts.
    row_counts, channel_counts : ndarray
        Sums over the part's rows and over all channels in use.
    is_whole : bool
        Whether all counts are whole numbers.
    """

    part: Part
    row_counts: np.ndarray
    channel_counts: np.ndarray
    is_whole: bool

    def __sizeof__(self) -> int:
        return sys.getsizeof(self.part) + self.row_counts.nbytes + self.channel_counts.nbytes


def pixels_of(pieces: list[Piece], shape) -> np.ndarray:
    """Return the numbers of the pixels that pieces have together, ascending."""
    numbers = [piece.pixels(shape) for piece in pieces]
    return numbers[0] if len(numbers) == 1 else np.unique(np.concatenate(numbers))


def plan_pieces(data, keep_pixels, keep_channels) -> list[list[list[Piece]]]:
    """Return what each task is to convert.

    Parameters
    ----------
    data : dask.array.Array of shape (..., n_channels)
        Counts.
    keep_pixels, keep_channels : ndarray of bool or None
        What to use; pixels flat, in C order.

    Returns
    -------
    list of list of list of Piece
        Tasks, in groups: those of one group are of the same pixels, channels ascending.
    """
    windows = [
        pieces for w in _windows(data) if (pieces := _pieces(data, w, keep_pixels, keep_channels))
    ]
    total = sum(piece.nbytes for pieces in windows for piece in pieces)
    most = min(DENSE_BYTES, total // MIN_TASKS)
    groups, together = [], 0
    for pieces in windows:
        size = sum(piece.nbytes for piece in pieces)
        if size > most and len(pieces) > 1:
            groups.append([[piece] for piece in pieces])
            together = most
        elif not groups or together + size > most:
            groups.append([pieces])
            together = size
        else:
            groups[-1][0].extend(pieces)
            together += size
    return groups


def _windows(data) -> Iterator:
    """Yield for every chunk of the map its index, and its begin and end along every axis."""
    limits = [list(pairwise(np.cumsum([0, *sizes]).tolist())) for sizes in data.chunks[:-1]]
    for index in np.ndindex(*data.numblocks[:-1]):
        yield index, tuple(limits[axis][i] for axis, i in enumerate(index))


def _pieces(data, place, keep_pixels, keep_channels):
    """Return the pieces of a chunk of the map, without those that are masked."""
    index, window = place
    keep = None
    if keep_pixels is not None:
        cut = tuple(slice(*limits) for limits in window)
        keep = keep_pixels.reshape(data.shape[:-1])[cut].ravel()
        if not keep.any():
            return []
    lengths = tuple(end - begin for begin, end in window)
    pieces, first, used = [], 0, 0
    for i, size in enumerate(data.chunks[-1]):
        here = None if keep_channels is None else keep_channels[first : first + size]
        n_here = size if here is None else int(here.sum())
        if n_here:
            here = None if n_here == size else here
            shape = (*lengths, size)
            nbytes = int(np.prod(shape)) * data.dtype.itemsize
            pieces.append(Piece((*index, i), window, used, keep, here, shape, nbytes))
        first, used = first + size, used + n_here
    return pieces


def make_tasks(
    data, groups, n_channels, *, folder="", max_ratio=np.inf, name, counts_per_unit: float = 1.0
) -> list[list]:
    """Return a delayed `Converted` for every task of `plan_pieces`.

    Parameters
    ----------
    data : dask.array.Array
        Counts.
    groups : list of list of list of Piece
        The plan.
    n_channels : int
        Number of channels in use.
    folder : str
        Where to put parts that are too large.
    max_ratio : float
        Bytes of a part that may stay in memory, per byte of the chunks it is from.
    name : str
        What to call the counts in an error.
    counts_per_unit : float
        What the data are multiplied by to be counts.
    """
    chunks, run = data.to_delayed(), dask.delayed(convert, pure=False, traverse=False)
    options = {"shape": data.shape[:-1], "n_channels": n_channels, "name": name}
    options |= {"folder": folder, "max_ratio": max_ratio, "counts_per_unit": counts_per_unit}
    return [
        [run([chunks[piece.index] for piece in pieces], pieces, **options) for pieces in tasks]
        for tasks in groups
    ]


def read_chunks(data, keep_pixels, keep_channels, name, counts_per_unit: float = 1.0):
    """Return all counts in use of a dask array as one csr_array, pixels left out as empty rows."""
    n_channels = data.shape[-1] if keep_channels is None else int(keep_channels.sum())
    plan = plan_pieces(data, keep_pixels, keep_channels)
    (groups,) = dask.compute(
        make_tasks(data, plan, n_channels, name=name, counts_per_unit=counts_per_unit)
    )
    parts = [converted.part for group in groups for converted in group]
    dtype = np.result_type(*(part.data.dtype for part in parts))
    return join(parts, int(np.prod(data.shape[:-1])), n_channels, dtype)


def convert(
    chunks, pieces, *, shape, n_channels, name, counts_per_unit=1.0, folder="", max_ratio=np.inf
) -> Converted:
    """Convert some chunks to one part, in any thread or process.

    Parameters
    ----------
    chunks : list of ndarray
        Their values.
    pieces : list of Piece
        What they are.
    shape : tuple of int
        Of the map.
    n_channels, name, counts_per_unit, folder, max_ratio
        See `make_tasks`.
    """
    parts = [
        _as_part(*each, shape, name, counts_per_unit) for each in zip(chunks, pieces, strict=True)
    ]
    (part,) = parts if len(parts) == 1 else [_join(parts, n_channels)]
    converted = Converted(
        part,
        *sum_rows_and_columns(part.indptr, part.indices, part.data, n_channels),
        part.data.dtype.kind != "f" or bool((part.data == np.floor(part.data)).all()),
    )
    return put_away(converted, pieces, folder, max_ratio)


def put_away(converted: Converted, pieces, folder: str, max_ratio: float) -> Converted:
    """Return the same with its part in a file if it exceeds its part of the memory budget."""
    if converted.part.nbytes <= max_ratio * sum(piece.nbytes for piece in pieces):
        return converted
    return replace(converted, part=converted.part.write(os.path.join(folder, uuid.uuid4().hex)))


def _as_part(chunk, piece, shape, name, counts_per_unit):
    check_no_mask(chunk, name)
    # Readers of event streams may make sparse chunks.
    chunk = chunk.todense() if hasattr(chunk, "todense") else np.asarray(chunk)
    if chunk.shape != piece.shape:
        raise ValueError(f"{name} has a chunk of shape {chunk.shape} in place of {piece.shape}")
    X = count_matrix(
        chunk,
        keep_rows=piece.keep_pixels,
        keep_channels=piece.keep_channels,
        name=name,
        n_jobs=1,
    )
    X = scale_counts(X, counts_per_unit)
    indices = X.indices.astype(smallest_type(piece.first_channel + X.shape[1]))
    indices += indices.dtype.type(piece.first_channel)
    return Part(piece.pixels(shape), X.indptr.astype(np.int64), indices, X.data)


def _join(parts, n_channels):
    """Return one part, its rows ascending."""
    rows = np.unique(np.concatenate([part.rows for part in parts]))
    here = [Part(np.searchsorted(rows, p.rows), p.indptr, p.indices, p.data) for p in parts]
    X = join(here, len(rows), n_channels, np.result_type(*(part.data.dtype for part in parts)))
    return Part(
        rows, X.indptr.astype(np.int64), X.indices.astype(smallest_type(n_channels)), X.data
    )
