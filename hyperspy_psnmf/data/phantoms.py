# SPDX-License-Identifier: GPL-3.0-or-later
"""Phantoms as functions: each returns a signal that carries its truth.

With ``truth = s.metadata.Truth`` the noise-free map is::

    (truth.loadings @ truth.factors.T).reshape(s.data.shape)

The truth of a phantom, in `metadata.Truth`:

- ``phase_names``: list of str,
- ``factors``: (n_channels, n_phases), the phases' spectra, each of unit sum,
- ``loadings``: (n_pixels, n_phases), expected counts, pixels in C order of (ny, nx),
- ``atomic_percent``, ``weight_percent``: {phase: {element: percent}},
- ``k_factors``: {line: Cliff-Lorimer factor relative to Si Ka}, for weight fractions
  and the lines in ``metadata.Sample.xray_lines``, without absorption,
- ``continuum_fraction``: {phase: fraction of the phase's counts in the continuum}.

References
----------
Goldstein et al., Scanning Electron Microscopy and X-ray Microanalysis,
3rd ed. (2003).
Williams & Carter, Transmission Electron Microscopy, 2nd ed. (2009).
"""

from __future__ import annotations

from exspy.signals import EDSSEMSpectrum, EDSTEMSpectrum

from hyperspy_psnmf.data import scenes
from hyperspy_psnmf.data.simulate import Settings, simulate, simulate_particles


def mineral_grains(
    *,
    shape: tuple[int, int] = (128, 128),
    counts: float = 250,
    seed: int = 0,
    n_channels: int = 1980,
) -> EDSTEMSpectrum:
    """
    Silicate, ferropericlase and a rare Ca silicate in a thin lamella.

    The grains' boundaries are inclined to the beam and a film of redeposited material
    covers everything, so every pixel contains all three phases. The Ca silicate has
    about 1 % of the counts. The field is 1.28 µm wide, the lamella 100 nm thick and
    the beam energy 200 keV.

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
    .. [1] Ringwood, A. E. (1991). Phase transformations and their bearing on the
       constitution and dynamics of the mantle. Geochimica et Cosmochimica Acta 55, 2083.
    """
    scene = scenes.MINERALS
    return simulate(scene, shape=shape, counts=counts, seed=seed, n_channels=n_channels)


def core_shell_particles(
    *,
    shape: tuple[int, int] = (128, 128),
    counts: float = 250,
    seed: int = 0,
    n_channels: int = 1980,
    diameter: float | None = None,
) -> EDSTEMSpectrum:
    """
    FePt cores in Fe3O4 shells on a carbon film.

    Each phase's mass is that of spheres in projection: a core is never seen without
    its shell and the film. Fe is in two phases. Counts vary 40-fold between film and
    particles. The Cu of the support simulates stray counts of the grid, so its
    concentration is only apparent. The field is 64 nm wide, the beam energy 200 keV.

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
    diameter : float, optional
        Diameter of the particles in pixels of the longer side, to have them smaller
        than the binning; their cores are 62 % as wide. Up to 64 equal particles are
        scattered over the field then, and ``metadata.Truth`` has
        ``particle_diameter`` and ``particle_centres`` (row and column, in pixels).
        By default eight particles of 11 to 20 nm: 22 to 40 of 128 pixels.

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
    .. [1] Zeng, H., Li, J., Wang, Z. L., Liu, J. P. & Sun, S. (2004). Bimagnetic
       core/shell FePt/Fe3O4 nanoparticles. Nano Letters 4, 187.
    """
    settings: Settings = {"shape": shape, "counts": counts, "seed": seed}
    settings["n_channels"] = n_channels
    if diameter is None:
        return simulate(scenes.PARTICLES, **settings)
    return simulate_particles(scenes.PARTICLES, diameter=diameter, **settings)


def grain_boundary(
    *,
    shape: tuple[int, int] = (128, 128),
    counts: float = 250,
    seed: int = 0,
    n_channels: int = 1980,
) -> EDSTEMSpectrum:
    """
    Ferrite and austenite with a thin film rich in Mo and P between them.

    The boundary is inclined to the beam, so the film, about 4 nm wide, overlaps with
    both grains and has 3 % of the counts. The two grains have the same main elements
    in different amounts. The field is 128 nm wide, the foil 60 nm thick and the beam
    energy 200 keV.

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
    .. [1] Williams, D. B. & Carter, C. B. (2009). Transmission Electron Microscopy,
       2nd ed., ch. 36. Springer.
    """
    scene = scenes.BOUNDARY
    return simulate(scene, shape=shape, counts=counts, seed=seed, n_channels=n_channels)


def sem_two_phases(
    *,
    shape: tuple[int, int] = (128, 128),
    counts: float = 250,
    seed: int = 0,
    n_channels: int = 1980,
) -> EDSSEMSpectrum:
    """
    Aluminium cells and an Al2Cu network in a bulk casting.

    The interaction volume blurs the phases over about 2 µm. The bulk specimen absorbs
    its own X-rays, the Duane-Hunt limit of the continuum lies at the beam energy of
    15 keV, and nothing is counted above. The field is 64 µm wide.

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
        type, with the truth in ``metadata.Truth``.

    Raises
    ------
    TypeError
        If a parameter is of the wrong kind.
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] Goldstein, J. et al. (2003). Scanning Electron Microscopy and X-ray
       Microanalysis, 3rd ed. Springer.
    """
    scene = scenes.CAST_ALLOY
    return simulate(scene, shape=shape, counts=counts, seed=seed, n_channels=n_channels)
