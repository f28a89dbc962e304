# SPDX-License-Identifier: GPL-3.0-or-later
r"""Regions of neighbouring bins that look alike: small bins where phases meet, few elsewhere.

Square bins large enough for a spectrum mix phases at every interface, and none may be pure. Small
bins are merged with neighbours instead, the two first whose spectra differ least,

.. math:: \frac{n_a n_b}{n_a + n_b} \sum_j \frac{(f_{aj} - f_{bj})^2}{\bar f_j}

with n counts and the fraction f of them in each channel: about twice the loss of log-likelihood.
It is Ward's criterion, weighted by counts.

References
----------
J. H. Ward, J. Am. Stat. Assoc. 58 (1963) 236.
"""

import heapq

import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.binning.bins import spatial_axes


def find_regions(X, shape: tuple[int, ...], n_regions: int) -> np.ndarray:
    """Return the region of each bin.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_bins, n_channels)
        Counts, with channels summed to few: the noise of many is alike nowhere.
    shape : tuple of int
        Of the binned map, in array order. Bins are merged within an image, not across a series.
    n_regions : int
        Number of regions; more where there are more images.

    Returns
    -------
    ndarray of int of shape (n_bins,)
        From 0 on, without gaps.
    """
    regions = _Regions(X.toarray() if sp.issparse(X) else X, shape)
    costs = [
        entry
        for a, others in enumerate(regions.neighbours)
        for entry in regions.costs(a, [b for b in others if b > a])
    ]
    heapq.heapify(costs)
    while costs and regions.n_left > n_regions:
        _, a, b = heapq.heappop(costs)
        if regions.is_left(a) and regions.is_left(b):
            new = regions.merge(a, b)
            for entry in regions.costs(new, list(regions.neighbours[new])):
                heapq.heappush(costs, entry)
    return regions.labels()


class _Regions:
    """Bins, and regions merged from two earlier ones each, numbered in this order."""

    def __init__(self, X, shape):
        n = len(X)
        mean = X.sum(axis=0) / max(X.sum(), TINY)
        X, mean = X[:, mean > 0], mean[mean > 0]
        counts = X.sum(axis=1)
        fractions = X / np.maximum(counts, 1.0)[:, None]
        self.n_bins = self.n_left = n
        self.counts = np.append(counts, np.zeros(n))
        self.spectra = np.vstack([fractions / np.sqrt(mean), np.zeros_like(X)])
        self.neighbours = _neighbours(shape)
        self.merged_into = np.arange(2 * n)

    def is_left(self, a) -> bool:
        """Whether a region has not been merged."""
        return self.merged_into[a] == a

    def costs(self, a, others) -> list[tuple[float, int, int]]:
        """Return what merging a region with each of some others costs."""
        n, m = self.counts[a], self.counts[others]
        distance = ((self.spectra[a] - self.spectra[others]) ** 2).sum(axis=1)
        costs = n * m / np.maximum(n + m, TINY) * distance
        return [(cost, a, b) for cost, b in zip(costs.tolist(), others, strict=True)]

    def merge(self, a, b) -> int:
        """Merge two regions, and return the new one."""
        new = len(self.neighbours)
        of_a, of_b = self.counts[a], self.counts[b]
        self.counts[new] = of_a + of_b
        total = max(of_a + of_b, TINY)
        self.spectra[new] = (of_a * self.spectra[a] + of_b * self.spectra[b]) / total
        self.neighbours.append((self.neighbours[a] | self.neighbours[b]) - {a, b})
        for c in self.neighbours[new]:
            self.neighbours[c] = (self.neighbours[c] - {a, b}) | {new}
        self.merged_into[[a, b]] = new
        self.n_left -= 1
        return new

    def labels(self) -> np.ndarray:
        """Return the region of each bin, from 0 on."""
        region = np.arange(self.n_bins)
        while (self.merged_into[region] != region).any():
            region = self.merged_into[region]
        return np.unique(region, return_inverse=True)[1]


def _neighbours(shape) -> list[set[int]]:
    """Return the neighbours of each bin along the axes of an image."""
    bins = np.arange(np.prod(shape)).reshape(shape)
    found: list[set[int]] = [set() for _ in range(bins.size)]
    for axis, is_spatial in enumerate(spatial_axes(len(shape))):
        if is_spatial:
            rows = np.moveaxis(bins, axis, 0)
            for a, b in zip(rows[:-1].ravel().tolist(), rows[1:].ravel().tolist(), strict=True):
                found[a].add(b)
                found[b].add(a)
    return found


def sum_regions(X, regions: np.ndarray):
    """Sum a dense or CSR matrix (n_bins, n_channels) over regions (n_bins,)."""
    entries = np.ones(len(regions)), (regions, np.arange(len(regions)))
    return sp.csr_array(entries, shape=(int(regions.max()) + 1, len(regions))) @ X
