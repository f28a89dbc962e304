# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupt decompositions by signals; print how many were. Run by test_interrupts.py."""

import os
import signal
import sys
import threading
import time

import numpy as np

from hyperspy_psnmf import data
from tests.helpers.maps import SMALL, describe_state, unmix_quietly


def main():
    """Return 0 if whatever was interrupted left its map alone."""
    s = unmix_quietly(data.mineral_grains(**SMALL))  # compiles too
    expected = unmix_quietly(s.deepcopy(), 2).learning_results.loadings
    start = time.perf_counter()
    unmix_quietly(s.deepcopy(), 2)
    duration = time.perf_counter() - start
    before, n_interrupted = describe_state(s), 0
    for share in (0.05, 0.2, 0.4, 0.6, 0.8):
        timer = threading.Timer(share * duration, os.kill, (os.getpid(), signal.SIGINT))
        one = s.deepcopy()
        try:
            timer.start()
            unmix_quietly(one, 2)
            timer.join()
            time.sleep(1.0)  # a signal that came too late hits this
        except KeyboardInterrupt:
            whole = describe_state(one)[-1]["output_dimension"] == "2"
            if not whole and describe_state(one) != before:
                return 1
            n_interrupted += 1
    again = unmix_quietly(s, 2).learning_results.loadings
    print(n_interrupted)  # noqa: T201 - for the test that runs this
    return 0 if np.array_equal(again, expected) else 2


if __name__ == "__main__":
    sys.exit(main())
