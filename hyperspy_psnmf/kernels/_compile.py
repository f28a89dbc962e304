# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that fixes how every kernel is compiled."""

import numba

from hyperspy_psnmf._compat import without_reference_counts

# No "nnan" or "ninf": kernels test for infinities and NaN on purpose.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}

# nogil: kernels work on ranges of rows and are run from Python threads
# (see parallel.py), so Numba's threading layers, their global thread count and
# the slow compilation of parallel=True are not needed.
_OPTIONS = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}


def jit(function):
    """Compile a kernel at first use, and cache it on disk where that is possible."""
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # nowhere to write: neither beside the package nor at home
        return numba.njit(**_OPTIONS)(function)


def jit_row(function):
    """Inline a function that is called per row and allocates nothing into its callers.

    Passing a dozen arrays takes as long as a loop over some dozen channels. The arrays
    belong to a caller that outlives the call, so their references need not be counted:
    counting is atomic, and took a third of the time of a row with few counts.
    """
    return numba.njit(**without_reference_counts(), forceinline=True, **_OPTIONS)(function)
