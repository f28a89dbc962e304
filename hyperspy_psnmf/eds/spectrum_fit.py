# SPDX-License-Identifier: GPL-3.0-or-later
"""The full model of the sum of all phases, with the lines of whatever is in it."""

from dataclasses import replace

import numpy as np
from exspy.signals import EDSSEMSpectrum

from hyperspy_psnmf.eds.line_model import read_beam_energy, read_resolution
from hyperspy_psnmf.eds.spectrum_model import SpectrumModel, fit_sum
from hyperspy_psnmf.eds.spectrum_parameters import find_parameters
from hyperspy_psnmf.eds.unlisted import StrongestLine, find_unlisted, strongest_lines


def fit_spectra(
    spectra, elements: set[str], keep: np.ndarray, variance: np.ndarray
) -> tuple[SpectrumModel, dict[str, StrongestLine]]:
    """Return the model of the sum of spectra, and what is in it though nobody listed it.

    Parameters
    ----------
    spectra : EDSSpectrum
        Spectra of phases; they are not changed.
    elements : set of str
        Those listed.
    keep : ndarray of bool, of shape (n_channels,)
        Channels that hold counts.
    variance : ndarray of shape (n_phases, n_channels)
        Of the spectra.

    Returns
    -------
    fit : SpectrumModel
    unlisted : dict
        Elements or energies of peaks, and the strongest line of each.
    """
    search, names = find_unlisted(spectra, elements, keep, variance)
    model = search.model(names)
    as_told = replace(model, offset=0.0, gain=0.0, resolution=read_resolution(spectra))
    elements = {line.partition("_")[0] for line in model.lines if " " not in line}
    bulk = isinstance(spectra, EDSSEMSpectrum)
    parameters = find_parameters(as_told, elements, read_beam_energy(spectra), bulk=bulk)
    fit = fit_sum(as_told, model, parameters, spectra.data.sum(axis=0))
    return fit, strongest_lines(fit.bent, fit.lines, names)
