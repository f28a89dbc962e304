# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.standard_errors()`` and ``upper_limits()``.

Errors of the maps given the spectra need the learning results only, all others the map's
counts too.
"""

import warnings

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.signals.build import map_axes, spectra_like
from hyperspy_psnmf.eds.signals.phases import maps_like_phases, spectra_like_phases
from hyperspy_psnmf.eds.uncertainty.jackknife import find_errors_from_spectra, why_not_estimated
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
    decomposed: Decomposed,
    of: str = "maps",
    *,
    given_spectra: bool | None = None,
    show_progressbar: bool | None = None,
    random_state=0,
):
    """Return the standard errors of a decomposed map; see the accessor."""
    check_choice("of", of, QUANTITIES)
    if not isinstance(given_spectra, bool | None):
        raise TypeError(f"given_spectra must be True, False or None, not {given_spectra!r}")
    if given_spectra is False and of != "maps":
        raise ValueError(f"given_spectra=False is for of='maps', not of={of!r}: see ambiguity()")
    if of == "spectra":
        return _errors_of_spectra(decomposed)
    if of == "model":
        return _errors_of_model(decomposed)
    sigma = standard_deviations(covariance_of_loadings(decomposed))
    if given_spectra is None:
        given_spectra = _only_given(decomposed)
    if not given_spectra:
        options = {"show_progressbar": show_progressbar, "random_state": random_state}
        sigma = np.hypot(sigma, find_errors_from_spectra(decomposed, **options))
    return maps_like_phases(decomposed, sigma, "Standard errors of phase maps", QUANTITY)


def _only_given(decomposed) -> bool:
    """Return whether the errors of the spectra are not known, and warn if so."""
    unknown = why_not_estimated(decomposed)
    if unknown:
        warnings.warn(
            "standard errors are those of the loadings with the spectra taken as exact, and not "
            f"those of the spectra: {unknown}. given_spectra=True asks for them without a warning",
            UserWarning,
            stacklevel=4,
        )
    return unknown is not None


def find_upper_limits(decomposed: Decomposed, *, confidence: float = 0.95):
    """Return the upper limits of loadings at zero; see the accessor."""
    check_confidence(confidence, lowest=0.5)
    with decomposed.open_counts() as X:
        found = upper_limits(X, decomposed.W, decomposed.H, confidence=confidence, n_jobs=None)
    found[~decomposed.pixels_in_use] = np.nan
    quantity = f"Upper limit in counts at {100 * confidence:g} % confidence"
    return maps_like_phases(decomposed, found, "Upper limits of phase maps", quantity)


def covariance_of_loadings(decomposed: Decomposed) -> np.ndarray:
    """Return the covariance of the loadings of every pixel, given the spectra.

    Returns
    -------
    ndarray of shape (n_pixels, n_phases, n_phases)
        In counts squared; zero for loadings at zero, and in masked pixels.
    """
    W, H = np.nan_to_num(decomposed.loadings), np.ascontiguousarray(decomposed.H)
    n_averaged = decomposed.record.n_pixels_behind
    return loading_covariance(W, H, n_averaged=n_averaged, n_jobs=None)


def intensity_errors(decomposed: Decomposed, intensities) -> np.ndarray:
    """Return the standard errors of intensities in every pixel, given the spectra.

    Parameters
    ----------
    decomposed : Decomposed
        A decomposed map.
    intensities : ndarray of shape (n_phases,) or (n_phases, n_lines)
        Intensity of each X-ray line per count of each phase, so that
        ``loadings @ intensities`` are the maps of lines.

    Returns
    -------
    ndarray of shape (n_pixels,) or (n_pixels, n_lines)
        In counts; NaN in pixels without counts and in masked ones.
    """
    covariance = covariance_of_loadings(decomposed)
    return reconstruction_errors(covariance, np.asarray(intensities, dtype=float))


def _errors_of_spectra(d: Decomposed):
    errors, counts = np.full(d.spectra.data.shape, np.nan), d.W.sum(axis=0)[:, None]
    of_unit_sum = sampling_errors(d.binned_loadings, d.H, n_fixed=d.n_fixed)
    errors[:, d.map_input.inside] = of_unit_sum * counts
    title = f"Standard errors of phase spectra of {d.signal.metadata.General.title}"
    return _as_errors(spectra_like_phases(d.spectra, errors, title))


def _errors_of_model(decomposed: Decomposed):
    signal, inside = decomposed.signal, decomposed.map_input.inside
    errors = np.full((len(decomposed.loadings), inside.size), np.nan)
    errors[:, inside] = intensity_errors(decomposed, decomposed.H)
    model = spectra_like(
        signal,
        errors.reshape(*decomposed.map_input.shape, -1),
        f"Standard errors of the model of {signal.metadata.General.title}",
        navigation=map_axes(signal),
        window=decomposed.map_input.window,
    )
    return _as_errors(model)


def _as_errors(spectra):
    spectra.metadata.set_item("Signal.quantity", QUANTITY)
    return spectra
