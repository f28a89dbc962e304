# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing and reading of ``signal.learning_results``; the only module that does."""

import numpy as np

from hyperspy_psnmf._compat import (
    factors_and_loadings,
    learning_attributes,
    names_of_factors_and_loadings,
)
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.record import Record
from hyperspy_psnmf.eds.signals.same_data import find_change, refusal
from hyperspy_psnmf.eds.signals.stored_record import (
    OURS,
    current_results,
    find_record,
    keep_results,
    store_names,
    store_record,
)

NON_NEGATIVE = (*OURS, "NMF")

# What a stock decomposition or blind source separation may have left behind, by all names that
# versions of HyperSpy have for it.
_RESET = {
    "bss_algorithm": None,
    "bss_components": None,
    "bss_factors": None,
    "bss_loadings": None,
    "bss_scores": None,
    "centre": None,
    "explained_variance": None,
    "explained_variance_ratio": None,
    "mean": None,
    "original_shape": None,
    "poissonian_noise_normalized": False,
    "unfolded": False,
    "unmixing_matrix": None,
}


def write_results(signal, map_input: MapInput, loadings, factors, record: Record):
    """Store a finished decomposition, in one step.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    map_input : MapInput
        Which pixels and channels were used; the rest becomes NaN.
    loadings : ndarray of shape (n_pixels, n_components)
        In counts.
    factors : ndarray of shape (n_channels_in_use, n_components)
        Each column of unit sum.
    record : Record
        Stored as ``learning_results.psnmf``, a dict of plain values and arrays.
    """
    keep_pixels, keep_channels = map_input.keep_pixels, map_input.keep_channels
    stored = signal.learning_results
    of_factors, of_loadings = names_of_factors_and_loadings(stored)
    results = {
        **{name: value for name, value in _RESET.items() if hasattr(type(stored), name)},
        of_factors: _expand(factors, keep_channels),
        of_loadings: _blank(loadings, keep_pixels),
        "decomposition_algorithm": record.algorithm,
        "output_dimension": factors.shape[1],
        "number_significant_components": factors.shape[1],
        "navigation_mask": _mask(keep_pixels, map_input.shape),
        "signal_mask": _mask(keep_channels, (map_input.n_channels,)),
    }
    learning_attributes(stored).update(results)
    store_record(stored, record)
    keep_results(signal)


def read_factors_and_loadings(signal) -> tuple:
    """Return factors and loadings as they are stored, None where there are none."""
    return factors_and_loadings(current_results(signal))


def require_results(signal) -> tuple:
    """Return factors and loadings, or raise where they are missing or negative."""
    factors, loadings = read_factors_and_loadings(signal)
    if factors is None or loadings is None:
        raise RuntimeError(
            "there are no factors and loadings yet: run "
            "s.decomposition(algorithm='PSNMF', output_dimension=...) first"
        )
    if factors.shape[1] != loadings.shape[1]:
        raise RuntimeError(
            f"the learning results have been changed since the decomposition: there are "
            f"{factors.shape[1]} factors, but {loadings.shape[1]} loadings. "
            "Decompose the map again"
        )
    _check_unchanged(signal, factors, loadings)
    algorithm = signal.learning_results.decomposition_algorithm
    if not all(np.isfinite(part).any() for part in (factors, loadings)):
        raise ValueError(f"factors or loadings of {algorithm} have no finite value")
    if min(np.nanmin(factors), np.nanmin(loadings)) < 0:
        raise ValueError(_describe_negative(algorithm, factors, loadings))
    return factors, loadings


def _describe_negative(algorithm, factors, loadings):
    """Return the message for results that are negative: reversed, edited, or of another method."""
    signs = [
        np.array([np.nanmin(columns, axis=0) >= 0, np.nanmax(columns, axis=0) <= 0])
        for columns in (np.asarray(factors), np.asarray(loadings))
    ]
    positive, reversed_ = signs[0] & signs[1]
    if (positive | reversed_).all():
        which = np.flatnonzero(reversed_).tolist()
        return (
            f"factors and loadings of {algorithm} have been reversed since the decomposition and "
            "are negative: s.reverse_decomposition_component"
            f"({which if len(which) > 1 else which[0]}) once more undoes it"
        )
    if algorithm in NON_NEGATIVE:
        return (
            f"factors or loadings of {algorithm} have been changed since the decomposition, "
            "which leaves none below zero, and are negative in places: decompose the map again"
        )
    return (
        f"factors and loadings of {algorithm} are negative in places, so they are no spectra and "
        "maps of phases: use algorithm='PSNMF' (or 'NMF')"
    )


def _check_unchanged(signal, factors, loadings):
    am, record, results = signal.axes_manager, read_record(signal), signal.learning_results
    was = record.navigation_shape or am.navigation_shape
    # Folding and unfolding change the number of axes, but not the order of pixels.
    transposed = len(was) == am.navigation_dimension and was != am.navigation_shape
    sizes = (loadings.shape[0], factors.shape[0])
    if sizes != (am.navigation_size, am.signal_size):
        change = "cropped, rebinned or extended ({} pixels of {} channels, and now {} of {})"
        change = change.format(*sizes, am.navigation_size, am.signal_size)
    elif transposed:
        change = "transposed or reshaped"
    else:
        masks = _used(results.navigation_mask), _used(results.signal_mask)
        change = find_change(signal, record, *masks, lambda rows: loadings[rows] @ factors.T)
    if change:
        raise RuntimeError(refusal(change))


def _used(mask):
    return None if mask is None else ~np.asarray(mask, dtype=bool).ravel()


def read_counts_and_spectra(signal):
    """Return loadings in counts and factors of unit sum, whatever their scale was.

    Returns
    -------
    loadings : ndarray of shape (n_pixels, n_components)
        Counts; NaN where pixels were masked.
    factors : ndarray of shape (n_channels, n_components)
        Each column of unit sum; NaN where channels were masked.
    """
    # A lazy decomposition of HyperSpy's leaves dask arrays.
    factors, loadings = map(np.asarray, require_results(signal))
    scale = np.nansum(factors, axis=0)
    scale[scale == 0] = 1.0
    return loadings * scale, factors / scale


def pixels_decomposed(signal, loadings: np.ndarray) -> np.ndarray:
    """Return which pixels a decomposition used, of shape (n_pixels,)."""
    # eXSpy turns the NaN of masked pixels into zeros, so the mask comes first.
    used = _used(signal.learning_results.navigation_mask)
    return ~np.isnan(loadings).any(axis=1) if used is None else used


def read_record(signal) -> Record:
    """Return the record of the decomposition; empty after another algorithm."""
    return find_record(current_results(signal))


def describe_missing_record(signal) -> str:
    """Return the message for learning results without a record."""
    algorithm = signal.learning_results.decomposition_algorithm
    if algorithm in OURS:
        return (
            f"the learning results are those of {algorithm}, but the record of its run is "
            "missing: they were loaded from a .npz file of an earlier version, or changed after "
            "they were loaded from one. This call needs the record: decompose the map again"
        )
    return (
        f"the learning results are those of {algorithm}; "
        "this call needs those of s.decomposition(algorithm='PSNMF')"
    )


def read_names(signal) -> list[str]:
    """Return the names of the phases, "Phase 0" and so on unless set."""
    require_results(signal)
    return stored_names(signal)


def stored_names(signal) -> list[str]:
    """Return the names without checking that the map is unchanged, as before a decomposition."""
    n = read_factors_and_loadings(signal)[0].shape[1]
    names = read_record(signal).phase_names
    if names is None or len(names) != n:
        return [f"Phase {i}" for i in range(n)]
    return list(map(str, names))


def write_names(signal, names) -> None:
    """Set the names of the phases; they are saved with the learning results."""
    n = require_results(signal)[0].shape[1]
    # A set has no order, so its names would be assigned to phases at random.
    listed = np.iterable(names) and not isinstance(names, str | dict | set | frozenset)
    given = list(names) if listed else None
    if given is None or not all(isinstance(name, str) and name for name in given):
        raise TypeError(f"phase_names must be a list of {n} strings, not {names!r}")
    if len(given) != n or len(set(given)) != n:
        raise ValueError(f"phase_names must be {n} different strings, not {given!r}")
    store_names(signal.learning_results, list(map(str, given)))
    keep_results(signal)


def _expand(factors, keep):
    if keep is None:
        return factors
    full = np.full((keep.size, factors.shape[1]), np.nan)
    full[keep] = factors
    return full


def _blank(loadings, keep):
    return loadings if keep is None else np.where(keep[:, None], loadings, np.nan)


def _mask(keep, shape):
    return None if keep is None else ~keep.reshape(shape)


def check_result(result, kind: type):
    """Return `result`, or raise TypeError unless it is what the accessor returned earlier."""
    if not isinstance(result, kind):
        raise TypeError(f"result must be an object of {kind.__name__}, not {result!r}")
    return result
