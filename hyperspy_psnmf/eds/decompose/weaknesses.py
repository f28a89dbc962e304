# SPDX-License-Identifier: GPL-3.0-or-later
"""What a decomposition's result is weak in, as numbers; `notes` makes sentences of them."""

from collections.abc import Iterator

import numpy as np

from hyperspy_psnmf.eds.lazy.not_counts import judge_model, judge_values
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.record import Record
from hyperspy_psnmf.eds.signals.weaknesses import (
    AlikeSpectra,
    CountLikeness,
    CountsWithoutSpectrum,
    FewCountsInPhase,
    FewCountsPerBin,
    HotVoxel,
    NumberLimited,
    ShiftedImage,
    SmallFeatures,
    Weakness,
    ZeroPeak,
)
from hyperspy_psnmf.eds.xray.detector import TYPICAL_RESOLUTION, ZERO_PEAK, peak_fwhms
from hyperspy_psnmf.estimators.psnmf_model import PSNMFModel
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.binning.bins import PixelBins
from hyperspy_psnmf.nmf.diagnostics.hot_voxels import find_hot_voxels

# Counts below which to warn, chosen on the built-in phantoms: with fewer, a spectrum has hardly
# more than its strongest line.
FEW_PER_BIN = 1000
FEW_IN_PHASE = 2000
ZERO_PEAK_FRACTION = 0.05  # of all counts, above which to warn

# Cosine of two spectra, above which they are one phase. Tuned on seven phantoms at 30, 100 and 400
# counts per pixel: none exceed it with the true number of phases, 20 of 21 with one more.
MAX_COSINE = 0.98

# Pixels' counts over the mean of their bin, weighted with counts, above which features are smaller
# than a bin; chosen on the built-in phantoms.
MAX_CONCENTRATION = 2.5

N_WIDTHS = 64  # energies at which line widths are computed, to interpolate between


def find_weaknesses(
    map_input: MapInput, record: Record, estimator, X, loadings, sums
) -> Iterator[Weakness]:
    """Yield the weaknesses of a result, in the order of a report.

    Parameters
    ----------
    map_input : MapInput
        Of the map.
    record : Record
        Of the run, without weaknesses.
    estimator, X, loadings
        As for `make_record`.
    sums : (ndarray of shape (n_pixels,), ndarray of shape (n_channels_in_use,))
        Counts of each pixel and of each channel.
    """
    channel_counts = sums[1]
    below_lines = _below_lines(map_input)
    values = _judge_counts(map_input.shape, estimator, X, loadings)
    if not values.are_counts:
        yield values
    options = {"sums": sums, "n_jobs": estimator.n_jobs}
    yield from hot_voxels_of_map(map_input, X, **options)
    yield from _few_counts(record)
    fraction = float(channel_counts[below_lines].sum() / channel_counts.sum())
    if fraction > ZERO_PEAK_FRACTION:
        yield ZeroPeak(fraction, float(map_input.require_energy().max()))
    if record.n_unexplained:
        yield CountsWithoutSpectrum(record.n_unexplained)
    for number, shift in enumerate(getattr(estimator, "guide_shifts_", ())):
        if any(shift):
            yield ShiftedImage(number, tuple(int(i) for i in shift[::-1]))
    yield from _alike_spectra(np.where(below_lines, 0.0, estimator.components_))
    if record.binning is not None:
        bins = PixelBins(map_input.shape, record.binning[::-1])
        yield from _small_features(bins, loadings)


def _judge_counts(shape, estimator, X, loadings) -> CountLikeness:
    if not isinstance(estimator, PSNMFModel):
        return judge_values(X)
    return judge_model(X, loadings, estimator, PixelBins(shape, estimator.binning_))


def hot_voxels_of_map(map_input: MapInput, X, **options) -> list[HotVoxel]:
    """Return the hot voxels of a map, the least probable first.

    The data are not changed. Lazy maps are looked at block by block.

    Parameters
    ----------
    map_input : MapInput
        Of the map. Without energies the width of lines is unknown, and nothing is found.
    X : csr_array or CountBlocks of shape (n_pixels, n_channels_in_use)
        Its counts.
    **options
        As for `find_hot_voxels`.
    """
    energy, keep = map_input.energy, map_input.keep_channels
    if energy is None:  # which has been warned of
        return []
    some = np.linspace(energy.min(), energy.max(), N_WIDTHS)
    width = np.interp(energy, some, peak_fwhms(TYPICAL_RESOLUTION, some))
    width /= np.abs(np.gradient(energy))
    if keep is not None:
        energy, width = energy[keep], width[keep]
    return [
        HotVoxel(
            tuple(int(i) for i in np.unravel_index(voxel.row, map_input.shape)[::-1]),
            float(energy[voxel.channel]),
            float(voxel.counts),
            float(voxel.expected),
        )
        for voxel in find_hot_voxels(X, map_input.shape, width, **options)
    ]


def _few_counts(record: Record):
    if record.number_of_phases_limited:
        yield NumberLimited(record.n_components)
    if record.binning is not None:
        n = record.n_regions  # that bins of few counts were merged into
        counts = record.n_counts / n if n else record.counts_per_bin
        if counts < FEW_PER_BIN:
            yield FewCountsPerBin(float(counts), record.binning_chosen)
    for phase, counts in enumerate(record.phase_counts):
        if counts < FEW_IN_PHASE:
            yield FewCountsInPhase(phase, float(counts))


def _alike_spectra(spectra):
    """Yield pairs of nearly equal spectra, which may be one phase, split by noise."""
    spectra = spectra / np.maximum(np.linalg.norm(spectra, axis=1, keepdims=True), TINY)
    cosines = np.triu(spectra @ spectra.T, 1)
    for a, b in np.argwhere(cosines > MAX_COSINE):
        yield AlikeSpectra(int(a), int(b), float(cosines[a, b]))


def _small_features(bins: PixelBins, loadings):
    """Yield the phases whose counts are in a few pixels of their bins."""
    n_pixels = np.maximum(np.bincount(bins.index, loadings.any(axis=1), bins.n_bins), 1.0)
    for phase, w in enumerate(loadings.T):
        mean = (np.bincount(bins.index, w, bins.n_bins) / n_pixels)[bins.index]
        squares, expected = float((w**2).sum()), float((w * mean).sum())
        if squares > MAX_CONCENTRATION * expected:
            yield SmallFeatures(phase, squares / expected)


def _below_lines(map_input):
    """Return which channels in use lie in the zero peak."""
    if map_input.energy is None:  # which has been warned of
        return np.zeros(map_input.n_channels_in_use, bool)
    return map_input.energy_in_use < ZERO_PEAK
