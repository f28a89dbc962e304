# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated EDS maps (phantoms) with their ground truth in the metadata.

- :func:`mineral_grains` (TEM, 3 phases): the everyday case of overlapping grains, with
  a phase of 1 % of the counts that is easily lost.
- :func:`core_shell_particles` (TEM, 3 phases): phases that always overlap, elements in
  several phases and counts that vary strongly over the map; with ``diameter=5`` particles
  smaller than a bin.
- :func:`grain_boundary` (TEM, 3 phases): similar spectra and a film a few pixels wide.
- :func:`sem_two_phases` (SEM, 2 phases): a bulk specimen, with self-absorption and
  empty channels above the beam energy.
- :func:`embedded_spheres` (TEM, 3 phases): inclusions that are nowhere seen pure.
- :func:`sharp_interface` (TEM, 2 phases): an edge of known width and position.
- :func:`isolated_particles` (TEM, 2 phases): particles of 3 pixels, which smoothing loses.
- :func:`solid_solution` (SEM, 2 end members): a concentration gradient, whose rank is
  not exactly two.

The expected counts are ``truth.loadings @ truth.factors.T`` with
``truth = s.metadata.Truth``, and the data are their Poisson counts.
"""

from hyperspy_psnmf.data.phantoms import (
    core_shell_particles,
    grain_boundary,
    mineral_grains,
    sem_two_phases,
)
from hyperspy_psnmf.data.special_cases import (
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
