# SPDX-License-Identifier: GPL-3.0-or-later
"""BLAS has one thread while it is needed, and what it had afterwards."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hyperspy_psnmf.nmf.solver.one_blas_thread import one_blas_thread


def blas_threads():
    np.linalg.inv(np.eye(3))  # the library is loaded
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS has no threads to limit")
        yield


def test_one_blas_thread__as_before_afterwards_and_after_an_error():
    with one_blas_thread():
        assert blas_threads() == {1}
    assert blas_threads() == {2}
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert blas_threads() == {2}


def test_one_blas_thread__overlapping_ones_restore_what_was():
    entered, leave = threading.Event(), threading.Event()

    def other():
        with one_blas_thread():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with one_blas_thread(), one_blas_thread():
        thread.start()
        assert entered.wait(10)
        assert blas_threads() == {1}
    assert blas_threads() == {2}
    leave.set()
    thread.join()
    assert blas_threads() == {2}
