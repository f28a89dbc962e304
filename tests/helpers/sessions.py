# SPDX-License-Identifier: GPL-3.0-or-later
"""Fresh interpreters in which PSNMF is activated."""

import os
import subprocess
import sys
import textwrap

import numpy as np

OPTIONS = {
    "algorithm": "PSNMF",
    "output_dimension": 2,
    "binning": 1,
    "energy_binning": 1,
    "print_info": False,
    "show_progressbar": False,
}
COUNTS = np.random.default_rng(1).poisson(40, (5, 6, 30)).astype("uint16")


PREAMBLE = f"""
import importlib, sys
import numpy as np
counts = np.random.default_rng(1).poisson(40, (5, 6, 30)).astype("uint16")

def assert_active(s):
    assert s.psnmf.__class__.__name__ == "PSNMFAccessor"
    assert hasattr(type(s).decomposition, "_is_psnmf")

def decompose(s):
    s.decomposition(**{OPTIONS})
    assert s.learning_results.decomposition_algorithm == "PSNMF"
"""


def run(code, *, preamble=PREAMBLE, **environment):
    """Run code in a fresh interpreter and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", preamble + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "HYPERSPY_PSNMF_DISABLE": "", **environment},
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr
