# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a decomposition, stored in HyperSpy's learning results.

It is one dict, ``learning_results.psnmf``, which is saved in .hspy and .zspy files. HyperSpy's
``learning_results.save()`` and ``load()`` use .npz files, which keep strings and arrays but drop
dicts. So the record is stored a second time as JSON, ``psnmf_json``, with its arrays in separate
attributes, ``psnmf_...``. The copy is used only if the dict is missing, and only for the factors
and loadings that it was written with.
"""

import json
import zlib
from collections.abc import Mapping

import numpy as np

from hyperspy_psnmf._compat import factors_and_loadings, learning_attributes
from hyperspy_psnmf.eds.signals.record import Record, as_plain, from_plain

TEXT = "psnmf_json"
PREFIX = "psnmf_"
N_ROWS = 1000  # of the loadings in the checksum, as there may be millions


def store_record(results, record: Record) -> None:
    """Put a record into learning results that have their factors and loadings already."""
    _store(results, as_plain(record))


def store_names(results, names: list[str]) -> None:
    """Store names of phases; all else that is stored stays as it is."""
    _store(results, {**_find_stored(results), "phase_names": names})


def _store(results, stored):
    forget_record(results)
    arrays = {
        k: v for k, v in stored.items() if isinstance(v, np.ndarray) and v.dtype.kind in "biuf"
    }
    plain = {k: v for k, v in stored.items() if k not in arrays}
    text = {"of": _checksum(results), "arrays": list(arrays), "record": plain}
    attributes = learning_attributes(results)
    attributes.update({PREFIX + key: array for key, array in arrays.items()})
    attributes.update({TEXT: json.dumps(text, default=_plain), "psnmf": stored})


def forget_record(results) -> None:
    """Remove everything that `store_record` has put there."""
    attributes = learning_attributes(results)
    for name in [n for n in attributes if n == "psnmf" or n.startswith(PREFIX)]:
        del attributes[name]


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
