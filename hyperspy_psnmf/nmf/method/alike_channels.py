# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels with similar ratios of the components' spectra, summed.

Where the ratios are the same, the sum of the counts is a sufficient statistic of the loadings.
"""

import numpy as np
from scipy.spatial import cKDTree

from hyperspy_psnmf.kernels.csr import sum_bins
from hyperspy_psnmf.kernels.parallel import is_csr
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks, group_columns

GROUPS_PER_COMPONENT, MAX_GROUPS = 6, 48  # of channels: 1 % of the information lost on phantoms
GROUPING_SWEEPS = 5  # of k-means


def sum_alike_channels(X, H, n_jobs):
    """Return counts (n_pixels, n_groups) and spectra (n_components, n_groups) of groups.

    Parameters
    ----------
    X : ndarray, csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra.
    n_jobs : int or None
        Threads; None is all cores.
    """
    group = _cluster_channels(H, min(GROUPS_PER_COMPONENT * len(H), MAX_GROUPS))
    B = np.zeros((len(H), group.max() + 1))
    for spectrum, sums in zip(H, B, strict=True):
        np.add.at(sums, group, spectrum)
    if isinstance(X, CountBlocks):
        Y = group_columns(X, group, B.shape[1], n_jobs=n_jobs)
    elif is_csr(X):
        rows = np.arange(X.shape[0])
        Y = sum_bins(X, rows, len(rows), group, B.shape[1], n_jobs=n_jobs)
    else:
        Y = X @ (group[:, None] == np.arange(B.shape[1])).astype(float)
    # Counts where all spectra are zero have no influence on the loadings.
    used = B.any(axis=0)
    return (Y, B) if used.all() else (Y.compress(used, axis=1), B.compress(used, axis=1))


def _cluster_channels(H, n_groups):
    """Return the group of each channel, by k-means weighted with the spectra.

    The mean squared distance of the roots of the ratios is the information lost.
    """
    total = H.sum(axis=0)
    empty = total == 0
    ratios = np.sqrt(np.divide(H, total, out=np.zeros_like(H), where=~empty)).T
    centres = ratios[[np.argmax(total)]]
    nearest = np.full(len(total), np.inf)
    while len(centres) < n_groups:
        nearest = np.minimum(nearest, ((ratios - centres[-1]) ** 2).sum(axis=1))
        furthest = np.argmax(total * nearest)
        if total[furthest] * nearest[furthest] <= 0:
            break
        centres = np.vstack([centres, ratios[furthest]])
    for _ in range(GROUPING_SWEEPS):
        group = cKDTree(centres).query(ratios)[1]
        mass = np.bincount(group, total, len(centres))[:, None]
        sums = np.stack([np.bincount(group, total * r, len(centres)) for r in ratios.T], axis=1)
        centres = np.divide(sums, mass, out=centres, where=mass > 0)
    return np.where(empty, len(centres), cKDTree(centres).query(ratios)[1])
