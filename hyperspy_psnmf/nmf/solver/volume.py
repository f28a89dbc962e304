# SPDX-License-Identifier: GPL-3.0-or-later
r"""The volume term: a penalty on the volume that the spectra span (minimum-volume NMF).

Many pairs W, H have the same product; minimum volume selects those whose spectra enclose
the data most tightly [1]_. The term is

.. math:: \lambda \log\det(H \,\mathrm{diag}(d)\, H^T + \delta I), \qquad d_j = 1 / \bar x_j,

with :math:`\bar x` the mean spectrum of unit sum, so that a channel is weighted by
its inverse variance, and :math:`\lambda` the weight times half the number
of rows. :math:`\delta` is the number of components over the mean counts of a row,
the expected variance; without it the objective has no lower bound.

The term is not convex. At :math:`\tilde H`, with
:math:`Y = (\tilde H \mathrm{diag}(d) \tilde H^T + \delta I)^{-1}`, the tangent of
log det, and Jensen's inequality for what keeps rows of H at unit sum, give a
convex bound that touches it, one problem for every channel [2]_:

.. math:: \lambda d_j h^T Y h + \lambda \delta \sum_k Y_{kk} h_k^2 / \tilde H_{kj}
          - 2 \lambda \sum_k \tilde H_{kj} \log h_k

Minimising the bound and rescaling the rows never raises the objective.

References
----------
.. [1] X. Fu, K. Huang, N. D. Sidiropoulos, W.-K. Ma, IEEE Signal Process. Mag.
   36 (2019) 59. https://doi.org/10.1109/MSP.2018.2877582
.. [2] V. Leplat, N. Gillis, A. M. S. Ang, IEEE Trans. Signal Process. 68 (2020)
   3400. https://doi.org/10.1109/TSP.2020.2991801
"""

import numpy as np

from hyperspy_psnmf.kernels.newton.rows import NO_TERMS, RowTerms
from hyperspy_psnmf.nmf.counts.matrix import total_counts


class VolumeTerm:
    """The volume of spectra as a penalty.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    n_components : int
        Number of spectra.
    weight : float
        0 is no penalty.
    n_fixed : int
        The first `n_fixed` spectra are fixed.
    """

    def __init__(self, X, n_components: int, weight: float, n_fixed: int = 0):
        counts = total_counts(X, axis=0)
        n_counts, n_rows = counts.sum(), X.shape[0]
        self.strength = weight * n_rows / 2 if n_counts else 0.0
        self.d = np.divide(n_counts, counts, out=np.zeros_like(counts), where=counts > 0)
        self.ridge = n_components * n_rows / max(n_counts, 1.0) * np.eye(n_components)
        self.n_fixed = n_fixed

    def __bool__(self):
        return self.strength > 0

    def _gram(self, B):
        return B.T @ (self.d[:, None] * B) + self.ridge

    def value(self, B: np.ndarray) -> float:
        """Return the penalty, in nats, of spectra B (n_channels, n_components) of unit sum."""
        return self.strength * np.linalg.slogdet(self._gram(B))[1] if self else 0.0

    def bound(self, B: np.ndarray) -> RowTerms:
        """Return the convex bound that touches the penalty at B, one row per channel."""
        if not self:
            return NO_TERMS
        Y = np.linalg.inv(self._gram(B))
        # Fixed spectra need no terms that keep their sums at 1.
        free = np.arange(B.shape[1]) >= self.n_fixed
        at = np.where(free, B, 0.0)
        scale_of_row = self.ridge[0, 0] * np.diag(Y)
        diagonal = np.divide(scale_of_row, at, out=np.zeros_like(at), where=at > 0)
        s = 2 * self.strength
        return RowTerms(np.zeros_like(B), s * at, s * self.d, Y, s * diagonal)
