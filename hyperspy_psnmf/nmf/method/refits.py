# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2 once more, of other counts of the same map, from the spectra found before.

For the jackknife, which needs many. Bins are merged into the regions found from all counts.
"""

from dataclasses import replace

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import bin_spectra
from hyperspy_psnmf.nmf.binning.subset import choose_bins
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.lines.factorise import simplest_nearby
from hyperspy_psnmf.nmf.lines.templates import common_ratio
from hyperspy_psnmf.nmf.lines.weights import nearest_sums
from hyperspy_psnmf.nmf.method.binned import BinnedSettings
from hyperspy_psnmf.nmf.method.binned_lines import allowed_templates, make_coarse
from hyperspy_psnmf.nmf.method.many_bins import SUBSET_BINS, factorise_map, uses_subset


class FreeRefits:
    """Step 2 with spectra of free channels.

    Parameters
    ----------
    binned : ndarray or csr_array of shape (n_bins, n_channels)
        Counts of the binned map.
    H : ndarray of shape (n_components, n_channels)
        Spectra found, from which to start.
    settings : BinnedSettings
        Of step 2.
    max_iter : int
        Alternations at most.
    tol : float
        KKT residual at which they end.

    Attributes
    ----------
    counts : ndarray or csr_array
        What `spectra` takes parts of.
    """

    def __init__(self, binned, H: np.ndarray, settings: BinnedSettings, max_iter: int, tol: float):
        self.counts, self.settings = binned, replace(settings, init=H)
        self.options = {"max_iter": max_iter, "tol": tol, "n_jobs": 1}

    def spectra(self, counts) -> np.ndarray:
        """Return the spectra (n_components, n_channels) of other counts."""
        rng = np.random.default_rng(0)  # nothing is random from given spectra
        return factorise_map(counts, self.settings, rng, self.options, lambda *_: None).H


class LineRefits:
    """Step 2a with spectra made of templates, without deviations from these in channels.

    Parameters
    ----------
    binned : ndarray or csr_array of shape (n_bins, n_channels)
        Counts of the binned map.
    W, H : ndarray of shape (n_bins, n_components) and (n_components, n_channels)
        Loadings and spectra found, from which to start.
    settings : BinnedSettings
        Of step 2.
    max_iter : int
        Alternations at most.

    Attributes
    ----------
    counts : ndarray or csr_array of shape (n_regions, n_groups)
        What `spectra` takes parts of.
    """

    def __init__(self, binned, W: np.ndarray, H: np.ndarray, settings, max_iter: int):
        if uses_subset(binned.shape[0], total_counts(binned).sum()):
            # Spectra were found in these, so that their errors are those of these counts.
            subset = choose_bins(binned, SUBSET_BINS)
            binned, W, settings = binned[subset], W[subset], replace(settings, shape=None)
        self.total = total_counts(binned, axis=0)
        self.templates = settings.templates.covering(self.total)
        self.fixed, self.max_iter = settings.fixed, max_iter
        coarse = make_coarse(binned, self.templates, settings, None)
        self.counts, self.costs = coarse.grouped, coarse.costs
        self.W = coarse.sum_loadings(W)
        n = len(self.fixed)
        allowed = np.ones((len(H) - n, len(self.templates)), dtype=bool)
        if settings.absent is not None:
            allowed = allowed_templates(self.templates, settings.absent[n:])
        start = nearest_sums(H[n:], self.templates, allowed).binned(settings.energy_binning)
        fixed = bin_spectra(self.fixed, settings.energy_binning)
        self.start = replace(start, fixed=fixed).grouped(coarse.first)

    def spectra(self, counts) -> np.ndarray:
        """Return the spectra (n_components, n_channels) of other counts."""
        W = self.W * (total_counts(counts).sum() / max(self.W.sum(), 1.0))
        options = {"costs": self.costs, "max_iter": self.max_iter}
        W, found = simplest_nearby(counts, W, self.start, **options)
        found = replace(found, templates=self.templates, fixed=self.fixed)
        ratio = common_ratio(self.total, found.B @ W.sum(axis=0) * self._rest(W))
        return replace(found, templates=self.templates.corrected(ratio)).H

    def _rest(self, W):
        """Return how many counts there are per count of some loadings."""
        return self.total.sum() / max(W.sum(), 1.0)
