# SPDX-License-Identifier: GPL-3.0-or-later
r"""Hot voxels: single entries with far more counts than their neighbours.

An entry of :math:`x` counts is compared with three expectations, none of which contains it:
what its row and its column have if both are independent, the mean of its neighbours in space,
and that of its neighbours in energy. X-rays of a line spread over the detector's resolution,
so a feature of a single pixel, however rare, passes the last. Tails are bounded as by Chernoff,

.. math:: P(X \ge x) \le \exp(-(x \log(x / \mu) - x + \mu)).

The expectation is the largest of the three, each with one count more than observed, and the
tail must be improbable among all entries of the map. Because the neighbours have few counts,
the entry is compared with those of each kind separately too: given their sum, its part of that
is binomial.

Only non-zero entries are tested.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.sharp_entries import find_sharp_entries
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.counts.matrix import total_counts

# The probability bounds the rate of false alarms; the factor also allows for models that are
# only roughly right. Tested on the built-in phantoms.
P_VALUE = 1e-9  # of one false alarm in a map, and of either kind of neighbours separately
MIN_RATIO = 4.0  # of counts to each expectation
MIN_COUNTS = 10  # fewer are never improbable enough beside eight pixels without counts
MAX_COMPARED = 200  # entries compared with their neighbours in space, the least probable ones


@dataclass(frozen=True)
class HotVoxel:
    """An entry with far more counts than expected.

    Attributes
    ----------
    row, channel : int
        Of the matrix of counts.
    counts, expected : float
        The latter is the largest of the three expectations.
    """

    row: int
    channel: int
    counts: float
    expected: float


def find_hot_voxels(
    X, navigation_shape, width, *, sums=None, n_jobs: int | None = 1
) -> list[HotVoxel]:
    """Return the entries that are hot, the least probable first.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts; data that are no whole numbers are not tested.
    navigation_shape : tuple of int
        Of the map.
    width : ndarray of shape (n_channels,)
        Full width at half maximum of an X-ray line, in channels.
    sums : (ndarray of shape (n_pixels,), ndarray of shape (n_channels,)), optional
        Counts of each pixel and of each channel, if computed before.
    n_jobs : int or None
        Threads; None is all cores.
    """
    rows, channels = sums or (total_counts(X, axis=1), total_counts(X, axis=0))
    limit = np.log(rows.size) + np.log(channels.size) - np.log(P_VALUE)
    reach, n_beside = _beside(np.asarray(width, float))
    common = {"channels": channels, "reach": reach, "n_beside": n_beside, "limit": limit}
    common["n_jobs"] = n_jobs
    if isinstance(X, CountBlocks):
        parts = [found.at_rows(ids) for ids, found in X.run(_find_suspects, rows, **common)]
    else:
        parts = [_find_suspects(X, rows, **common)]
    suspects = _Suspects(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    unit = suspects.unit.min(initial=np.inf)
    if not unit:  # no whole numbers
        return []
    # In a map that was multiplied by a number, one count is that number.
    distance = suspects.distance(unit, limit)
    worst = np.argsort(-distance, kind="stable")[:MAX_COMPARED]
    worst = worst[distance[worst] > limit]
    return list(_compare_in_space(X, navigation_shape, suspects.take(worst), unit, limit))


class _Suspects(NamedTuple):
    """Entries above the product of their row and column sums, with their neighbours in energy.

    Of shape (n_suspects,), but for `unit`: for each block, the smallest count, or 0 if there
    are others than whole numbers.
    """

    row: np.ndarray
    channel: np.ndarray
    counts: np.ndarray
    independent: np.ndarray
    beside: np.ndarray
    n_beside: np.ndarray
    unit: np.ndarray

    def take(self, chosen):
        return _Suspects(*(each[chosen] for each in self[:-1]), self.unit)

    def at_rows(self, rows):
        return self._replace(row=np.asarray(rows)[self.row])

    def expected(self, unit):
        return np.maximum(self.independent, (self.beside + unit) / self.n_beside)

    def distance(self, unit, limit):
        """Return how improbable the counts are, in nats, 0 where not significant."""
        counts, expected = self.counts / unit, self.expected(unit) / unit
        far = _is_far_above(counts, expected, limit)
        far &= _is_improbable_beside(counts, self.beside / unit, self.n_beside)
        return np.where(far, _distance(counts, expected), 0.0)


def _find_suspects(X, rows, *, channels, reach, n_beside, limit, n_jobs):
    if not X.nnz:
        return _Suspects(*(np.empty(0, int),) * 2, *(np.empty(0),) * 5)
    is_whole = X.dtype.kind in "ui" or bool((X.data == np.floor(X.data)).all())
    unit = np.array([float(X.data.min()) if is_whole else 0.0])
    row, position, beside = find_sharp_entries(
        X, rows, channels, reach, n_beside, fewest=MIN_COUNTS, factor=MIN_RATIO, n_jobs=n_jobs
    )
    channel, counts = X.indices[position].astype(int), X.data[position].astype(float)
    independent = (rows[row] - counts) * (channels[channel] - counts) / channels.sum()
    found = _Suspects(row, channel, counts, independent, beside, n_beside[channel], unit)
    return found.take(found.distance(1.0, limit) > 0)


def _beside(width):
    """Return how far lines reach, in channels, and how many neighbours of full height that is."""
    steps = np.arange(-int(width.max()) - 1, int(width.max()) + 2)
    reach = np.maximum(1, (width / 2).astype(int))
    others = np.arange(width.size)[:, None] + steps
    is_beside = (steps != 0) & (np.abs(steps) <= reach[:, None])
    is_beside &= (others >= 0) & (others < width.size)
    height = np.exp(-4 * np.log(2) * (steps / width[:, None]) ** 2)
    return reach, np.maximum((height * is_beside).sum(axis=1), TINY)


def _compare_in_space(X, shape, suspects, unit, limit):
    """Yield suspects that have far more counts than the pixels around them."""
    around = [_pixels_around(row, shape) for row in suspects.row]
    if not around:
        return
    needed = np.unique(np.concatenate(around))
    part = X.take(needed) if isinstance(X, CountBlocks) else X[needed]
    expected = suspects.expected(unit)
    for i, ids in enumerate(around):
        channel, counts = suspects.channel[i], suspects.counts[i]
        found = [_entry(part, row, channel) for row in np.searchsorted(needed, ids)]
        beside, most = sum(found), max(expected[i], (sum(found) + unit) / len(found))
        if _is_far_above(counts / unit, most / unit, limit) and _is_improbable_beside(
            counts / unit, beside / unit, len(found)
        ):
            yield HotVoxel(int(suspects.row[i]), int(channel), float(counts), float(most))


def _pixels_around(row, shape):
    """Return the pixels whose indices differ by one at most, without the pixel itself."""
    index = np.unravel_index(row, shape)
    ranges = [np.arange(max(0, i - 1), min(n, i + 2)) for i, n in zip(index, shape, strict=True)]
    ids = np.ravel_multi_index(np.meshgrid(*ranges, indexing="ij"), shape).ravel()
    return ids[ids != row]


def _entry(X, row, channel):
    first, last = X.indptr[row], X.indptr[row + 1]
    position = first + np.searchsorted(X.indices[first:last], channel)
    return float(X.data[position]) if position < last and X.indices[position] == channel else 0.0


def _distance(counts, expected):
    """Return minus the bound on the logarithm of the tail, in nats."""
    expected = np.maximum(expected, TINY)
    return counts * np.log(counts / expected) - counts + expected


def _is_far_above(counts, expected, limit):
    return (counts > MIN_RATIO * expected) & (_distance(counts, expected) > limit)


def _is_improbable_beside(counts, beside, n_beside):
    """Return whether an entry has too large a part of the counts in it and beside it."""
    total, chance = counts + beside, 1.0 / (1.0 + n_beside)
    part = counts / total
    with np.errstate(divide="ignore", invalid="ignore"):
        other = np.where(beside > 0, beside * np.log((1 - part) / (1 - chance)), 0.0)
    distance = counts * np.log(part / chance) + other
    return (part > chance) & (distance > -np.log(P_VALUE))
