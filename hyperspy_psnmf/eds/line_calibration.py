# SPDX-License-Identifier: GPL-3.0-or-later
"""Where lines are and how wide: the energy axis and the resolution, fitted.

A file's resolution is often a default, and axes are off by some eV. Peaks of a wrong
width or place leave residuals that pass for other lines. All phases share one detector,
so three numbers are fitted to their sum, with priors about what files say: spectra of
few counts change nothing. The linear coefficients are solved for at every trial
(variable projection: Golub & Pereyra, SIAM Journal on Numerical Analysis 10 (1973) 413).
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares

PRIOR = np.array([0.005, 0.001, 10.0])  # offset in keV, gain, resolution in eV; 1 sigma
BOUND = 4.0  # standard deviations of the prior


def calibrate(model, spectra: np.ndarray):
    """Return the model with offset, gain and resolution fitted to the sum of spectra.

    Parameters
    ----------
    model : LineModel
        Not changed.
    spectra : ndarray of shape (n_phases, n_channels)
        In counts.
    """
    total = spectra.sum(axis=0)[model.use]
    if not model.lines or total.sum() < 1:
        return model
    weights = weigh(model, total)
    found = least_squares(
        lambda x: np.append(_residuals(_moved(model, x), total, weights), x),
        np.zeros(3),
        bounds=(-BOUND, BOUND),
        xtol=1e-3,
        ftol=1e-4,
    )
    return _moved(model, found.x)


def _moved(model, x):
    offset, gain, resolution = x * PRIOR
    return replace(
        model,
        offset=model.offset + offset,
        gain=model.gain + gain,
        resolution=max(model.resolution + resolution, 20.0),
    )


def weigh(model, total: np.ndarray) -> np.ndarray:
    """Return 1 over the standard deviations that a fit expects, (n_channels_in_use,)."""
    weights = np.ones_like(total)
    for _ in range(2):
        # Weights from the last fit, not from the counts: those would favour low channels.
        fit = model.columns @ solve(model, total, weights)
        weights = 1.0 / np.sqrt(np.maximum(fit, 0.5))
    return weights


def _residuals(model, total, weights):
    """Return what the linear fit leaves, in standard deviations."""
    return (total - model.columns @ solve(model, total, weights)) * weights


def solve(model, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the coefficients of the model's columns that fit a spectrum.

    Parameters
    ----------
    model : LineModel
    counts, weights : ndarray of shape (n_channels_in_use,)
        Weights are 1 over standard deviations.
    """
    weighted = model.columns * weights[:, None]
    # Normal equations: columns are some hundred channels long, but only a few tens.
    scale = np.sqrt(np.maximum((weighted**2).sum(axis=0) + np.diag(model.precision), 1e-300))
    weighted /= scale
    right = weighted.T @ (counts * weights)
    normal = weighted.T @ weighted + model.precision / np.outer(scale, scale)
    return np.linalg.lstsq(normal, right, rcond=1e-12)[0] / scale
