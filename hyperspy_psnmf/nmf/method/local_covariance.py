# SPDX-License-Identifier: GPL-3.0-or-later
r"""Local linear minimum mean square error (Wiener) filter of loading maps.

The smoothed loadings of a pixel, v, have the covariance P of counting statistics. In a window
around it, loadings have the mean m, and their deviations from the mean around each have the
covariance C, of which the mean of P is noise: :math:`S = C - \bar P`, negative eigenvalues set to
zero, is the covariance of the specimen itself. The best linear estimate is [1]_ [2]_

.. math:: u = m + S (S + P)^{-1} (v - m).

Where S is much larger than P, as at edges, u is v; where loadings vary no more than their noise
makes them, u is m; pixels unlike their surroundings keep v. S is a matrix: in a film of constant
thickness the phases of a pixel may vary, but one sum of them does not, and u has no noise there.

References
----------
.. [1] J.-S. Lee, IEEE Trans. Pattern Anal. Mach. Intell. 2 (1980) 165.
   https://doi.org/10.1109/TPAMI.1980.4766994
.. [2] D. T. Kuan et al., IEEE Trans. Pattern Anal. Mach. Intell. 7 (1985) 165.
   https://doi.org/10.1109/TPAMI.1985.4767641
"""

import numpy as np
from scipy.ndimage import maximum_filter, uniform_filter
from scipy.special import chdtri

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks, call
from hyperspy_psnmf.nmf.counts.overlapping_tiles import overlapping_tiles
from hyperspy_psnmf.nmf.solver.fisher import covariance

TILE_BYTES = 2_000_000  # of covariances at a time in each thread, with fifteen such arrays
# p-value of (v - m)' (S + P)^-1 (v - m), chi-squared where the estimate applies, at which loadings
# stay as they are: a particle of few pixels is hardly in S. At 1e-3 those of three pixels lose 3 %
# of their counts at 20 counts per pixel; at 0.05 the error of graded maps is 1 to 5 % higher.
RARE = 0.01
RIDGE = 1e-9  # relative: all loadings of empty surroundings have no covariance


def shrink_to_surroundings(
    W: np.ndarray,
    B: np.ndarray,
    n_averaged: np.ndarray,
    shape: tuple[int, ...],
    *,
    size: tuple[int, int],
    images: tuple[np.ndarray, np.ndarray] | None = None,
    n_jobs: int | None = 1,
    blocks: CountBlocks | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best linear estimate of loadings from themselves and their surroundings.

    Parameters
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts, each an average of some pixels, in C order of the map.
    B : ndarray of shape (n_components, n_channels)
        Spectra.
    n_averaged : ndarray of shape (n_pixels,)
        Effective number of pixels averaged; 0 in pixels left out.
    shape : tuple of int
        Of the map; along the first of three axes pixels are no neighbours.
    size : (int, int)
        Rows and columns of the window, odd.
    images : (ndarray, ndarray), each of shape (n_pixels, n_images), optional
        Other quantities of each pixel, and the variances of their noise: components of v, m, C
        and P that help to estimate the loadings.
    n_jobs : int or None
        Threads; None is all cores. The result does not depend on it.
    blocks : CountBlocks, optional
        Of the map's counts: tiles of the map are sent to where they are.

    Returns
    -------
    W : ndarray of shape (n_pixels, n_components)
    n_averaged : ndarray of shape (n_pixels,)
        Effective number of pixels of averages with the same total variance, in units of P.
    """
    others, variances = images or (np.empty((len(W), 0)), np.empty((len(W), 0)))
    n_values = W.shape[1] + others.shape[1]
    tiles = list(overlapping_tiles(shape, size, TILE_BYTES // (8 * n_values**2)))
    arguments = (
        (*map(tile.take, (W, n_averaged, others, variances)), tile.shape) for tile in tiles
    )
    found, n_found = np.empty_like(W), np.empty(len(W))
    results = call(blocks, _shrink, arguments, n_jobs=n_jobs, B=B, size=size)
    for tile, (values, n) in zip(tiles, results, strict=True):
        tile.put(values, found)
        tile.put(n, n_found)
    return found, n_found


def _shrink(W, n, others, variances, shape, *, B, size):
    used, k = n > 0, W.shape[1]
    mean = LocalMean(used, shape, size)
    values, P = np.column_stack([W, others]), _noise(W, B, n, variances)
    P_around = mean(P)
    deviation = np.where(used[:, None], values - mean(values), 0)
    C = mean(deviation[:, :, None] * deviation[:, None, :])
    total = P + _positive_part(C - P_around, P_around)
    ridge = RIDGE * np.einsum("iaa->ia", total) + TINY
    total += ridge[:, :, None] * np.eye(values.shape[1])
    # The transpose of P (S + P)^-1, and (S + P)^-1 (v - m).
    solved = np.linalg.solve(total, np.concatenate([P, deviation[:, :, None]], axis=2))
    of_noise, distance = solved[:, :, :k], np.einsum("ia,ia->i", deviation, solved[:, :, -1])
    of_noise = _is_typical(distance, values.shape[1], shape)[:, None, None] * of_noise
    estimate = stay_positive(W, W - np.einsum("iab,ia->ib", of_noise, deviation))
    n_estimate = n * _gain(of_noise[:, :k], mean.n, n)
    # Where all pixels around are empty, as in a hole, there is no phase.
    known = used & W.any(axis=1)
    return np.where(known[:, None], estimate, W), np.where(known, n_estimate, n)


def _noise(W, B, n, variances):
    """Return the covariances of loadings, averages of n pixels, and of images beside them."""
    k, n = W.shape[1], np.maximum(n, 1)
    P = np.zeros((len(W), *[k + variances.shape[1]] * 2))
    P[:, :k, :k] = covariance(W + 1 / n[:, None], B.T) / n[:, None, None]
    np.einsum("iaa->ia", P)[:, k:] = variances
    return P


def _is_typical(distance, k, shape):
    """Return 1 where loadings are as in the surroundings, 0 where they or those beside differ."""
    around = maximum_filter(distance.reshape(shape), 3, mode="nearest")
    limit = chdtri(k, RARE)  # of chi-squared
    return np.clip(2 - 2 * around / limit, 0, 1).ravel()


def stay_positive(W: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Return an estimate, but where it is lower than W the same to first order and positive."""
    # Half of a loading is lost where all of it would be.
    decrease = np.maximum(W - estimate, 0)
    lower = W * W / np.maximum(W + decrease, TINY)
    return np.where(decrease > 0, lower, estimate)


def _positive_part(S, scale):
    """Return S with negative eigenvalues set to zero, in units of standard errors."""
    sigma = np.sqrt(np.maximum(np.einsum("iaa->ia", scale), TINY))
    units = sigma[:, :, None] * sigma[:, None, :]
    values, vectors = np.linalg.eigh(S / units)
    return units * np.einsum("iab,ib,icb->iac", vectors, np.maximum(values, 0), vectors)


def _gain(of_noise, n_around, n):
    """Return by how much the mean variance falls, in units of the noise of each direction.

    Of the window's mean, the noise is that of the pixels averaged in it.
    """
    k = of_noise.shape[1]
    lost = np.einsum("iaa->i", of_noise) / k
    squared = np.einsum("iab,iba->i", of_noise, of_noise) / k
    return 1 / np.clip(1 - lost + squared * n / (n + n_around), n / (n + n_around), 1)


class LocalMean:
    """Means over a window, of the pixels used.

    Parameters
    ----------
    used : ndarray of bool of shape (n_pixels,)
        False in pixels left out.
    shape : (int, int)
        Rows and columns.
    size : (int, int)
        Of the window, odd.
    """

    def __init__(self, used, shape, size):
        self.shape, self.size = shape, size
        self.used = used.astype(float)
        share = self._filter(self.used)
        self.scale = 1 / np.maximum(share, 1 / (2 * np.prod(size)))
        self.n = np.prod(size) * share

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the means of values, of shape (n_pixels, ...)."""
        weights = self.used.reshape(-1, *[1] * (values.ndim - 1))
        scale = self.scale.reshape(weights.shape)
        return scale * self._filter(weights * values)

    def _filter(self, values):
        rows = values.reshape(*self.shape, -1)
        found = uniform_filter(rows, (*self.size, 1), mode="constant")
        return found.reshape(values.shape)
