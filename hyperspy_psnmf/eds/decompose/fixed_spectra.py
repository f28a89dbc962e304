# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra given by the user, on the channels of a map."""

import numpy as np
from hyperspy.signal import BaseSignal

from hyperspy_psnmf._compat import data_in_array_order
from hyperspy_psnmf.eds.signals.axes import energies
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.nmf.validation import as_floats, check_spectra


def spectra_on_map(name: str, spectra, map_input: MapInput) -> np.ndarray:
    """Return spectra of shape (n_spectra, n_channels_in_use).

    Parameters
    ----------
    name : str
        What to call the argument in an error.
    spectra : BaseSignal or array-like
        One spectrum per phase: a signal with at most one navigation axis, or an
        array of shape (n_spectra, n_channels) or (n_channels,).
    map_input : MapInput
        Of the map.

    Raises
    ------
    ValueError
        If lengths or energy axes do not match, or values are negative, not
        finite, or all zero.
    """
    n_channels, keep_channels = map_input.n_channels, map_input.keep_channels
    if isinstance(spectra, BaseSignal):
        spectra = _align(name, spectra, map_input)
    spectra = np.atleast_2d(as_floats(name, spectra))
    if spectra.ndim != 2 or spectra.shape[1] != n_channels:
        raise ValueError(f"{name} must have shape (n, {n_channels}), not {spectra.shape}")
    if keep_channels is not None:
        # Spectra are NaN in channels that were masked in their own map.
        spectra = spectra[:, keep_channels]
    return check_spectra(name, spectra, spectra.shape[1])


def _align(name, spectra, map_input):
    """Return the spectra on the map's channels, NaN where they do not reach."""
    if spectra.axes_manager.signal_dimension != 1 or spectra.axes_manager.navigation_dimension > 1:
        raise ValueError(f"{name} must have one spectrum per phase, not {spectra}")
    own, theirs = map_input.require_energy(), energies(spectra, name)
    # One of these is zero: that of the axis that starts later.
    skipped, first = np.argmin(np.abs(theirs - own[0])), np.argmin(np.abs(own - theirs[0]))
    n = min(theirs.size - skipped, own.size - first)
    covered, part = slice(first, first + n), slice(skipped, skipped + n)
    if not np.allclose(own[covered], theirs[part], rtol=0, atol=0.1 * abs(own[1] - own[0])):
        raise ValueError(
            f"{name} has another energy axis ({theirs.size} channels, {theirs[0]:.4g} to "
            f"{theirs[-1]:.4g} keV) than the map ({own.size}, {own[0]:.4g} to {own[-1]:.4g} keV)"
        )
    data = np.atleast_2d(as_floats(name, data_in_array_order(spectra)))
    full = np.full((len(data), own.size), np.nan)
    full[:, covered] = data[:, part]
    missing = np.isnan(full).any(axis=0)
    keep = map_input.keep_channels
    if (missing if keep is None else missing & keep).any():
        raise ValueError(
            f"{name} covers {theirs[0]:.4g} to {theirs[-1]:.4g} keV only; "
            "pass an energy_range within it"
        )
    return full
