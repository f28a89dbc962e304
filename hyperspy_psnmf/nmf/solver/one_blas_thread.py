# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread in BLAS and LAPACK, for matrices too small to be divided among several.

Systems of some hundred equations gain nothing from threads. Where other threads or processes
use the cores, those of OpenBLAS wait for each other: a factorisation of ten phases took three
times as long.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_limited = threading.Lock()


@cache
def _controller() -> ThreadpoolController:
    # Kept, as looking for the libraries takes milliseconds.
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread, in the whole process, while the context lasts.

    Where it is limited already, by this thread or another one, nothing is changed: of limits that
    overlap, the later would restore the earlier.
    """
    if not _limited.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limited.release()
