# SPDX-License-Identifier: GPL-3.0-or-later
"""A decomposition does not take more work than recorded here, in figures that are no seconds.

On one small phantom, with spectra of lines and with free ones, there are counted: alternations,
calls of functions of the package, and blocks of rows that kernels were run on. Each stays below
1.25 times the figure recorded, so that a change which makes a decomposition slower is noticed
where seconds scatter too much: searches that no longer end, steps that no longer converge, Python
in inner loops. What a kernel does with a block is not counted, nor is what other packages do.

Where more work is meant, or less is to be kept, renew the figures by what
``python -m tests.benchmarks.test_amount_of_work`` prints, and say in the commit why they changed.
"""

import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import pytest

import hyperspy_psnmf
from hyperspy_psnmf import data
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs, run_blocks

PACKAGE = str(Path(hyperspy_psnmf.__file__).parent)
INLINED = {"<listcomp>", "<dictcomp>", "<setcomp>"}  # from Python 3.12 on these are no calls
PHANTOM = {"shape": (48, 44), "n_channels": 400, "counts": 60}
RECORDED = {
    "auto": {"alternations": 87, "calls": 57894, "blocks": 1823},  # made of lines
    "free": {"alternations": 32, "calls": 22666, "blocks": 851},
}
MARGIN = 1.25


def decompose(signal, spectra, n_jobs=1):
    """Return the estimator fitted by a decomposition, with all other settings at their defaults."""
    options = {"print_info": False, "show_progressbar": False, "return_info": True}
    options |= {"spectra": spectra, "n_jobs": n_jobs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few counts
        return signal.decomposition(algorithm="PSNMF", output_dimension=3, **options)


class CallsOfPackage:
    """Counts calls of functions of the package in this thread, and blocks given to `run_blocks`."""

    def __init__(self):
        self.calls, self.blocks, self._ours = 0, 0, {}

    def __call__(self, frame, event, argument):
        """Do what `sys.setprofile` calls."""
        if event != "call":
            return
        code = frame.f_code
        if code not in self._ours:
            self._ours[code] = code.co_filename.startswith(PACKAGE) and code.co_name not in INLINED
        self.calls += self._ours[code]
        if code is run_blocks.__code__:
            self.blocks += len(frame.f_locals["blocks"])


@contextmanager
def counted():
    """Count what runs inside."""
    found, before = CallsOfPackage(), sys.getprofile()
    sys.setprofile(found)
    try:
        yield found
    finally:
        sys.setprofile(before)


def amount_of_work(spectra, n_jobs=1) -> dict[str, int]:
    """Return what is counted, in a second decomposition of the same map."""
    signal = data.mineral_grains(**PHANTOM)
    decompose(signal, spectra, n_jobs)  # tables are read and kept
    with counted() as work:
        found = decompose(signal, spectra, n_jobs)
    return {"alternations": found.n_iter_, "calls": work.calls, "blocks": work.blocks}


@pytest.mark.slow
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="kernels are Python, with calls of their own")
@pytest.mark.parametrize("spectra", RECORDED)
def test_decomposition__not_more_work_than_recorded(spectra):
    found = amount_of_work(spectra)
    too_much = {
        name: (n, RECORDED[spectra][name])
        for name, n in found.items()
        if n > MARGIN * RECORDED[spectra][name]
    }
    assert too_much == {}, "found and recorded; see the docstring of this file"


def test_counted__functions_of_the_package_and_blocks():
    resolve_n_jobs(1)  # the number of cores is read once
    with counted() as work:
        run_blocks(np.sum, [1, 2, 3], 1)
        run_blocks(np.sum, [1, 2], 1)
        np.median([1.0, 2.0])
    assert work.blocks == 3 + 2
    assert work.calls == 2 * 2  # run_blocks calls resolve_n_jobs


if __name__ == "__main__":
    print({spectra: amount_of_work(spectra) for spectra in RECORDED})
