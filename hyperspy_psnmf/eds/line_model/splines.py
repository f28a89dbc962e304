# SPDX-License-Identifier: GPL-3.0-or-later
"""Cubic B-splines on a logarithmic energy axis: the smooth part of the continuum.

With clamped knots they are independent columns for least squares. With equidistant knots, also
beyond the ends, second differences of the coefficients measure curvature, so that a prior can
penalise it (P-splines).

References
----------
Eilers & Marx, Statistical Science 11 (1996) 89.
"""

import numpy as np
from scipy.interpolate import BSpline

# Chosen on the built-in phantoms: finer knots follow lines, coarser ones miss absorption edges.
KNOTS_PER_E_FOLD = 2.8


def clamped_splines(energy: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return B-splines with clamped knots, of shape (n_energies, n_splines); they sum to 1.

    Parameters
    ----------
    energy : ndarray of shape (n_energies,)
        In keV.
    low, high : float
        Ends of the splines in keV, beyond which they are constant.
    """
    first, last = np.log([low, high])
    n = max(1, round(KNOTS_PER_E_FOLD * (last - first)))
    return _at(energy, low, high, np.pad(np.linspace(first, last, n + 1), 3, mode="edge"))


def p_splines(energy: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return B-splines with equidistant knots; see `clamped_splines`."""
    first, last = np.log([low, high])
    n = max(2, round(KNOTS_PER_E_FOLD * (last - first)))
    return _at(energy, low, high, first + (last - first) / n * np.arange(-3, n + 4))


def _at(energy, low, high, knots):
    position = np.log(np.clip(energy, low, high)).clip(knots[3], knots[-4])
    return BSpline.design_matrix(position, knots, 3).toarray()
