# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the parameters of `PSNMF` against a map; every error names the parameter."""

import warnings

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import MOST_AXES, PixelBins, spatial_axes
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.validation import (
    as_array,
    as_floats,
    check_choice,
    check_int,
    check_spectra,
    smoothing_weight,
    volume_weight,
)


def check_bool(name: str, value) -> bool:
    """Return a switch, or raise TypeError naming it."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def check_fixed(spectra, n_components: int, n_channels: int) -> np.ndarray:
    """Return the fixed spectra of unit sum, of shape (n_fixed, n_channels)."""
    if spectra is None:
        return np.empty((0, n_channels))
    fixed = check_spectra("fixed_spectra", spectra, n_channels)
    if len(fixed) > n_components:
        raise ValueError(
            f"fixed_spectra has {len(fixed)} spectra, more than {n_components} components"
        )
    return fixed / fixed.sum(axis=1, keepdims=True)


def check_shape(navigation_shape, rows: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a map; by default that of the data without their channels."""
    if navigation_shape is None:
        return rows
    shape = np.atleast_1d(navigation_shape).tolist()
    shape = tuple(check_int("navigation_shape", n) for n in shape)
    if np.prod(shape) != np.prod(rows):
        raise ValueError(f"navigation_shape={shape} does not have {np.prod(rows)} pixels")
    return shape


def check_used_pixels(used, shape: tuple[int, ...], X) -> np.ndarray | None:
    """Return which pixels are used, bool of shape (n_pixels,), or None for all.

    Those left out must have no counts in X; counts in blocks are of signals, masked already.
    """
    if used is None:
        return None
    used, n_pixels = as_array("used_pixels", used), int(np.prod(shape))
    if used.dtype != bool or used.shape not in ((n_pixels,), shape):
        raise ValueError(
            f"used_pixels must be of bool and of shape {(n_pixels,)} or {shape}, "
            f"not of {used.dtype} and {used.shape}"
        )
    if not isinstance(X, CountBlocks) and total_counts(X, axis=1)[~used.ravel()].any():
        raise ValueError("used_pixels leaves out pixels that have counts")
    return used.ravel()


def check_guide(guide, shape: tuple[int, ...], smoothing: float) -> np.ndarray | None:
    """Return images as floats of shape (n_images, n_pixels), or None."""
    if guide is None:
        return None
    images = as_floats("guide", guide)
    if images.shape[-len(shape) :] != shape or images.ndim > len(shape) + 1 or not images.size:
        raise ValueError(f"guide must have shape {shape} or (n, *{shape}), not {images.shape}")
    images = images.reshape(-1, int(np.prod(shape)))
    if not np.isfinite(images).all():
        raise ValueError("guide must be finite")
    if (np.ptp(images, axis=1) == 0).any():
        raise ValueError("guide must not be constant")
    if smoothing == 0:
        raise ValueError("guide has no effect without smoothing: leave out guide, or smoothing")
    return images


def check_smoothing(smoothing, spatial_prior) -> float:
    """Return the weight of neighbouring pixels, from the old name with a warning."""
    if isinstance(spatial_prior, str) and spatial_prior == "deprecated":
        return smoothing_weight(smoothing)
    if smoothing is not True:
        raise ValueError("spatial_prior is the old name of smoothing: give smoothing alone")
    warnings.warn(
        "spatial_prior is deprecated and will be removed in 0.3: use smoothing",
        FutureWarning,
        stacklevel=5,
    )
    is_auto = isinstance(spatial_prior, str) and spatial_prior == "auto"
    return smoothing_weight(True if is_auto else spatial_prior, "spatial_prior")


def check_volume(parsimony, volume) -> float | None:
    """Return the weight of the volume term, None for parsimony, from "auto" with a warning."""
    if isinstance(volume, str) and volume == "auto":
        warnings.warn(
            "volume='auto' is deprecated and will be removed in 0.3: leave out volume",
            FutureWarning,
            stacklevel=6,
        )
        volume = None
    return volume_weight(parsimony, volume)


def check_templates(templates, n_channels: int, volume, weight: float | None) -> Templates | None:
    """Return templates of unit sum; those of an array are of one element each.

    They need parsimony, so no `volume`, or no `weight` by `check_volume`.
    """
    if templates is None:
        return None
    if weight is not None:
        given = "parsimony=False" if volume is None else f"volume={volume}"
        raise ValueError(f"{given} needs free spectra, not templates")
    if not isinstance(templates, Templates):
        lines = check_spectra("templates", templates, n_channels)
        none = np.empty((0, n_channels))
        return Templates(lines / lines.sum(axis=1, keepdims=True), none, np.arange(len(lines)))
    check_spectra("templates", templates.spectra, templates.spectra.shape[1])
    if len(templates.elements) != len(templates.lines):
        raise ValueError(
            f"templates has {len(templates.lines)} lines, but elements of {len(templates.elements)}"
        )
    if templates.spectra.shape[1] != n_channels:
        raise ValueError(
            f"templates has {templates.spectra.shape[1]} channels, and the data {n_channels}"
        )
    return templates.corrected(np.ones(n_channels))  # of unit sum


def check_absent(absent, n_fixed: int, n_components: int, n_channels: int) -> np.ndarray | None:
    """Return the channels excluded from components, bool of shape (n_components, n_channels)."""
    if absent is None:
        return None
    absent, shape = as_array("absent", absent), (n_components, n_channels)
    if absent.dtype != bool or absent.shape != shape:
        raise ValueError(
            f"absent must be of bool and of shape {shape}, not of {absent.dtype} and {absent.shape}"
        )
    if absent[:n_fixed].any():
        raise ValueError(f"absent names one of the {n_fixed} phases of fixed_spectra")
    if absent.all(axis=1).any():
        raise ValueError("absent leaves a component without any channel")
    return absent


def check_assign_absent(assign, n_components: int, n_channels: int) -> np.ndarray | bool:
    """Return a switch, or spectra of shape (n_components, n_channels)."""
    if as_array("assign_absent", assign).ndim == 0:
        return check_bool("assign_absent", assign)
    like, shape = as_floats("assign_absent", assign), (n_components, n_channels)
    if like.shape != shape:
        raise ValueError(f"assign_absent must be a bool or of shape {shape}, not {like.shape}")
    if not np.isfinite(like).all():
        raise ValueError("assign_absent must be finite")
    return like


def check_binning(binning, shape: tuple[int, ...], n_components: int) -> tuple[int, ...] | None:
    """Return the binning in array order, or None for "auto"."""
    if not 1 <= len(shape) <= MOST_AXES:
        raise ValueError(f"navigation_shape={shape} must be of one to {MOST_AXES} axes")
    if isinstance(binning, str):
        check_choice("binning", binning, ("auto",))
        return None
    if np.ndim(binning) == 0:
        b = check_int("binning", binning)
        spatial = spatial_axes(len(shape))
        binning = tuple(b if s and n > 1 else 1 for s, n in zip(spatial, shape, strict=True))
    else:
        binning = tuple(check_int("binning", b) for b in binning)
    if len(binning) != len(shape):
        raise ValueError(f"binning={binning} must have one int per axis of the map {shape}")
    if any(b > n for b, n in zip(binning, shape, strict=True)):
        raise ValueError(f"binning={binning} is larger than the map {shape}")
    n_bins = PixelBins(shape, binning).n_bins
    if n_bins < n_components:
        raise ValueError(
            f"binning={binning} leaves {n_bins} bins, fewer than n_components={n_components}"
        )
    return binning


def check_energy_binning(energy_binning, n_channels: int, n_components: int) -> None:
    """Raise TypeError or ValueError where too few channels are left."""
    e = check_int("energy_binning", energy_binning)
    if -(-n_channels // e) < n_components:
        raise ValueError(
            f"energy_binning={e} leaves fewer channels than n_components={n_components}"
        )
