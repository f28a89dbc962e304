# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks in HyperSpy's conventions, converted to one.

HyperSpy takes arrays in (x, y) order and signals in array order, and True means
left out. Here a mask is a flat array in array order, and True means used.
"""

from numbers import Real

import numpy as np
from hyperspy.signal import BaseSignal

from hyperspy_psnmf.eds.lazy.read import check_data
from hyperspy_psnmf.eds.signals.axes import channels_of_range
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.nmf.validation import as_array, check_scale


def read_map_input(
    signal, *, navigation_mask=None, signal_mask=None, energy_range=None, counts_per_unit=None
) -> MapInput:
    """Return the axes of a map, with its pixels and channels in use.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    navigation_mask
        See `pixels_in_use`.
    signal_mask, energy_range
        See `channels_in_use`.
    counts_per_unit : float or None
        What the data are multiplied by to be counts; None is 1.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, or if the data cannot be counts.
    """
    check_data(signal)
    counts_per_unit = check_scale("counts_per_unit", counts_per_unit)
    keep_pixels = pixels_in_use(signal, navigation_mask)
    keep_channels = channels_in_use(signal, signal_mask, energy_range)
    return MapInput.of(signal, keep_pixels, keep_channels, counts_per_unit)


def pixels_in_use(signal, navigation_mask) -> np.ndarray | None:
    """Return which pixels to use, flat in C order, or None for all.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    navigation_mask : None, ndarray, BaseSignal or float
        True = left out. An array has the shape of
        ``s.axes_manager.navigation_shape``. A float is the threshold of eXSpy's
        ``vacuum_mask``, on TEM signals.
    """
    if navigation_mask is None:
        return None
    if isinstance(navigation_mask, Real) and not isinstance(navigation_mask, bool | np.bool_):
        navigation_mask = _vacuum(signal, float(navigation_mask))
    expected = tuple(signal.axes_manager.navigation_shape)
    if isinstance(navigation_mask, BaseSignal):
        shape = tuple(navigation_mask.axes_manager.navigation_shape)
        if navigation_mask.axes_manager.signal_dimension:
            # A mask made by comparing a map transposed to image form.
            shape = tuple(navigation_mask.axes_manager.shape)
        mask = _compute("navigation_mask", navigation_mask.data)
    else:
        mask = _compute("navigation_mask", navigation_mask)
        shape, mask = mask.shape, mask.T
    return _keep("navigation_mask", mask, shape, expected)


def channels_in_use(signal, signal_mask, energy_range) -> np.ndarray | None:
    """Return which channels to use, or None for all.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    signal_mask : None, ndarray or BaseSignal
        True = left out.
    energy_range : None or (float, float)
        Lowest and highest energy used, in keV.
    """
    keep = None if energy_range is None else channels_of_range(signal, energy_range)
    if signal_mask is None:
        return keep
    given = signal_mask.data if isinstance(signal_mask, BaseSignal) else signal_mask
    mask = _compute("signal_mask", given)
    allowed = _keep("signal_mask", mask, mask.shape, tuple(signal.axes_manager.signal_shape))
    if keep is None or allowed is None:
        return allowed if keep is None else keep
    if not (keep & allowed).any():
        raise ValueError("signal_mask leaves no channel of energy_range")
    return keep & allowed


def _vacuum(signal, threshold):
    if not hasattr(signal, "vacuum_mask"):
        raise TypeError(
            "navigation_mask can be a float, a threshold of vacuum_mask, on EDS_TEM signals only"
        )
    if not 0 <= threshold < np.inf:
        raise ValueError(f"navigation_mask must be a threshold of at least 0, not {threshold}")
    return signal.vacuum_mask(threshold)


def _compute(name, mask):
    return as_array(name, mask.compute() if hasattr(mask, "compute") else mask)


def _keep(name, mask, shape, expected):
    if shape != expected:
        raise ValueError(f"{name} must have the shape {expected}, not {shape}")
    if mask.dtype.kind == "V" or not (mask.dtype == bool or np.isin(mask, (0, 1)).all()):
        raise TypeError(f"{name} must be boolean (True = left out), not {mask.dtype}")
    keep = ~mask.astype(bool).ravel()
    if not keep.any():
        raise ValueError(f"{name} leaves nothing to decompose")
    return None if keep.all() else keep
