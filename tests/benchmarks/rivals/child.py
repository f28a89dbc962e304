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
    """Return what a method finds, with its processor time; a failure is a result, too."""
    try:
        analyse = METHODS[method].adapter(method)(given)
        begin = time.process_time()
        found = analyse()
        return replace(found, seconds=time.process_time() - begin)
    except Exception as error:  # whatever another program raises is to be reported
        traceback.print_exc()
        return Returned(failure=f"{type(error).__name__}: {error}")


def peak_bytes() -> float:
    """Largest resident memory of this process; NaN where the system does not know."""
    status = Path("/proc/self/status")
    if status.exists():  # what `getrusage` has there is not less than the parent's
        entries = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024.0 * int(entries["VmHWM"].split()[0])
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
