# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that writes and reads ``signal.learning_results``."""

import numpy as np

from hyperspy_psnmf._version import __version__

# What a stock decomposition or blind source separation may have left behind.
_RESET = {
    "bss_algorithm": None,
    "bss_factors": None,
    "bss_loadings": None,
    "centre": None,
    "explained_variance": None,
    "explained_variance_ratio": None,
    "mean": None,
    "original_shape": None,
    "poissonian_noise_normalized": False,
    "unfolded": False,
    "unmixing_matrix": None,
}


def write_results(signal, loadings, factors, keep_pixels, keep_channels, record):
    """Store a finished decomposition, in one step.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    loadings : ndarray of shape (n_pixels, n_components)
        In counts.
    factors : ndarray of shape (n_channels_in_use, n_components)
        Each column of unit sum.
    keep_pixels, keep_channels : ndarray of bool or None
        What was used; the rest becomes NaN.
    record : dict
        Plain values and arrays to be kept as ``learning_results.psnmf``.
    """
    am = signal.axes_manager
    results = {
        **_RESET,
        "factors": _expand(factors, keep_channels),
        "loadings": _blank(loadings, keep_pixels),
        "decomposition_algorithm": record["algorithm"],
        "output_dimension": factors.shape[1],
        "number_significant_components": factors.shape[1],
        "navigation_mask": _mask(keep_pixels, am.navigation_shape[::-1]),
        "signal_mask": _mask(keep_channels, am.signal_shape[::-1]),
        "psnmf": record,
    }
    signal.learning_results.__dict__.update(results)


def require_results(signal):
    """Return the learning results, or raise where they are missing or negative."""
    results = signal.learning_results
    if results.factors is None or results.loadings is None:
        raise RuntimeError(
            "there are no factors and loadings yet: run "
            "s.decomposition(algorithm='PSNMF', output_dimension=...) first"
        )
    _check_unchanged(signal, results)
    if not all(np.isfinite(part).any() for part in (results.factors, results.loadings)):
        raise ValueError(
            f"factors or loadings of {results.decomposition_algorithm} have no finite value"
        )
    if min(np.nanmin(results.factors), np.nanmin(results.loadings)) < 0:
        raise ValueError(
            f"factors and loadings of {results.decomposition_algorithm} are negative in places, "
            "so they are no spectra and maps of phases: use algorithm='PSNMF' (or 'NMF')"
        )
    return results


def _check_unchanged(signal, results):
    am = signal.axes_manager
    was = tuple(np.asarray(read_record(signal).get("navigation_shape", am.navigation_shape)))
    # Folding and unfolding change the number of axes, but not the order of pixels.
    transposed = len(was) == am.navigation_dimension and was != am.navigation_shape
    sizes = (results.loadings.shape[0], results.factors.shape[0])
    if transposed or sizes != (am.navigation_size, am.signal_size):
        raise RuntimeError(
            "the map has been cropped, rebinned or transposed since its decomposition, whose "
            "results do not fit it any more: decompose it again"
        )


def read_counts_and_spectra(signal):
    """Return loadings in counts and factors of unit sum, whatever their scale was.

    Returns
    -------
    loadings : ndarray of shape (n_pixels, n_components)
        Counts; NaN where pixels were masked.
    factors : ndarray of shape (n_channels, n_components)
        Each column of unit sum; NaN where channels were masked.
    """
    results = require_results(signal)
    # A lazy decomposition of HyperSpy's leaves dask arrays.
    factors, loadings = np.asarray(results.factors), np.asarray(results.loadings)
    scale = np.nansum(factors, axis=0)
    scale[scale == 0] = 1.0
    return loadings * scale, factors / scale


class Record(dict):
    """What PSNMF noted about its run; says which version wrote it where something is missing."""

    def __missing__(self, key):
        """Raise ValueError naming the version, and what it did not write."""
        writer = self.get("version", "of an unknown version")
        raise ValueError(
            f"the learning results were written by hyperspy-psnmf {writer} and have no {key!r}, "
            f"which version {__version__} needs for this: decompose the map again"
        )


def read_record(signal) -> Record:
    """Return what PSNMF noted about its run; empty after another algorithm."""
    record = getattr(signal.learning_results, "psnmf", None) or {}
    # A file opened lazily holds dask arrays.
    return Record((k, v.compute() if hasattr(v, "compute") else v) for k, v in record.items())


def require_record(signal) -> Record:
    """Return what PSNMF noted about its run, or raise where there is nothing."""
    results, record = require_results(signal), read_record(signal)
    if "version" not in record:
        raise RuntimeError(
            f"the learning results are those of {results.decomposition_algorithm}; "
            "this needs s.decomposition(algorithm='PSNMF')"
        )
    return record


def read_names(signal) -> list[str]:
    """Return the names of the phases, "Phase 0" and so on unless set."""
    n = require_results(signal).factors.shape[1]
    names = read_record(signal).get("phase_names")
    if names is None or len(names) != n:
        return [f"Phase {i}" for i in range(n)]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def write_names(signal, names) -> None:
    """Set the names of the phases; they are saved with the learning results."""
    n = require_results(signal).factors.shape[1]
    # A set has no order, so its names would go to any phase.
    listed = np.iterable(names) and not isinstance(names, str | dict | set | frozenset)
    given = list(names) if listed else None
    if given is None or not all(isinstance(name, str) and name for name in given):
        raise TypeError(f"names must be a list of {n} strings, not {names!r}")
    if len(given) != n or len(set(given)) != n:
        raise ValueError(f"names must be {n} different strings, not {given!r}")
    signal.learning_results.psnmf = {**read_record(signal), "phase_names": list(map(str, given))}


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
