# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that fixes how every kernel is compiled."""

import numba

# No "nnan" or "ninf": kernels test for infinities and NaN on purpose.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}

# nogil: kernels work on ranges of rows and are run from Python threads
# (see threads.py), so Numba's threading layers, their global thread count and
# the slow compilation of parallel=True are not needed.
_OPTIONS = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}


def jit(function):
    """Compile a kernel at first use, and keep it for the next session where that can be."""
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # nowhere to write: neither beside the package nor at home
        return numba.njit(**_OPTIONS)(function)


# For what is called many times a row with arrays: without a call there are no
# references to count, about a seventh of the time of `newton`.
jit_inline = numba.njit(inline="always", **_OPTIONS)
