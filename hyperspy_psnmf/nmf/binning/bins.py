# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins of neighbouring pixels and channels. Sums of Poisson counts stay Poisson.

No pixel is dropped: where the map is no multiple of the binning, the last bin
along that axis is smaller.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.kernels.csr import sum_bins
from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks, bin_blocks, bin_blocks_sparse

# Chosen on the built-in phantoms: fewer counts do not distinguish phases, larger bins mix them.
COUNTS_PER_BIN = 4e3  # aimed at
MIN_BINS = 64  # of a map
MIN_BINS_PER_COMPONENT = 16
# Aimed at with spectra made of lines, and counts that a bin keeps.
BINS_OF_LINES, COUNTS_OF_LINES = 256, 500.0
# Bins are merged into regions that look alike where there are so many of them for each region,
# and have so many counts each: fewer counts do not show what is alike. On five phantoms at 15 and
# 50 counts per pixel the medians of the worst spectra are up to 27 degrees nearer than those of
# square bins, and nowhere off by 1 degree more. Square bins of as many counts need no merging.
BINS_PER_REGION, COUNTS_TO_MERGE = 4, 220.0
COUNTS_PER_REGION, MIN_REGIONS, MAX_REGIONS = 1000.0, 128, 256
DENSE_BYTES = 256_000_000  # larger binned maps are CSR where they are sparse
DENSE_DENSITY = 0.15  # fraction of non-zero entries; above, a dense array takes less memory
ROWS_AT_A_TIME = 1024  # per task
MOST_AXES = 3  # of a map: two in space, and tilt or time


@dataclass(frozen=True)
class PixelBins:
    """Which bin each pixel of a map belongs to.

    Parameters
    ----------
    shape : tuple of int
        Shape of the map, in array order.
    binning : tuple of int
        Pixels summed along each axis, in array order.
    """

    shape: tuple[int, ...]
    binning: tuple[int, ...]

    @property
    def binned_shape(self) -> tuple[int, ...]:
        """Shape of the binned map."""
        return tuple(-(-n // b) for n, b in zip(self.shape, self.binning, strict=True))

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(np.prod(self.binned_shape))

    @cached_property
    def index(self) -> np.ndarray:
        """Bin of each pixel, of shape (n_pixels,), pixels and bins in C order."""
        along = [np.arange(n) // b for n, b in zip(self.shape, self.binning, strict=True)]
        return np.ravel_multi_index(np.meshgrid(*along, indexing="ij"), self.binned_shape).ravel()


def bin_counts(X, pixel_bins: PixelBins, *, energy_binning: int = 1, n_jobs=1):
    """Sum counts over bins of pixels and of channels.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts.
    pixel_bins : PixelBins
        Bins of the map.
    energy_binning : int
        Channels per bin.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray or csr_array of float64, of shape (n_bins, n_energy_bins)
        Dense, unless it is large and mostly zeros. Large dense arrays from blocks are of
        float32 where that is exact.
    """
    index = pixel_bins.index
    channel = np.arange(X.shape[1]) // energy_binning
    shape = (pixel_bins.n_bins, int(channel[-1]) + 1)
    size = shape[0] * shape[1]
    is_large = 8 * size > DENSE_BYTES
    is_sparse = is_large and X.nnz < DENSE_DENSITY * size
    if isinstance(X, CountBlocks):
        if is_sparse:
            return bin_blocks_sparse(X, index, shape[0], channel, shape[1])
        binned = bin_blocks(X, index, shape[0], channel, shape[1], n_jobs=n_jobs)
        return binned if is_large else binned.astype(float)
    if is_sparse:
        return _bin_sparse(X, index, channel, shape)
    return sum_bins(X, index, shape[0], channel, shape[1], n_jobs=n_jobs)


def _bin_sparse(X, index, channel, shape):
    X = X.tocoo()
    binned = sp.coo_array(
        (X.data.astype(np.float64), (index[X.coords[0]], channel[X.coords[1]])), shape=shape
    )
    return binned.tocsr()


def bin_spectra(H: np.ndarray, energy_binning: int) -> np.ndarray:
    """Sum spectra (n_components, n_channels) over bins of channels."""
    return np.add.reduceat(H, _first_channels(H.shape[1], energy_binning), axis=1)


def _first_channels(n_channels, energy_binning):
    return np.arange(0, n_channels, energy_binning)


def bin_energy(X, energy_binning: int, *, n_jobs=1):
    """Sum channels of a dense or CSR matrix of counts, `energy_binning` at a time."""
    if isinstance(X, np.ndarray):
        first = _first_channels(X.shape[1], energy_binning)
        # Sums of small integers would overflow in their own type.
        out = np.empty((len(X), len(first)), np.result_type(X.dtype, np.float32))

        def sum_rows(start):
            rows = slice(start, start + ROWS_AT_A_TIME)
            np.add.reduceat(X[rows], first, axis=1, out=out[rows])

        run_blocks(sum_rows, range(0, len(X), ROWS_AT_A_TIME), n_jobs)
        return out
    rows = PixelBins((X.shape[0],), (1,))
    return bin_counts(X, rows, energy_binning=energy_binning, n_jobs=n_jobs)


def sum_groups(X, first: np.ndarray):
    """Sum a dense or CSR matrix (n_rows, n_channels) over groups of neighbouring channels.

    `first` (n_groups,) are the first channels of the groups.
    """
    if isinstance(X, np.ndarray):
        return np.add.reduceat(X, first, axis=1)
    sizes = np.diff(first, append=X.shape[1])
    group = np.repeat(np.arange(len(first)), sizes)
    entries = (np.ones(len(group)), (np.arange(len(group)), group))
    return sp.csr_array(X @ sp.csr_array(entries, shape=(len(group), len(first))))


def merge_channels(X, energy_binning: int):
    """Sum channels of a CSR matrix of counts, `energy_binning` at a time, and keep it CSR.

    For maps at full resolution, of which most entries are empty whatever the channels.
    """
    wide = np.float64 if X.dtype.kind == "f" else np.int64  # sums must not overflow
    shape = (X.shape[0], -(-X.shape[1] // energy_binning))
    merged = (X.data.astype(wide), X.indices // energy_binning, X.indptr.copy())
    merged = sp.csr_array(merged, shape=shape)
    merged.sum_duplicates()
    return merged


def spread_spectra(H: np.ndarray, energy_binning: int, n_channels: int) -> np.ndarray:
    """Undo `bin_spectra` with every bin spread evenly over its channels."""
    channel = np.arange(n_channels) // energy_binning
    return H[:, channel] / np.bincount(channel)[channel]


def spatial_axes(n_axes: int) -> tuple[bool, ...]:
    """Return, in array order, which axes of a map are spatial: the last two.

    A third one, as of a tilt or time series, comes first and is not binned by default.
    """
    return tuple(axis >= n_axes - 2 for axis in range(n_axes))


def choose_binning(
    pixel_counts: np.ndarray,
    shape: tuple[int, ...],
    spatial: tuple[bool, ...],
    n_components: int,
    *,
    of_lines: bool = False,
) -> tuple[int, ...]:
    """Return the binning of a map by a rule of thumb.

    A power of two, the nearest to what brings the median non-empty pixel to
    4000 counts per bin, halved until at least ``max(64, 16 n_components)``
    bins remain; or all pixels along an axis that has fewer. A map of one row or column is
    a line scan.

    Parameters
    ----------
    pixel_counts : ndarray of shape (n_pixels,)
        Counts of every pixel; empty ones are ignored.
    shape : tuple of int
        Shape of the map, in array order.
    spatial : tuple of bool
        Which axes may be binned.
    n_components : int
        Number of components to be found.
    of_lines : bool
        Whether spectra are made of templates. Some 50 numbers each need fewer counts per bin,
        and more bins have pure ones among them: bins are halved until 256 remain, but not below
        500 counts per bin; and further, but not below 220 counts, where there are then enough of
        them to be merged into regions.
    """
    filled = pixel_counts[pixel_counts > 0]
    median = float(np.median(filled)) if filled.size else COUNTS_PER_BIN
    n_axes = sum(s and n > 1 for s, n in zip(spatial, shape, strict=True))
    exponent = round(np.log2(max(COUNTS_PER_BIN / median, 1.0)) / max(1, n_axes))
    wanted = max(MIN_BINS, MIN_BINS_PER_COMPONENT * n_components)
    for e in range(exponent, -1, -1):
        binning = tuple(min(2**e, n) if s else 1 for s, n in zip(spatial, shape, strict=True))
        if PixelBins(shape, binning).n_bins >= wanted:
            break
    if not of_lines:
        return binning
    binning = _halved(binning, shape, BINS_OF_LINES, COUNTS_OF_LINES / median)
    n_counts = float(filled.sum())
    # From less than half as many, as halving makes four of one: more are no better, but noisier.
    wanted = BINS_PER_REGION * number_of_regions(n_counts, n_components) // 2
    finer = _halved(binning, shape, wanted, COUNTS_TO_MERGE / median)
    is_merged = regions_of_bins(PixelBins(shape, finer).n_bins, n_counts, n_components)
    return finer if is_merged else binning


def _halved(binning, shape, n_bins, n_pixels):
    """Halve bins until there are `n_bins`, but not below `n_pixels` pixels per bin."""
    while PixelBins(shape, binning).n_bins < n_bins:
        half = tuple(max(1, b // 2) for b in binning)
        if half == binning or np.prod(half) < n_pixels:
            break
        binning = half
    return binning


def number_of_regions(n_counts: float, n_components: int) -> int:
    """Return how many regions a map of some counts is divided into; see `regions`."""
    least = max(MIN_REGIONS, MIN_BINS_PER_COMPONENT * n_components)
    return max(least, min(int(n_counts / COUNTS_PER_REGION), MAX_REGIONS))


def regions_of_bins(n_bins: int, n_counts: float, n_components: int) -> int | None:
    """Return how many regions bins are merged into; None where they are few, or of many counts."""
    n = number_of_regions(n_counts, n_components)
    is_merged = n_bins >= BINS_PER_REGION * n and n_counts < COUNTS_PER_REGION * n_bins
    return n if is_merged else None
