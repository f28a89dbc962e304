# SPDX-License-Identifier: GPL-3.0-or-later
r"""Images of the mapped area (HAADF, backscattered electrons) beside the loadings of a map.

An image has far less noise than a map of counts. Its covariance with the loadings in the
surroundings of a pixel says what its deviation from the mean there predicts of them; see
`local_covariance`. So an image that has nothing to do with the map has no influence, whatever the
sign and scale of its contrast.

Its noise is taken from the image itself: at each intensity the median of the absolute second
differences [1]_, which slopes do not enter. On the scale :math:`\int \mathrm{d}g / \sigma(g)` this
noise is constant, as is that of the root of counts: on it an image is averaged by the same
adaptive weights as counts.

References
----------
.. [1] J. Immerkær, Comput. Vis. Image Underst. 64 (1996) 300.
   https://doi.org/10.1006/cviu.1996.0060
"""

import numpy as np
from scipy.ndimage import convolve, uniform_filter

from hyperspy_psnmf.kernels.limits import TINY

SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6.0  # noise stays as it is
MAD_OF_NORMAL = 0.6745  # median absolute deviation of a normal distribution, standard deviations
LEVELS = 12  # of intensity, at which noise is estimated
SMALLEST_NOISE = 1e-3  # of the range, as of an image of 10 bits
LEAST_COUNTS = 100.0  # from where on the root of counts has constant noise within 1 %
MAX_SHIFT = 5  # pixels
# Least fall of the variance that loadings leave of an image, by which a shift is noticed.
MIN_FALL = 0.1


class NoiseScale:
    """Intensities of an image, and numbers that have the noise of counts.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)
        Not constant.
    """

    def __init__(self, image: np.ndarray):
        self._sigma, self._levels = _noise(image)
        # Beyond the means of the lowest and the highest levels, their noise.
        ends = np.array([image.min(), image.max()])
        self._levels = np.clip(self._levels, *ends)
        self._levels = np.concatenate([ends[:1], self._levels, ends[1:]])
        self._sigma = np.concatenate([self._sigma[:1], self._sigma, self._sigma[-1:]])
        steps = np.diff(self._levels) / ((self._sigma[1:] + self._sigma[:-1]) / 2)
        self._roots = np.sqrt(LEAST_COUNTS) + np.concatenate([[0.0], np.cumsum(steps)]) / 2

    def as_counts(self, image: np.ndarray) -> np.ndarray:
        """Return numbers of which a difference of the roots is half of one in units of noise."""
        return np.interp(image, self._levels, self._roots) ** 2

    def as_image(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return intensities, and the variances of noise at these."""
        image = np.interp(np.sqrt(counts), self._roots, self._levels)
        return image, np.interp(image, self._levels, self._sigma) ** 2


def _noise(image):
    """Return the standard deviation of noise at rising levels of intensity, and these."""
    differences = np.abs(convolve(image, SECOND_DIFFERENCES, mode="nearest")).ravel()
    means = uniform_filter(image, 3, mode="nearest").ravel()
    order = np.array_split(np.argsort(means, kind="stable"), LEVELS)
    levels = np.array([means[part].mean() for part in order if part.size])
    sigma = [np.median(differences[part]) / MAD_OF_NORMAL for part in order if part.size]
    rises = np.concatenate([[True], np.diff(levels) > 0])
    return np.maximum(sigma, SMALLEST_NOISE * np.ptp(image))[rises], levels[rises]


def find_shift(W: np.ndarray, image: np.ndarray) -> tuple[int, int]:
    """Return the shift in pixels after which loadings explain an image best.

    Parameters
    ----------
    W : ndarray of shape (ny, nx, n_components)
        Loadings.
    image : ndarray of shape (ny, nx)

    Returns
    -------
    tuple of int
        Rows and columns by which to move the image; (0, 0) where no shift is clearly better.
    """
    limits = [min(MAX_SHIFT, (n - 1) // 4) for n in image.shape]
    inner = tuple(slice(m, n - m) for m, n in zip(limits, image.shape, strict=True))
    basis = W[inner].reshape(-1, W.shape[2])
    basis = np.column_stack([basis, np.ones(len(basis))])
    orthonormal, _ = np.linalg.qr(basis / np.maximum(np.abs(basis).max(axis=0), TINY))
    shifts = [
        (y, x) for y in range(-limits[0], limits[0] + 1) for x in range(-limits[1], limits[1] + 1)
    ]
    left = [_unexplained(orthonormal, np.roll(image, shift, (0, 1))[inner]) for shift in shifts]
    best = int(np.argmin(left))
    return shifts[best] if left[best] < (1 - MIN_FALL) * left[shifts.index((0, 0))] else (0, 0)


def _unexplained(orthonormal, image):
    """Return the fraction of the image's variance that is not in the span of the basis."""
    values = image.ravel() - image.mean()
    total = values @ values
    return 1 - ((orthonormal.T @ values) ** 2).sum() / total if total > 0 else 1.0
