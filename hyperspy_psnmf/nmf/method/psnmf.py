# SPDX-License-Identifier: GPL-3.0-or-later
r"""PSNMF: NMF-based pan-sharpening of a spectrum image [1]_.

1. **bin** neighbouring pixels: sums of Poisson counts, still Poisson;
2. **factorise** the binned map: spectra of high fidelity. 2a determines the
   loadings with channels summed too, because noise in channels of few counts misleads
   maximum likelihood; the rotational ambiguity is resolved by parsimony, or by
   a volume term; 2b solves the convex problem of the spectra at full energy;
3. **factorise at full resolution** from there, with the spectra fixed (convex)
   or updated too;
4. **combine** the spectra of step 2 with the loadings of step 3, after adaptive
   smoothing of these over neighbouring pixels that agree.

References
----------
.. [1] H. Chen, D. T. L. Alexander, C. Hébert, Nano Letters 24 (2024) 10177.
   https://doi.org/10.1021/acs.nanolett.4c02446
"""

from dataclasses import dataclass, replace

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts
from hyperspy_psnmf.nmf.counts.blocks import divergence
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.lines.factorise import LineFit
from hyperspy_psnmf.nmf.method.binned import (
    BinnedMap,
    BinnedSettings,
    forward,
    order_by_counts,
)
from hyperspy_psnmf.nmf.method.many_bins import factorise_map
from hyperspy_psnmf.nmf.method.smoothing import smooth_loadings
from hyperspy_psnmf.nmf.parsimony.simplify import Simplification
from hyperspy_psnmf.nmf.solver.alternating import Factorisation, poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.validation import Callback


@dataclass(frozen=True, eq=False)
class PSNMFResult:
    """What `psnmf` found, fixed components first.

    The others are in decreasing order of their counts, or in the order of the rows of
    ``settings.absent`` where these belong to certain components.

    Attributes
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    binned_W : ndarray of shape (n_bins, n_components)
        Loadings of the binned map, in counts.
    binned_shape : tuple of int
        Shape of the binned map.
    n_averaged : ndarray of shape (n_pixels,)
        Effective number of pixels averaged in each loading; see `smoothing`.
    shifts : tuple of (int, int)
        Rows and columns by which each image should be moved; see `guides`.
    divergence : float
        Of the counts from the factorisation of step 3, in nats.
    binned_fit : Factorisation, LineFit or None
        Convergence of step 2; None where all spectra were given.
    simplification : Simplification or None
        What parsimony merged and subtracted in step 2, components in the order of the
        result; None with a volume term or a single component.
    joint_fit : Factorisation or None
        Convergence of step 3 where it updated the spectra too.
    template_weights : ndarray of shape (n_free, n_templates) or None
        Fraction of each free spectrum in each template.
    prior_weights : ndarray of shape (n_channels,) or None
        Counts of the templates, as a prior of the spectra, per count of the data.
    absent_rows : ndarray of shape (n_components,) or None
        Row of ``settings.absent`` of each component; None without free components, or without it.
    H_before : ndarray of shape (n_components, n_channels) or None
        Spectra of step 2a before channels were excluded; None where none were.
    """

    W: np.ndarray
    H: np.ndarray
    binned_W: np.ndarray
    binned_shape: tuple[int, ...]
    n_averaged: np.ndarray
    shifts: tuple[tuple[int, int], ...]
    divergence: float
    binned_fit: Factorisation | LineFit | None
    simplification: Simplification | None
    joint_fit: Factorisation | None
    template_weights: np.ndarray | None = None
    prior_weights: np.ndarray | None = None
    absent_rows: np.ndarray | None = None
    H_before: np.ndarray | None = None


def psnmf(
    X,
    pixel_bins: PixelBins,
    settings: BinnedSettings,
    rng: np.random.Generator,
    options: dict,
    *,
    refinement: str = "fixed",
    smoothing: float = 0.0,
    used: np.ndarray | None = None,
    images: np.ndarray | None = None,
    callback: Callback | None = None,
) -> PSNMFResult:
    """Unmix a map of counts.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts, one row per pixel in C order of the map. A pixel left out is an
        empty row, and False in `used`.
    pixel_bins : PixelBins
        Bins of the map.
    settings : BinnedSettings
        Components, start and constraints of step 2.
    rng : numpy.random.Generator
        Source of random numbers.
    options : dict
        `max_iter`, `tol` and `n_jobs` of `poisson_nmf`.
    refinement : {"fixed", "joint"}
        Whether spectra are fixed in step 3 or updated too, as published.
    smoothing : float
        Weight of neighbouring pixels in the adaptive smoothing of step 4; see
        `smooth_loadings`.
    used : ndarray of bool of shape (n_pixels,), optional
        False in pixels left out; by default, all were measured.
    images : ndarray of shape (n_images, n_pixels), optional
        Of the same area, for step 4; see `guides`.
    callback : callable, optional
        Called with the name of the step, the iteration and its KKT residual.
    """
    notify = callback or (lambda step, iteration, residual: None)
    n_jobs, fixed, n_components = options["n_jobs"], settings.fixed, settings.n_components

    notify("bin", 0, np.inf)
    found = _factorise_bins(X, pixel_bins, settings, rng, options, notify)
    H = found.H

    notify("full resolution", 0, np.inf)
    W = _start_pixels(X, pixel_bins, found.W)
    joint_fit = None
    if refinement == "joint" and len(fixed) < n_components:
        W, joint_fit = _refine_jointly(X, H, W, len(fixed), options, notify)
    else:
        W = solve_loadings(X, H, W, n_jobs=n_jobs)

    notify("neighbours", 0, np.inf)
    beside = {"used": used, "images": images, "n_jobs": n_jobs}
    local = smooth_loadings(X, H, W, pixel_bins.shape, weight=smoothing, **beside)
    order = np.arange(n_components)
    if settings.absent is None or settings.assigns_absent:
        order = order_by_counts(local.W, len(fixed))
    return PSNMFResult(
        local.W[:, order],
        H[order],
        found.W[:, order],
        pixel_bins.binned_shape,
        local.n_averaged,
        local.shifts,
        divergence(X, W, H.T, n_jobs=n_jobs) if joint_fit is None else joint_fit.divergence,
        found.fit,
        found.simplification and found.simplification.reorder(order),
        joint_fit,
        _template_weights(found.fit, order),
        found.prior_weights,
        *(each if each is None else each[order] for each in (found.absent_rows, found.H_before)),
    )


def _factorise_bins(X, pixel_bins, settings, rng, options, notify):
    n_jobs, fixed = options["n_jobs"], settings.fixed
    if len(fixed) == settings.n_components:
        W = solve_loadings(bin_counts(X, pixel_bins, n_jobs=n_jobs), fixed, n_jobs=n_jobs)
        return BinnedMap(W, fixed, None, None)
    of_map = replace(settings, shape=pixel_bins.binned_shape)
    # Not named here, so that they can be forgotten there: half a gigabyte, of large maps.
    return factorise_map(bin_counts(X, pixel_bins, n_jobs=n_jobs), of_map, rng, options, notify)


def _template_weights(fit, order):
    """Return the weights of templates with free components in an order, fixed ones first."""
    if not isinstance(fit, LineFit):
        return None
    n = fit.spectra.n_fixed
    return fit.spectra.weights[order[n:] - n]


def _refine_jointly(X, H, W, n_fixed, options, notify):
    """Step 3 as published; return loadings and the factorisation."""
    notify = forward(notify, "full resolution")
    fit = poisson_nmf(X, H, W, n_fixed=n_fixed, callback=notify, **options)
    # Rows add up to their counts within the tolerance only; after this, exactly.
    total = fit.W.sum(axis=1, keepdims=True)
    counts = total_counts(X, axis=1)[:, None]
    return fit.W * np.divide(counts, total, out=np.zeros_like(total), where=total > 0), fit


def _start_pixels(X, pixel_bins, binned_W):
    """Return initial loadings: the fractions of each pixel's bin, times its own counts."""
    total = binned_W.sum(axis=1, keepdims=True)
    k = binned_W.shape[1]
    fractions = np.divide(binned_W, total, out=np.full_like(binned_W, 1 / k), where=total > 0)
    return fractions[pixel_bins.index] * total_counts(X, axis=1)[:, None]
