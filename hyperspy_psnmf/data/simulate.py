# SPDX-License-Identifier: GPL-3.0-or-later
"""Assemble a simulated EDS map and its truth into an eXSpy signal.

The expected counts of pixel p in channel e are L Fᵀ: the loadings L (counts of each
phase in each pixel) times the transposed factors F (spectra of unit sum). The data
are Poisson counts of this expectation.

References
----------
Keenan & Kotula, Surface and Interface Analysis 36 (2004) 203 (Poisson counts of a
bilinear model).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
from exspy.signals import EDSSEMSpectrum, EDSTEMSpectrum
from numpy.typing import NDArray

from hyperspy_psnmf.data.counting import draw_counts
from hyperspy_psnmf.data.geometry.spheres import centres_in_pixels
from hyperspy_psnmf.data.signal import eds_signal
from hyperspy_psnmf.data.specimen import Scene
from hyperspy_psnmf.data.spectra import k_factors, phase_spectra

Settings = dict[str, Any]  # keyword arguments of every phantom
MIN_CHANNELS, MAX_CHANNELS = 100, 4096
MAX_COUNTS = 1e12  # per pixel; beyond 1e18 there is no Poisson generator


def simulate(
    scene: Scene,
    *,
    shape: tuple[int, int],
    counts: float,
    seed: int,
    n_channels: int,
    **geometry: float,
) -> EDSTEMSpectrum | EDSSEMSpectrum:
    """Count photons from a scene; the parameters are those of every phantom.

    Further parameters of a phantom are passed to the scene's `mass_maps`.
    """
    shape, seed, n_channels = _checked(shape, counts, seed, n_channels)
    lines, continuum = _scene_spectra(scene, n_channels)
    spectra = lines + continuum
    yields = spectra.sum(axis=0)
    factors = spectra / yields
    loadings = scene.mass_maps(shape, **geometry).reshape(-1, len(scene.phases)) * yields
    loadings *= counts * loadings.shape[0] / loadings.sum()
    data = draw_counts(loadings, factors, np.random.default_rng(seed))
    signal = eds_signal(scene, data.reshape(*shape, n_channels))
    truth = _composition_truth(scene, signal.metadata.Sample.xray_lines)
    truth |= {"factors": factors, "loadings": loadings}
    truth["continuum_fraction"] = _by_phase(scene, continuum.sum(axis=0) / yields)
    signal.metadata.set_item("Truth", truth)
    return signal


def simulate_particles(
    scene: Scene, *, shape: tuple[int, int], diameter: float, **settings: Any
) -> EDSTEMSpectrum:
    """Count photons from scattered particles; their truth says where they are."""
    check_positive("diameter", diameter)
    signal = simulate(scene, shape=shape, diameter=diameter, **settings)
    signal.metadata.set_item("Truth.particle_diameter", float(diameter))
    signal.metadata.set_item("Truth.particle_centres", centres_in_pixels(shape, diameter))
    return signal


@lru_cache(maxsize=16)
def _scene_spectra(
    scene: Scene, n_channels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lines and continua of the phases; they cost more than the counts of a small map."""
    return phase_spectra(
        scene.phases,
        scene.microscope,
        continuum_share=scene.continuum_share,
        n_channels=n_channels,
    )


def _checked(
    shape: tuple[int, int], counts: float, seed: int, n_channels: int
) -> tuple[tuple[int, int], int, int]:
    """Refuse arguments of the wrong kind or size, each by its name."""
    try:
        height, width = shape
    except (TypeError, ValueError):
        raise ValueError(f"shape must be (ny, nx), got {shape!r}") from None
    shape = (_integer("shape", height), _integer("shape", width))
    if min(shape) < 1:
        raise ValueError(f"shape must be positive, got {shape!r}")
    check_positive("counts", counts)
    if counts > MAX_COUNTS:
        raise ValueError(f"counts must be at most {MAX_COUNTS:g} per pixel, got {counts!r}")
    seed = _integer("seed", seed)
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    n_channels = _integer("n_channels", n_channels)
    if not MIN_CHANNELS <= n_channels <= MAX_CHANNELS:
        raise ValueError(
            f"n_channels must be from {MIN_CHANNELS} to {MAX_CHANNELS}, got {n_channels}"
        )
    return shape, seed, n_channels


def check_positive(name: str, value: float) -> None:
    """Raise unless a number is positive and finite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None


def _composition_truth(scene: Scene, xray_lines: Sequence[str]) -> dict[str, object]:
    return {
        "phase_names": [phase.name for phase in scene.phases],
        "atomic_percent": {phase.name: dict(phase.atomic_percent) for phase in scene.phases},
        "weight_percent": {phase.name: phase.weight_percent for phase in scene.phases},
        "k_factors": k_factors(xray_lines, scene.microscope),
    }


def _by_phase(scene: Scene, values: NDArray[np.float64]) -> dict[str, float]:
    return {phase.name: float(value) for phase, value in zip(scene.phases, values, strict=True)}
