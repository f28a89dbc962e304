# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.standard_errors()`` and ``upper_limits()``.

Errors of the maps given the spectra need the learning results only, all others the map's
counts too.
"""

import numpy as np

from hyperspy_psnmf.eds.lazy.reopen import bin_as_decomposed, open_decomposed
from hyperspy_psnmf.eds.signals.axes import map_shape
from hyperspy_psnmf.eds.signals.build import map_axes, spectra_like
from hyperspy_psnmf.eds.signals.learning_results import (
    channels_decomposed,
    pixels_decomposed,
    read_counts_and_spectra,
    read_record,
)
from hyperspy_psnmf.eds.signals.phases import maps_like_phases, phase_spectra, spectra_like_phases
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
QUANTITY = "Standard error in counts"


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
    return maps_like_phases(signal, sigma, "Standard errors of phase maps", QUANTITY)


def find_upper_limits(signal, *, confidence: float = 0.95):
    """Return the upper limits of loadings at zero; see the accessor."""
    check_confidence(confidence, lowest=0.5)
    in_use = pixels_decomposed(signal)
    with open_decomposed(signal) as d:
        found = upper_limits(d.X, d.W, d.H, confidence=confidence, n_jobs=None)
    found[~in_use] = np.nan
    quantity = f"Upper limit in counts at {100 * confidence:g} % confidence"
    return maps_like_phases(signal, found, "Upper limits of phase maps", quantity)


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
        np.nan_to_num(loadings), H, n_pixels=read_record(signal).n_pixels_behind, n_jobs=None
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
    found = phase_spectra(signal)
    inside = _window(d.keep_channels)
    counts = d.W.sum(axis=0)[:, None]
    errors = np.full(found.data.shape, np.nan)
    errors[:, inside] = sampling_errors(W, d.H, n_fixed=d.n_fixed) * counts
    title = f"Standard errors of phase spectra of {signal.metadata.General.title}"
    return _as_errors(spectra_like_phases(found, errors, title))


def _errors_of_model(signal):
    _, factors = read_counts_and_spectra(signal)
    keep = channels_decomposed(factors)
    inside, first = _window(keep), int(np.argmax(keep))
    errors = np.full((signal.axes_manager.navigation_size, inside.size), np.nan)
    errors[:, inside] = intensity_errors(signal, factors[keep].T)
    model = spectra_like(
        signal,
        errors.reshape(*map_shape(signal), -1),
        f"Standard errors of the model of {signal.metadata.General.title}",
        navigation=map_axes(signal),
        window=slice(first, first + inside.size),
    )
    return _as_errors(model)


def _window(keep):
    """Return which channels are used, from the first used one to the last."""
    used = np.flatnonzero(keep)
    return keep[used[0] : used[-1] + 1]


def _as_errors(spectra):
    spectra.metadata.set_item("Signal.quantity", QUANTITY)
    return spectra
