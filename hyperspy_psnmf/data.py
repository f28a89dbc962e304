# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated EDS maps to try things on: the answer is known and stored with them.

- :func:`mineral_grains` (TEM, 3 phases): the everyday case of overlapping grains, with
  a phase of 1 % of the counts that is easily lost.
- :func:`core_shell_particles` (TEM, 3 phases): phases that always overlap, shared
  elements and counts that vary strongly over the map.
- :func:`grain_boundary` (TEM, 3 phases): similar spectra and a film a few pixels wide.
- :func:`sem_two_phases` (SEM, 2 phases): a bulk specimen, with self-absorption and
  empty channels above the beam energy.

The expected counts are ``truth.loadings @ truth.factors.T`` with
``truth = s.metadata.Truth``, and the data are their Poisson counts.
"""

from hyperspy_psnmf.eds.phantoms import (
    core_shell_particles,
    grain_boundary,
    mineral_grains,
    sem_two_phases,
)

__all__ = ["core_shell_particles", "grain_boundary", "mineral_grains", "sem_two_phases"]
