# SPDX-License-Identifier: GPL-3.0-or-later
r"""Likelihood-ratio test of factorisations against the most likely one.

.. math:: D - D_{min} \le \tfrac12 \chi^2_{1 + n_{min} - n}(confidence),

with n the number of entries above zero: of W, and of H or, of spectra made of templates, of P.
One degree of freedom is that of the path in `profile_likelihood`. The others are entries that
became zero: each of them had fitted half a nat of noise on average, so that the likelihood prefers
mixtures, which have no zeros, to phases that are not present in some pixels and channels. With
:math:`\chi^2_1` alone, the true solution is excluded for a phase of 1 % of the counts (compare
the adjusted profile likelihood [1]_). Errors of the model are not included.

References
----------
.. [1] D. R. Cox, N. Reid, J. R. Stat. Soc. B 49 (1987) 1.
   https://doi.org/10.1111/j.2517-6161.1987.tb01422.x
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from hyperspy_psnmf.nmf.lines.weights import LineSpectra


@dataclass(frozen=True, eq=False)
class LikelihoodRatio:
    """Likelihood-ratio test of a factorisation against the most likely one.

    Attributes
    ----------
    excess : float
        Divergence above that of the most likely one, in nats.
    limit : float
        Largest excess that the test does not reject, in nats.
    """

    excess: float
    limit: float

    @property
    def is_as_likely(self) -> bool:
        """Whether the test does not reject the factorisation."""
        return self.excess <= self.limit


@dataclass(frozen=True, eq=False)
class Solution:
    """A factorisation.

    Attributes
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts; each row adds up to its counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    divergence : float
        In nats.
    n_free : int
        Entries above zero of W, and of the free rows of H or, of spectra made of templates, of
        their weights.
    spectra : LineSpectra, optional
        Spectra made of templates.
    """

    W: np.ndarray
    H: np.ndarray
    divergence: float
    n_free: int
    spectra: LineSpectra | None = None

    def compare(self, best: "Solution", confidence: float) -> LikelihoodRatio:
        """Return the likelihood-ratio test of this against `best`."""
        degrees = 1 + max(0, best.n_free - self.n_free)
        limit = float(gammaincinv(degrees / 2, confidence))  # half a quantile of chi-squared
        return LikelihoodRatio(self.divergence - best.divergence, limit)

    def is_as_likely(self, best: "Solution", confidence: float) -> bool:
        """Return whether a likelihood-ratio test does not reject this against `best`."""
        return self.compare(best, confidence).is_as_likely
