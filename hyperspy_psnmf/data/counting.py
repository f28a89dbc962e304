# SPDX-License-Identifier: GPL-3.0-or-later
"""Poisson counts of an expectation given as loadings and factors.

A sum of independent Poisson processes is Poisson. So drawing n ~ Poisson(L) photons
of each phase in each pixel, and for each photon a channel from the phase's spectrum
F, gives counts with exactly the distribution Poisson(L Fᵀ).

References
----------
Kingman, Poisson Processes (1993), ch. 5 (marking theorem).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK_PIXELS = 2048
# Above this mean count per channel the dense draw is the faster one.
SPARSE_MEAN = 0.3


def draw_counts(
    loadings: NDArray[np.float64], factors: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.unsignedinteger]:
    """
    Poisson counts of ``loadings @ factors.T``, in the smallest unsigned type.

    Sparse counts are drawn photon by photon, which has exactly the same
    distribution and does not visit the many empty channels.
    """
    sparse = loadings.sum() < SPARSE_MEAN * loadings.shape[0] * factors.shape[0]
    draw = _draw_photons if sparse else _draw_channels
    blocks = []
    for start in range(0, loadings.shape[0], BLOCK_PIXELS):
        block = draw(loadings[start : start + BLOCK_PIXELS], factors, rng)
        blocks.append(block.astype(np.min_scalar_type(block.max())))
    return np.concatenate(blocks)


def _draw_channels(
    loadings: NDArray[np.float64], factors: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    return rng.poisson(loadings @ factors.T)


def _draw_photons(
    loadings: NDArray[np.float64], factors: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw each phase's number of photons, then the channel of each photon."""
    n_pixels, n_channels = loadings.shape[0], factors.shape[0]
    first_channel = n_channels * np.arange(n_pixels)
    cells = []
    for loading, factor in zip(loadings.T, factors.T, strict=True):
        photons = rng.poisson(loading)
        cumulative = np.cumsum(factor)
        uniform = rng.random(photons.sum()) * cumulative[-1]
        # Without the last edge, rounding cannot lead past the last channel.
        channel = np.searchsorted(cumulative[:-1], uniform, side="right")
        cells.append(np.repeat(first_channel, photons) + channel)
    counts = np.bincount(np.concatenate(cells), minlength=n_pixels * n_channels)
    return counts.reshape(n_pixels, n_channels)
