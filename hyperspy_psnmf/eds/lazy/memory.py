# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory budget of a decomposition."""

import os
from numbers import Integral
from pathlib import Path

import numpy as np
from dask.utils import parse_bytes

# By default a quarter of the available memory; above 1.5 GB memory is no faster than disk.
DIVISOR = 4
MAX_BYTES = 1_500_000_000
IF_UNKNOWN = 4_000_000_000  # bytes, where the system does not report its memory


def resolve_max_memory(max_memory) -> int:
    """Return bytes from "auto", a number of bytes, or a string such as "2 GB".

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    if isinstance(max_memory, str):
        if max_memory == "auto":
            return min(_available() // DIVISOR, MAX_BYTES)
        try:
            max_memory = parse_bytes(max_memory)
        except ValueError:
            raise ValueError(
                f"max_memory must be 'auto', a number of bytes or as in '2 GB', not {max_memory!r}"
            ) from None
    if isinstance(max_memory, bool | np.bool_) or not isinstance(max_memory, Integral):
        raise TypeError(
            f"max_memory must be 'auto', a number of bytes or as in '2 GB', not {max_memory!r}"
        )
    if max_memory < 1:
        raise ValueError(f"max_memory must be at least 1 byte, not {max_memory}")
    return int(max_memory)


def _available():
    """Return the bytes of memory that are free, or can be made so."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows
        return IF_UNKNOWN
