# SPDX-License-Identifier: GPL-3.0-or-later
"""Peaks that no line of the model explains: an element has been forgotten, most often."""

import warnings

import numpy as np
from exspy.utils.eds import get_xray_lines_near_energy
from scipy.ndimage import uniform_filter1d

from hyperspy_psnmf.eds.axes import energies

SIGNIFICANT = 8.0  # standard deviations
SHARE = 0.003  # of all counts; less changes no composition
WIDTH = 0.12  # keV


def warn_of_unexplained_peaks(spectra, model, fitted) -> None:
    """Warn where the sum of all phases exceeds the sum of their fits.

    Parameters
    ----------
    spectra : EDSSpectrum
        Spectra of phases.
    model : LineModel
        What was fitted.
    fitted : ndarray of shape (n_phases, n_channels)
        Counts.
    """
    energy, use = energies(spectra), model.use
    n = max(3, round(WIDTH / (energy[1] - energy[0])))
    total = spectra.data.sum(axis=0)
    excess = n * uniform_filter1d(np.where(use, total - fitted.sum(axis=0), 0.0), n)
    expected = n * uniform_filter1d(np.where(use, np.maximum(total, 0.5), 0.5), n)
    noise = np.sqrt(np.maximum(expected, 0.5 * n))  # sums that run over 1e16 counts lose it
    peaks = []
    for _ in range(6):
        best = int(np.argmax(np.where(use, excess / noise, 0.0)))
        if excess[best] < max(SIGNIFICANT * noise[best], SHARE * total[use].sum()):
            break
        # Fixed ratios within an L or M shell are rough; that is no other element.
        if np.abs(model.members[:, 1] - energy[best]).min(initial=np.inf) > WIDTH / 2:
            peaks.append(_describe(energy[best], excess[best]))
        excess[max(0, best - 3 * n) : best + 3 * n] = 0.0
    if peaks:
        warnings.warn(
            f"no line of the elements given explains {'; '.join(peaks)}: add what is missing "
            "with s.add_elements([...]), and to exclude= if it is not part of the specimen. "
            "Intensities nearby may be wrong",
            UserWarning,
            stacklevel=6,
        )


def _describe(energy, counts):
    near = get_xray_lines_near_energy(energy, width=WIDTH, only_lines=["Ka", "La", "Ma"])
    names = f" ({', '.join(near[:3])}?)" if near else ""
    return f"{counts:.0f} counts at {energy:.2f} keV{names}"
