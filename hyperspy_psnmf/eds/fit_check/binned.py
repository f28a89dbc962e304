# SPDX-License-Identifier: GPL-3.0-or-later
"""Deviance of the binned map from its model, for the report and `residuals`."""

from dataclasses import dataclass

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.signals.axes import channels_within
from hyperspy_psnmf.eds.xray.detector import COARSE_CHANNEL
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_energy, bin_spectra
from hyperspy_psnmf.nmf.diagnostics.deviance import ExcessDeviance, excess_deviance
from hyperspy_psnmf.nmf.lines.channels import weights_of_sums


@dataclass(frozen=True, eq=False)
class BinnedDeviance:
    """A binned map and its deviance from the model.

    Attributes
    ----------
    bins : PixelBins
        Bins of pixels.
    X : ndarray or csr_array of shape (n_bins, n_channels_in_use)
        Counts of the binned map.
    energy : ndarray of shape (n_channels_in_use,) or None
        In keV; None where the axis has no unit.
    width : int
        Channels summed, to about 40 eV.
    excess : ExcessDeviance
        Of summed channels.
    """

    bins: PixelBins
    X: object
    energy: np.ndarray | None
    width: int
    excess: ExcessDeviance

    @property
    def channels(self) -> np.ndarray:
        """Deviance above its expectation, in standard deviations, of the sum each channel is in."""
        return np.repeat(self.excess.channels, self.width)[: self.X.shape[1]]


def find_binned_deviance(decomposed: Decomposed, X) -> BinnedDeviance:
    """Return the deviance of the binned counts of a decomposed map from its model.

    Parameters
    ----------
    decomposed : Decomposed
    X : csr_array or CountBlocks of shape (n_pixels, n_channels_in_use)
        Its counts.
    """
    d, energy = decomposed, decomposed.map_input.energy_in_use
    width = _channels_per_bin(energy)
    bins, X = d.bin_opened(X)
    W = np.zeros((bins.n_bins, d.W.shape[1]))
    np.add.at(W, bins.index, d.W)
    weights = weights_of_sums(d.record.prior_weights, width)
    coarse = bin_energy(X, width, n_jobs=None), W, bin_spectra(d.H, width)
    found = excess_deviance(*coarse, prior_weights=weights, n_jobs=None)
    return BinnedDeviance(bins, X, energy, width, found)


def _channels_per_bin(energy):
    if energy is None:
        return 1
    channel = float(np.median(np.abs(np.diff(energy))))
    return channels_within(COARSE_CHANNEL, channel, energy.size)
