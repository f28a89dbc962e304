# SPDX-License-Identifier: GPL-3.0-or-later
"""What we use of other packages without their having promised it, and why.

Each function says which public thing is missing. Only the standard library is imported here, so
every layer may use it, and hands over the package where a function needs one;
`tests/test_compat.py` checks that the installed versions still have what is
used. `_activation`, which runs inside HyperSpy's import, has one such thing of its own:
``ModuleSpec._initializing`` of Python's import system.
"""

from functools import cache
from importlib import import_module


def data_in_array_order(signal):
    """Return the data with an axis for each axis of the signal, navigation axes first.

    A signal can keep its axes in another order than its data, and HyperSpy has no public view
    of the data in the order of the axes.
    """
    return signal._data_aligned_with_axes


def is_lazy(signal) -> bool:
    """Return whether a signal is lazy.

    HyperSpy has no public attribute for it, and a lazy signal's class is not public either.
    """
    return signal._lazy


def with_own_metadata(signal):
    """Return a signal of the same data, with metadata and learning results of its own.

    The public ``deepcopy`` copies the data too, which may fill the memory.
    """
    return signal._deepcopy_with_new_data(signal.data, copy_learning_results=True)


def eager_class(signal):
    """Return the eager class of a signal, lazy or not.

    HyperSpy assigns it in ``compute()`` only, from a registry that is not public. A lazy class
    is named Lazy... and inherits from the eager one.
    """
    return next(c for c in type(signal).__mro__ if not c.__name__.startswith("Lazy"))


def as_plain_dict(signal) -> dict:
    """Return a signal as a dictionary of data, axes, metadata and learning results.

    The signals' constructors accept it, but only writing a file makes it publicly.
    """
    return signal._to_dictionary(add_models=False)


@cache
def saves_learning_results(cls) -> bool:
    """Return whether signals of a class are saved and copied with learning results, as up to now.

    HyperSpy is about to leave them out (its pull request 3674), and has no public way to ask, so
    that a small signal is made to find out, once.
    """
    signal = cls([0.0])
    signal.learning_results.decomposition_algorithm = "any"
    saved = signal._to_dictionary().get("learning_results", {})
    return "decomposition_algorithm" in saved


def learning_attributes(results) -> dict:
    """Return the attributes of learning results, to be read and to be changed.

    HyperSpy's ``LearningResults`` has no method to replace several results in one step, which
    leaves none of an earlier run beside those of a later one when a run is interrupted.
    """
    return vars(results)


def names_of_factors_and_loadings(results) -> tuple[str, str]:
    """Return what learning results call spectra and maps.

    HyperSpy is about to rename them (its pull request 3669): the old names will warn, and an
    attribute of the instance will not be found behind them.
    """
    if hasattr(type(results), "components"):
        return "components", "scores"
    return "factors", "loadings"


def factors_and_loadings(results) -> tuple:
    """Return spectra and maps as they are stored in learning results, None where there are none."""
    return tuple(getattr(results, name) for name in names_of_factors_and_loadings(results))


def has_entry(elements, path: str) -> bool:
    """Return whether eXSpy's table of elements has an entry, as "Fe.Atomic_properties".

    The table is public, but what it is made of, a tree of HyperSpy's metadata, is not
    documented; asking for an entry that it has not raises in several ways.
    """
    return elements.has_item(path)


def symbols_with_lines(elements) -> list[str]:
    """Return the symbols of all elements with X-ray lines in eXSpy's table.

    eXSpy has no list of them.
    """
    return [name for name, e in elements if has_entry(e, "Atomic_properties.Xray_lines")]


def lines_in_table(elements, symbol: str) -> dict[str, dict[str, float]]:
    """Return the entries of an element's X-ray lines in eXSpy's table, none where it has no lines.

    eXSpy has a function for the lines near an energy, but none for those of an element.
    """
    lines = elements[symbol].Atomic_properties.get_item("Xray_lines")
    return {} if lines is None else lines.as_dictionary()


def kind_of_chunks(array):
    """Return an empty array of the type that the chunks of a dask array have, masked or not.

    dask says publicly of which dtype chunks are, but not of which class.
    """
    return array._meta


def owning_client(scheduler):
    """Return the distributed client that a dask scheduler is a method of, or None.

    ``distributed.get_client()`` would import an optional package, and finds a client that is
    not the one dask computes with, where the user has chosen threads.
    """
    owner = getattr(scheduler, "__self__", None)
    return owner if type(owner).__module__.startswith("distributed.") else None


def without_reference_counts() -> dict[str, bool]:
    """Return the option of ``numba.njit`` that leaves out its memory management.

    No public option stops the counting of references to arrays, which is atomic.
    """
    return {"_nrt": False}


def compilation_events(numba):
    """Return Numba's module of events, with its listeners.

    No public function says that a kernel is about to be compiled, which takes seconds.
    """
    return numba.core.event


def progress_bar_of(hyperspy):
    """Return the function that makes HyperSpy's progress bars, in a terminal or a notebook.

    HyperSpy has no public one, but its preference says which of them a user wants.
    """
    return import_module(".external.progressbar", hyperspy.__name__).progressbar
