# SPDX-License-Identifier: GPL-3.0-or-later
"""One component more: what a factorisation does not explain, as the start of a new component."""

import numpy as np

from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf

POWER_STEPS = 30  # of power iteration; only a start depends on it
FILL = 0.1  # fraction of the mean spectrum in the start of a new one: zeros would never grow


def one_more(
    X,
    W: np.ndarray,
    H: np.ndarray,
    *,
    n_fixed: int = 0,
    max_iter: int,
    tol: float,
    rng: np.random.Generator,
    n_jobs: int | None = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Return loadings and spectra with one component more, after some alternations.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    n_fixed : int
        Spectra that do not change; they come first.
    max_iter, tol
        Of the factorisation with the new component.
    rng : numpy.random.Generator
        Source of random numbers.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    W : ndarray of shape (n_rows, n_components + 1)
    H : ndarray of shape (n_components + 1, n_channels)
    """
    H = np.vstack([H, next_spectrum(X, W, H, rng)])
    options = {"max_iter": max_iter, "tol": tol, "n_jobs": n_jobs}
    found = poisson_nmf(X, H, n_fixed=n_fixed, **options)
    return found.W, found.H


def next_spectrum(X, W: np.ndarray, H: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the spectrum (n_channels,) of unit sum at which a new component starts."""
    mean = mean_spectrum(X)
    return FILL * mean + (1 - FILL) * _missing_spectrum(X, W, H, mean, rng)


def mean_spectrum(X) -> np.ndarray:
    """Return the spectrum of all counts, of unit sum."""
    return total_counts(X, axis=0) / max(total_counts(X), 1.0)


def _missing_spectrum(X, W, H, mean, rng):
    """Return the leading component of the residuals, a spectrum of unit sum.

    The leading singular vectors of (X - W H) / sqrt(row counts x column counts), whose
    noise is about the same everywhere, by power iteration; of the positive and the negative
    part the one with the larger norm.
    """
    row = np.sqrt(total_counts(X, axis=1) + 0.5)
    column = np.sqrt(total_counts(X, axis=0) + 0.5)
    v = rng.standard_normal(X.shape[1])
    for _ in range(POWER_STEPS):
        u = (X @ (v / column) - W @ (H @ (v / column))) / row
        v = (X.T @ (u / row) - H.T @ (W.T @ (u / row))) / column
        v /= max(np.linalg.norm(v), np.finfo(float).tiny)
    parts = [(np.maximum(s * u, 0.0), np.maximum(s * v, 0.0)) for s in (1, -1)]
    spectrum = max(parts, key=lambda p: np.linalg.norm(p[0]) * np.linalg.norm(p[1]))[1] * column
    return spectrum / spectrum.sum() if spectrum.sum() > 0 else mean
