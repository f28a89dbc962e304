# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that fixes how every kernel is compiled."""

from collections.abc import Callable
from contextlib import contextmanager

import numba

from hyperspy_psnmf._compat import compilation_events, without_reference_counts

event = compilation_events(numba)

# No "nnan" or "ninf": kernels test for infinities and NaN on purpose.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}

# nogil: kernels work on ranges of rows and are run from Python threads
# (see parallel.py), so Numba's threading layers, their global thread count and
# the slow compilation of parallel=True are not needed.
# No kernel allocates memory: arrays come from the caller, which outlives the call. So their
# references need not be counted: counting is atomic, and took a third of the time of a row
# with few counts; and what allocates takes long to compile, as does an assignment to a
# slice, which brings along all that makes a message of two shapes that differ.
_OPTIONS = {
    "nogil": True,
    "fastmath": FASTMATH,
    "error_model": "numpy",
    **without_reference_counts(),
}


def jit(function):
    """Compile a kernel at first use, and cache it on disk where that is possible.

    Each type of its arguments is compiled for itself, which takes up to seconds: see
    `row_counts` for how counts of all types are passed.
    """
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # nowhere to write: neither beside the package nor at home
        return numba.njit(**_OPTIONS)(function)


def jit_row(function):
    """Inline a function that is called per row into its callers; only kernels can call it.

    Passing a dozen arrays takes as long as a loop over some dozen channels. It is compiled
    for itself all the same, so that what has one caller is better a `jit_part`.
    """
    return numba.njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(
        function
    )


def jit_part(function):
    """Compile a function as a part of its only caller, which would be too long with it."""
    return numba.njit(inline="always", **_OPTIONS)(function)


class _Listener(event.Listener):
    """Calls a function with the name of each kernel of ours, in the thread that compiles it.

    What it raises is kept, as that thread may be another one's.
    """

    def __init__(self, callback):
        self._callback, self.error = callback, None

    def on_start(self, begun):
        function = begun.data["dispatcher"].py_func
        if function.__module__.startswith("hyperspy_psnmf."):
            try:
                self._callback(function.__name__)
            except Exception as error:
                self.error = self.error or error

    def on_end(self, ended):
        """Ignore that a kernel has been compiled."""


@contextmanager
def on_compilation(callback: Callable[[str], object]):
    """Call `callback` with the name of each kernel that is about to be compiled.

    Kernels that are read from the cache are not compiled. Numba's listeners are of the process:
    the callback hears of kernels that other threads compile, too. What it raises is raised at the
    end of the context, in its own thread, as it would end the call of the kernel in another one.
    """
    listener = _Listener(callback)
    with event.install_listener("numba:compile", listener):
        yield
    if listener.error is not None:
        raise listener.error


@jit
def _do_nothing():
    pass


def find_cache_folder() -> str | None:
    """Return the folder with compiled kernels; None if each session compiles them anew.

    Those of `kernels.newton` are in a folder beside it.

    Raises
    ------
    RuntimeError
        If Numba is switched off, so that kernels are plain Python.
    """
    if not hasattr(_do_nothing, "stats"):
        raise RuntimeError("NUMBA_DISABLE_JIT is set, so kernels are plain Python")
    return _do_nothing.stats.cache_path
