# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra and maps of phases as signals."""

import numpy as np
from hyperspy.signals import Signal1D

from hyperspy_psnmf.eds.signals.build import images_like, phase_axis, spectra_like
from hyperspy_psnmf.eds.signals.exposure import time_per_pixel
from hyperspy_psnmf.eds.signals.metadata import read_number

_TEM = "Acquisition_instrument.TEM"


def phase_spectra(decomposed):
    """Return the spectrum of each phase, in counts; see the accessor."""
    signal, window = decomposed.signal, decomposed.map_input.window
    data = np.nan_to_num(decomposed.factors[window].T) * decomposed.counts[:, None]
    title = f"Phase spectra of {signal.metadata.General.title}"
    navigation = [phase_axis(len(data))]
    spectra = spectra_like(signal, data, title, navigation=navigation, window=window)
    _scale_exposure(spectra, signal, decomposed.n_pixels)
    # At least one count: fits weigh channels by the inverse of their variance. HyperSpy slices
    # the variance like the spectra, in keV too, so it needs their axes.
    axes = spectra.axes_manager.as_dictionary().values()
    spectra.set_noise_variance(Signal1D(np.maximum(data, 1.0), axes=list(axes)))
    _store_names(spectra, decomposed.names)
    return spectra


def phase_maps(decomposed, normalize=None):
    """Return the map of each phase; see the accessor."""
    if normalize is not None and not (isinstance(normalize, str) and normalize == "counts"):
        raise ValueError(f"normalize must be None or 'counts', not {normalize!r}")
    loadings = decomposed.loadings
    if normalize == "counts":
        total = loadings.sum(axis=1, keepdims=True)
        loadings = np.divide(loadings, total, out=np.full_like(loadings, np.nan), where=total > 0)
    return maps_like_phases(
        decomposed, loadings, "Phase maps", "Fraction of counts" if normalize else "Counts"
    )


def maps_like_phases(decomposed, values: np.ndarray, title: str, quantity: str):
    """Return values of shape (n_pixels, n_phases) as maps with the names of phases."""
    maps = images_like(decomposed.signal, values, title, quantity)
    _store_names(maps, decomposed.names)
    return maps


def spectra_like_phases(found, data: np.ndarray, title: str):
    """Return other spectra of the phases that `phase_spectra` has found, without a variance."""
    return spectra_like(found, data, title, navigation=[phase_axis(len(data))])


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
    """Return the area of a pixel in nm², or None where axes have no unit of length.

    Computed as by eXSpy's ``get_probe_area``, which warns of 1 nm², though that may be right here:
    to suppress a warning is not safe in threads.
    """
    axes = signal.axes_manager.navigation_axes
    if len(axes) not in (1, 2):
        return None
    try:
        scales = [axis.convert_to_units("nm", inplace=False)[0] for axis in axes]
    except (AttributeError, ValueError, TypeError):
        return None
    return float(scales[0] * scales[-1])


def _store_names(signal, names):
    signal.metadata.set_item("Phases.names", names)
