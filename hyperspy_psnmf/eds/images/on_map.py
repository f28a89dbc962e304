# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the mapped area (HAADF, backscattered electrons), averaged over the pixels of a map."""

import numpy as np
from hyperspy.signal import BaseSignal

from hyperspy_psnmf._compat import is_lazy
from hyperspy_psnmf.nmf.validation import as_floats

SAME_FIELD = 0.02  # relative difference of fields of view that are taken as the same area
TOLERANCE = 0.5  # of a pixel of the image, by which the map may reach beyond it


def images_on_map(name: str, images, signal) -> np.ndarray:
    """Return images on the pixels of a map.

    Parameters
    ----------
    name : str
        What to call the argument in an error.
    images : BaseSignal, array-like, or list of these
        Of the shape of the map in array order, or of a multiple of it. With calibrated axes, of
        any shape: a field of view as large as the map's is the same area, and from a larger one
        the map's is cut out by the offsets of the axes.
    signal : EDSSpectrum
        The map.

    Returns
    -------
    ndarray of shape (n_images, *map shape)

    Raises
    ------
    TypeError, ValueError
        If an image does not cover the map, is constant or is not finite.
    """
    axes = list(signal.axes_manager.navigation_axes)[::-1]
    several = isinstance(images, list | tuple) and all(_is_image(i, len(axes)) for i in images)
    found = [_on_map(name, image, axes) for image in (images if several else [images])]
    if not found:
        raise ValueError(f"{name} is an empty list")
    return np.stack(found)


def _is_image(image, n_axes):
    return isinstance(image, BaseSignal) or np.ndim(image) == n_axes


def _on_map(name, image, axes):
    shape = tuple(axis.size for axis in axes)
    values, own = _read(name, image)
    if values.ndim != len(shape):
        raise ValueError(f"{name} must have {len(shape)} axes as the map, not {values.ndim}")
    edges = [
        _edges(name, size, axis, own_axis)
        for size, axis, own_axis in zip(values.shape, axes, own, strict=True)
    ]
    for number, positions in enumerate(edges):
        values = _average(values, number, positions)
    if np.ptp(values) == 0:
        raise ValueError(f"{name} is constant on the map")
    return values


def _read(name, image):
    """Return values in array order, and the axes of a signal or None for each."""
    if not isinstance(image, BaseSignal):
        values = as_floats(name, image)
        own = [None] * values.ndim
    else:
        axes = (*image.axes_manager.navigation_axes, *image.axes_manager.signal_axes)
        own = sorted(axes, key=lambda axis: axis.index_in_array)
        data = image.data.compute() if is_lazy(image) else image.data
        values = as_floats(name, data)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite")
    return values, own


def _edges(name, size, axis, own):
    """Return where in an axis of the image, in its pixels, those of the map begin and end."""
    if size % axis.size == 0 and not _may_be_larger(axis, own):
        return np.linspace(0, size, axis.size + 1)
    if not _same_unit(axis, own):
        raise ValueError(
            f"{name} has {size} pixels along {axis.name}, no multiple of the map's {axis.size}, "
            "and no calibration in the same unit"
        )
    field, own_field = axis.size * axis.scale, own.size * own.scale
    if abs(own_field / field - 1) <= SAME_FIELD:
        return np.linspace(0, size, axis.size + 1)
    # Offsets are those of the centres of pixels.
    first = (axis.offset - axis.scale / 2 - own.offset) / own.scale + 0.5
    edges = first + np.arange(axis.size + 1) * axis.scale / own.scale
    if edges.min() < -TOLERANCE or edges.max() > size + TOLERANCE:
        raise ValueError(
            f"{name} does not cover the map along {axis.name}: it is from {own.offset:.4g} to "
            f"{own.offset + own_field:.4g} {own.units}, the map from {axis.offset:.4g} to "
            f"{axis.offset + field:.4g}"
        )
    return np.clip(edges, 0, size)


def _may_be_larger(axis, own):
    """Return whether the image is calibrated, and of another field of view."""
    if own is None or not _same_unit(axis, own):
        return False
    return abs(own.size * own.scale / (axis.size * axis.scale) - 1) > SAME_FIELD


def _same_unit(axis, own):
    units = [getattr(each, "units", None) for each in (axis, own)]
    uniform = all(getattr(each, "is_uniform", False) for each in (axis, own))
    return uniform and isinstance(units[0], str) and units[0] == units[1] and own.scale > 0


def _average(values, axis, edges):
    """Return the means between edges along an axis, pixels at an edge weighted by their part."""
    sums = np.cumsum(values, axis=axis)
    sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis=axis)
    positions = np.arange(sums.shape[axis])
    at_edges = np.apply_along_axis(lambda line: np.interp(edges, positions, line), axis, sums)
    widths = np.diff(edges).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    return np.diff(at_edges, axis=axis) / widths
