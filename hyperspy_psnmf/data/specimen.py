# SPDX-License-Identifier: GPL-3.0-or-later
"""What a phantom is made of: phases, the microscope and the scene that joins them.

Compositions are in at%, converted to wt% by w = a A / Σ a A with the atomic weights
A of eXSpy's element database.

References
----------
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009), ch. 35.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from exspy.material import atomic_to_weight
from numpy.typing import NDArray


@dataclass(frozen=True)
class Phase:
    """A phase: composition in at% and, for a thin film, mass thickness in g/cm²."""

    name: str
    atomic_percent: Mapping[str, float]
    mass_thickness: float = 0.0

    @property
    def weight_percent(self) -> dict[str, float]:
        """Composition in wt%."""
        symbols = list(self.atomic_percent)
        percent = atomic_to_weight(list(self.atomic_percent.values()), elements=symbols)
        return dict(zip(symbols, (float(value) for value in percent), strict=True))

    @property
    def weight_fraction(self) -> dict[str, float]:
        """Composition as weight fractions."""
        return {element: percent / 100.0 for element, percent in self.weight_percent.items()}


@dataclass(frozen=True)
class Microscope:
    """Beam and detector geometry; `bulk` is True for an SEM, False for a TEM specimen."""

    beam_energy: float  # keV
    elevation_angle: float  # degree, equals the take-off angle of an untilted specimen
    bulk: bool
    beam_current: float  # nA
    live_time: float  # s per pixel


@dataclass(frozen=True, eq=False)  # hashed by identity, for the cache of spectra
class Scene:
    """What a phantom consists of; `mass_maps` gives (ny, nx, n_phases) for a shape.

    A film has a thickness in nm; particles, and what is embedded, have none that is the same
    everywhere.
    """

    title: str
    notes: str
    phases: Sequence[Phase]
    microscope: Microscope
    xray_lines: Sequence[str]
    continuum_share: float
    field_of_view: float  # edge of the square field
    length_unit: str
    mass_maps: Callable[..., NDArray[np.float64]]
    thickness: float | None = None

    @property
    def density(self) -> float | None:
        """Mean density of the phases in g/cm³, where there is a thickness."""
        if self.thickness is None:
            return None
        masses = [phase.mass_thickness for phase in self.phases]
        return float(np.mean(masses)) / (1e-7 * self.thickness)
