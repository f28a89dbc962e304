# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines known not to be in a spectrum: nothing but background there."""

import numpy as np

from hyperspy_psnmf.nmf.solver.alternating import Factorisation, poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings

ROUNDS = 3  # the background follows the spectrum, which follows the background
FLANK = 4  # channels on either side


def fill_background(H: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Return spectra with what lies between flanks of absent channels interpolated.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    absent : ndarray of bool of shape (n_components, n_channels)
        Where there is nothing but background.

    Returns
    -------
    ndarray of shape (n_components, n_channels)
        Of unit sum. Those without absent channels are as they were.
    """
    filled = np.array(H)
    for h, gone in zip(filled, absent, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], gone, [False]])))
        for first, stop in edges.reshape(-1, 2):
            h[first:stop] = _between(h, gone, first, stop)
    changed = absent.any(axis=1)  # known ones never are, and stay in every bit
    filled[changed] /= filled[changed].sum(axis=1, keepdims=True)
    return filled


def _between(h, gone, first, stop):
    """Interpolate over channels first to stop from the means of what lies on either side."""
    channels = np.arange(h.size)
    sides = [
        channels[(channels >= first - FLANK) & (channels < first) & ~gone],
        channels[(channels >= stop) & (channels < stop + FLANK) & ~gone],
    ]
    known = [(side.mean(), h[side].mean()) for side in sides if side.size]
    if not known:
        return 0.0
    return np.interp(channels[first:stop], *zip(*known, strict=True))


def hold_absent(X, fit: Factorisation, absent: np.ndarray, **options) -> Factorisation:
    """Factorise again, with absent channels of the spectra held at the background.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    fit : Factorisation
        Where to start. Loadings that are zero stay so.
    absent : ndarray of bool of shape (n_components, n_channels)
        Where there is nothing but background.
    **options
        Passed on to `poisson_nmf`.
    """
    support = fit.W > 0
    n_fixed = options.get("n_fixed", 0)
    for _ in range(ROUNDS):
        H = np.vstack([fit.H[:n_fixed], fill_background(fit.H, absent)[n_fixed:]])
        W = solve_loadings(X, H, n_jobs=options.get("n_jobs", 1))
        # Without its line a phase may be gone from where it seemed to be, not the reverse.
        explained = support | (W.max(axis=1, keepdims=True) == W)
        fit = poisson_nmf(X, H, W, support=explained, held=absent, **options)
    return fit
