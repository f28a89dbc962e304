# SPDX-License-Identifier: GPL-3.0-or-later
"""Spatial binning by held-out deviance: the rule of thumb's bins, or smaller ones.

The rule of `bins.choose_binning` depends on the counts, not on the features: a phase whose
particles are smaller than a bin is pure in no bin, and lost. So spectra are determined on the
rule's bins and on bins of half the width, from four fifths of the counts; with loadings at full
resolution they predict the held-out fifth, see `count_splitting`. Smaller bins are taken where
the held-out deviance is significantly lower, and then halved again.

The fits are rough: channels of 40 eV, ten alternations from the purest bins and five more
for each halving, maximum likelihood. Measured on phantoms of 64 x 64 pixels: for particles of 3
pixels at 50 counts, bins of 4 are better than 8 (by six to nine standard errors, and the worst
spectrum 13 to 60 degrees off instead of 78); for grains, spheres and boundaries, the rule's.
Larger bins than the rule's gave worse spectra and hardly ever predicted better; they are not
tried. Not all small features are detected: particles of 5 pixels gain two to four standard
errors only, and in maps of 128 x 128 pixels, where more bins are pure by chance, the rule's
bins are kept for the same particles.
"""

from dataclasses import dataclass, replace

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import (
    PixelBins,
    bin_counts,
    bin_spectra,
    choose_binning,
    merge_channels,
    spatial_axes,
)
from hyperspy_psnmf.nmf.counts.blocks import BINNED_BYTES
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import are_whole, held_out_deviances, thin_counts
from hyperspy_psnmf.nmf.method.binned import BinnedSettings, start_spectra
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.validation import Callback

TEST_FRACTION = 0.2  # of the counts, held out
START = "vertex"  # the purest bins, which smaller bins make purer
ALTERNATIONS, MORE_ALTERNATIONS = 10, 5  # on the phantoms twice as many changed no decision
ROUGH_TOL = 1e-3  # nats per count, of the spectra
LOADING_TOL = 0.1  # nats per pixel
# Standard errors of a gain. On phantoms, incomplete convergence alone gave up to three.
SIGNIFICANT_GAIN = 4.0


@dataclass(frozen=True)
class BinningChoice:
    """The binning chosen, and the comparison behind it.

    Attributes
    ----------
    binning : tuple of int
        Pixels summed along each axis of the map, in array order.
    tried : tuple of tuple of int
        All binnings compared, from the rule of thumb's down; empty where none were.
    gains : tuple of (float, float)
        Decrease of the held-out deviance from each binning to the next, and its standard
        error.
    not_tried : {"", "single pixels", "fixed spectra", "fractions"}
        Why no binnings were compared: there are no smaller ones, all spectra are fixed, or
        the data are no whole numbers, which count splitting needs.
    n_pixels : int
        Of the map, on which they were compared; 0 is all.
    n_doubled : int
        How many times the best binning was doubled to fit into memory.
    """

    binning: tuple[int, ...]
    tried: tuple[tuple[int, ...], ...] = ()
    gains: tuple[tuple[float, float], ...] = ()
    not_tried: str = ""
    n_pixels: int = 0
    n_doubled: int = 0

    def on_map(self, n_axes: int, n_pixels: int) -> "BinningChoice":
        """Return the choice made on a series of tiles for the map that they are from."""
        tried = tuple(binning[-n_axes:] for binning in self.tried)
        return replace(self, binning=self.binning[-n_axes:], tried=tried, n_pixels=n_pixels)

    def fitting(
        self, shape: tuple[int, ...], n_channels: int, most: int = BINNED_BYTES
    ) -> "BinningChoice":
        """Return the same with spatial axes doubled until the binned map has `most` bytes."""
        spatial, binning, n = spatial_axes(len(shape)), self.binning, 0
        while 4 * PixelBins(shape, binning).n_bins * n_channels > most:
            wider = tuple(
                min(2 * b, m) if s else b for s, b, m in zip(spatial, binning, shape, strict=True)
            )
            if wider == binning:
                break
            binning, n = wider, n + 1
        return replace(self, binning=binning, n_doubled=n)


def choose_finer_binning(
    X,
    n_components: int,
    shape: tuple[int, ...],
    *,
    fixed_spectra: np.ndarray | None = None,
    energy_binning: int = 1,
    of_lines: bool = False,
    rng: np.random.Generator,
    n_jobs: int | None = 1,
    callback: Callback | None = None,
) -> BinningChoice:
    """Return the binning of a map: the rule of thumb's, or a smaller one that predicts better.

    Parameters
    ----------
    X : csr_array of shape (n_pixels, n_channels)
        Counts. Where they are no whole numbers, the rule of thumb is used.
    n_components : int
        Number of components, the fixed ones included.
    shape : tuple of int
        Shape of the map, in array order.
    fixed_spectra : ndarray of shape (n_fixed, n_channels), optional
        Fixed spectra, of unit sum.
    energy_binning : int
        Channels per bin.
    of_lines : bool
        Whether spectra will be made of templates; see `choose_binning`.
    rng : numpy.random.Generator
        Source of random numbers.
    n_jobs : int or None
        Threads; None is all cores.
    callback : callable, optional
        Called with "binning", 0 and the infinite residual before every fit.
    """
    spatial = spatial_axes(len(shape))
    counts = total_counts(X, axis=1)
    binning = choose_binning(counts, shape, spatial, n_components, of_lines=of_lines)
    fixed = np.empty((0, X.shape[1])) if fixed_spectra is None else fixed_spectra
    not_tried = _why_not_to_compare(binning, X, n_components - len(fixed))
    if not_tried:
        return BinningChoice(binning, not_tried=not_tried)
    train, test = thin_counts(merge_channels(X, energy_binning), TEST_FRACTION, rng)
    settings = BinnedSettings(n_components, bin_spectra(fixed, energy_binning), 1, START, 0.0, 1)
    blocks = PixelBins(shape, binning).index  # whose differences are independent
    tried, gains, H, last = [], [], None, None
    while True:
        if callback is not None:
            callback("binning", 0, np.inf)
        H = _find_spectra(train, PixelBins(shape, binning), settings, H, rng, n_jobs)
        deviances = np.bincount(blocks, _predict(train, test, H, n_jobs))
        tried.append(binning)
        if last is not None:
            gain = last - deviances
            gains.append((float(gain.sum()), float(gain.std(ddof=1) * np.sqrt(gain.size))))
            if gains[-1][0] <= SIGNIFICANT_GAIN * gains[-1][1]:
                return BinningChoice(tried[-2], tuple(tried), tuple(gains))
        if max(binning) == 1:
            return BinningChoice(binning, tuple(tried), tuple(gains))
        last, binning = deviances, tuple(max(1, b // 2) for b in binning)


def _why_not_to_compare(binning, X, n_free):
    """Return why smaller bins are not tried, as in `BinningChoice.not_tried`."""
    if max(binning) == 1:
        return "single pixels"
    if not n_free:
        return "fixed spectra"
    return "" if are_whole(X.data) else "fractions"


def _find_spectra(X, pixel_bins, settings, H, rng, n_jobs):
    binned = bin_counts(X, pixel_bins, n_jobs=n_jobs)
    max_iter = MORE_ALTERNATIONS
    if H is None:
        H, max_iter = start_spectra(binned, settings, settings.init, rng), ALTERNATIONS
    options = {"max_iter": max_iter, "tol": ROUGH_TOL, "n_jobs": n_jobs}
    return poisson_nmf(binned, H, n_fixed=len(settings.fixed), **options).H


def _predict(train, test, H, n_jobs):
    """Return the held-out deviance of every pixel."""
    W, spectrum = solve_loadings(train, H, tol=LOADING_TOL, n_jobs=n_jobs), total_counts(train, 0)
    return held_out_deviances(test, W, H, TEST_FRACTION, spectrum, n_jobs=n_jobs)
