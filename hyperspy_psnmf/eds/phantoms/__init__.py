# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated EDS maps with known truth.

The expected counts are loadings times factors, D ~ Poisson(L Fᵀ); what the factors
are made of is described in `_spectra`, what the truth holds in `_phantoms`.
"""

from hyperspy_psnmf.eds.phantoms._phantoms import (
    core_shell_particles,
    grain_boundary,
    mineral_grains,
    sem_two_phases,
)
from hyperspy_psnmf.eds.phantoms._special_cases import (
    embedded_spheres,
    isolated_particles,
    sharp_interface,
    solid_solution,
)

__all__ = [
    "core_shell_particles",
    "embedded_spheres",
    "grain_boundary",
    "isolated_particles",
    "mineral_grains",
    "sem_two_phases",
    "sharp_interface",
    "solid_solution",
]
