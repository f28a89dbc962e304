# SPDX-License-Identifier: GPL-3.0-or-later
"""One process of `growth`: ``make`` writes a map to a file, ``unmix`` reads and decomposes it.

The map is made in another process, for that takes more memory than its result. Before the time
begins, a small map is decomposed in the same way, so that all is imported and kernels are
loaded. The peak memory is what `ru_maxrss` has risen by during the decomposition: an eager
map is in memory before, and a lazy one is read from its file meanwhile.
"""

import json
import resource
import sys
import time

import hyperspy.api as hs

from hyperspy_psnmf.data import mineral_grains

WARM_UP = {"shape": (24, 20), "counts": 60.0}
UNIT = 1e6 if sys.platform == "darwin" else 1e6 / 1024  # of ru_maxrss, in MB


def make(settings: dict, path: str) -> None:
    """Write a map, without its truth."""
    shape = (settings["pixels"],) * 2
    options = {"counts": settings["counts"], "n_channels": settings["channels"]}
    signal = mineral_grains(shape=shape, **options)
    del signal.metadata.Truth
    # Not compressed, so that reading a lazy map is not most of the time.
    signal.save(path, compression=None, show_progressbar=False)
    print(path)


def decompose(signal, n_phases: int) -> None:
    """Unmix a map with defaults."""
    options = {"print_info": False, "show_progressbar": False}
    signal.decomposition(algorithm="PSNMF", output_dimension=n_phases, **options)


def peak() -> float:
    """Return the peak memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNIT


def unmix(settings: dict, path: str) -> None:
    """Print seconds and MB of a decomposition."""
    small = mineral_grains(n_channels=settings["channels"], **WARM_UP)
    decompose(small.as_lazy() if settings["lazy"] else small, settings["phases"])
    signal = hs.load(path, lazy=settings["lazy"])
    before, begin = peak(), time.perf_counter()
    decompose(signal, settings["phases"])
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "megabytes": peak() - before}))


if __name__ == "__main__":
    {"make": make, "unmix": unmix}[sys.argv[1]](json.loads(sys.argv[2]), sys.argv[3])
