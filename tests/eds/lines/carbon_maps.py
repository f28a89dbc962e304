# SPDX-License-Identifier: GPL-3.0-or-later
"""A carbon-rich SEM map with a little oxygen, nitrogen that is not listed, and pile-up."""

import hyperspy.api as hs
import numpy as np

N_CHANNELS, STEP, START = 1000, 0.01, -0.3
OXYGEN = (0.05, 0.08)


def carbon_map(counts, *, shift=0.0, nitrogen=0.0, pile_up=0.0, seed=0):
    """Return a map of 3 x 4 pixels whose energy axis is off, and its counts in O Ka.

    Parameters
    ----------
    counts : float
        In all pixels together.
    shift : float
        How far above their energies lines are recorded, in keV.
    nitrogen, pile_up : float
        Counts in N Ka and in the sum peak of C Ka, of those of C Ka.
    """
    fine = START - STEP / 2 + STEP / 10 * (np.arange(10 * N_CHANNELS) + 0.5)

    def peak(energy, area):
        sigma = 1e-3 * np.sqrt(max(130.0**2 + 2500 * (energy - 5.8987), 900.0)) / 2.3548
        y = np.exp(-0.5 * ((fine - energy - shift) / sigma) ** 2)
        return area * y / y.sum()

    f = np.clip(fine, 0.05, None)
    continuum = np.where(fine > 0.05, np.clip(15 - f, 0, None) / f * np.exp(-0.01 / f**3), 0)
    spectra = []
    for o in OXYGEN:
        y = peak(0.2774, 1 - o) + peak(0.5249, o) + peak(0.3924, nitrogen)
        y += 0.3 * continuum / continuum.sum() + peak(0.5548, pile_up * (1 - o) ** 2)
        y = y.reshape(N_CHANNELS, 10).sum(axis=1)
        spectra.append(y / y.sum())
    w = np.linspace(0, 1, 12).reshape(3, 4)
    weights = counts / 12 * np.stack([1 - w, w], axis=-1)
    data = np.random.default_rng(seed).poisson(weights @ np.array(spectra)).astype("uint32")
    s = hs.signals.Signal1D(data)
    s.set_signal_type("EDS_SEM")
    axis = s.axes_manager[-1]
    axis.scale, axis.offset, axis.units, axis.name = STEP, START, "keV", "Energy"
    s.set_microscope_parameters(beam_energy=15, energy_resolution_MnKa=130)
    s.set_elements(["C", "O"])
    s.add_lines()
    oxygen = np.array(OXYGEN)
    of_oxygen = oxygen / (1.3 + nitrogen + pile_up * (1 - oxygen) ** 2)
    return s, float((weights @ of_oxygen).sum())
