# SPDX-License-Identifier: GPL-3.0-or-later
"""`psnmf` with settings by name."""

import numpy as np

from hyperspy_psnmf.nmf.method.binned import BinnedSettings
from hyperspy_psnmf.nmf.method.psnmf import psnmf

DEFAULTS = {"max_iter": 500, "tol": 1e-5, "n_jobs": 1}
OTHERS = ("refinement", "smoothing", "callback")


def run_psnmf(X, k, pixel_bins, *, fixed_spectra=None, seed=0, **given):
    """Unmix counts (n_pixels, n_channels); what is given are settings and options of `psnmf`."""
    fixed = np.empty((0, X.shape[1])) if fixed_spectra is None else fixed_spectra
    options = {name: given.pop(name, value) for name, value in DEFAULTS.items()}
    others = {name: given.pop(name) for name in OTHERS if name in given}
    settings = BinnedSettings(k, fixed, **given)
    return psnmf(X, pixel_bins, settings, np.random.default_rng(seed), options, **others)
