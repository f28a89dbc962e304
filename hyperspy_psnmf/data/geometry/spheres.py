# SPDX-License-Identifier: GPL-3.0-or-later
"""Geometry of spherical particles: mass of each phase under each pixel, as nm · g/cm³.

The beam's path through a sphere of radius r at a distance d from its centre is::

    2 √(r² - d²)

References
----------
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009), ch. 36.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperspy_psnmf.data.geometry.maps import GEOMETRY_SEED, Map, blurred, positions

FIELD = 64.0  # nm
FILM_THICKNESS = 15.0  # nm
CORE_SHARE = 0.62  # of the diameter
MAX_PER_ROW = 8


class Sphere(NamedTuple):
    """Centre and radius in nm."""

    x: float
    y: float
    radius: float


# Sphere and radius of its core.
PARTICLES = (
    (Sphere(14.0, 13.0, 8.5), 5.5),
    (Sphere(33.0, 21.0, 9.5), 6.0),
    (Sphere(52.0, 12.0, 6.5), 4.0),
    (Sphere(18.0, 38.0, 7.5), 4.5),
    (Sphere(40.0, 43.0, 10.0), 7.0),
    (Sphere(55.0, 34.0, 5.5), 3.5),
    (Sphere(24.0, 54.0, 6.0), 3.5),
    (Sphere(55.0, 56.0, 7.0), 4.5),
)
# Thick enough that neither droplet gives more than half of the counts.
GLASS_THICKNESS = 185.0
SULFIDE = Sphere(25.0, 26.0, 20.0)
METAL = Sphere(50.0, 49.0, 12.0)


def core_shell_particles_maps(shape: tuple[int, int], *, diameter: float | None = None) -> Map:
    """Carbon film, oxide shell and metal core; equal particles where a diameter is given."""
    y, x = (FIELD * position for position in positions(shape))
    particles = list(PARTICLES)
    if diameter is not None:
        equal = scattered_spheres(shape, diameter)
        particles = [(sphere, CORE_SHARE * sphere.radius) for sphere in equal]
    shell, core = np.zeros(shape), np.zeros(shape)
    for sphere, core_radius in particles:
        inner = _path(x, y, sphere._replace(radius=core_radius))
        core += inner
        shell += _path(x, y, sphere) - inner
    film = FILM_THICKNESS * (1.0 + 0.12 * np.sin(0.07 * x + 0.5) * np.cos(0.05 * y))
    density = {"film": 2.0, "shell": 5.2, "core": 14.5}
    return np.stack(
        [
            density["film"] * film,
            density["shell"] * blurred(shell, 0.008),
            density["core"] * blurred(core, 0.008),
        ],
        axis=-1,
    )


def isolated_particles_maps(shape: tuple[int, int], *, diameter: float) -> Map:
    """Alumina flake and palladium particles, blurred by half a pixel."""
    y, x = (FIELD * position for position in positions(shape))
    spheres = scattered_spheres(shape, diameter)
    palladium = np.sum([_path(x, y, sphere) for sphere in spheres], axis=0)
    alumina = FILM_THICKNESS * (1.0 + 0.2 * np.sin(0.06 * x + 1.0) * np.cos(0.08 * y))
    return np.stack([3.0 * alumina, 12.0 * blurred(palladium, 0.5 / max(shape))], axis=-1)


def embedded_spheres_maps(shape: tuple[int, int]) -> Map:
    """Glass, and a sulfide and a metal droplet inside that take its place."""
    y, x = (FIELD * position for position in positions(shape))
    sulfide, metal = (blurred(_path(x, y, sphere), 0.008) for sphere in (SULFIDE, METAL))
    glass = GLASS_THICKNESS - sulfide - metal
    return np.stack([2.6 * glass, 4.6 * sulfide, 7.9 * metal], axis=-1)


def scattered_spheres(shape: tuple[int, int], diameter: float) -> list[Sphere]:
    """
    Equal spheres on a jittered grid, far enough apart not to touch.

    Parameters
    ----------
    shape : tuple of int
        Pixels (ny, nx) of the field.
    diameter : float
        In pixels of the longer side.
    """
    length = max(shape)
    n_per_row = int(np.clip(length / (3.0 * diameter), 1, MAX_PER_ROW))
    spacing = FIELD / n_per_row
    grid = spacing * (np.arange(n_per_row) + 0.5)
    centres = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    jitter = np.random.default_rng(GEOMETRY_SEED).uniform(-0.2, 0.2, centres.shape)
    radius = 0.5 * diameter * FIELD / length
    return [Sphere(float(x), float(y), radius) for x, y in centres + spacing * jitter]


def centres_in_pixels(shape: tuple[int, int], diameter: float) -> NDArray[np.float64]:
    """Row and column of the scattered spheres' centres; 0 is the centre of the first pixel."""
    spheres = scattered_spheres(shape, diameter)
    centres = np.array([(sphere.y, sphere.x) for sphere in spheres])
    return centres / FIELD * shape - 0.5


def _path(x: Map, y: Map, sphere: Sphere) -> Map:
    """Length of the beam's path through a sphere."""
    squared = (x - sphere.x) ** 2 + (y - sphere.y) ** 2
    return 2.0 * np.sqrt(np.clip(sphere.radius**2 - squared, 0.0, None))
