# SPDX-License-Identifier: GPL-3.0-or-later
"""Geometry of grains, boundaries and gradients: mass of each phase under each pixel.

Positions are in units of the field's edge, so a scene is the same at any number of
pixels. Where a boundary is inclined to the beam, the specimen is cut into slices
along the beam and the slices are averaged, which gives mixed pixels. A
Gaussian blur simulates the probe and the width of the pixel.

References
----------
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009), ch. 36
(beam spreading and spatial resolution).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.special import ndtr, ndtri

Map = NDArray[np.float64]
N_SLICES = 12  # along the beam, averaged
N_GRAINS = 260  # in a cube of 1.2 times the field
LAMELLA_DEPTH = 0.08  # thickness, in units of the field's edge
GEOMETRY_SEED = 2  # of all scenes; the `seed` of a phantom is that of its noise
EDGE_SLOPE = 0.07  # about 4 degrees: the rows cross the edge at all sub-pixel positions
WIDTH_10_90 = 2.0 * float(ndtri(0.9))  # of an error function with a standard deviation of 1
# Centre x, y, radius, elongation and angle of the Ca silicate grains.
INCLUSIONS = (
    (0.17, 0.71, 0.031, 1.3, 0.3),
    (0.45, 0.33, 0.026, 1.1, 1.2),
    (0.72, 0.83, 0.036, 1.4, 2.2),
    (0.86, 0.24, 0.027, 1.2, 2.7),
    (0.57, 0.58, 0.022, 1.5, 0.9),
)


def mineral_grains_maps(shape: tuple[int, int]) -> Map:
    """Silicate, ferropericlase and Ca silicate grains with inclined boundaries."""
    rng = np.random.default_rng(GEOMETRY_SEED)
    centres = rng.uniform(-0.1, 1.1, (N_GRAINS, 3))
    is_oxide = rng.random(N_GRAINS) < 0.24
    y, x = positions(shape)
    oxide = np.zeros(shape)
    tree = cKDTree(centres)
    for depth in np.linspace(0.5, 0.5 + LAMELLA_DEPTH, N_SLICES):
        points = np.stack([x, y, np.full(shape, depth)], axis=-1)
        oxide += is_oxide[tree.query(points)[1]] / N_SLICES
    oxide = blurred(oxide, 0.01)
    calcium = blurred(_calcium_inclusions(x, y), 0.01)
    fractions = np.stack(
        [(1.0 - calcium) * (1.0 - oxide), (1.0 - calcium) * oxide, calcium], axis=-1
    )
    return _with_redeposited_film(fractions, 0.04)


def grain_boundary_maps(shape: tuple[int, int]) -> Map:
    """Ferrite, austenite and the film on their inclined boundary."""
    y, x = positions(shape)
    tilt = np.radians(18.0)
    distance = (x - 0.62) * np.cos(tilt) + (y - 0.5) * np.sin(tilt)
    distance += 0.02 * np.sin(7.0 * y + 0.4)
    blur = np.hypot(0.008, 1.0 / np.sqrt(12.0) / min(shape))
    width = 0.03 * (1.0 + 0.3 * np.sin(11.0 * y + 1.0))
    left, film, right = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for shift in np.linspace(-0.02, 0.02, N_SLICES):
        past_left = ndtr((distance - shift + 0.5 * width) / blur)
        past_film = ndtr((distance - shift - 0.5 * width) / blur)
        left += 1.0 - past_left
        film += past_left - past_film
        right += past_film
    return np.stack([left, right, film], axis=-1) / N_SLICES


def sem_two_phases_maps(shape: tuple[int, int]) -> Map:
    """Aluminium cells and the Al2Cu network between them, blurred by the beam."""
    rng = np.random.default_rng(GEOMETRY_SEED)
    grid = (np.stack(np.meshgrid(np.arange(-1, 7), np.arange(-1, 7)), axis=-1) + 0.5) / 6.0
    centres = grid.reshape(-1, 2) + rng.uniform(-0.055, 0.055, (64, 2))
    y, x = positions(shape)
    nearest = cKDTree(centres).query(np.stack([x, y], axis=-1), k=2)[0]
    # Half the difference is about the distance to the cell's wall.
    to_wall = blurred(0.5 * (nearest[..., 1] - nearest[..., 0]), 0.014)
    thickness = 0.013 + 0.004 * np.sin(9.0 * x + 1.0) * np.cos(8.0 * y)
    network = ndtr((thickness - to_wall) / 0.004)
    network = 0.01 + 0.98 * blurred(network, 0.012)
    return np.stack([1.0 - network, network], axis=-1)


def edge_positions(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Where each row crosses the interface, in pixels: 0 is the centre of the first one."""
    n_rows, n_columns = shape
    rows = np.arange(n_rows) - 0.5 * (n_rows - 1)
    return np.asarray(0.45 * n_columns - 0.5 + EDGE_SLOPE * rows, dtype=np.float64)


def sharp_interface_maps(shape: tuple[int, int], *, edge_width: float) -> Map:
    """Film and substrate; along a row the edge is an error function 10-90 % wide in pixels."""
    distance = np.arange(shape[1]) - edge_positions(shape)[:, None]
    substrate = ndtr(distance * WIDTH_10_90 / edge_width)
    return np.stack([5.2 * (1.0 - substrate), 3.6 * substrate], axis=-1)


def solid_solution_maps(shape: tuple[int, int], *, n_steps: int) -> Map:
    """Fraction of each step of a series of compositions, along a diffusion profile.

    A composition between two steps is a mixture of these two.
    """
    y, x = positions(shape)
    distance = np.hypot(x - 0.1, 0.8 * (y - 0.4)) - 0.45
    step = (n_steps - 1) * ndtr(distance / 0.14)
    return np.clip(1.0 - np.abs(step[..., None] - np.arange(n_steps)), 0.0, None)


def positions(shape: tuple[int, int]) -> tuple[Map, Map]:
    """Vertical and horizontal position of the pixel centres, from 0 to 1."""
    y, x = ((np.arange(size) + 0.5) / size for size in shape)
    rows, columns = np.meshgrid(y, x, indexing="ij")
    return rows, columns


def blurred(image: Map, sigma: float) -> Map:
    """Blur by a Gaussian of a width in units of the field."""
    return gaussian_filter(image, [sigma * size for size in image.shape], mode="nearest")


def _calcium_inclusions(x: Map, y: Map) -> Map:
    """Fraction of the lamella's thickness taken by flat rounded inclusions."""
    fraction = np.zeros_like(x)
    for x0, y0, radius, elongation, angle in INCLUSIONS:
        along = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
        across = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
        squared = ((along / elongation) ** 2 + (across * elongation) ** 2) / radius**2
        fraction += 0.9 * np.exp(-(squared**2))
    return fraction


def _with_redeposited_film(fractions: Map, film: float) -> Map:
    """Cover a lamella with the mean material, as ion milling does: no pixel stays pure."""
    mean = fractions.mean(axis=(0, 1))
    return (1.0 - film) * fractions + film * mean
