# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF of this package with all defaults but `spectra`, and `guide` where there is an image."""

from tests.benchmarks.rivals.adapters.signals import eds_signal, learned
from tests.benchmarks.rivals.exchange import Given

QUIET = {"print_info": False, "show_progressbar": False}
WARM_UP = {"shape": (24, 28), "counts": 60}


def psnmf(given: Given, **settings):
    """PSNMF in one thread, kernels compiled beforehand."""
    from hyperspy_psnmf import data

    call = {"algorithm": "PSNMF", "n_jobs": 1, **QUIET, **settings}
    data.mineral_grains(**WARM_UP).decomposition(output_dimension=3, **call)
    signal = eds_signal(given, "uint16")
    if given.image.size and call.get("spatial_prior") != 0:  # images take part in the smoothing
        call["guide"] = given.image

    def unmix():
        signal.decomposition(output_dimension=given.n_phases, **call)
        return learned(signal)

    return unmix


def psnmf_lines(given: Given):
    """Spectra made of X-ray lines and continuum, as is the default where metadata allow it."""
    return psnmf(given, spectra="lines")


def psnmf_free(given: Given):
    """Each channel of the spectra by itself."""
    return psnmf(given, spectra="free")


def psnmf_pixels(given: Given):
    """Spectra made of lines, and maps of each pixel by itself, as of methods without a filter."""
    return psnmf(given, spectra="lines", spatial_prior=0)
