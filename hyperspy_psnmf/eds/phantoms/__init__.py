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

__all__ = ["core_shell_particles", "grain_boundary", "mineral_grains", "sem_two_phases"]
