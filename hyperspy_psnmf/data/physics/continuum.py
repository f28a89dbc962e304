# SPDX-License-Identifier: GPL-3.0-or-later
"""Bremsstrahlung and the absorption of X-rays by the specimen itself.

Kramers' law gives the continuum that leaves the atoms per unit of mass::

    N(E) ∝ Z̄ (E0 - E) / E

Z̄ is the mean atomic number, averaged by weight. Part of all X-rays is absorbed on
the way out. With χ = (μ/ρ) / sin(take-off angle), a thin film passes::

    f = (1 - exp(-χ ρt)) / (χ ρt)

and a bulk specimen, after Philibert and Heinrich::

    1/f = (1 + χ/σ) (1 + h/(1 + h) · χ/σ),
    σ = 4.5e5 / (E0^1.65 - E^1.65) cm²/g,  h = 1.2 A / Z²

References
----------
Kramers, Philosophical Magazine 46 (1923) 836.
Goldstein et al., Scanning Electron Microscopy and X-ray Microanalysis,
3rd ed. (2003), ch. 6 and 9.
Heinrich, Electron Beam X-Ray Microanalysis (1981).
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009), ch. 35.
"""

from __future__ import annotations

import numpy as np
from exspy.material import elements, mass_absorption_coefficient
from numpy.typing import NDArray


def mean_atomic_number(weight_fraction: dict[str, float]) -> float:
    """Atomic number averaged by weight."""
    return sum(w * elements[el].General_properties.Z for el, w in weight_fraction.items())


def mean_atomic_weight(weight_fraction: dict[str, float]) -> float:
    """Atomic weight averaged by weight."""
    return sum(
        w * elements[el].General_properties.atomic_weight for el, w in weight_fraction.items()
    )


def kramers_continuum(
    energy: NDArray[np.float64], weight_fraction: dict[str, float], beam_energy: float
) -> NDArray[np.float64]:
    """Kramers' law at each energy (keV), arbitrary unit; zero above the beam energy."""
    above_zero = np.clip(beam_energy - energy, 0.0, None)
    return mean_atomic_number(weight_fraction) * above_zero / (beam_energy * energy)


def path_absorption(
    energy: NDArray[np.float64], weight_fraction: dict[str, float], take_off_angle: float
) -> NDArray[np.float64]:
    """χ in cm²/g at each energy (keV); the take-off angle is in degrees."""
    mixture = np.zeros_like(energy)
    for element, weight in weight_fraction.items():
        mixture += weight * mass_absorption_coefficient(element, energy)
    return mixture / np.sin(np.radians(take_off_angle))


def thin_film_transmission(chi: NDArray[np.float64], mass_thickness: float) -> NDArray[np.float64]:
    """Fraction of the X-rays that leaves a film of a mass thickness in g/cm²."""
    depth = np.maximum(chi * mass_thickness, 1e-12)
    return -np.expm1(-depth) / depth


def bulk_transmission(
    chi: NDArray[np.float64],
    energy: NDArray[np.float64],
    weight_fraction: dict[str, float],
    beam_energy: float,
) -> NDArray[np.float64]:
    """Fraction of the X-rays generated in a bulk specimen that leaves it."""
    number = mean_atomic_number(weight_fraction)
    h = 1.2 * mean_atomic_weight(weight_fraction) / number**2
    inverse_sigma = np.clip(beam_energy**1.65 - energy**1.65, 0.0, None) / 4.5e5
    ratio = chi * inverse_sigma
    return 1.0 / ((1.0 + ratio) * (1.0 + h / (1.0 + h) * ratio))
