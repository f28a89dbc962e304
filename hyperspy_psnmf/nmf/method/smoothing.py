# SPDX-License-Identifier: GPL-3.0-or-later
r"""Step 4: adaptive-weights (propagation-separation) smoothing of the loading maps.

A pixel's loadings from a hundred counts are noisy even with perfect spectra. Smoothing
maximises the local likelihood: pixel i has the loadings v that maximise

.. math:: \sum_j w_{ij} \log p(x_j \mid v), \qquad w_{ii} = 1, \; 0 \le w_{ij} \le 1,

a convex problem on :math:`\sum_j w_{ij} x_j`. Loadings are smoothed, not fractions: if
pixels kept their observed totals, the relative error of a map could not fall below one over
the root of the counts per pixel. The weights are determined by
propagation and separation [1]_ [2]_: windows grow, and at every size a neighbour is weighted
by how well the estimates from the previous size agree,

.. math:: T_{ij} = 2 \left[ \ell_i(v_i) + \ell_j(v_j)
    - \ell_i(v_{ij}) - \ell_j(v_{ij}) \right] < \lambda, \qquad
    v_{ij} = \frac{n_i v_i + n_j v_j}{n_i + n_j},

n the effective numbers of pixels (sums of weights) and :math:`\ell` the log likelihood of the
counts summed so far: the likelihood ratio of "different" and "the same". The counts themselves
are compared, not the fits: the few counts of a pixel often fit other mixtures nearly as well,
and a distance between two fits takes each as certain. With it, pixels that differ by chance
kept loadings of their own. Edges of thickness stop the smoothing like those of composition.
The largest T of the 3 x 3 pixels around i and j is used [3]_, because at a single pixel of few
counts an edge is not significant. Where loadings are the same, T is about chi-squared with k
degrees of freedom: that sets :math:`\lambda` at any number of counts. The closer to an edge,
the fewer the neighbours; a pixel without any keeps its loadings. A pixel without counts is a
measurement like others: were it left out, means of few counts would be too large. What noise is
left falls by the covariance of the surroundings; see `local_covariance`.

Channels with similar ratios of the components' spectra are summed first: that loses about 1 %
of the information, and two thousand channels become two dozen.

References
----------
.. [1] J. Polzehl, V. Spokoiny, Probab. Theory Relat. Fields 135 (2006) 335.
   https://doi.org/10.1007/s00440-005-0464-1
.. [2] S. Becker, P. Mathé, Electron. J. Stat. 7 (2013) 2702.
   https://doi.org/10.1214/13-EJS860
.. [3] J. Polzehl, K. Papafitsoros, K. Tabelow, J. Stat. Softw. 95 (2020) 6.
   https://doi.org/10.18637/jss.v095.i06
"""

from typing import NamedTuple

import numpy as np
from scipy.special import chdtri

from hyperspy_psnmf.kernels.adaptive_weights import fit_samples, sum_neighbours
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.newton.rows import solve_rows
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks, call
from hyperspy_psnmf.nmf.counts.overlapping_tiles import overlapping_tiles
from hyperspy_psnmf.nmf.method.alike_channels import sum_alike_channels
from hyperspy_psnmf.nmf.method.details import find_details
from hyperspy_psnmf.nmf.method.guides import NoiseScale, find_shift
from hyperspy_psnmf.nmf.method.local_covariance import shrink_to_surroundings, stay_positive
from hyperspy_psnmf.nmf.method.pixel_grid import PixelGrid
from hyperspy_psnmf.nmf.validation import check_weight

# p-value of the likelihood ratio at which a neighbour's weight reaches zero. On phantoms with 15
# counts per pixel, pixels without neighbours by chance are left from 5e-4 on; at 1e-4 particles
# of three pixels keep 94 % of the counts that they have unsmoothed, and 97 % at this.
SIGNIFICANCE = 2e-4
# Of grouped counts at a time in each thread; what is made of them takes four times as much.
TILE_BYTES = 16_000_000
TILES_AT_LEAST = 4  # of a map in memory, so that all threads have about as much to do
TOL, LAST_STEPS = 1e-2, 20  # nats for the counts summed in one estimate; Newton steps


class LocalEstimate(NamedTuple):
    """Smoothed loadings.

    Attributes
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts.
    n_averaged : ndarray of shape (n_pixels,)
        Effective number of pixels of averages with the same variance: 1 where nothing was
        averaged, 0 in a pixel left out.
    shifts : tuple of (int, int)
        Rows and columns by which each image should be moved, with two axes.
    """

    W: np.ndarray
    n_averaged: np.ndarray
    shifts: tuple[tuple[int, int], ...] = ()


def smooth_loadings(
    X,
    H: np.ndarray,
    W: np.ndarray,
    shape: tuple[int, ...],
    *,
    weight: float = 1.0,
    used: np.ndarray | None = None,
    images: np.ndarray | None = None,
    n_jobs: int | None = 1,
) -> LocalEstimate:
    """Smooth loadings over neighbouring pixels that agree within errors.

    Parameters
    ----------
    X : ndarray, csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts, in C order of the map. Pixels left out are empty.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    W : ndarray of shape (n_pixels, n_components)
        The most likely loadings pixel by pixel, in counts.
    shape : tuple of int
        Of the map. Pixels are averaged along its last two axes; not along the first of
        three, a series.
    weight : float
        Of a neighbour relative to the pixel itself. 0 is no smoothing, at 1 a neighbour that
        agrees is weighted like the pixel itself: agreement is tested pair by pair.
    used : ndarray of bool of shape (n_pixels,), optional
        False in pixels left out, which must be empty. By default all pixels were measured, and
        one without counts is a measurement of zero.
    images : ndarray of shape (n_images, n_pixels), optional
        Of the same area, finite and not constant; see `guides`. Not without smoothing.
    n_jobs : int or None
        Threads; None is all cores. The result does not depend on it.

    Returns
    -------
    LocalEstimate
        Loadings, and the effective number of pixels in each.

    Raises
    ------
    TypeError, ValueError
        If `shape` does not fit W, `used` is no mask of its pixels, or `weight` is none of the
        above.
    """
    check_weight("weight", weight)
    grid = PixelGrid(shape, len(W))
    used = _check_used(used, len(W))
    if weight == 0:
        return LocalEstimate(W, used)
    (Y, B), k = sum_alike_channels(X, H, n_jobs), len(H)
    options = {"B": B, "start": W.mean(axis=0), "weight": weight, "n_jobs": n_jobs}
    smooth_images = None
    if images is not None:
        smooth_images = _smooth_images(images, used, grid, n_jobs)
        Y = np.column_stack([Y, smooth_images[0]])
    if isinstance(X, CountBlocks) or 8 * Y.size > TILES_AT_LEAST * TILE_BYTES:
        averages, n_averaged = _grow_in_tiles(X, Y, W, used, grid, options)
    else:
        averages, n_averaged = _grow_windows(Y, W, used, grid, **options)
    del Y
    averages, images_averaged = averages[:, :k], averages[:, k:]
    options = {"size": grid.surroundings, "n_jobs": n_jobs}
    blocks = X if isinstance(X, CountBlocks) else None
    means, n_averaged = shrink_to_surroundings(
        averages, B, n_averaged, grid.shape, images=smooth_images, blocks=blocks, **options
    )
    if smooth_images is not None:
        details = smooth_images[0] - images_averaged
        added = find_details(W, averages, B, details, used, grid.shape, **options)
        means = stay_positive(means, means + added)
    shifts = _find_shifts(averages, images, shape)
    del averages  # of large maps these are gigabytes
    total = means.sum(axis=1)
    alike = (n_averaged > 1) & (total > 0)
    # Weights over their sums are not symmetric, so means need not add up to the counts of the map.
    scale = W.sum(axis=1)[alike].sum() / max(total[alike].sum(), TINY)
    means *= scale
    means[~alike] = W[~alike]
    return LocalEstimate(means, n_averaged, shifts)


def _smooth_images(images, used, grid, n_jobs):
    """Return smoothed images, of mean 0, and the variances of their noise."""
    values, variances = [], []
    options = {"B": np.ones((1, 1)), "weight": 1.0, "n_jobs": n_jobs}
    for image in images:
        scale = NoiseScale(image.reshape(grid.rows_and_columns))
        counts = scale.as_counts(image)[:, None] * used[:, None]
        start = counts.mean(axis=0)
        means, n = _grow_windows(counts, counts, used, grid, start=start, **options)
        smooth, variance = scale.as_image(means[:, 0])
        values.append(smooth - smooth.mean())  # they become single floats
        variances.append(variance / np.maximum(n, 1))
    return np.stack(values, axis=1), np.stack(variances, axis=1)


def _find_shifts(W, images, shape):
    if images is None or len(shape) != 2:
        return ()
    maps = W.reshape(*shape, -1)
    return tuple(find_shift(maps, image.reshape(shape)) for image in images)


def _check_used(used, n_pixels):
    """Return 1.0 for pixels used and 0.0 for the others."""
    if used is None:
        return np.ones(n_pixels)
    used = np.asarray(used)
    if used.dtype != bool or used.shape != (n_pixels,):
        raise ValueError(
            f"used must be boolean and of shape ({n_pixels},), not {used.dtype} of {used.shape}"
        )
    return used.astype(float)


def _grow_windows(Y, W, used, grid, *, B, start, weight, n_jobs):
    """Return mean loadings of each pixel's neighbourhood, and the sums of weights.

    Columns of Y that B does not have are averaged too, and follow the loadings.
    """
    n_groups = B.shape[1]
    scale = 1 / chdtri(len(B), SIGNIFICANCE)  # of chi-squared
    expected = start @ B
    ratios = B / np.where(expected > 0, expected, 1.0)
    folded, means = grid.fold(Y), W
    sums, weights = folded, grid.fold(used[:, None])[:, 0]
    for step, (offsets, locations) in enumerate(grid.windows(weight), start=1):
        sums, weights = sum_neighbours(
            folded,
            fit_samples(
                np.ascontiguousarray(sums[:, :n_groups]), weights, means, ratios, n_jobs=n_jobs
            ),
            offsets=offsets,
            locations=locations,
            scale=scale,
            n_rows=grid.n_rows,
            n_jobs=n_jobs,
        )
        n_averaged = weights.ravel().astype(float)
        # Zero means fit no counts: pixels without counts start from the mean of the map.
        means = np.where(means.any(axis=1)[:, None], means, start)
        # Before the last window, estimates are only compared: one Newton step is enough.
        max_iter = 1 if step < len(grid.radii) else LAST_STEPS
        options = {"tol": TOL, "max_iter": max_iter, "n_jobs": n_jobs}
        found = grid.unfold(sums)
        means, _ = solve_rows(np.ascontiguousarray(found[:, :n_groups]), B.T, means, **options)
        divisor = np.maximum(n_averaged, TINY)[:, None]
        means /= divisor
    return np.hstack([means, found[:, n_groups:] / divisor]), n_averaged


def _grow_in_tiles(X, Y, W, used, grid, options):
    """Return the same as `_grow_windows`, for some pixels of the map at a time."""
    most = X.block_bytes if isinstance(X, CountBlocks) else TILE_BYTES
    n_pixels = min(TILE_BYTES, most) // (8 * Y.shape[1])
    tiles = list(overlapping_tiles(grid.shape, grid.reach, n_pixels))
    arguments = ((*map(tile.take, (Y, W, used)), tile.shape) for tile in tiles)
    n_values = W.shape[1] + Y.shape[1] - options["B"].shape[1]
    means, n_averaged = np.empty((len(W), n_values)), np.empty(len(W))
    found = call(X, _grow_tile, arguments, **options)
    for tile, (of_tile, n_of_tile) in zip(tiles, found, strict=True):
        tile.put(of_tile, means)
        tile.put(n_of_tile, n_averaged)
    return means, n_averaged


def _grow_tile(Y, W, used, shape, **options):
    return _grow_windows(Y, W, used, PixelGrid(shape, len(W)), n_jobs=1, **options)
