# SPDX-License-Identifier: GPL-3.0-or-later
"""A subset of bins that represents a map, rare phases included."""

import numpy as np

from hyperspy_psnmf.nmf.counts.matrix import total_counts

ROWS_AT_A_TIME = 128  # stay in cache


def choose_bins(binned, n: int) -> np.ndarray:
    """Return the indices of `n` bins, ascending: evenly spaced, and those least like the mean.

    Parameters
    ----------
    binned : ndarray or csr_array of shape (n_bins, n_channels)
        Counts.
    n : int
        Number of bins to choose, at most `n_bins`. Half are spread evenly over the map;
        the other half has the largest chi-squared from the mean spectrum.
    """
    even = np.linspace(0, binned.shape[0] - 1, n // 2).astype(int)
    chi_squared = _chi_squared(binned)
    chi_squared[even] = -np.inf
    n_others = n - n // 2
    others = np.argpartition(chi_squared, -n_others)[-n_others:]
    return np.sort(np.concatenate([even, others]))


def _chi_squared(binned):
    """Return Pearson's chi-squared of each bin from the mean spectrum."""
    mean = total_counts(binned, axis=0)
    weight = np.divide(mean.sum(), mean, out=np.zeros_like(mean), where=mean > 0)
    counts, found = total_counts(binned, axis=1), np.zeros(binned.shape[0])
    for first in range(0, len(found), ROWS_AT_A_TIME):
        rows = binned[first : first + ROWS_AT_A_TIME]
        found[first : first + ROWS_AT_A_TIME] = rows**2 @ weight
    return np.divide(found, counts, out=np.zeros_like(found), where=counts > 0) - counts
