# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra and maps of phases as signals.

The signals are built from their parts, as HyperSpy's own
``get_decomposition_factors`` loses the sample, the live time and the beam.
"""

import copy
import warnings

import numpy as np
from hyperspy.signals import BaseSignal, Signal1D

from hyperspy_psnmf._compat import eager_class
from hyperspy_psnmf.eds.signals.exposure import time_per_pixel
from hyperspy_psnmf.eds.signals.learning_results import read_counts_and_spectra, read_names
from hyperspy_psnmf.eds.signals.metadata import read_number

_TEM = "Acquisition_instrument.TEM"


def phase_spectra(signal):
    """Return the spectrum of each phase, in counts; see the accessor."""
    loadings, factors = read_counts_and_spectra(signal)
    used = np.flatnonzero(~np.isnan(factors).any(axis=1))
    window = slice(used[0], used[-1] + 1)
    data = np.nan_to_num(factors[window].T) * np.nansum(loadings, axis=0)[:, None]
    energy = crop_axis(signal.axes_manager.signal_axes[0], window)
    metadata = copy.deepcopy(signal.metadata.as_dictionary())
    _clean(metadata, f"Phase spectra of {signal.metadata.General.title}")
    spectra = eager_class(signal)(
        data, axes=[_phase_axis(len(data)), {**energy, "navigate": False}], metadata=metadata
    )
    _scale_exposure(spectra, signal, count_pixels(signal))
    # At least one count: fits weigh channels by the inverse of their variance. HyperSpy slices
    # the variance like the spectra, in keV too, so it needs their axes.
    axes = spectra.axes_manager.as_dictionary().values()
    spectra.set_noise_variance(Signal1D(np.maximum(data, 1.0), axes=list(axes)))
    _store_names(spectra, read_names(signal))
    return spectra


def phase_maps(signal, normalize=None):
    """Return the map of each phase; see the accessor."""
    if normalize is not None and not (isinstance(normalize, str) and normalize == "counts"):
        raise ValueError(f"normalize must be None or 'counts', not {normalize!r}")
    loadings, _ = read_counts_and_spectra(signal)
    if normalize == "counts":
        total = loadings.sum(axis=1, keepdims=True)
        loadings = np.divide(loadings, total, out=np.full_like(loadings, np.nan), where=total > 0)
    am = signal.axes_manager
    axes = [dict(axis.get_axis_dictionary(), navigate=False) for axis in am.navigation_axes[::-1]]
    quantity = "Fraction of counts" if normalize else "Counts"
    maps = BaseSignal(
        np.ascontiguousarray(loadings.T).reshape(-1, *am.navigation_shape[::-1]),
        axes=[_phase_axis(loadings.shape[1]), *axes],
        metadata={
            "General": {"title": f"Phase maps of {signal.metadata.General.title}"},
            "Signal": {"quantity": quantity},
        },
    )
    maps.set_signal_type("")
    _store_names(maps, read_names(signal))
    return maps


def _phase_axis(n):
    return {"name": "Phase", "size": n, "offset": 0, "scale": 1, "navigate": True}


def crop_axis(axis, window):
    """Return the dictionary of a part of an axis of any kind."""
    cropped = axis.get_axis_dictionary()
    if axis.is_uniform:
        return {**cropped, "size": window.stop - window.start, "offset": axis.axis[window.start]}
    kept = {key: cropped[key] for key in ("name", "units", "is_binned") if key in cropped}
    return {**kept, "_type": "DataAxis", "axis": np.array(axis.axis[window])}


def count_pixels(signal) -> int:
    """Return the number of pixels that a decomposition used."""
    # eXSpy turns the NaN of masked pixels into zeros, so the mask comes first.
    mask = signal.learning_results.navigation_mask
    if mask is not None:
        return np.count_nonzero(~np.asarray(mask, dtype=bool))
    return np.count_nonzero(~np.isnan(read_counts_and_spectra(signal)[0][:, 0]))


def _clean(metadata, title):
    metadata.setdefault("General", {})["title"] = title
    metadata.get("Signal", {}).pop("Noise_properties", None)
    metadata.pop("_HyperSpy", None)
    # The truth that built-in phantoms carry is that of the map.
    metadata.pop("Truth", None)


def _scale_exposure(spectra, signal, n_pixels):
    """Set live time, real time and probe area to those of all pixels together.

    Times that may be of a pixel or of the map are left out.
    """
    for path in ("TEM.Detector.EDS.live_time", "SEM.Detector.EDS.live_time",
                 "TEM.Detector.EDS.real_time", "SEM.Detector.EDS.real_time"):  # fmt: skip
        path = f"Acquisition_instrument.{path}"
        if read_number(spectra, path) is None:
            continue
        if (of_pixel := time_per_pixel(signal, path)) is not None:
            spectra.metadata.set_item(path, of_pixel * n_pixels)
        else:
            parent, _, name = path.rpartition(".")
            delattr(spectra.metadata.get_item(parent), name)
    if (of_pixel := read_number(spectra, f"{_TEM}.probe_area")) is not None:
        spectra.metadata.set_item(f"{_TEM}.probe_area", of_pixel * n_pixels)
    # eXSpy would take the probe area from the map's axes, which phases do not have.
    if hasattr(signal, "get_probe_area"):
        area = f"{_TEM}.probe_area"
        if spectra.metadata.get_item(area) is None and (pixel := pixel_area(signal)) is not None:
            spectra.metadata.set_item(area, pixel * n_pixels)


def pixel_area(signal) -> float | None:
    """Return the area of a pixel in nm², or None where axes have no unit of length."""
    with warnings.catch_warnings():
        # Pixels of 1 nm² may be right here.
        warnings.filterwarnings("ignore", "Please note that the probe area")
        try:
            return float(signal.get_probe_area())
        except (AttributeError, ValueError, TypeError):
            return None


def _store_names(signal, names):
    signal.metadata.set_item("Phases.names", names)
