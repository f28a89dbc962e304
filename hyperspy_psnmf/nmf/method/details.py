# SPDX-License-Identifier: GPL-3.0-or-later
r"""Details of images that the smoothing of loadings has blurred, added where counts confirm them.

Pan-sharpening by detail injection [1]_: an image g, averaged with the weights that the loadings
were averaged with, has lost the details d. In a window around a pixel the residuals of the
loadings, r, pixel by pixel, are regressed on them,

.. math:: \beta = \frac{\sum_j d_j r_j}{\sum_j d_j^2}, \qquad
    \mathrm{var}\, \beta = \frac{\sum_j d_j^2 P_j}{(\sum_j d_j^2)^2},

P the variance of the loadings of a pixel. What is added is :math:`\beta d`, times
:math:`1 - z^2 \mathrm{var}(\beta) / \beta^2` where :math:`\beta` is more than z standard errors,
and nothing elsewhere: no image makes details that the counts do not have.

References
----------
.. [1] G. Vivone et al., IEEE Trans. Geosci. Remote Sens. 53 (2015) 2565.
   https://doi.org/10.1109/TGRS.2014.2361734
"""

import numpy as np

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.nmf.counts.overlapping_tiles import overlapping_tiles
from hyperspy_psnmf.nmf.method.local_covariance import TILE_BYTES, LocalMean
from hyperspy_psnmf.nmf.solver.fisher import covariance

# Standard errors, as for a detection: there are as many tests as pixels, components and images.
SIGNIFICANT = 5.0


def find_details(
    W: np.ndarray,
    means: np.ndarray,
    B: np.ndarray,
    details: np.ndarray,
    used: np.ndarray,
    shape: tuple[int, ...],
    *,
    size: tuple[int, int],
    n_jobs: int | None = 1,
) -> np.ndarray:
    """Return what details of images add to smoothed loadings.

    Parameters
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings of each pixel by itself, in counts, in C order of the map.
    means : ndarray of shape (n_pixels, n_components)
        Smoothed loadings.
    B : ndarray of shape (n_components, n_channels)
        Spectra.
    details : ndarray of shape (n_pixels, n_images)
        Images minus their averages with the weights of `means`.
    used : ndarray of shape (n_pixels,)
        1 in pixels used, 0 in others.
    shape : tuple of int
        Of the map; along the first of three axes pixels are no neighbours.
    size : (int, int)
        Rows and columns of the window, odd.
    n_jobs : int or None
        Threads; None is all cores. The result does not depend on it.

    Returns
    -------
    ndarray of shape (n_pixels, n_components)
        In counts.
    """
    found = np.empty(W.shape)
    halo, n_pixels = (size[0] // 2, size[1] // 2), TILE_BYTES // (8 * W.shape[1] ** 2)

    def find(tile):
        of_pixels, smooth, detail, is_used = map(tile.take, (W, means, details, used))
        values = _find(of_pixels - smooth, smooth, B, detail, is_used > 0, tile.shape, size)
        tile.put(values, found)

    run_blocks(find, list(overlapping_tiles(shape, halo, n_pixels)), n_jobs)
    return found


def _find(residuals, means, B, details, used, shape, size):
    mean, added = LocalMean(used, shape, size), np.zeros_like(means)
    n = np.maximum(mean.n, 1)[:, None]
    variance = np.einsum("icc->ic", covariance(means + 1, B.T))
    for detail in details.T:
        d = np.where(used, detail, 0)[:, None]
        squares = np.maximum(mean(d * d), TINY)
        slope = mean(d * (residuals - added)) / squares
        error = mean(d * d * variance) / (n * squares * squares)
        ratio = SIGNIFICANT**2 * error / np.maximum(slope * slope, TINY)
        added += np.maximum(1 - ratio, 0) * slope * d
    return added
