# SPDX-License-Identifier: GPL-3.0-or-later
r"""How well counts determine loadings and spectra.

With the spectra held, loadings of row i have the expected Fisher information

.. math:: I_{cd} = \sum_j H_{cj} H_{dj} / \mu_{ij}, \qquad \mu = W H,

summed over all channels: the observed one, which weighs by the counts that
happened to be there, fails where counts are few. With the loadings held the
same holds for every channel of the spectra.
"""

import numpy as np

ENTRIES_AT_ONCE = 4_000_000
RIDGE = 1e-9  # relative; a component without loadings or spectrum has no information


def information(V: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return the expected information on every row of coefficients.

    Parameters
    ----------
    V : ndarray of shape (n_rows, n_components)
        Coefficients: loadings, or spectra transposed.
    B : ndarray of shape (n_columns, n_components)
        Basis: spectra transposed, or loadings.

    Returns
    -------
    ndarray of shape (n_rows, n_components, n_components)
        Per square count.
    """
    k = B.shape[1]
    products = (B[:, :, None] * B[:, None, :]).reshape(len(B), k * k)
    found = np.empty((len(V), k * k))
    step = max(1, ENTRIES_AT_ONCE // len(B))
    for first in range(0, len(V), step):
        mu = V[first : first + step] @ B.T
        weight = np.divide(1.0, mu, out=np.zeros_like(mu), where=mu > 0)
        found[first : first + step] = weight @ products
    return found.reshape(len(V), k, k)


def covariance(V: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return the inverse of `information`, with all components free."""
    found = information(V, B)
    scale = np.sqrt(np.einsum("ikk->ik", found))
    scale[scale == 0] = 1.0
    pairs = scale[:, :, None] * scale[:, None, :]
    return np.linalg.inv(found / pairs + RIDGE * np.eye(B.shape[1])) / pairs


def standard_deviation(V: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return the square roots of the diagonals of `covariance`."""
    return np.sqrt(np.einsum("ikk->ik", covariance(V, B)))
