# SPDX-License-Identifier: GPL-3.0-or-later
"""Response of a silicon drift detector with a polymer window.

A line of energy E is a Gaussian whose width follows Fiori and Newbury::

    FWHM² = FWHM(Mn Ka)² + 2.5 eV · (E - E(Mn Ka))

and the efficiency is the transmission of all layers in front of the sensor times
the absorption within it, exp(-Σ μᵢ ρᵢ tᵢ) · (1 - exp(-μ ρ t)), with the mass
absorption coefficients μ of Chantler et al. as eXSpy has them.

References
----------
Fiori & Newbury, SEM/1978/I, p. 401.
Goldstein et al., Scanning Electron Microscopy and X-ray Microanalysis,
3rd ed. (2003), ch. 7.
Chantler et al., X-Ray Form Factor, Attenuation and Scattering Tables (2005).
"""

from __future__ import annotations

import numpy as np
from exspy.material import mass_absorption_coefficient
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from hyperspy_psnmf.eds.xray.detector import FWHM_PER_SIGMA, squared_fwhms

CHANNEL_WIDTH = 0.01  # keV
FIRST_CHANNEL = 0.1  # keV, centre
RESOLUTION_MN_KA = 130.0  # eV

# Mass thickness in g/cm²: 300 nm polyimide, 40 nm Al light shield, 50 nm Si dead layer.
LAYERS = {"C": 3.0e-5, "N": 3.1e-6, "O": 8.9e-6, "Al": 1.08e-5, "Si": 1.17e-5}
# The silicon grid that carries the film: 380 µm thick, 77 % open.
GRID_MASS_THICKNESS = 0.0885
GRID_OPEN_AREA = 0.77
SENSOR_MASS_THICKNESS = 0.105  # 450 µm Si


def channel_energies(n_channels: int) -> NDArray[np.float64]:
    """Centres of the channels in keV."""
    return FIRST_CHANNEL + CHANNEL_WIDTH * np.arange(n_channels, dtype=np.float64)


def peak_fwhm(energy: ArrayLike) -> NDArray[np.float64]:
    """Width of a line in keV, after Fiori and Newbury."""
    return np.sqrt(squared_fwhms(RESOLUTION_MN_KA, np.asarray(energy))) / 1000.0


def detector_efficiency(energy: ArrayLike) -> NDArray[np.float64]:
    """Fraction of the photons of each energy (keV) that the sensor records."""
    energy = np.atleast_1d(np.asarray(energy, dtype=float))
    silicon = mass_absorption_coefficient("Si", energy)
    film = np.zeros_like(energy)
    for element, mass_thickness in LAYERS.items():
        film += mass_absorption_coefficient(element, energy) * mass_thickness
    grid = GRID_OPEN_AREA + (1.0 - GRID_OPEN_AREA) * np.exp(-silicon * GRID_MASS_THICKNESS)
    return grid * np.exp(-film) * -np.expm1(-silicon * SENSOR_MASS_THICKNESS)


def line_shapes(energy: ArrayLike, n_channels: int) -> NDArray[np.float64]:
    """
    Fraction of the counts of lines in each channel.

    The Gaussian is integrated over the channel, not sampled at its centre: a line
    at the low end is hardly five channels wide.

    Parameters
    ----------
    energy : array_like
        Line energies in keV.
    n_channels : int
        Length of the energy axis.

    Returns
    -------
    ndarray
        Shape (n_channels, n_lines). A column sums to one, less what falls off the axis.
    """
    energy = np.atleast_1d(np.asarray(energy, dtype=float))
    sigma = peak_fwhm(energy) / FWHM_PER_SIGMA
    edges = FIRST_CHANNEL + CHANNEL_WIDTH * (np.arange(n_channels + 1) - 0.5)
    return np.diff(ndtr((edges[:, None] - energy) / sigma), axis=0)
