# SPDX-License-Identifier: GPL-3.0-or-later
"""Decompositions of HyperSpy, as in its tutorials on EDS maps.

eXSpy's default mask of pixels without counts is switched off: all maps are covered.
"""

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter

from tests.benchmarks.rivals.adapters.signals import eds_signal, learned
from tests.benchmarks.rivals.exchange import Given, Returned

MAX_COMPONENTS = 30  # of the scree plot, in which the elbow is looked for
WHOLE = {"navigation_mask": None, "print_info": False}


def stock_nmf(given: Given):
    """Unweighted non-negative matrix factorisation, all defaults."""
    signal = eds_signal(given, float)

    def unmix():
        signal.decomposition(normalize_poissonian_noise=False, algorithm="NMF",
                             output_dimension=given.n_phases, random_state=0, **WHOLE)  # fmt: skip
        return learned(signal)

    return unmix


def _pca(signal, n_components):
    signal.decomposition(normalize_poissonian_noise=True, algorithm="SVD",
                         output_dimension=n_components, **WHOLE)  # fmt: skip


def pca(given: Given, sigma: float = 0.0):
    """PCA weighted for Poisson noise, truncated at the true number; and a filter of its maps."""
    signal = eds_signal(given, float)

    def denoise():
        _pca(signal, given.n_phases)
        results = signal.learning_results
        maps = results.loadings.reshape(*given.shape, -1)
        smooth = gaussian_filter(maps, (sigma, sigma, 0)).reshape(results.loadings.shape)
        return Returned(loadings=smooth, factors=results.factors, phases=False, signed=True)

    return denoise


pca_2 = partial(pca, sigma=2.0)


def pca_elbow(given: Given):
    """The same, truncated where HyperSpy finds the elbow of the scree plot."""
    signal = eds_signal(given, float)

    def denoise():
        _pca(signal, min(MAX_COMPONENTS, *(n - 1 for n in given.counts.shape)))
        results = signal.learning_results
        kept = slice(results.number_significant_components)
        return Returned(
            loadings=results.loadings[:, kept],
            factors=results.factors[:, kept],
            phases=False,
            signed=True,
        )

    return denoise


def _separated(given: Given, on_loadings):
    signal = eds_signal(given, float)

    def unmix():
        _pca(signal, given.n_phases)
        signal.blind_source_separation(given.n_phases, on_loadings=on_loadings, print_info=False)
        results = signal.learning_results
        # Signs are arbitrary: spectra of positive sum.
        sign = np.where(results.bss_factors.sum(axis=0) < 0, -1.0, 1.0)
        return Returned(
            loadings=results.bss_loadings * sign, factors=results.bss_factors * sign, signed=True
        )

    return unmix


def pca_bss(given: Given):
    """Weighted PCA, then FastICA of derivatives of the spectra, as in eXSpy's tutorial."""
    return _separated(given, on_loadings=False)


def pca_bss_maps(given: Given):
    """The same with FastICA of the maps."""
    return _separated(given, on_loadings=True)
