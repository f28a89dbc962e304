# SPDX-License-Identifier: GPL-3.0-or-later
"""Characteristic X-rays an element emits under the electron beam.

The intensity of a line per unit of weight fraction and mass thickness is::

    I = Q ω f / A

with the ionisation cross-section Q of the shell, its fluorescence yield ω, the
line's fraction f of the shell's emission and the atomic weight A. Energies, line
weights and atomic weights come from eXSpy's element database. Intensities are in
one arbitrary unit, so only ratios between lines are meaningful. The same Bethe
parameters serve all shells and Coster-Kronig transitions are left out, so L and
M intensities are right to a factor of about two relative to K.

References
----------
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009), ch. 4, 32, 35.
Goldstein et al., Scanning Electron Microscopy and X-ray Microanalysis,
3rd ed. (2003), ch. 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from exspy.material import elements

from hyperspy_psnmf.eds.xray.lines import line_table

ELECTRON_REST_ENERGY = 510.999  # keV
BETHE_C = 0.65
LOWEST_LINE = 0.1  # keV, below it neither the detector nor the absorption tables reach


class Line(NamedTuple):
    """Energy in keV and emitted intensity (arbitrary unit) of an X-ray line."""

    energy: float
    intensity: float


@dataclass(frozen=True)
class Shell:
    """Electrons of a shell and Burhop's coefficients of its fluorescence yield."""

    electrons: int
    burhop: tuple[float, float, float]


SHELLS = {
    "K": Shell(2, (-0.03795, 0.03426, -1.163e-6)),
    "L": Shell(8, (-0.11107, 0.01368, -2.177e-7)),
    "M": Shell(18, (-0.00036, 0.00386, 2.0101e-7)),
}


def fluorescence_yield(shell: Shell, atomic_number: int) -> float:
    """Burhop's yield: (ω / (1 - ω))^(1/4) = a + b Z + c Z³ (Goldstein et al., ch. 6).

    It is low for the light elements, where Bethe's cross-section is high: together
    they give K k-factors near the measured ones, as newer yields alone would not.
    """
    a, b, c = shell.burhop
    ratio = max(a + b * atomic_number + c * atomic_number**3, 0.0) ** 4
    return ratio / (1.0 + ratio)


def thin_film_ionisation(shell: Shell, edge: float, beam_energy: float) -> float:
    """Relativistic Bethe cross-section of a shell, arbitrary unit.

    Q ∝ n / (T Ec) · (ln(c T / Ec) - ln(1 - β²) - β²) with T = m₀v²/2
    (Williams & Carter, ch. 4).
    """
    beta2 = 1.0 - (1.0 + beam_energy / ELECTRON_REST_ENERGY) ** -2
    kinetic = 0.5 * ELECTRON_REST_ENERGY * beta2
    bracket = np.log(BETHE_C * kinetic / edge) - np.log1p(-beta2) - beta2
    return float(shell.electrons * max(bracket, 0.0) / (kinetic * edge))


def bulk_ionisation(shell: Shell, edge: float, beam_energy: float) -> float:
    """Ionisations of a shell while the electron slows down in a bulk specimen.

    Bethe's cross-section divided by Bethe's stopping power and integrated from E0
    to Ec gives n (U ln U - U + 1) with the overvoltage U = E0 / Ec
    (Goldstein et al., ch. 6).
    """
    overvoltage = beam_energy / edge
    return float(shell.electrons * (overvoltage * np.log(overvoltage) - overvoltage + 1.0))


def emitted_lines(element: str, *, beam_energy: float, bulk: bool) -> dict[str, Line]:
    """
    Lines of a pure element, per unit of mass.

    A shell emits only if the beam exceeds its edge. The database has no edges, so
    the highest line of the family, just below it, stands in.

    Parameters
    ----------
    element : str
        Symbol of the element.
    beam_energy : float
        In keV.
    bulk : bool
        True for a bulk specimen (SEM), False for a thin film (TEM).

    Returns
    -------
    dict
        Line name as eXSpy writes it, such as "Fe_Ka", to its :class:`Line`.
    """
    number = elements[element].General_properties.Z
    weight = elements[element].General_properties.atomic_weight
    ionisation = bulk_ionisation if bulk else thin_film_ionisation
    lines = {}
    for family, members in _families(element).items():
        edge = max(energy for energy, _ in members.values())
        if edge >= beam_energy:
            continue
        shell = SHELLS[family]
        emission = ionisation(shell, edge, beam_energy) * fluorescence_yield(shell, number) / weight
        total = sum(fraction for _, fraction in members.values())
        for name, (energy, fraction) in members.items():
            if energy > LOWEST_LINE and fraction > 0.0:
                lines[f"{element}_{name}"] = Line(energy, emission * fraction / total)
    return lines


def _families(element: str) -> dict[str, dict[str, tuple[float, float]]]:
    """(energy, weight) of each line, by shell."""
    families: dict[str, dict[str, tuple[float, float]]] = {}
    for name, (energy, weight) in line_table(element).items():
        families.setdefault(name[0], {})[name] = (energy, weight)
    return families
