# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of whether a map's values are Poisson counts, with warnings where they are not.

Rates, means of frames, normalised and smoothed maps have other errors than counts. They are
recognised, on some pixels, by the step between values, by the differences of neighbours, and, with
a model, by a deviance below that of counts.
"""

from dataclasses import dataclass, replace

import numpy as np

from hyperspy_psnmf.eds.lazy.read import NAME
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts, bin_spectra
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.counts.count_like import PRECISION, are_smooth, find_step, have_gaps
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.diagnostics.deviance import excess_deviance

# Contiguous pixels and bins, so that few blocks are read. The degrees of freedom of the spectra are
# all subtracted from those of few bins, so the deviance is slightly high: no false alarm.
MAX_PIXELS, MAX_VALUES, MAX_BINS = 4096, 100_000, 64
MIN_PER_COMPONENT = 10  # pixels and channels, for residuals of a model
# Deviance per degree of freedom, and its distance from 1 in standard errors, below which values are
# no counts. Tuned on the eight phantoms at 10 to 1000 counts per pixel, which are at most three
# standard errors below 1; a mean of two frames has 0.5.
MAX_DEVIANCE, SIGNIFICANT = 0.85, 10.0

CONSEQUENCE = (
    "Standard errors, limits, the deviance and what is chosen automatically are not valid for them"
)


@dataclass(frozen=True, eq=False)
class CountLikeness:
    """Properties of a map's values that differ between counts and other data.

    Attributes
    ----------
    step : float or None
        The largest number that all are multiples of: 1 for counts, None where there is none.
    smooth : tuple of str
        Which neighbours differ by less than those of counts: "pixels", "channels".
    gaps : bool
        Whether some values are too rare, given how often their neighbours are.
    deviance, scatter : float
        Deviance per degree of freedom of the binned map, and its standard error; 1 and 0
        without a model.
    """

    step: float | None
    smooth: tuple[str, ...] = ()
    gaps: bool = False
    deviance: float = 1.0
    scatter: float = 0.0

    def reason(self) -> str:
        """Return why the values are not counts; empty where they may be."""
        if self.step is None:
            return (
                "they are multiples of no common number, as after smoothing, interpolation, "
                "background subtraction or normalisation pixel by pixel"
            )
        if len(self.smooth) == 1:
            return (
                f"neighbouring {self.smooth[0]} differ by less than counts do, as "
                "after smoothing or interpolation, and are correlated"
            )
        if self.smooth:
            return self._scatter_less()
        if self.step > 1:
            return f"they look like counts multiplied by {_short(self.step)}"
        if self.step < 1:
            return f"they look like counts divided by {_short(1 / self.step)}"
        if self.gaps:
            return (
                "some values are rarer than those beside them can be, as after a multiplication "
                "and rounding"
            )
        if is_too_small(self.deviance, self.scatter):
            return self._scatter_less()
        return ""

    def _scatter_less(self):
        known = f" (the deviance per degree of freedom is {self.deviance:.2f})"
        return (
            "they scatter by less than counts do, as means and smoothed values do"
            f"{known if self.scatter else ''}"
        )

    def warning(self, counts_per_unit: float = 1.0) -> str:
        """Return a warning; empty where values may be counts.

        Parameters
        ----------
        counts_per_unit : float
            What the signal's data have been multiplied by already.
        """
        if not (reason := self.reason()):
            return ""
        by = "" if counts_per_unit == 1 else f" times counts_per_unit={_short(counts_per_unit)}"
        text = f"{NAME}{by} are not counts: {reason}. {CONSEQUENCE}; "
        if self.step is None or self.smooth or self.step == 1:
            return f"{text}decompose the counts as they were recorded"
        scale = _short(counts_per_unit / self.step)
        return f"{text}pass counts_per_unit={scale}, or multiply the data by {scale}"


def _short(number):
    """Return a number in the fewest digits that are as good as single precision."""
    texts = (f"{number:.{digits}g}" for digits in range(2, 12))
    return next((s for s in texts if abs(float(s) - number) <= PRECISION * number), f"{number!r}")


def is_too_small(deviance: float, scatter: float) -> bool:
    """Return whether a deviance per degree of freedom is below what counts have."""
    return deviance < min(MAX_DEVIANCE, 1 - SIGNIFICANT * scatter)


def judge_values(X, W=None, H=None) -> CountLikeness:
    """Return the properties of a map's values.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Values; of blocks, few are read.
    W, H : ndarray, optional
        Loadings and spectra: neighbours are then compared by the residuals of these.
    """
    rows = _middle(X)
    some = _take(X, rows)
    values = some.data if isinstance(X, CountBlocks) else X.data
    step = find_step(values)
    if step is None:
        return CountLikeness(None)
    gaps = step == 1 and have_gaps(values)
    # A model of about as many parameters as values has no residuals.
    fits_all = H is None or min(some.shape) < MIN_PER_COMPONENT * len(H)
    expected = 0.0 if fits_all else W[rows] @ H
    smooth = are_smooth(some.toarray().astype(float), expected, step)
    return CountLikeness(step, tuple(smooth), gaps)


def judge_model(X, W, H, bins: PixelBins, energy_binning: int, n_jobs=None) -> CountLikeness:
    """Return the properties of a map's values, the deviance from a model included.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Values.
    W : ndarray of shape (n_pixels, n_components)
        Loadings.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    bins : PixelBins
        Bins of pixels.
    energy_binning : int
        Channels summed.
    n_jobs : int or None
        Threads.
    """
    first = max(0, bins.n_bins - MAX_BINS) // 2
    rows = np.flatnonzero((bins.index >= first) & (bins.index < first + MAX_BINS))
    index = bins.index[rows] - first
    n_bins = int(index.max()) + 1
    band = _Band(index, n_bins)
    binned = bin_counts(_take(X, rows), band, energy_binning=energy_binning, n_jobs=n_jobs)
    loadings = np.zeros((n_bins, W.shape[1]))
    np.add.at(loadings, index, W[rows])
    values = judge_values(X, W, H)
    if not loadings.any():
        return values
    found = excess_deviance(binned, loadings, bin_spectra(H, energy_binning), n_jobs=n_jobs)
    return replace(values, deviance=found.total, scatter=found.scatter)


@dataclass(frozen=True, eq=False)
class _Band:
    """Bins of some pixels."""

    index: np.ndarray
    n_bins: int


def _middle(X):
    """Return pixels with counts in the middle of a map that follow each other."""
    filled = np.flatnonzero(total_counts(X, axis=1))
    most = min(MAX_PIXELS, max(2, MAX_VALUES // X.shape[1]))
    first = max(0, filled.size - most) // 2
    return filled[first : first + most]


def _take(X, rows):
    return X.take(rows) if isinstance(X, CountBlocks) else X[rows]
