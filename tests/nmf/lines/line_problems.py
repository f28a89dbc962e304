# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of phases made of lines and continuum: 60 rows, 47 channels, 4 elements in 5 lines.

Phases: a matrix (elements 0, 1, both lines of 0), inclusions (elements 2, 3) and, of three, a
rim (elements 1, 3).
"""

import numpy as np

from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.lines.weights import LineSpectra

N_ROWS, N_CHANNELS = 60, 47
ELEMENTS = np.array([0, 0, 1, 2, 3])
CENTRES = (6.0, 27.0, 13.0, 20.0, 35.0)
# Fractions of the counts in the five lines and the two templates of the continuum.
WEIGHTS = np.array(
    [
        [0.30, 0.10, 0.20, 0.0, 0.0, 0.25, 0.15],
        [0.0, 0.0, 0.0, 0.40, 0.25, 0.15, 0.20],
        [0.0, 0.0, 0.25, 0.0, 0.40, 0.20, 0.15],
    ]
)


def make_templates() -> Templates:
    channel = np.arange(N_CHANNELS)
    lines = np.exp(-(((channel - np.array(CENTRES)[:, None]) / 1.6) ** 2) / 2)
    continuum = np.array([np.exp(-channel / 12.0), np.exp(-(((channel - 30) / 15.0) ** 2))])
    lines, continuum = (G / G.sum(axis=1, keepdims=True) for G in (lines, continuum))
    return Templates(lines, continuum, ELEMENTS)


def make_spectra(k=2, *, weights=None, fixed=None, templates=None) -> LineSpectra:
    """Return the true spectra, or those of other weights."""
    weights = WEIGHTS[:k] if weights is None else weights
    fixed = np.empty((0, N_CHANNELS)) if fixed is None else fixed
    templates = make_templates() if templates is None else templates
    return LineSpectra(templates, weights, np.ones(weights.shape, bool), fixed)


def flat_spectra(k=2, **given) -> LineSpectra:
    """Return spectra that are all the mean template."""
    return make_spectra(weights=np.full((k, len(ELEMENTS) + 2), 1 / 7), **given)


def make_loadings(k=2, counts=2000.0):
    """Return loadings, each phase in a part of the rows, with overlaps; 0 to 60 % of the rest."""
    position = np.arange(N_ROWS)[:, None] / N_ROWS
    centres = (np.arange(k) + 0.5) / k
    fractions = np.clip(1.0 - (np.abs(position - centres) * k - 0.35).clip(0.0), 0.0, None)
    fractions /= fractions.sum(axis=1, keepdims=True)
    return counts * fractions * (1 + 0.3 * np.sin(np.arange(N_ROWS)))[:, None]


def make_counts(k=2, counts=2000.0, seed=0):
    """Return counts (60, 47), true loadings and true spectra."""
    W, spectra = make_loadings(k, counts), make_spectra(k)
    X = np.random.default_rng(seed).poisson(W @ spectra.H).astype(float)
    return X, W, spectra


def rough_start(k=2, seed=0):
    """Return random loadings and weights to start from."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(len(ELEMENTS) + 2), size=k)
    return rng.uniform(100.0, 1000.0, size=(N_ROWS, k)), make_spectra(weights=weights)
