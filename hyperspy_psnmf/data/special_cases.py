# SPDX-License-Identifier: GPL-3.0-or-later
"""Phantoms that each test one property: purity, sharpness, small features, rank.

The truth of every phantom is described in `phantoms`; these add where the edge or the
particles are, and the end members of a solid solution.

References
----------
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009), ch. 36.
"""

from __future__ import annotations

from exspy.signals import EDSSEMSpectrum, EDSTEMSpectrum

from hyperspy_psnmf.data import scenes
from hyperspy_psnmf.data.geometry import maps
from hyperspy_psnmf.data.simulate import Settings, check_positive, simulate, simulate_particles


def embedded_spheres(
    *,
    shape: tuple[int, int] = (128, 128),
    counts: float = 250,
    seed: int = 0,
    n_channels: int = 1980,
) -> EDSTEMSpectrum:
    """
    Two droplets inside a glass: inclusions that are nowhere seen pure.

    One sphere of iron sulfide and one of metal lie within the glass, so that of a
    pixel's counts they have half at most. Fe is in both. The field is 64 nm wide, the
    glass 185 nm thick and the beam energy 200 keV.

    Parameters
    ----------
    shape : tuple of int
        Pixels (ny, nx). The field of view stays the same, the pixels change size.
    counts : float
        Mean counts per pixel.
    seed : int
        Seed of the Poisson noise. The scene itself never changes.
    n_channels : int
        Channels of 0.01 keV, from 0.1 keV on; 100 to 4096.

    Returns
    -------
    EDSTEMSpectrum
        Poisson counts of shape (ny, nx, n_channels) in the smallest unsigned integer
        type, with the truth in ``metadata.Truth``.

    Raises
    ------
    TypeError
        If a parameter is of the wrong kind.
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] Bradley, J. P. (1994). Chemically anomalous, preaccretionally irradiated grains
       in interplanetary dust from comets. Science 265, 925.
    """
    scene = scenes.SPHERES
    return simulate(scene, shape=shape, counts=counts, seed=seed, n_channels=n_channels)


def sharp_interface(
    *,
    shape: tuple[int, int] = (128, 128),
    counts: float = 250,
    seed: int = 0,
    n_channels: int = 1980,
    edge_width: float = 2.0,
) -> EDSTEMSpectrum:
    """
    Magnetite film on periclase: an edge of known width.

    Along each row the loadings follow an error function. The interface is inclined by
    4 degrees to the columns, so that it crosses the rows at all positions between two
    pixels. The beam energy is 200 keV.

    Parameters
    ----------
    shape : tuple of int
        Pixels (ny, nx). The field of view stays the same, the pixels change size.
    counts : float
        Mean counts per pixel.
    seed : int
        Seed of the Poisson noise. The scene itself never changes.
    n_channels : int
        Channels of 0.01 keV, from 0.1 keV on; 100 to 4096.
    edge_width : float
        Distance in pixels along a row over which a loading goes from 10 % to 90 %.

    Returns
    -------
    EDSTEMSpectrum
        Poisson counts of shape (ny, nx, n_channels) in the smallest unsigned integer
        type, with the truth in ``metadata.Truth``: besides what
        every phantom has, ``edge_width``, and ``edge_positions`` of shape (ny,), the
        column at which each row crosses the edge, in pixels.

    Raises
    ------
    TypeError
        If a parameter is of the wrong kind.
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] Williams, D. B. & Carter, C. B. (2009). Transmission Electron Microscopy,
       2nd ed., ch. 36. Springer.
    """
    check_positive("edge_width", edge_width)
    settings: Settings = {"shape": shape, "counts": counts, "seed": seed}
    settings["n_channels"] = n_channels
    signal = simulate(scenes.INTERFACE, edge_width=edge_width, **settings)
    signal.metadata.set_item("Truth.edge_width", float(edge_width))
    signal.metadata.set_item("Truth.edge_positions", maps.edge_positions(shape))
    return signal


def isolated_particles(
    *,
    shape: tuple[int, int] = (128, 128),
    counts: float = 250,
    seed: int = 0,
    n_channels: int = 1980,
    diameter: float = 3.0,
) -> EDSTEMSpectrum:
    """
    Palladium particles a few pixels wide on alumina.

    Up to 64 equal particles lie far apart, each with at most about a third of a
    pixel's counts: a method that smooths its maps loses them. The field is 64 nm wide,
    the flake 15 nm thick and the beam energy 200 keV.

    Parameters
    ----------
    shape : tuple of int
        Pixels (ny, nx). The field of view stays the same, the pixels change size.
    counts : float
        Mean counts per pixel.
    seed : int
        Seed of the Poisson noise. The scene itself never changes.
    n_channels : int
        Channels of 0.01 keV, from 0.1 keV on; 100 to 4096.
    diameter : float
        Diameter of the particles in pixels of the longer side.

    Returns
    -------
    EDSTEMSpectrum
        Poisson counts of shape (ny, nx, n_channels) in the smallest unsigned integer
        type, with the truth in ``metadata.Truth``: besides what
        every phantom has, ``particle_diameter`` and ``particle_centres`` of shape
        (n_particles, 2), row and column in pixels.

    Raises
    ------
    TypeError
        If a parameter is of the wrong kind.
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] Williams, D. B. & Carter, C. B. (2009). Transmission Electron Microscopy,
       2nd ed., ch. 36. Springer.
    """
    settings: Settings = {"shape": shape, "counts": counts, "seed": seed}
    settings["n_channels"] = n_channels
    return simulate_particles(scenes.CATALYST, diameter=diameter, **settings)


def solid_solution(
    *,
    shape: tuple[int, int] = (128, 128),
    counts: float = 250,
    seed: int = 0,
    n_channels: int = 1980,
) -> EDSSEMSpectrum:
    """
    Olivine zoned from forsterite to fayalite: a concentration gradient.

    A bulk crystal absorbs its own X-rays, so the spectrum of an intermediate
    composition is no mixture of the ends': two components describe the map nearly, but
    not exactly. In the truth the series is cut into nine steps; a composition between
    two steps is a mixture of these. The field is 64 µm wide, the beam energy 15 keV.

    Parameters
    ----------
    shape : tuple of int
        Pixels (ny, nx). The field of view stays the same, the pixels change size.
    counts : float
        Mean counts per pixel.
    seed : int
        Seed of the Poisson noise. The scene itself never changes.
    n_channels : int
        Channels of 0.01 keV, from 0.1 keV on; 100 to 4096.

    Returns
    -------
    EDSSEMSpectrum
        Poisson counts of shape (ny, nx, n_channels) in the smallest unsigned integer
        type, with the truth in ``metadata.Truth``: besides what
        every phantom has, ``end_members``, the names of the two phases that end the
        series.

    Raises
    ------
    TypeError
        If a parameter is of the wrong kind.
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] Chakraborty, S. (2010). Diffusion coefficients in olivine, wadsleyite and
       ringwoodite. Reviews in Mineralogy and Geochemistry 72, 603.
    """
    scene = scenes.OLIVINE
    signal = simulate(scene, shape=shape, counts=counts, seed=seed, n_channels=n_channels)
    ends = [scene.phases[0].name, scene.phases[-1].name]
    signal.metadata.set_item("Truth.end_members", ends)
    return signal
