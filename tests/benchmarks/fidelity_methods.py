# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods that are compared, and the floors none of them can beat.

Each takes a phantom, its counts as CSR and the number of components.
"""

import inspect
import time

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds
from sklearn.decomposition import NMF

from hyperspy_psnmf.eds.decompose.settings import Settings
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.solver.convex import solve_loadings, solve_spectra
from tests.benchmarks.fidelity_figures import Unmixed, true_phases

PUBLISHED = {
    "energy_binning": 1,
    "init": "nndsvdar",
    "volume": 0,
    "refinement": "joint",
    "smoothing": 0,
}


def psnmf(signal, X, k, **settings) -> Unmixed:
    """PSNMF with its defaults, or as set."""
    signal = signal.deepcopy()
    begin = time.perf_counter()
    signal.decomposition(
        algorithm="PSNMF",
        output_dimension=k,
        print_info=False,
        show_progressbar=False,
        **settings,
    )
    return _learned(signal, time.perf_counter() - begin)


def psnmf_free(signal, X, k, **settings) -> Unmixed:
    """PSNMF with each channel of the spectra by itself."""
    return psnmf(signal, X, k, spectra="free", **settings)


def psnmf_known(signal, X, k, **settings) -> Unmixed:
    """PSNMF with the true spectra given: what remains are errors of the maps."""
    _, true = true_phases(signal.metadata.Truth)
    return psnmf(signal, X, k, fixed_spectra=true.factors.T[:k], **settings)


def published_psnmf(signal, X, k) -> Unmixed:
    """PSNMF as published: all later additions are switched off."""
    known = inspect.signature(Settings).parameters
    return psnmf(signal, X, k, **{key: PUBLISHED[key] for key in PUBLISHED if key in known})


def stock_nmf(signal, X, k) -> Unmixed:
    """HyperSpy's own NMF of the unweighted counts."""
    signal = signal.deepcopy()
    signal.change_dtype("float64")
    plain = {"normalize_poissonian_noise": False, "navigation_mask": None, "print_info": False}
    begin = time.perf_counter()
    signal.decomposition(algorithm="NMF", output_dimension=k, **plain)
    return _learned(signal, time.perf_counter() - begin)


def sklearn_kl_nmf(signal, X, k) -> Unmixed:
    """scikit-learn's NMF with the same likelihood, at full resolution."""
    model = NMF(k, solver="mu", beta_loss="kullback-leibler", init="nndsvdar", max_iter=200,
                tol=0, random_state=0)  # fmt: skip
    begin = time.perf_counter()
    loadings = model.fit_transform(sp.csr_matrix(X, dtype=float))
    return Unmixed(model.components_.T, loadings, time.perf_counter() - begin)


def weighted_pca(signal, X, k) -> Unmixed:
    """Truncated SVD of the counts scaled to equal variance.

    Keenan & Kotula, Surface and Interface Analysis 36 (2004) 203.
    """
    begin = time.perf_counter()
    pixel, channel = (np.sqrt(total_counts(X, axis=axis)) for axis in (1, 0))
    inverse = [np.divide(1.0, s, out=np.zeros_like(s), where=s > 0) for s in (pixel, channel)]
    scaled = sp.diags_array(inverse[0]) @ X.astype(float) @ sp.diags_array(inverse[1])
    U, s, Vt = svds(scaled, k=k, random_state=0)
    loadings, factors = pixel[:, None] * U * s, channel[:, None] * Vt.T
    return Unmixed(factors, loadings, time.perf_counter() - begin, signed=True)


def average_spectrum(signal, X, k) -> Unmixed:
    """The trivial answer: all phases have the mean spectrum, in equal parts."""
    mean = total_counts(X, axis=0)
    loadings = np.repeat(total_counts(X, axis=1)[:, None] / k, k, axis=1)
    return Unmixed(np.repeat(mean[:, None] / mean.sum(), k, axis=1), loadings)


def spectra_floor(signal, X) -> Unmixed:
    """The most likely spectra for the true maps: a convex problem."""
    _, true = true_phases(signal.metadata.Truth)
    W, H = solve_spectra(X, true.loadings, true.factors.T, n_jobs=None)
    return Unmixed(H.T, W)


def maps_floor(signal, X) -> Unmixed:
    """The most likely maps for the true spectra, pixel by pixel.

    Only what makes use of neighbouring pixels can go below it.
    """
    _, true = true_phases(signal.metadata.Truth)
    loadings = solve_loadings(X, np.ascontiguousarray(true.factors.T), n_jobs=None)
    return Unmixed(true.factors, loadings)


def _learned(signal, seconds):
    results = signal.learning_results
    return Unmixed(results.factors, results.loadings, seconds)


METHODS = {
    "psnmf": psnmf,
    "psnmf_free": psnmf_free,
    "psnmf_known": psnmf_known,
    "published": published_psnmf,
    "stock_nmf": stock_nmf,
    "sklearn_kl": sklearn_kl_nmf,
    "weighted_pca": weighted_pca,
    "average": average_spectrum,
}
