# SPDX-License-Identifier: GPL-3.0-or-later
"""A decomposed map: its results, checked and read once, and its counts, opened again.

Counts are binned as they were decomposed, by the binning of the record; after another algorithm, by
the rules of thumb.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hyperspy_psnmf._compat import is_lazy
from hyperspy_psnmf.eds.lazy.memory import resolve_max_memory
from hyperspy_psnmf.eds.lazy.open_counts import open_counts
from hyperspy_psnmf.eds.lazy.read import check_any_counts, check_data
from hyperspy_psnmf.eds.signals.learning_results import (
    describe_missing_record,
    pixels_decomposed,
    read_counts_and_spectra,
    read_record,
    stored_names,
)
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.phases import phase_spectra
from hyperspy_psnmf.eds.signals.record import Record
from hyperspy_psnmf.eds.signals.same_data import check_counts
from hyperspy_psnmf.eds.xray.detector import MIN_COARSE_CHANNELS
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts, choose_binning, spatial_axes
from hyperspy_psnmf.nmf.binning.regions import sum_regions
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.solver.convex import solve_loadings

COARSER = 4  # times 40 eV, about the resolution at Mn Ka
MAX_BINS = 2048  # for a short run time


@dataclass(frozen=True, eq=False)
class Decomposed:
    """A decomposed map: its learning results, and what follows from them and from its counts.

    It is made once per call of ``s.psnmf``. What takes time is computed when it is needed first.

    Attributes
    ----------
    signal : EDSSpectrum
        The map, for its axes and metadata.
    loadings : ndarray of shape (n_pixels, n_phases)
        In counts; NaN in pixels left out.
    factors : ndarray of shape (n_channels, n_phases)
        Spectra of unit sum; NaN in channels left out.
    record : Record
        Settings and diagnostics of the decomposition; empty after another algorithm.
    names : list of str
        Of the phases.
    """

    signal: Any
    loadings: np.ndarray
    factors: np.ndarray
    record: Record
    names: list[str]

    @classmethod
    def read(cls, signal):
        """Return the results of a map, or raise where they are missing or do not fit it."""
        loadings, factors = read_counts_and_spectra(signal)
        return cls(signal, loadings, factors, read_record(signal), stored_names(signal))

    def require_record(self) -> Record:
        """Return the record, or raise RuntimeError without one."""
        if self.record.version is None:
            raise RuntimeError(describe_missing_record(self.signal))
        return self.record

    @property
    def n_fixed(self) -> int:
        """Number of spectra, the first ones, that were given by the user."""
        return self.record.n_fixed

    @cached_property
    def counts(self) -> np.ndarray:
        """All counts of each phase, of shape (n_phases,)."""
        return np.nansum(self.loadings, axis=0)

    @cached_property
    def pixels_in_use(self) -> np.ndarray:
        """Pixels that were decomposed, ndarray of bool of shape (n_pixels,)."""
        return pixels_decomposed(self.signal, self.loadings)

    @property
    def n_pixels(self) -> int:
        """Number of pixels that were decomposed."""
        return np.count_nonzero(self.pixels_in_use)

    @cached_property
    def keep_channels(self) -> np.ndarray:
        """Channels that were decomposed, ndarray of bool of shape (n_channels,)."""
        return ~np.isnan(self.factors).any(axis=1)

    @cached_property
    def spectra(self) -> Any:
        """The spectra of phases as a signal, with the map's metadata; not to be changed."""
        return phase_spectra(self)

    @cached_property
    def map_input(self) -> MapInput:
        """Axes of the map, with the pixels that have loadings and the channels in use."""
        # HyperSpy's own masks leave NaN, which eXSpy turns into zeros.
        keep_pixels = np.nan_to_num(self.loadings).any(axis=1)
        scale = self.record.counts_per_unit
        return MapInput.of(self.signal, keep_pixels, self.keep_channels, scale)

    @cached_property
    def W(self) -> np.ndarray:
        """Loadings in counts, (n_pixels, n_phases), zero in pixels left out."""
        return np.where(self.map_input.keep_pixels[:, None], self.loadings, 0.0)

    @cached_property
    def H(self) -> np.ndarray:
        """Spectra of unit sum, (n_phases, n_channels_in_use)."""
        return self.factors[self.keep_channels].T

    @contextmanager
    def open_counts(self) -> Iterator[Any]:
        """Open the counts that were decomposed.

        Those of a lazy signal are in memory, or in temporary files that are removed afterwards,
        as for a decomposition with ``max_memory="auto"``. RuntimeError if they are
        not those that were decomposed.

        Yields
        ------
        csr_array or CountBlocks of shape (n_pixels, n_channels_in_use)
            Pixels left out are empty rows.
        """
        check_data(self.signal)
        options = {"max_memory": resolve_max_memory("auto"), "show_progressbar": False}
        with open_counts(self.signal, self.map_input, **options) as X:
            check_any_counts(X)
            if is_lazy(self.signal):  # eager data have been compared already
                check_counts(X, self.record, self.map_input.keep_pixels)
            yield X

    def bin_opened(self, X) -> tuple[PixelBins, Any]:
        """Return the bins, and the counts that were opened summed over them; computed once."""
        if "_as_decomposed" not in vars(self):
            bins = self.bins(X)
            vars(self)["_as_decomposed"] = bins, bin_counts(X, bins, n_jobs=None)
        return self._bins_and_counts

    @cached_property
    def _as_decomposed(self) -> tuple[PixelBins, Any]:
        with self.open_counts() as X:
            self.bin_opened(X)
        return vars(self)["_as_decomposed"]

    @cached_property
    def _bins_and_counts(self) -> tuple[PixelBins, Any]:
        bins, counts = self._as_decomposed
        doubled = _doubled(bins, MAX_BINS)
        if doubled.n_bins == bins.n_bins:
            return bins, counts
        factors = zip(doubled.binning, bins.binning, strict=True)
        of_bins = PixelBins(bins.binned_shape, tuple(now // then for now, then in factors))
        return doubled, sum_regions(counts, of_bins.index)

    @property
    def bins_decomposed(self) -> PixelBins:
        """The bins of the decomposition."""
        return self._as_decomposed[0]

    @property
    def counts_decomposed(self) -> Any:
        """Counts summed over `bins_decomposed`, at full energy, (n_bins, n_channels_in_use)."""
        return self._as_decomposed[1]

    @property
    def binned_counts(self) -> Any:
        """Counts summed over at most 2048 bins, at full energy, (n_bins, n_channels_in_use)."""
        return self._bins_and_counts[1]

    @cached_property
    def binned_loadings(self) -> np.ndarray:
        """Loadings of the binned counts, (n_bins, n_phases), given the spectra."""
        return solve_loadings(self.binned_counts, self.H, n_jobs=None)

    @cached_property
    def binned_loadings_found(self) -> np.ndarray:
        """Loadings of the binned map as found with the spectra, (n_bins, n_phases).

        Those of PSNMF have zeros that the counts alone would not give. Other algorithms have no
        binned map, and theirs are summed.
        """
        bins, W = self._bins_and_counts[0], self.W
        if self.record.binning is not None and self.record.binned_loadings.shape[-1] == len(self.H):
            W = self.record.binned_loadings
            # Bins may have been doubled since.
            factors = zip(bins.binning, self.record.binning[::-1], strict=True)
            bins = PixelBins(W.shape[:-1], tuple(int(now / then) for now, then in factors))
        found = np.zeros((bins.n_bins, len(self.H)))
        np.add.at(found, bins.index, W.reshape(-1, len(self.H)))
        return found

    def bins(self, X) -> PixelBins:
        """Return the bins of the decomposition."""
        # Unfolding a map changes its axes, but not the order of its pixels.
        shape = (self.record.navigation_shape or self.map_input.shape[::-1])[::-1]
        spatial = spatial_axes(len(shape))
        if self.record.binning is not None:
            binning = self.record.binning[::-1]
        else:
            binning = choose_binning(total_counts(X, axis=1), shape, spatial, len(self.H))
        return PixelBins(shape, binning)

    @property
    def coarse_energy_binning(self) -> int:
        """Channels per coarse channel of about 160 eV, as long as 32 remain.

        An X-ray line is about as wide. Narrower channels have no more information
        about the mixing of phases, but more noise to fit.
        """
        auto = COARSER * self.map_input.resolve_energy_binning("auto")
        used = 1 if self.record.binning is None else self.record.energy_binning
        most = self.map_input.n_channels_in_use // MIN_COARSE_CHANNELS
        return max(1, min(max(auto, used), most))


def _doubled(bins: PixelBins, max_bins: int) -> PixelBins:
    """Return bins doubled along the spatial axes until at most `max_bins` remain, if they can."""
    spatial = spatial_axes(len(bins.shape))
    while bins.n_bins > max_bins and any(
        s and b < n for s, b, n in zip(spatial, bins.binning, bins.shape, strict=True)
    ):
        doubled = tuple(2 * b if s else b for s, b in zip(spatial, bins.binning, strict=True))
        bins = PixelBins(bins.shape, doubled)
    return bins
