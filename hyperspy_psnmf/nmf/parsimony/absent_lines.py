# SPDX-License-Identifier: GPL-3.0-or-later
"""X-ray lines that the user excludes from a spectrum: background is interpolated there."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from hyperspy_psnmf.nmf.solver.alternating import Factorisation, poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings

# Chosen on the built-in phantoms.
N_ROUNDS = 3  # of interpolation and refit: each changes what the other starts from
FLANK = 4  # channels averaged on either side of a line


def fill_background(H: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Interpolate the background of spectra linearly across excluded channels.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    absent : ndarray of bool of shape (n_components, n_channels)
        Excluded channels: background only.

    Returns
    -------
    ndarray of shape (n_components, n_channels)
        Of unit sum. Those without excluded channels are returned unchanged.
    """
    filled = np.array([_fill(h, excluded) for h, excluded in zip(H, absent, strict=True)])
    changed = absent.any(axis=1)  # never a fixed spectrum: these stay bit for bit
    filled[changed] /= filled[changed].sum(axis=1, keepdims=True)
    return filled


def excluded_fractions(H: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Return the fraction of the counts of each spectrum above the background in each exclusion.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    absent : ndarray of bool of shape (n_exclusions, n_channels)
        Excluded channels.

    Returns
    -------
    ndarray of shape (n_components, n_exclusions)
    """
    return np.array([[(h - _fill(h, excluded)).sum() for excluded in absent] for h in H])


def assign_exclusions(fractions: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Return the row of `absent` for each component, so that together they lose least.

    Parameters
    ----------
    fractions : ndarray of shape (n_components, n_components)
        Of its counts that a component loses by each row.
    absent : ndarray of bool of shape (n_components, n_channels)
        Excluded channels. Rows without any are left for the other components, in their order.

    Returns
    -------
    ndarray of int of shape (n_components,)
    """
    excludes = absent.any(axis=1)
    components, columns = linear_sum_assignment(fractions[:, excludes])
    rows = np.empty(len(fractions), dtype=int)
    rows[components] = np.flatnonzero(excludes)[columns]
    rows[np.setdiff1d(np.arange(len(rows)), components)] = np.flatnonzero(~excludes)
    return rows


def _fill(h, excluded):
    """Return a spectrum with the background in the excluded channels."""
    filled = np.array(h)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], excluded, [False]])))
    for first, stop in edges.reshape(-1, 2):
        filled[first:stop] = _interpolate(filled, excluded, first, stop)
    return filled


def _interpolate(h, excluded, first, stop):
    """Return channels first to stop, interpolated from the means of the flanks."""
    channels = np.arange(h.size)
    sides = [
        channels[(channels >= first - FLANK) & (channels < first) & ~excluded],
        channels[(channels >= stop) & (channels < stop + FLANK) & ~excluded],
    ]
    means = [(side.mean(), h[side].mean()) for side in sides if side.size]
    if not means:
        return 0.0
    return np.interp(channels[first:stop], *zip(*means, strict=True))


def factorise_without_lines(X, fit: Factorisation, absent: np.ndarray, **options) -> Factorisation:
    """Factorise again, with excluded channels of the spectra frozen at the background.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    fit : Factorisation
        Where to start. Loadings that are zero there stay zero.
    absent : ndarray of bool of shape (n_components, n_channels)
        Excluded channels: background only.
    **options
        Passed to `poisson_nmf`.
    """
    pattern = fit.W > 0
    n_fixed = options.get("n_fixed", 0)
    for _ in range(N_ROUNDS):
        H = np.vstack([fit.H[:n_fixed], fill_background(fit.H, absent)[n_fixed:]])
        W = solve_loadings(X, H, n_jobs=options.get("n_jobs", 1))
        # Without the line, another component may be the only one that explains a row: the
        # largest loading of each row is always free.
        free = pattern | (W.max(axis=1, keepdims=True) == W)
        fit = poisson_nmf(X, H, W, pattern=free, frozen=absent, **options)
    return fit
