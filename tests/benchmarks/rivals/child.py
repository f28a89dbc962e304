# SPDX-License-Identifier: GPL-3.0-or-later
"""One method on one map, in a process of its own.

Run as ``python -m tests.benchmarks.rivals.child METHOD GIVEN RETURNED``.
"""

import sys
import time
import traceback
import warnings
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.rivals.exchange import Given, Returned, read_given, write
from tests.benchmarks.rivals.methods import METHODS

PACKAGES = ("hyperspy-psnmf", "hyperspy", "exspy", "espm", "scikit-learn", "numpy")


def timed(method: str, given: Given) -> Returned:
    """Return what a method finds, with its time; a failure is a result, too."""
    try:
        analyse = METHODS[method].adapter(method)(given)
        begin = time.perf_counter()
        found = analyse()
        return replace(found, seconds=time.perf_counter() - begin)
    except Exception as error:  # whatever another program raises is to be reported
        traceback.print_exc()
        return Returned(failure=f"{type(error).__name__}: {error}")


def peak_bytes() -> float:
    """Largest resident memory of this process; NaN where the system does not know."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def versions() -> str:
    """Return the versions of the packages that matter."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def main(method: str, given: str, returned: str) -> None:
    warnings.simplefilter("ignore")
    found = timed(method, read_given(Path(given)))
    write(replace(found, peak_bytes=peak_bytes(), versions=versions()), Path(returned))


if __name__ == "__main__":
    main(*sys.argv[1:])
