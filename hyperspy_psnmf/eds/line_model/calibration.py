# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit of the energy axis and of the detector's resolution.

The resolution in a file is often a default, and energy axes are off by some eV. Peaks of a wrong
width or energy leave residuals that look like other lines. One detector has recorded all phases,
so three numbers are fitted to their sum, with Gaussian priors about the file's values, which
dominate where there are few counts. The linear coefficients are solved for at every trial
(variable projection: Golub & Pereyra, SIAM Journal on Numerical Analysis 10 (1973) 413).
"""

from dataclasses import replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import least_squares

from hyperspy_psnmf.eds.xray.detector import peak_fwhms
from hyperspy_psnmf.kernels.limits import TINY

# Typical errors of files.
PRIOR_SIGMA = np.array([0.005, 0.001, 10.0])  # offset in keV, gain, resolution in eV; 1 sigma
BOUND = 4.0  # standard deviations of the prior
MIN_RESOLUTION = 20.0  # eV at Mn Ka, below that of any detector
FRACTION_WITHIN_FWHM = 0.98  # of a Gaussian's area, from one FWHM below its centre to one above
MIN_LIMIT = 10.0  # counts, least upper limit of a line; with fewer counts it would exclude lines
RIDGE = 1e-10  # of the diagonal (Tikhonov); for columns that are equal or zero
MAX_PIVOTS = 30  # rounds of block pivoting


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
    offset, gain, resolution = x * PRIOR_SIGMA
    return replace(
        model,
        offset=model.offset + offset,
        gain=model.gain + gain,
        resolution=max(model.resolution + resolution, MIN_RESOLUTION),
    )


def weigh(model, total: np.ndarray) -> np.ndarray:
    """Return 1 over the standard deviations of the fitted counts, (n_channels_in_use,)."""
    weights = np.ones_like(total)
    for _ in range(2):
        # Weights from the previous fit: weights from the counts would bias it low.
        fit = model.columns @ solve(model, total, weights)
        weights = 1.0 / np.sqrt(np.maximum(fit, 0.5))
    return weights


def _residuals(model, total, weights):
    """Return the residuals of the linear fit, in standard deviations."""
    return (total - model.columns @ solve(model, total, weights)) * weights


def solve(model, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the coefficients of the model's columns that fit a spectrum.

    Each line has a Gaussian prior about zero, with the counts around it as standard deviation.
    It matters only to lines that the spectrum does not distinguish.

    Parameters
    ----------
    model : LineModel
    counts, weights : ndarray of shape (n_channels_in_use,)
        Weights are 1 over standard deviations.
    """
    n = len(model.lines)
    prior = model.precision.copy()
    prior[np.arange(n), np.arange(n)] += counts_within_fwhm(model, counts) ** -2.0
    weighted = model.columns * weights[:, None]
    return solve_normal(weighted.T @ weighted + prior, weighted.T @ (counts * weights))


def solve_normal(normal: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the solution of normal equations, which are positive semi-definite."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(normal), TINY))
    scaled = scale * normal * scale[:, None]
    scaled[np.diag_indices_from(scaled)] += RIDGE
    factor = cho_factor(scaled, overwrite_a=True, check_finite=False)
    by_row = scale if right.ndim == 1 else scale[:, None]
    return by_row * cho_solve(factor, by_row * right, check_finite=False)


def solve_within(normal, right, low, high) -> np.ndarray:
    """Return the solution of normal equations within bounds (block principal pivoting).

    Unknowns beyond a bound are fixed there, and released where the gradient leads back
    inside, until none changes: Portugal, Judice & Vicente, Mathematics of Computation 63
    (1994) 625.
    """
    x, at_low, at_high = (
        np.zeros_like(right),
        np.zeros(right.size, bool),
        np.zeros(right.size, bool),
    )
    for _ in range(MAX_PIVOTS):
        free = ~(at_low | at_high)
        x[at_low], x[at_high] = low[at_low], high[at_high]
        rest = right[free] - normal[np.ix_(free, ~free)] @ x[~free]
        x[free] = solve_normal(normal[np.ix_(free, free)], rest)
        gradient = normal @ x - right
        next_low = (at_low & (gradient >= 0.0)) | (free & (x < low))
        next_high = (at_high & (gradient <= 0.0)) | (free & (x > high))
        if (next_low == at_low).all() and (next_high == at_high).all():
            break
        at_low, at_high = next_low, next_high
    return np.clip(x, low, high)


def counts_within_fwhm(model, counts: np.ndarray) -> np.ndarray:
    """Return the counts within a width of each main line, of shape (n_lines,).

    An upper limit of the line's counts, as all but 2 % of them are there.

    Parameters
    ----------
    model : LineModel
    counts : ndarray of shape (n_channels_in_use,)
    """
    energy = model.energy[model.use]
    step = model.energy[1] - model.energy[0]
    centre = model.recorded_energy(model.main_energies)
    width = peak_fwhms(model.resolution, model.main_energies)
    within = sum_within(energy, step, counts, centre, width)
    return np.maximum(within / FRACTION_WITHIN_FWHM, MIN_LIMIT)


def sum_within(energy, step: float, values, centres, half_widths) -> np.ndarray:
    """Return sums of values of channels within distances of some energies.

    Parameters
    ----------
    energy : ndarray of shape (n_channels,)
        Centres of the channels in use, in keV. Others add nothing.
    step : float
        Width of a channel in keV; of those cut by an end of a window, the fraction inside counts.
    values : ndarray of shape (n_channels,)
    centres, half_widths : ndarray of shape (n_windows,)
        In keV.
    """
    borders = np.append(energy - step / 2, energy[-1] + step / 2)
    total = np.append(0.0, np.cumsum(values))
    low, high = (np.interp(centres + half, borders, total) for half in (-half_widths, half_widths))
    return high - low
