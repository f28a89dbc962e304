# SPDX-License-Identifier: GPL-3.0-or-later
"""Factorisations of a decomposed map within the confidence region of its likelihood."""

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.nmf.binning.bins import bin_energy
from hyperspy_psnmf.nmf.uncertainty.bands import Alternatives, alternatives
from hyperspy_psnmf.nmf.uncertainty.profile_likelihood import equally_likely


def find_alternatives(decomposed: Decomposed, confidence: float) -> Alternatives:
    """Return the factorisations that fit the binned counts as well.

    Parameters
    ----------
    decomposed : Decomposed
        A decomposed map.
    confidence : float
        Between 0 and 1.
    """
    X, energy_binning = decomposed.binned_counts, decomposed.coarse_energy_binning
    coarse = bin_energy(X, energy_binning, n_jobs=None)
    n_fixed, H = decomposed.n_fixed, decomposed.H
    solutions = equally_likely(
        coarse, bin_energy(H, energy_binning), confidence=confidence, n_fixed=n_fixed, n_jobs=None
    )
    return alternatives(X, H, solutions, energy_binning, n_fixed=n_fixed, n_jobs=None)
