# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2 of PSNMF on a subset of the bins, where there are many.

Where there are tens of thousands of bins of thousands of counts, the iterations run on a
subset: evenly spaced bins, and those least like the mean spectrum, where rare phases are.
Two convex problems then use the counts of all bins: loadings for fixed spectra, with channels
summed as before, and spectra for fixed loadings.

Measured on 38 400 bins of 6400 counts, three phases: spectra 0.2 to 0.4 degrees off by
themselves, and within 0.12 degrees of those of all bins after the convex steps, in a tenth of
the time.
"""

from dataclasses import replace

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import bin_energy, bin_spectra
from hyperspy_psnmf.nmf.binning.subset import choose_bins
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.method.binned import (
    BinnedSettings,
    cover_channels,
    factorise_binned,
)
from hyperspy_psnmf.nmf.method.binned_lines import factorise_binned_lines
from hyperspy_psnmf.nmf.parsimony.simplify import solve_sparse_loadings
from hyperspy_psnmf.nmf.solver.convex import solve_loadings, solve_spectra
from hyperspy_psnmf.nmf.validation import Callback

# The accuracy at these numbers is that above, measured on phantoms.
MAX_BINS = 4096  # above, a subset is used
SUBSET_BINS = 2048
MIN_COUNTS_PER_BIN = 1e3  # below, all counts are needed, and noise would be least like the mean


def uses_subset(n_bins: int, n_counts: float) -> bool:
    """Return whether the iterations run on a subset of the bins."""
    return n_bins > MAX_BINS and n_counts >= MIN_COUNTS_PER_BIN * n_bins


def factorise_map(binned, settings: BinnedSettings, rng, options: dict, notify: Callback):
    """Factorise a binned map; see `factorise_binned`."""
    n_bins = binned.shape[0]
    factorise = factorise_binned if settings.templates is None else factorise_binned_lines
    if not uses_subset(n_bins, total_counts(binned).sum()):
        return factorise(binned, settings, rng, options, notify)
    subset, of_subset = choose_bins(binned, SUBSET_BINS), replace(settings, shape=None)
    found = factorise(binned[subset], of_subset, rng, options, notify)
    n_jobs, n_fixed = options["n_jobs"], len(settings.fixed)
    notify("all bins", 0, np.inf)
    coarse = bin_energy(binned, settings.energy_binning, n_jobs=n_jobs)
    total = total_counts(binned, axis=0)
    if settings.templates is not None:
        del binned  # few weights, which the subset determines
    H = bin_spectra(found.H, settings.energy_binning)
    if found.simplification is None and settings.templates is None:
        W = solve_loadings(coarse, H, n_jobs=n_jobs)
    else:
        W, _ = solve_sparse_loadings(coarse, H, n_jobs)
    if settings.templates is not None:
        return replace(found, W=W, H=cover_channels(found.H, total, n_fixed))
    H = found.H
    absent = None if found.absent_rows is None else settings.absent[found.absent_rows]
    W, H = solve_spectra(binned, W, H, n_fixed=n_fixed, frozen=absent, n_jobs=n_jobs)
    return replace(found, W=W, H=cover_channels(H, total, n_fixed))
