# SPDX-License-Identifier: GPL-3.0-or-later
"""Initial spectra: NNDSVDar, vertices, random. Loadings follow by a convex problem."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import svd
from scipy.sparse.linalg import LinearOperator, svds

from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.counts.matrix import total_counts

ROWS_FOR_START = 4096  # drawn at random; chosen on the built-in phantoms
MIN_COUNTS = 0.25  # of a row that may be a vertex, per median of all rows
FILL = 1e-2  # fraction of the mean spectrum added to each: zeros would never grow. As NNDSVDar


def initial_spectra(X, n_components: int, init, rng: np.random.Generator) -> np.ndarray:
    """Return spectra of unit sum to start from.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    n_components : int
        Number of spectra.
    init : {"nndsvdar", "vertex", "random"} or ndarray of shape (n_components, n_channels)
        Method, or the spectra themselves.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    ndarray of shape (n_components, n_channels)
        Every channel with counts is positive in every spectrum: zeros would
        never grow.
    """
    mean = total_counts(X, axis=0)
    mean = mean / mean.sum()
    if isinstance(init, str):
        find = {"nndsvdar": _nndsvd, "vertex": _vertices, "random": _random}[init]
        H = find(_some_rows(X, rng), mean, n_components, rng)
    else:
        H = np.array(init, dtype=float)
    H = H / H.sum(axis=1, keepdims=True)
    floor = FILL * mean * rng.uniform(0.5, 1.5, H.shape)
    H = np.maximum(H, floor)
    return H / H.sum(axis=1, keepdims=True)


def _some_rows(X, rng):
    # Singular vectors of some thousand rows are close enough to those of all.
    if X.shape[0] <= ROWS_FOR_START:
        return X.take(np.arange(X.shape[0])) if isinstance(X, CountBlocks) else X
    rows = np.sort(rng.choice(X.shape[0], ROWS_FOR_START, replace=False))
    return X.take(rows) if isinstance(X, CountBlocks) else X[rows]


def _random(X, mean, n_components, rng):
    return mean * rng.gamma(0.5, size=(n_components, mean.size))


def _nndsvd(X, mean, n_components, rng):
    """Non-negative double SVD (Boutsidis & Gallopoulos 2008, doi:10.1016/j.patcog.2007.09.010)."""
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


def _vertices(X, mean, n_components, rng):
    """Successive projection (Gillis & Vavasis 2014, doi:10.1109/TPAMI.2013.226) on denoised rows.

    The purest rows are the vertices of the simplex that rows of unit sum span. They
    are looked for in the space of the leading singular vectors of the counts, weighted by
    their standard deviation.
    """
    counts = total_counts(X, axis=1)
    X, counts = X[counts > 0], counts[counts > 0]
    noise = np.sqrt(np.where(mean > 0, mean, 1.0))
    scaled = sp.csr_array(X) if sp.issparse(X) else X
    scaled = scaled.multiply(1 / noise[None, :]).tocsr() if sp.issparse(X) else scaled / noise
    n = min(n_components, *X.shape)
    _, V = _leading_singular_vectors(scaled, n, rng)
    rows = (scaled @ V.T) / counts[:, None]
    # Rows with few counts are far from the simplex by noise alone.
    rows = rows[counts >= MIN_COUNTS * np.median(counts)]
    H, left = np.empty((n_components, X.shape[1])), rows.copy()
    for k in range(n_components):
        corner = np.argmax((left**2).sum(axis=1))
        H[k] = np.maximum(rows[corner] @ V, 0.0) * noise
        away = left[corner] / (np.linalg.norm(left[corner]) or 1.0)
        left = left - np.outer(left @ away, away)
        if not H[k].any():
            H[k] = mean
    return H


def _leading_singular_vectors(X, n, rng):
    if n < min(X.shape):
        v0 = rng.uniform(size=min(X.shape))
        U, s, V = svds(_products(X.astype(float)), k=n, v0=v0)
    else:
        U, s, V = svd(X.toarray() if sp.issparse(X) else X, full_matrices=False)
    order = np.argsort(s)[::-1][:n]
    return U[:, order], V[order]


def _products(X):
    """Return X as a linear operator without BLAS, whose threads are slow at this size."""
    if sp.issparse(X):
        return X
    return LinearOperator(
        X.shape,
        dtype=X.dtype,
        matvec=lambda v: np.einsum("ij,j->i", X, v.ravel()),
        rmatvec=lambda v: np.einsum("ij,i->j", X, v.ravel()),
    )
