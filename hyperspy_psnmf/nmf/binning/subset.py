# SPDX-License-Identifier: GPL-3.0-or-later
"""Some bins that stand for all of a map, rare phases included."""

import numpy as np

from hyperspy_psnmf.nmf.counts.matrix import total_counts

ROWS_AT_A_TIME = 128  # stay in cache


def choose_bins(binned, n: int) -> np.ndarray:
    """Return the indices of `n` bins, ascending: every so many, and those least like the mean.

    Parameters
    ----------
    binned : ndarray or csr_array of shape (n_bins, n_channels)
        Counts.
    n : int
        Number of bins to choose, at most `n_bins`. Half are spread evenly over the map;
        the other half is where the spectrum is strangest.
    """
    even = np.linspace(0, binned.shape[0] - 1, n // 2).astype(int)
    strangeness = _strangeness(binned)
    strangeness[even] = -np.inf
    n_strange = n - n // 2
    strange = np.argpartition(strangeness, -n_strange)[-n_strange:]
    return np.sort(np.concatenate([even, strange]))


def _strangeness(binned):
    """Return Pearson's chi-squared of each bin from the mean spectrum."""
    mean = total_counts(binned, axis=0)
    weight = np.divide(mean.sum(), mean, out=np.zeros_like(mean), where=mean > 0)
    counts, found = total_counts(binned, axis=1), np.zeros(binned.shape[0])
    for first in range(0, len(found), ROWS_AT_A_TIME):
        rows = binned[first : first + ROWS_AT_A_TIME]
        found[first : first + ROWS_AT_A_TIME] = rows**2 @ weight
    return np.divide(found, counts, out=np.zeros_like(found), where=counts > 0) - counts
