# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory budget of a decomposition."""

from numbers import Integral

import numpy as np
import psutil
from dask.utils import parse_bytes

# By default a quarter of the available memory; above 1.5 GB memory is no faster than disk.
DIVISOR = 4
MAX_BYTES = 1_500_000_000


def resolve_max_memory(max_memory) -> int:
    """Return bytes from "auto", a number of bytes, or a string such as "2 GB".

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    if isinstance(max_memory, str):
        if max_memory == "auto":
            return min(psutil.virtual_memory().available // DIVISOR, MAX_BYTES)
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
