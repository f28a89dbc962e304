# SPDX-License-Identifier: GPL-3.0-or-later
"""``psnmf doctor``: versions, threads, cache, file readers and a self-test.

What to look at, and to send along, when something does not work.
"""

import importlib
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from rsciio import IO_PLUGINS

from hyperspy_psnmf import data
from hyperspy_psnmf._version import __version__
from hyperspy_psnmf.kernels._compile import find_cache_folder, on_compilation
from hyperspy_psnmf.kernels.parallel import count_cores

PACKAGES = ("hyperspy", "exspy", "rosettasciio", "numba", "numpy", "scipy", "scikit-learn", "dask")
TOOLKITS = ("hyperspy_gui_ipywidgets", "hyperspy_gui_traitsui")
MAX_ANGLE = 5.0  # degrees, of the two phases with most counts; 0.8 and 0.6 when this was written
MAX_LOSS = 1e-6  # of the counts


def run() -> int:
    """Print all checks; return 0, or 1 if PSNMF does not work.

    Returns
    -------
    int
        Exit status.
    """
    for line in describe():
        print(line)
    problem = None if is_active() else "not done, as PSNMF is switched off"
    if problem is None:
        print(_row("self-test", "a phantom is unmixed ..."), flush=True)
        problem, text = self_test()
    print(_row("", problem or text))
    return 0 if problem is None else 1


def describe() -> Iterator[str]:
    """Yield lines on the installation."""
    yield _row("hyperspy-psnmf", f"{__version__}, in {os.path.dirname(__file__)}")
    yield _row("python", f"{platform.python_version()}, {platform.platform()}, {sys.executable}")
    for name in PACKAGES:
        yield _row(name, _version(name) or "not installed")
    yield _row("threads", describe_threads())
    yield _row("kernels", describe_cache())
    yield _row("file readers", describe_readers())
    yield _row("widget", describe_toolkits())
    yield _row("activation", describe_activation())


def _row(name, text):
    return f"{name:15}{text}"


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def describe_threads() -> str:
    """Say how many threads there are, and of which kind."""
    return f"{count_cores()} Python threads by default; Numba's threading layers are not used"


def describe_cache() -> str:
    """Say where compiled kernels are cached, and whether they can be."""
    try:
        folder = find_cache_folder()
    except RuntimeError as error:
        return str(error)
    if folder is None:
        return "nowhere to cache them, so each session compiles: set NUMBA_CACHE_DIR to a folder"
    state = "can be written" if _can_write(folder) else "cannot be written: set NUMBA_CACHE_DIR"
    return f"cached in {folder}, which {state}"


def _can_write(folder):
    try:  # permissions are no proof, for a superuser or on a network drive
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def describe_readers() -> str:
    """Say which of RosettaSciIO's readers lack a package."""
    missing = {}
    for plugin in IO_PLUGINS:
        try:
            importlib.import_module(plugin["api"])
        except ImportError as error:
            missing[plugin["name"]] = error.name or str(error)
    text = f"{len(IO_PLUGINS) - len(missing)} of {len(IO_PLUGINS)}"
    if not missing:
        return text
    names = ", ".join(f"{name} ({package})" for name, package in sorted(missing.items()))
    return f"{text}; without {names}: pip install 'rosettasciio[all]'"


def describe_toolkits() -> str:
    """Say which toolkits of the widget are installed."""
    return ", ".join(filter(_version, TOOLKITS)) or "none of " + ", ".join(TOOLKITS)


def is_active() -> bool:
    """Return whether eXSpy's EDS signals have PSNMF."""
    from exspy.signals import EDSTEMSpectrum

    return hasattr(EDSTEMSpectrum, "psnmf")


def describe_activation() -> str:
    """Say whether EDS signals have PSNMF, and if not, why."""
    if is_active():
        return "on: EDS signals have algorithm='PSNMF' and s.psnmf"
    setting = os.environ.get("HYPERSPY_PSNMF_DISABLE")
    why = f", by HYPERSPY_PSNMF_DISABLE={setting}" if setting else ""
    return f"off{why}: hyperspy_psnmf.activate() switches it on"


def self_test() -> tuple[str | None, str]:
    """Unmix a small phantom of known truth.

    Returns
    -------
    str or None
        What is wrong.
    str
        How long it took.
    """
    compiled: list[str] = []
    begin = time.perf_counter()
    with warnings.catch_warnings(), on_compilation(compiled.append):
        warnings.simplefilter("ignore")
        try:
            problem = _unmix_a_phantom()
        except Exception as error:  # whatever is wrong with this installation
            problem = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - begin
    also = f", {len(compiled)} kernels compiled meanwhile" if compiled else ""
    return problem and f"failed: {problem}", f"passed in {seconds:.1f} s{also}"


def _unmix_a_phantom():
    """Return what is wrong with the phases of a phantom, or None."""
    signal = data.mineral_grains(shape=(40, 48), n_channels=800, counts=300, seed=1)
    signal.decomposition(
        algorithm="PSNMF", output_dimension=3, print_info=False, show_progressbar=False
    )
    counts, found = float(signal.data.sum()), signal.psnmf.phase_maps().data.sum()
    if abs(found - counts) > MAX_LOSS * counts:
        return f"the phases have {found:.0f} counts, and the map {counts:.0f}"
    angles = _angles(signal.metadata.Truth.factors[:, :2], signal.learning_results.factors)
    if angles.max() > MAX_ANGLE:
        return f"spectra are {', '.join(f'{angle:.1f}' for angle in angles)} degrees from the truth"
    return None


def _angles(truth, factors):
    """Return the angle between each true spectrum and the nearest one found, in degrees."""
    true, found = (f / np.linalg.norm(f, axis=0) for f in (truth, factors))
    return np.degrees(np.arccos(np.clip(true.T @ found, -1, 1))).min(axis=1)
