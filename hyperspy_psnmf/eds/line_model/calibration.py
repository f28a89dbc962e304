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
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import least_squares

from hyperspy_psnmf.eds.xray.detector import peak_fwhms

PRIOR = np.array([0.005, 0.001, 10.0])  # offset in keV, gain, resolution in eV; 1 sigma
BOUND = 4.0  # standard deviations of the prior
WITHIN_A_WIDTH = 0.98  # of a Gaussian's area, from one FWHM below its centre to one above
FEWEST = 10.0  # counts; a spectrum of fewer limits no line
RIDGE = 1e-10  # of the diagonal; for columns that are the same, or have no counts
TINY = 1e-300
PIVOTS = 30


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

    Lines are held to the counts around them: a Gaussian prior about zero with that
    standard deviation, which matters only to lines that nothing else distinguishes.

    Parameters
    ----------
    model : LineModel
    counts, weights : ndarray of shape (n_channels_in_use,)
        Weights are 1 over standard deviations.
    """
    n = len(model.lines)
    prior = model.precision.copy()
    prior[np.arange(n), np.arange(n)] += counts_around(model, counts) ** -2.0
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
    for _ in range(PIVOTS):
        free = ~(at_low | at_high)
        x[at_low], x[at_high] = low[at_low], high[at_high]
        rest = right[free] - normal[np.ix_(free, ~free)] @ x[~free]
        x[free] = solve_normal(normal[np.ix_(free, free)], rest)
        uphill = normal @ x - right
        now_low = (at_low & (uphill >= 0.0)) | (free & (x < low))
        now_high = (at_high & (uphill <= 0.0)) | (free & (x > high))
        if (now_low == at_low).all() and (now_high == at_high).all():
            break
        at_low, at_high = now_low, now_high
    return np.clip(x, low, high)


def counts_around(model, counts: np.ndarray) -> np.ndarray:
    """Return the counts within a width of each main line, of shape (n_lines,).

    That is more than the line can have, as all but 2 % of its counts are there.

    Parameters
    ----------
    model : LineModel
    counts : ndarray of shape (n_channels_in_use,)
    """
    energy = model.energy[model.use]
    step = model.energy[1] - model.energy[0]
    centre = model.place(model.main_energies)
    width = peak_fwhms(model.resolution, model.main_energies)
    # Channels left out leave gaps, across which sums stay as they are.
    borders = np.append(energy - step / 2, energy[-1] + step / 2)
    total = np.append(0.0, np.cumsum(counts))
    low, high = (np.interp(centre + half, borders, total) for half in (-width, width))
    return np.maximum((high - low) / WITHIN_A_WIDTH, FEWEST)
