# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that fixes how every kernel is compiled."""

import numba

# No "nnan" or "ninf": kernels test for infinities and NaN on purpose.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}

# nogil: kernels work on ranges of rows and are run from Python threads
# (see threads.py), so Numba's threading layers, their global thread count and
# the slow compilation of parallel=True are not needed.
_OPTIONS = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}

jit = numba.njit(cache=True, **_OPTIONS)

# For what is called many times a row with arrays: without a call there are no
# references to count, about a seventh of the time of `newton`.
jit_inline = numba.njit(inline="always", **_OPTIONS)
