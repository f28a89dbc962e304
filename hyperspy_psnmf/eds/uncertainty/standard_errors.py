# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.standard_errors()`` and ``upper_limits()``.

Errors of the maps given the spectra need the learning results only, all others the map's
counts too.
"""

import copy

import numpy as np

from hyperspy_psnmf.eds.lazy.reopen import bin_as_decomposed, open_decomposed
from hyperspy_psnmf.eds.signals.learning_results import (
    channels_decomposed,
    pixels_decomposed,
    read_counts_and_spectra,
    read_record,
)
from hyperspy_psnmf.eds.signals.phases import phase_maps, phase_spectra
from hyperspy_psnmf.eds.uncertainty.jackknife import find_errors_from_spectra
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.uncertainty.bands import sampling_errors
from hyperspy_psnmf.nmf.uncertainty.standard_errors import (
    loading_covariance,
    reconstruction_errors,
    standard_deviations,
)
from hyperspy_psnmf.nmf.uncertainty.upper_limits import upper_limits
from hyperspy_psnmf.nmf.validation import check_choice, check_confidence

QUANTITIES = ("maps", "spectra", "model")


def standard_errors(
    signal,
    of: str = "maps",
    *,
    given_spectra: bool = True,
    show_progressbar: bool | None = None,
    random_state=0,
):
    """Return the standard errors of a decomposed map; see the accessor."""
    check_choice("of", of, QUANTITIES)
    if not isinstance(given_spectra, bool):
        raise TypeError(f"given_spectra must be True or False, not {given_spectra!r}")
    if not given_spectra and of != "maps":
        raise ValueError(f"given_spectra=False is for of='maps', not of={of!r}: see ambiguity()")
    if of == "spectra":
        return _errors_of_spectra(signal)
    if of == "model":
        return _errors_of_model(signal)
    sigma = standard_deviations(read_covariance(signal))
    if not given_spectra:
        options = {"show_progressbar": show_progressbar, "random_state": random_state}
        sigma = np.hypot(sigma, find_errors_from_spectra(signal, **options))
    return _like_phase_maps(signal, sigma, "Standard errors", "Standard error in counts")


def find_upper_limits(signal, *, confidence: float = 0.95):
    """Return the upper limits of loadings at zero; see the accessor."""
    check_confidence(confidence, lowest=0.5)
    in_use = pixels_decomposed(signal)
    with open_decomposed(signal) as d:
        found = upper_limits(d.X, d.W, d.H, confidence=confidence, n_jobs=None)
    found[~in_use] = np.nan
    quantity = f"Upper limit in counts at {100 * confidence:g} % confidence"
    return _like_phase_maps(signal, found, "Upper limits", quantity)


def read_covariance(signal) -> np.ndarray:
    """Return the covariance of the loadings of every pixel, given the spectra.

    Returns
    -------
    ndarray of shape (n_pixels, n_phases, n_phases)
        In counts squared; zero for loadings at zero, and in masked pixels.
    """
    loadings, factors = read_counts_and_spectra(signal)
    H = np.ascontiguousarray(factors[channels_decomposed(factors)].T)
    return loading_covariance(
        np.nan_to_num(loadings), H, n_pixels=read_record(signal).get("n_pixels_behind"), n_jobs=None
    )


def intensity_errors(signal, intensities) -> np.ndarray:
    """Return the standard errors of intensities in every pixel, given the spectra.

    Parameters
    ----------
    signal : EDSSpectrum
        A decomposed map.
    intensities : ndarray of shape (n_phases,) or (n_phases, n_lines)
        Intensity of each X-ray line per count of each phase, so that
        ``loadings @ intensities`` are the maps of lines.

    Returns
    -------
    ndarray of shape (n_pixels,) or (n_pixels, n_lines)
        In counts; NaN in pixels without counts and in masked ones.
    """
    return reconstruction_errors(read_covariance(signal), np.asarray(intensities, dtype=float))


def _errors_of_spectra(signal):
    with open_decomposed(signal) as d:
        binned = bin_as_decomposed(signal, d)
    W = solve_loadings(binned, d.H, n_jobs=None)
    errors = phase_spectra(signal)
    inside = _window(d.keep_channels)
    counts = d.W.sum(axis=0)[:, None]
    errors.data = np.full(errors.data.shape, np.nan)
    errors.data[:, inside] = sampling_errors(W, d.H, n_fixed=d.n_fixed) * counts
    # A standard error has no Poisson variance.
    del errors.metadata.Signal.Noise_properties
    return _label(errors, signal, "Standard errors of phase spectra", "Standard error in counts")


def _errors_of_model(signal):
    _, factors = read_counts_and_spectra(signal)
    keep = channels_decomposed(factors)
    found, inside, am = phase_spectra(signal), _window(keep), signal.axes_manager
    errors = np.full((am.navigation_size, inside.size), np.nan)
    errors[:, inside] = intensity_errors(signal, factors[keep].T)
    axes = [axis.get_axis_dictionary() for axis in am.navigation_axes[::-1]]
    axes.append(found.axes_manager.signal_axes[0].get_axis_dictionary())
    metadata = copy.deepcopy(signal.metadata.as_dictionary())
    metadata.get("Signal", {}).pop("Noise_properties", None)
    metadata.pop("Truth", None)
    data = errors.reshape(*am.navigation_shape[::-1], -1)
    model = type(found)(data, axes=axes, metadata=metadata)
    return _label(model, signal, "Standard errors of the model", "Standard error in counts")


def _window(keep):
    """Return which channels are used, from the first used one to the last."""
    used = np.flatnonzero(keep)
    return keep[used[0] : used[-1] + 1]


def _like_phase_maps(signal, values, title, quantity):
    maps = phase_maps(signal)
    maps.data = np.ascontiguousarray(values.T).reshape(maps.data.shape)
    return _label(maps, signal, f"{title} of phase maps", quantity)


def _label(result, signal, title, quantity):
    result.metadata.General.title = f"{title} of {signal.metadata.General.title}"
    result.metadata.set_item("Signal.quantity", quantity)
    return result
