# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments of the methods that are compared, made when they are needed first.

Each is a virtual environment in ``$PSNMF_RIVALS_CACHE``, by default in the user's cache, of the
versions in ``environments/<name>.txt``. A change of that file makes another.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

PINS = Path(__file__).parent / "environments"
HERE = "here"  # the environment of this process
CACHE = Path(
    os.environ.get("PSNMF_RIVALS_CACHE") or Path.home() / ".cache" / "hyperspy-psnmf" / "rivals"
)


def python_of(name: str) -> Path:
    """Return the interpreter of an environment, which is made where there is none.

    Parameters
    ----------
    name : str
        Of a file of pinned versions, or "here".
    """
    if name == HERE:
        return Path(sys.executable)
    pins = PINS / f"{name}.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:8]
    folder = CACHE / "environments" / f"{name}-{version}-{digest}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    complete = folder / "complete"
    if not complete.exists():
        venv.create(folder, clear=True, with_pip=True)
        call = [python, "-m", "pip", "install", "--quiet", "-r", pins]
        subprocess.run(call, check=True)
        complete.touch()
    return python
