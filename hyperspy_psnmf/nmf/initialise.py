# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra to start from. Loadings follow from them by a convex problem."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import svd
from scipy.sparse.linalg import svds

from hyperspy_psnmf.nmf.counts import total_counts

ROWS_FOR_START = 4096
FILL = 1e-2  # share of the mean spectrum that keeps every channel alive


def initial_spectra(X, n_components: int, init, rng: np.random.Generator) -> np.ndarray:
    """Return spectra of unit sum to start from.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    n_components : int
        Number of spectra.
    init : {"nndsvdar", "random"} or ndarray of shape (n_components, n_channels)
        How to find them, or the spectra themselves.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    ndarray of shape (n_components, n_channels)
        Every channel that holds counts is positive in every spectrum: a zero
        could never grow.
    """
    mean = total_counts(X, axis=0)
    mean = mean / mean.sum()
    if isinstance(init, str):
        H = {"nndsvdar": _nndsvd, "random": _random}[init](X, mean, n_components, rng)
    else:
        H = np.array(init, dtype=float)
    H = H / H.sum(axis=1, keepdims=True)
    floor = FILL * mean * rng.uniform(0.5, 1.5, H.shape)
    H = np.maximum(H, floor)
    return H / H.sum(axis=1, keepdims=True)


def _random(X, mean, n_components, rng):
    return mean * rng.gamma(0.5, size=(n_components, mean.size))


def _nndsvd(X, mean, n_components, rng):
    """Non-negative double SVD (Boutsidis & Gallopoulos 2008, doi:10.1016/j.patcog.2007.09.010)."""
    if X.shape[0] > ROWS_FOR_START:
        # The directions of some thousand rows are near enough those of all.
        X = X[np.sort(rng.choice(X.shape[0], ROWS_FOR_START, replace=False))]
    U, V = _leading_singular_vectors(X, n_components, rng)
    H = np.empty((n_components, X.shape[1]))
    H[0] = np.abs(V[0])
    for k in range(1, n_components):
        parts = [(np.maximum(s * U[:, k], 0), np.maximum(s * V[k], 0)) for s in (1, -1)]
        norms = [np.linalg.norm(u) * np.linalg.norm(v) for u, v in parts]
        H[k] = parts[int(np.argmax(norms))][1]
        if not H[k].any():
            H[k] = mean
    return H


def _leading_singular_vectors(X, n, rng):
    if n < min(X.shape):
        v0 = rng.uniform(size=min(X.shape))
        U, s, V = svds(X.astype(float), k=n, v0=v0)
    else:
        U, s, V = svd(X.toarray() if sp.issparse(X) else X, full_matrices=False)
    order = np.argsort(s)[::-1][:n]
    return U[:, order], V[order]
