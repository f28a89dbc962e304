# SPDX-License-Identifier: GPL-3.0-or-later
"""The counts behind a decomposition, read and binned again as it was found.

The binning is that of the record; after another algorithm, that of the rules of thumb.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from hyperspy_psnmf._compat import is_lazy
from hyperspy_psnmf.eds.lazy.memory import resolve_max_memory
from hyperspy_psnmf.eds.lazy.open_counts import open_counts
from hyperspy_psnmf.eds.lazy.read import NAME, check_data
from hyperspy_psnmf.eds.signals.axes import map_shape
from hyperspy_psnmf.eds.signals.learning_results import read_counts_and_spectra, read_record
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.same_data import check_counts
from hyperspy_psnmf.eds.xray.detector import MIN_COARSE_CHANNELS
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts, choose_binning, spatial_axes
from hyperspy_psnmf.nmf.counts.matrix import total_counts

COARSER = 4  # times 40 eV, about the resolution at Mn Ka
MAX_BINS = 2048  # for a short run time


@dataclass(frozen=True, eq=False)
class Decomposed:
    """A map's counts with its factors and loadings.

    Attributes
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels_in_use)
        Counts; pixels left out are empty rows.
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts, zero in pixels left out.
    H : ndarray of shape (n_components, n_channels_in_use)
        Spectra of unit sum.
    keep_pixels, keep_channels : ndarray of bool
        What was used.
    n_fixed : int
        The first `n_fixed` spectra were given by the user.
    """

    X: object
    W: np.ndarray
    H: np.ndarray
    keep_pixels: np.ndarray
    keep_channels: np.ndarray
    n_fixed: int


@contextmanager
def open_decomposed(signal) -> Iterator[Decomposed]:
    """Open the counts of a decomposed map with its loadings and spectra.

    Those of a lazy signal are in memory, or in temporary files that are removed afterwards,
    as for a decomposition with ``max_memory="auto"``. RuntimeError if they are
    not those that were decomposed.
    """
    loadings, factors = read_counts_and_spectra(signal)
    check_data(signal)
    keep_channels = ~np.isnan(factors).any(axis=1)
    # HyperSpy's own masks leave NaN, which eXSpy turns into zeros.
    keep_pixels = np.nan_to_num(loadings).any(axis=1)
    record = read_record(signal)
    W = np.where(keep_pixels[:, None], loadings, 0.0)
    map_input = MapInput.of(signal, keep_pixels, keep_channels, record.counts_per_unit)
    options = {"max_memory": resolve_max_memory("auto"), "show_progressbar": False}
    with open_counts(signal, map_input, **options) as X:
        if not X.nnz:
            raise ValueError(f"{NAME} are zero everywhere in the pixels and channels in use")
        if is_lazy(signal):  # eager data have been compared already
            check_counts(X, record, keep_pixels)
        H = factors[keep_channels].T
        yield Decomposed(X, W, H, keep_pixels, keep_channels, record.n_fixed)


def bin_as_decomposed(signal, decomposed: Decomposed):
    """Return counts summed over bins of pixels, at full energy; see `bins_as_decomposed`.

    Returns
    -------
    ndarray or csr_array of shape (n_bins, n_channels_in_use)
    """
    return bin_counts(decomposed.X, bins_as_decomposed(signal, decomposed), n_jobs=None)


def bins_as_decomposed(
    signal, decomposed: Decomposed, max_bins: int | None = MAX_BINS
) -> PixelBins:
    """Return the bins of the decomposition, doubled until at most `max_bins` remain."""
    record = read_record(signal)
    # Unfolding a map changes its axes, but not the order of its pixels.
    shape = map_shape(signal) if not record.navigation_shape else record.navigation_shape[::-1]
    spatial = spatial_axes(len(shape))
    if record.binning is not None:
        binning = record.binning[::-1]
    else:
        pixel_counts = total_counts(decomposed.X, axis=1)
        binning = choose_binning(pixel_counts, shape, spatial, len(decomposed.H))
    most = np.inf if max_bins is None else max_bins
    while PixelBins(shape, binning).n_bins > most and any(
        s and b < n for s, b, n in zip(spatial, binning, shape, strict=True)
    ):
        binning = tuple(2 * b if s else b for s, b in zip(spatial, binning, strict=True))
    return PixelBins(shape, binning)


def coarse_energy_binning(signal, n_channels: int) -> int:
    """Return channels per coarse channel of about 160 eV, as long as 32 remain.

    An X-ray line is about as wide. Narrower channels have no more information
    about the mixing of phases, but more noise to fit.
    """
    # All of `n_channels` are in use.
    auto = COARSER * MapInput.of(signal).resolve_energy_binning("auto")
    record = read_record(signal)
    used = 1 if record.binning is None else record.energy_binning
    return max(1, min(max(auto, used), n_channels // MIN_COARSE_CHANNELS))
