# SPDX-License-Identifier: GPL-3.0-or-later
"""What a binning does to a map, before any decomposition."""

from dataclasses import dataclass

import dask.array as da
import numpy as np
from hyperspy.signals import BaseSignal

from hyperspy_psnmf._compat import data_in_array_order
from hyperspy_psnmf.eds.decompose.masks import read_map_input
from hyperspy_psnmf.eds.decompose.notes import times
from hyperspy_psnmf.eds.decompose.weaknesses import FEW_PER_BIN
from hyperspy_psnmf.eds.images.on_map import images_on_map
from hyperspy_psnmf.eds.lazy.read import check_data
from hyperspy_psnmf.eds.lines.templates import NoLineModel, check_line_model
from hyperspy_psnmf.eds.signals.axes import map_shape
from hyperspy_psnmf.eds.signals.build import images_like
from hyperspy_psnmf.estimators.checks import check_binning
from hyperspy_psnmf.nmf.binning.bins import PixelBins, choose_binning, spatial_axes


@dataclass(frozen=True, eq=False)
class BinnedPreview:
    """A binned map of counts.

    Attributes
    ----------
    map : BaseSignal
        Counts of every bin, with the map's axes as signal axes.
    binning : tuple of int
        In HyperSpy's (x, y) order.
    n_bins : int
    counts_per_pixel, counts_per_bin : float
        In the median, of those that have any.
    is_chosen : bool
        Whether the rule of thumb chose the binning.
    images : tuple of BaseSignal
        Of the same area, on the pixels of the map.
    """

    map: BaseSignal
    binning: tuple[int, ...]
    n_bins: int
    counts_per_pixel: float
    counts_per_bin: float
    is_chosen: bool
    images: tuple[BaseSignal, ...] = ()

    def sentence(self) -> str:
        """Describe what the binning does."""
        text = (
            f"{times(self.binning)} pixels per bin: {self.n_bins} bins of "
            f"{self.counts_per_bin:.0f} counts (a pixel has {self.counts_per_pixel:.0f})."
        )
        if self.is_chosen:
            return (
                f"{text} Smaller bins are tried too, and used if their held-out deviance is lower."
            )
        if self.counts_per_bin < FEW_PER_BIN:
            return f"{text} So few counts show the strongest lines only: use larger bins."
        return text


def count_per_pixel(signal) -> np.ndarray:
    """Return the counts of every pixel of a map, in array order.

    Raises
    ------
    TypeError, ValueError
        If the data are no counts.
    """
    check_data(signal)
    data = data_in_array_order(signal)
    wide = float if data.dtype.kind == "f" else np.int64  # 8 bits overflow when summed
    total = data.sum(axis=-1, dtype=wide)
    return np.asarray(total.compute() if isinstance(total, da.Array) else total)


def may_have_lines(signal) -> bool:
    """Return whether the axis and the metadata of a map allow spectra made of lines."""
    try:
        check_line_model(signal, read_map_input(signal))
    except NoLineModel:
        return False
    return True


def preview_binning(
    signal, pixel_counts: np.ndarray, binning, n_phases: int, *, of_lines: bool, images=None
) -> BinnedPreview:
    """Return the binned map of counts.

    Parameters
    ----------
    signal : EDSSpectrum
        The map, for its axes.
    pixel_counts : ndarray
        From `count_per_pixel`.
    binning : "auto" or int
        Pixels summed along each spatial axis; "auto" is the rule of thumb.
    n_phases : int
        Number of phases.
    of_lines : bool
        Whether spectra are to be made of lines, for which the rule of thumb has smaller bins.
    images : optional
        Of the same area, as for ``guide``.

    Raises
    ------
    TypeError, ValueError
        Naming the binning, or the guide, that does not fit the map.
    """
    shape = map_shape(signal)
    chosen = check_binning(binning, shape, n_phases)
    if chosen is None:
        spatial = spatial_axes(len(shape))
        chosen = choose_binning(pixel_counts.ravel(), shape, spatial, n_phases, of_lines=of_lines)
    bins = PixelBins(shape, chosen)
    counts = np.bincount(bins.index, pixel_counts.ravel(), minlength=bins.n_bins)
    return BinnedPreview(
        _map(signal, counts, bins),
        chosen[::-1],
        bins.n_bins,
        _median(pixel_counts),
        _median(counts),
        isinstance(binning, str),
        _images(signal, images),
    )


def _images(signal, images):
    if images is None:
        return ()
    found = images_on_map("guide", images, signal)
    return tuple(images_like(signal, image.ravel(), "Image", "Intensity") for image in found)


def _median(counts):
    filled = counts[counts > 0]
    return float(np.median(filled)) if filled.size else 0.0


def _map(signal, counts, bins):
    axes = [
        _binned_axis(axis, n, b)
        for axis, n, b in zip(
            signal.axes_manager.navigation_axes[::-1], bins.binned_shape, bins.binning, strict=True
        )
    ]
    return images_like(signal, counts, "Binned map", "Counts", axes=axes)


def _binned_axis(axis, n, b):
    """Return the axis through the middles of bins, of which the last may be smaller."""
    values = np.asarray(axis.axis, dtype=float)
    step = b * (values[-1] - values[0]) / max(1, values.size - 1) or 1.0
    first = values[: min(b, values.size)].mean()
    described = {"name": axis.name, "units": axis.units}
    return {**described, "size": n, "offset": first, "scale": step}
