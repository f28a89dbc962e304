# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals like a map, or like its spectra, built from axes, metadata and new data.

They are built from their parts, as HyperSpy's own ``get_decomposition_factors`` loses the
specimen, the live time and the beam.
"""

import copy
from dataclasses import dataclass

import numpy as np
from hyperspy.signals import BaseSignal

from hyperspy_psnmf._compat import eager_class
from hyperspy_psnmf.eds.signals.axes import map_shape
from hyperspy_psnmf.eds.xray.lines import element_of, line_energy

# What describes the data of a signal and not those made from it; truth is that of phantoms, and
# "PSNMF" are results, see `stored_record`.
_OF_THE_DATA = ("PSNMF", "Truth", "_HyperSpy")


def spectra_like(signal, data, title: str, *, navigation, window: slice | None = None):
    """Return spectra as an EDS signal with the specimen and instrument of another.

    Parameters
    ----------
    signal : EDSSpectrum
        Lazy or not; the result is not lazy.
    data : ndarray of shape (..., n_channels)
    title : str
    navigation : list of dict
        The other axes, in array order.
    window : slice, optional
        Channels of the signal that the data are for; by default all of them.

    Returns
    -------
    EDSTEMSpectrum or EDSSEMSpectrum
        Without a variance.
    """
    energy = signal.axes_manager.signal_axes[0]
    energy = energy.get_axis_dictionary() if window is None else crop_axis(energy, window)
    metadata = _copy_metadata(signal)
    metadata.setdefault("General", {})["title"] = title
    axes = [{**axis, "navigate": True} for axis in navigation]
    return eager_class(signal)(data, axes=[*axes, {**energy, "navigate": False}], metadata=metadata)


def images_like(signal, values: np.ndarray, title: str, quantity: str, *, axes=None):
    """Return an image of values of pixels, or one of each phase.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    values : ndarray of shape (n_pixels,) or (n_pixels, n_phases)
        Pixels in C order of the map.
    title, quantity : str
        The title is completed by that of the map.
    axes : list of dict, optional
        Uniform axes in array order, for bins in place of pixels.

    Returns
    -------
    BaseSignal
        With the map's axes as signal axes, and a navigation axis "Phase" for several images.
    """
    shape = map_shape(signal) if axes is None else [axis["size"] for axis in axes]
    phases = [phase_axis(values.shape[1])] if values.ndim > 1 else []
    of_map = [{**axis, "navigate": False} for axis in axes or map_axes(signal)]
    title = f"{title} of {signal.metadata.General.title}"
    images = BaseSignal(
        np.ascontiguousarray(values.T).reshape(*values.shape[1:], *shape),
        axes=[*phases, *of_map],
        metadata={"General": {"title": title}, "Signal": {"quantity": quantity}},
    )
    images.set_signal_type("")
    return images


def map_axes(signal) -> list[dict]:
    """Return the navigation axes of a map, in array order, as dictionaries."""
    return [axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes[::-1]]


def phase_axis(n_phases: int) -> dict:
    """Return the dictionary of an axis of phases."""
    return {"name": "Phase", "size": n_phases, "offset": 0, "scale": 1, "navigate": True}


def crop_axis(axis, window: slice) -> dict:
    """Return the dictionary of a part of an axis of any kind."""
    cropped = axis.get_axis_dictionary()
    if axis.is_uniform:
        return {**cropped, "size": window.stop - window.start, "offset": axis.axis[window.start]}
    kept = {key: cropped[key] for key in ("name", "units", "is_binned") if key in cropped}
    return {**kept, "_type": "DataAxis", "axis": np.array(axis.axis[window])}


def _copy_metadata(signal):
    metadata = signal.metadata.as_dictionary()
    # A variance is as large as the data, so it is removed before the copy.
    metadata.get("Signal", {}).pop("Noise_properties", None)
    return copy.deepcopy({key: of for key, of in metadata.items() if key not in _OF_THE_DATA})


@dataclass(frozen=True, eq=False)
class MapFrame:
    """Axes and metadata of a map, without its data, for maps of X-ray lines.

    Attributes
    ----------
    title : str
    metadata : dict
    axes : list of dict
        The navigation axes, in array order.
    shape : tuple of int
        Of the map, in array order.
    units : str
        Of the energy axis.
    """

    title: str
    metadata: dict
    axes: list[dict]
    shape: tuple[int, ...]
    units: str

    @classmethod
    def of(cls, signal):
        """Return the frame of a signal, which is not kept."""
        units = str(signal.axes_manager.signal_axes[0].units)
        title = signal.metadata.General.title
        return cls(title, _copy_metadata(signal), map_axes(signal), map_shape(signal), units)

    def as_map(self, line: str, values: np.ndarray, what: str, quantity: str) -> BaseSignal:
        """Return a signal like those of eXSpy's ``get_lines_intensity``."""
        metadata = copy.deepcopy(self.metadata)
        energy = line_energy(line) * (1000 if self.units == "eV" else 1)
        metadata["General"]["title"] = (
            f"{what} of {self.title}: {line} at {energy:.2f} {self.units}"
        )
        of_line = {"elements": [element_of(line)], "xray_lines": [line]}
        metadata["Sample"] = metadata.get("Sample", {}) | of_line
        metadata["Signal"] = {"quantity": quantity, "signal_type": ""}
        data = np.ascontiguousarray(values).reshape(self.shape)
        return BaseSignal(data, axes=copy.deepcopy(self.axes), metadata=metadata)
