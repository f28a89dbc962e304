# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a decomposition, stored in HyperSpy's learning results, which are saved with it.

It is one dict, ``learning_results.psnmf``, which is saved in .hspy and .zspy files. HyperSpy's
``learning_results.save()`` and ``load()`` use .npz files, which keep strings and arrays but drop
dicts. So the record is stored a second time as JSON, ``psnmf_json``, with its arrays in separate
attributes, ``psnmf_...``. The copy is used only if the dict is missing, and only for the factors
and loadings that it was written with.

HyperSpy is about to save signals without their learning results. Where it does, factors, loadings
and record are put into the signal's metadata as well, as the node ``PSNMF``, and come back from
there. Arrays are the same objects in both, not copies.
"""

import json
import zlib
from collections.abc import Mapping

import numpy as np
from hyperspy.signals import BaseSignal

from hyperspy_psnmf._compat import (
    factors_and_loadings,
    learning_attributes,
    names_of_factors_and_loadings,
    saves_learning_results,
)
from hyperspy_psnmf.eds.signals.record import Record, as_plain, from_plain

OURS = ("PSNMF", "PoissonNMF")

TEXT = "psnmf_json"
PREFIX = "psnmf_"
N_ROWS = 1000  # of the loadings in the checksum, as there may be millions
KEPT = (
    "decomposition_algorithm",
    "output_dimension",
    "number_significant_components",
    "navigation_mask",
    "signal_mask",
)


def store_record(results, record: Record) -> None:
    """Put a record into learning results that have their factors and loadings already."""
    _store(results, as_plain(record))


def store_names(results, names: list[str]) -> None:
    """Store names of phases; all else that is stored stays as it is."""
    _store(results, {**_find_stored(results), "phase_names": names})


def _store(results, stored):
    _remove_record(results)
    arrays = {
        k: v for k, v in stored.items() if isinstance(v, np.ndarray) and v.dtype.kind in "biuf"
    }
    plain = {k: v for k, v in stored.items() if k not in arrays}
    text = {"of": _checksum(results), "arrays": list(arrays), "record": plain}
    attributes = learning_attributes(results)
    attributes.update({PREFIX + key: array for key, array in arrays.items()})
    attributes.update({TEXT: json.dumps(text, default=_plain), "psnmf": stored})


def forget_record(signal) -> None:
    """Remove everything of ours from a signal with the results of another algorithm."""
    _remove_record(signal.learning_results)
    _remove_kept(signal)


def _remove_record(results):
    attributes = learning_attributes(results)
    for name in [n for n in attributes if n == "psnmf" or n.startswith(PREFIX)]:
        del attributes[name]


def keep_results(signal) -> None:
    """Put our learning results into the metadata, too, where HyperSpy does not save them.

    What is there already follows the learning results: those of other algorithms, which are not
    ours to save, remove it.
    """
    if saves_learning_results(BaseSignal) and not _has_kept(signal):
        return
    results, stored = signal.learning_results, _find_stored(signal.learning_results)
    if results.decomposition_algorithm not in OURS and "version" not in stored:
        _remove_kept(signal)
        return
    factors, loadings = factors_and_loadings(results)
    others = {name: getattr(results, name) for name in KEPT}
    kept = {"factors": factors, "loadings": loadings, **others, "record": stored}
    signal.metadata.PSNMF = {name: value for name, value in kept.items() if value is not None}


def _has_kept(signal):
    return signal.metadata.has_item("PSNMF.factors")


def _remove_kept(signal):
    if _has_kept(signal):
        del signal.metadata.PSNMF


def current_results(signal):
    """Return the learning results of a signal, put back from its metadata where it has none.

    Parts and sums of a map have copies of its metadata, whose results do not belong to them.
    """
    results, am = signal.learning_results, signal.axes_manager
    factors = factors_and_loadings(results)[0]
    kept = signal.metadata.PSNMF if _has_kept(signal) else None
    if factors is not None:
        # Those of an earlier file, or loaded from one of their own, are not kept yet.
        if kept is None or factors is not kept.factors:
            keep_results(signal)
    elif kept and (len(kept.loadings), len(kept.factors)) == (am.navigation_size, am.signal_size):
        _restore(results, kept.as_dictionary())
        keep_results(signal)
    return results


def _restore(results, kept):
    # A file opened lazily holds dask arrays.
    read = {k: np.asarray(v) if hasattr(v, "compute") else v for k, v in kept.items()}
    record, parts = read.pop("record", {}), (read.pop("factors"), read.pop("loadings"))
    names = names_of_factors_and_loadings(results)
    learning_attributes(results).update(read | dict(zip(names, parts, strict=True)))
    _store(results, record)


def find_record(results) -> Record:
    """Return the record of learning results; empty after another algorithm."""
    return from_plain(_find_stored(results))


def _find_stored(results) -> dict:
    stored = getattr(results, "psnmf", None)
    stored = stored if isinstance(stored, Mapping) else _read_text(results)
    # A file opened lazily holds dask arrays.
    stored = {k: v.compute() if hasattr(v, "compute") else v for k, v in stored.items()}
    # Loading a .npz file of another algorithm replaces the results, but not the record.
    algorithm = results.decomposition_algorithm
    return stored if stored.get("algorithm", algorithm) == algorithm else {}


def _read_text(results):
    text = getattr(results, TEXT, None)
    if text is None:
        return {}
    stored = json.loads(text)
    if stored["of"] != _checksum(results):
        return {}
    arrays = {key: getattr(results, PREFIX + key) for key in stored["arrays"]}
    return {**stored["record"], **arrays}


def _checksum(results):
    found = 0
    for part in factors_and_loadings(results):
        rows = np.asarray(part)[:: max(1, len(part) // N_ROWS)]
        found = zlib.crc32(np.ascontiguousarray(rows, dtype=float), found)
    return found


def _plain(value):
    """Return a value as a type that JSON can store."""
    if isinstance(value, bytes):
        return value.decode()
    return np.asarray(value).tolist()
