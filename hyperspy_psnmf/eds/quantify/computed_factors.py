# SPDX-License-Identifier: GPL-3.0-or-later
r"""Cliff-Lorimer factors from ionisation cross sections, where none have been measured.

.. math:: k = \frac{s(\mathrm{Si\ K\alpha})}{s(l)}, \qquad
    s(l) = \frac{Q\,\omega\,f\,\varepsilon}{A}

with the ionisation cross section Q of the shell, its fluorescence yield :math:`\omega`, the
fraction f of the line in the emission of the shell, the detector's efficiency :math:`\varepsilon`
and the atomic weight A. Q is the relativistic Bethe formula with two parameters per shell, fitted
to the distorted-wave cross sections of Bote and Salvat for all elements from 60 to 300 keV (3 to
4 % rms, 12 % at most). The detector is of silicon. As its window is not in the metadata, there may
be one of polymer or none, which is part of the standard error.

Compared with a manufacturer's table for 200 keV, relative to Ti Ka: K lines of 21 elements from Ne
to Ag differ by 4 % rms, those of O and F by 30 %, L lines from Sr to Pb by 4 % rms. eXSpy computes
no factors; xraylib and XrayDB have cross sections for photons, not for electrons.

References
----------
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009), ch. 4, 35. Bote et al., Atomic
Data and Nuclear Data Tables 95 (2009) 871. Bambynek et al., Reviews of Modern Physics 44 (1972)
716 (yields of K shells). Hubbell et al., Journal of Physical and Chemical Reference Data 23 (1994)
339 (of L and M shells). Krause, ibid. 8 (1979) 307 (their uncertainties).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from exspy.material import elements, mass_absorption_coefficient

from hyperspy_psnmf.eds.xray.lines import line_energy, line_table, split_line

ELECTRON_REST_ENERGY = 510.999  # keV
MIN_OVERVOLTAGE = 3.0  # below it Bethe's formula is not valid
# Mass thickness in g/cm²: 300 nm of polyimide under 40 nm of Al, and the grid of silicon bars,
# 380 µm high, that supports them; the dead layer and thickness of the sensor.
FILM = {"C": 3.0e-5, "N": 3.1e-6, "O": 8.9e-6, "Al": 1.08e-5}
BARS, OPEN_AREA = 0.0885, 0.77
DEAD_LAYER, SENSOR = 1.17e-5, 0.105
# Relative standard errors of lines, without the window's: ratios of computed factors are uncertain
# by 10 to 20 % (Williams & Carter, ch. 35). Yields of elements lighter than sodium are uncertain
# by 10 to 40 % (Krause), and those of M shells have hardly been measured.
LIGHT_K, K, L, M = 0.25, 0.1, 0.2, 0.4
SODIUM = 11


@dataclass(frozen=True)
class Shell:
    """Number of electrons of a shell, and the parameters of Bethe's cross section."""

    n_electrons: int
    b: float
    c: float


SHELLS = {"K": Shell(2, 0.68, 1.09), "L": Shell(8, 0.69, 1.51), "M": Shell(18, 0.85, 1.31)}


@cache
def computed_factor(line: str, beam_energy: float) -> tuple[float, float] | None:
    """Return a k-factor relative to Si Ka, and its standard error.

    Parameters
    ----------
    line : str
        As eXSpy writes it.
    beam_energy : float
        In keV.

    Returns
    -------
    tuple of float, or None
        None where the beam energy is too near the edge or below it, or where the line has no
        weight in eXSpy's table.
    """
    silicon, found = (_sensitivity(name, beam_energy) for name in ("Si_Ka", line))
    if not (silicon and found):
        return None
    element, name = split_line(line)
    light = name[0] == "K" and _general(element).Z < SODIUM
    of_shell = LIGHT_K if light else {"K": K, "L": L, "M": M}[name[0]]
    value = float(silicon / found)
    return value, value * float(np.hypot(of_shell, _efficiency(line_energy(line))[1]))


def _sensitivity(line, beam_energy):
    """Return the signal of a line per unit of weight fraction, in an arbitrary unit."""
    element, name = split_line(line)
    of_shell = {n: line for n, line in line_table(element).items() if n[0] == name[0]}
    edge = max(energy for energy, _ in of_shell.values())  # of the highest line, just below it
    if beam_energy < MIN_OVERVOLTAGE * edge:
        return 0.0
    fraction = of_shell[name][1] / sum(weight for _, weight in of_shell.values())
    ionisation = _cross_section(SHELLS[name[0]], edge, beam_energy)
    of_atom = ionisation * _fluorescence_yield(name[0], _general(element).Z)
    return of_atom * fraction * _efficiency(line_energy(line))[0] / _general(element).atomic_weight


def _cross_section(shell, edge, beam_energy):
    """Return the relativistic Bethe cross section, in an arbitrary unit; energies in keV."""
    beta2 = 1.0 - (1.0 + beam_energy / ELECTRON_REST_ENERGY) ** -2
    kinetic = 0.5 * ELECTRON_REST_ENERGY * beta2
    bracket = np.log(shell.c * kinetic / edge) - np.log1p(-beta2) - beta2
    return shell.n_electrons * shell.b * bracket / (kinetic * edge)


def _fluorescence_yield(shell, z):
    """Return the mean yield of a shell, by the formulae of Bambynek et al. and Hubbell et al."""
    if shell == "M":
        return 1.29e-9 * max(z - 13, 0) ** 4
    if shell == "L" and z < 37:
        return 1.939e-8 * z**3.8874
    coefficients = {
        "K": (0.015, 0.0327, 0.0, -0.64e-6),
        "L": (0.17765, 0.00298937, 8.91297e-5, -2.67184e-7),
    }[shell]
    ratio = np.polynomial.polynomial.polyval(z, coefficients) ** 4
    return ratio / (1.0 + ratio)


def _efficiency(energy):
    """Return the efficiency at an energy in keV, and its relative error from the unknown window.

    The mean of a window and of none, as if all between were equally likely.
    """
    at = np.array([energy])
    film = sum(mass_absorption_coefficient(e, at) * mass for e, mass in FILM.items())
    silicon = mass_absorption_coefficient("Si", at)
    bars = np.exp(-silicon * BARS)
    # Relative to the open area, as only ratios of lines matter.
    window = np.exp(-film) * (1.0 + (1.0 / OPEN_AREA - 1.0) * bars)
    mean, sigma = (1.0 + window) / 2, abs(1.0 - window) / np.sqrt(12)
    sensor = np.exp(-silicon * DEAD_LAYER) * -np.expm1(-silicon * SENSOR)
    return float((mean * sensor)[0]), float((sigma / mean)[0])


def _general(element):
    return elements[element].General_properties
