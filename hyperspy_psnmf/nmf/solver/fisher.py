# SPDX-License-Identifier: GPL-3.0-or-later
r"""Expected Fisher information and covariance of loadings and of spectra.

For fixed spectra, the loadings of row i have the expected Fisher information

.. math:: I_{cd} = \sum_j H_{cj} H_{dj} / \mu_{ij}, \qquad \mu = W H,

summed over all channels: the observed information, weighted by the observed
counts, fails where counts are few. For fixed loadings the same formula applies to
every channel of the spectra.
"""

import numpy as np

from hyperspy_psnmf.kernels import expected

AT_ZERO = 1e-6  # fraction of a row's or channel's counts; a solver at zero stops well below
RIDGE = 1e-12  # relative; identical spectra get huge standard errors, not infinite ones


def are_free(W: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Return which loadings are above zero and have a spectrum.

    Parameters
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra.

    Returns
    -------
    ndarray of bool, of shape (n_pixels, n_components)
    """
    return (AT_ZERO * W.sum(axis=1, keepdims=True) < W) & H.any(axis=1)


def information(V: np.ndarray, B: np.ndarray, n_jobs: int | None = 1) -> np.ndarray:
    """Return the expected information on every row of coefficients.

    Parameters
    ----------
    V : ndarray of shape (n_rows, n_components)
        Coefficients: loadings, or spectra transposed.
    B : ndarray of shape (n_columns, n_components)
        Basis: spectra transposed, or loadings.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_rows, n_components, n_components)
        Per square count. Expected counts are never kept for all rows.
    """
    return expected.information(V, B, n_jobs=n_jobs)


def invert_free(found: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Invert the free part of every matrix; the rest becomes zero.

    Parameters
    ----------
    found : ndarray of shape (n_rows, n_components, n_components)
        Information.
    free : ndarray of bool of shape (n_rows, n_components)
        Which coefficients may vary.
    """
    both = free[:, :, None] & free[:, None, :]
    diagonal = np.einsum("icc->ic", found)
    scale = np.sqrt(np.where(free & (diagonal > 0), diagonal, 1.0))
    scale = scale[:, :, None] * scale[:, None, :]
    ridge = np.where(free, RIDGE, 1.0)[:, :, None] * np.eye(free.shape[1])
    inverse = np.linalg.inv(np.where(both, found / scale, 0.0) + ridge)
    return np.where(both, inverse / scale, 0.0)


def covariance(V: np.ndarray, B: np.ndarray, n_jobs: int | None = 1) -> np.ndarray:
    """Return the inverse of `information`, with all components free that have a basis."""
    free = np.repeat([B.any(axis=0)], len(V), axis=0)
    return invert_free(information(V, B, n_jobs), free)


def standard_deviation(V: np.ndarray, B: np.ndarray, n_jobs: int | None = 1) -> np.ndarray:
    """Return the square roots of the diagonals of `covariance`."""
    return np.sqrt(np.einsum("ikk->ik", covariance(V, B, n_jobs)))
