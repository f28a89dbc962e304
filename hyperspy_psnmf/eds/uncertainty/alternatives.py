# SPDX-License-Identifier: GPL-3.0-or-later
"""Factorisations of a decomposed map within the confidence region of its likelihood."""

import numpy as np

from hyperspy_psnmf.eds.lazy.reopen import bin_as_decomposed, coarse_energy_binning, open_decomposed
from hyperspy_psnmf.eds.signals.learning_results import read_counts_and_spectra
from hyperspy_psnmf.eds.signals.phases import spectra_like_phases
from hyperspy_psnmf.nmf.binning.bins import bin_energy
from hyperspy_psnmf.nmf.uncertainty.bands import alternatives
from hyperspy_psnmf.nmf.uncertainty.profile_likelihood import equally_likely


def find_alternatives(signal, found, confidence: float):
    """Return the factorisations that fit equally well, and a converter of them to signals.

    Parameters
    ----------
    signal : EDSSpectrum
        A decomposed map.
    found : EDSSpectrum
        Its `phase_spectra`.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Alternatives
    Window
    """
    with open_decomposed(signal) as decomposed:
        X = bin_as_decomposed(signal, decomposed)
    energy_binning = coarse_energy_binning(signal, X.shape[1])
    coarse = bin_energy(X, energy_binning, n_jobs=None)
    n_fixed, H = decomposed.n_fixed, decomposed.H
    solutions = equally_likely(
        coarse, bin_energy(H, energy_binning), confidence=confidence, n_fixed=n_fixed, n_jobs=None
    )
    others = alternatives(X, H, solutions, energy_binning, n_fixed=n_fixed, n_jobs=None)
    counts = np.nansum(read_counts_and_spectra(signal)[0], axis=0)
    return others, Window(found, decomposed.keep_channels, counts)


class Window:
    """Converts spectra of unit sum, on the channels in use, to signals like `phase_spectra()`."""

    def __init__(self, found, keep_channels, counts):
        used = np.flatnonzero(keep_channels)
        self.found, self.counts = found, counts
        self.inside = keep_channels[used[0] : used[-1] + 1]

    def spread(self, H):
        """Return spectra (..., n_phases, n_channels) in counts, zero in masked channels."""
        full = np.zeros((*H.shape[:-1], self.inside.size))
        full[..., self.inside] = H * self.counts[:, None]
        return full

    def like_found(self, H, what):
        """Return bounds of spectra as a signal like `phase_spectra`."""
        title = f"{what} {self.found.metadata.General.title}"
        return spectra_like_phases(self.found, self.spread(H), title)
