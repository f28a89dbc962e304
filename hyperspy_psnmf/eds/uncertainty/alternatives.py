# SPDX-License-Identifier: GPL-3.0-or-later
"""Factorisations of a decomposed map within the confidence region of its likelihood."""

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.signals.phases import spectra_like_phases
from hyperspy_psnmf.nmf.binning.bins import bin_energy
from hyperspy_psnmf.nmf.uncertainty.bands import alternatives
from hyperspy_psnmf.nmf.uncertainty.profile_likelihood import equally_likely


def find_alternatives(decomposed: Decomposed, confidence: float):
    """Return the factorisations that fit equally well, and a converter of them to signals.

    Parameters
    ----------
    decomposed : Decomposed
        A decomposed map.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Alternatives
    Window
    """
    X, energy_binning = decomposed.binned_counts, decomposed.coarse_energy_binning
    coarse = bin_energy(X, energy_binning, n_jobs=None)
    n_fixed, H = decomposed.n_fixed, decomposed.H
    solutions = equally_likely(
        coarse, bin_energy(H, energy_binning), confidence=confidence, n_fixed=n_fixed, n_jobs=None
    )
    others = alternatives(X, H, solutions, energy_binning, n_fixed=n_fixed, n_jobs=None)
    return others, Window(decomposed.spectra, decomposed.inside, decomposed.counts)


class Window:
    """Converts spectra of unit sum, on the channels in use, to signals like `phase_spectra()`."""

    def __init__(self, found, inside, counts):
        self.found, self.inside, self.counts = found, inside, counts

    def spread(self, H):
        """Return spectra (..., n_phases, n_channels) in counts, zero in masked channels."""
        full = np.zeros((*H.shape[:-1], self.inside.size))
        full[..., self.inside] = H * self.counts[:, None]
        return full

    def like_found(self, H, what):
        """Return bounds of spectra as a signal like `phase_spectra`."""
        title = f"{what} {self.found.metadata.General.title}"
        return spectra_like_phases(self.found, self.spread(H), title)
