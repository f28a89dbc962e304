# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the parameters of `PSNMF` against a map; every error names the parameter."""

import numpy as np

from hyperspy_psnmf.nmf.binning.bins import MOST_AXES, PixelBins, spatial_axes
from hyperspy_psnmf.nmf.validation import as_array, check_choice, check_int, check_spectra


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


def check_absent(absent, n_fixed: int, n_components: int, n_channels: int) -> np.ndarray | None:
    """Return the channels excluded from components, bool of shape (n_components, n_channels)."""
    if absent is None:
        return None
    absent, shape = as_array("absent", absent), (n_components, n_channels)
    if absent.dtype != bool or absent.shape != shape:
        raise ValueError(f"absent must be of bool and of shape {shape}, not {absent.shape}")
    if absent[:n_fixed].any():
        raise ValueError(f"absent names one of the {n_fixed} phases of fixed_spectra")
    if absent.all(axis=1).any():
        raise ValueError("absent leaves a component without any channel")
    return absent


def check_binning(binning, shape: tuple[int, ...], n_components: int) -> tuple[int, ...] | None:
    """Return the binning in array order, or None for "auto"."""
    if not 1 <= len(shape) <= MOST_AXES:
        raise ValueError(f"navigation_shape={shape} must be of one to {MOST_AXES} axes")
    if isinstance(binning, str):
        check_choice("binning", binning, ("auto",))
        return None
    if np.ndim(binning) == 0:
        b = check_int("binning", binning)
        binning = tuple(b if spatial else 1 for spatial in spatial_axes(len(shape)))
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
