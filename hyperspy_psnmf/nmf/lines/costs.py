# SPDX-License-Identifier: GPL-3.0-or-later
"""Costs in nats of loadings, of their patterns and of elements, for `criterion`."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from hyperspy_psnmf.nmf.lines.weights import LineSpectra

# Nats per loading (Kullback), and weight of the number of patterns (extended BIC). Chosen together
# on five phantoms of several shapes at 15 and 50 counts per pixel. With less for the pattern,
# particles in a matrix are merged with it; with less for a loading, or more for the pattern, a
# matrix is everywhere; with more for a loading, shells are merged with their cores.
LOADING_COST, PATTERN_WEIGHT = 1.5, 0.45
# Counts of one observation in the sense of BIC, in regions. It matters where these have more than
# 2200 counts: few loadings of many counts each must not cost less together than an element.
COUNTS_PER_OBSERVATION = 110.0


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs in nats of what is not zero.

    Attributes
    ----------
    loading : float
        Of every loading.
    element : float
        Of every element in the spectrum of a component.
    pattern : float
        Weight of the logarithm of the number of patterns of the loadings of a component.
    """

    loading: float
    element: float
    pattern: float = PATTERN_WEIGHT

    def of(self, W: np.ndarray, spectra: LineSpectra) -> float:
        """Return the costs of all loadings and elements."""
        of_loadings = self.of_numbers(W)[np.count_nonzero(W, axis=0)].sum()
        return float(of_loadings + self.element * np.count_nonzero(spectra.has_element))

    def of_numbers(self, W: np.ndarray) -> np.ndarray:
        """Return the costs of none to all loadings of a component that are not zero."""
        n = np.count_nonzero(W.any(axis=1))  # no phase is in an empty pixel
        m = np.minimum(np.arange(len(W) + 1), n)
        patterns = gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1)
        return self.loading * m + self.pattern * patterns


def default_costs(n_counts: float, n_regions: int | None = None) -> Costs:
    """Return the costs for a map of some counts, in bins, or in so many regions merged of them."""
    n_observations = n_counts / n_regions / COUNTS_PER_OBSERVATION if n_regions else 1.0
    loading = max(LOADING_COST, 0.5 * np.log(max(n_observations, 1.0)))
    return Costs(loading, 0.5 * np.log(max(n_counts, 2.0)))
