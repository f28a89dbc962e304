# SPDX-License-Identifier: GPL-3.0-or-later
r"""PSNMF: NMF-based pan-sharpening of a spectrum image [1]_.

1. **bin** neighbouring pixels: sums of Poisson counts, still Poisson;
2. **factorise** the binned map: spectra of high fidelity. 2a looks for the
   loadings with channels summed too, so that starved channels cannot lead
   astray; 2b solves the convex problem of the spectra at full energy;
3. **factorise at full resolution** from there, with the spectra held (convex)
   or updated too;
4. **combine** the spectra of step 2 with the loadings of step 3.

References
----------
.. [1] H. Chen, D. T. L. Alexander, C. Hébert, Nano Letters 24 (2024) 10177.
   https://doi.org/10.1021/acs.nanolett.4c02446
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hyperspy_psnmf.nmf.bins import PixelBins, bin_counts, bin_spectra, spread_spectra
from hyperspy_psnmf.nmf.counts import total_counts
from hyperspy_psnmf.nmf.initialise import initial_spectra
from hyperspy_psnmf.nmf.solve import Factorisation, poisson_nmf, solve_loadings, solve_spectra

Callback = Callable[[str, int, float], None]


@dataclass(frozen=True)
class PSNMFResult:
    """What `psnmf` found; components in decreasing order of counts, fixed ones first.

    Attributes
    ----------
    W : ndarray of shape (n_pixels, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    binned_W : ndarray of shape (n_bins, n_components)
        Loadings of the binned map, in counts.
    binned_shape : tuple of int
        Shape of the binned map.
    binned_fit : Factorisation or None
        Convergence of step 2; None where all spectra were given.
    joint_fit : Factorisation or None
        Convergence of step 3 where it updated the spectra too.
    """

    W: np.ndarray
    H: np.ndarray
    binned_W: np.ndarray
    binned_shape: tuple[int, ...]
    binned_fit: Factorisation | None
    joint_fit: Factorisation | None


def psnmf(
    X,
    n_components: int,
    pixel_bins: PixelBins,
    *,
    energy_binning: int = 1,
    init="nndsvdar",
    fixed_spectra: np.ndarray | None = None,
    refinement: str = "fixed",
    max_iter: int = 500,
    tol: float = 1e-5,
    rng: np.random.Generator | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
) -> PSNMFResult:
    """Unmix a map of counts.

    Parameters
    ----------
    X : csr_array of shape (n_pixels, n_channels)
        Counts, one row per pixel in C order of the map. A pixel left out is an
        empty row.
    n_components : int
        Number of components, the fixed ones included.
    pixel_bins : PixelBins
        Bins of the map.
    energy_binning : int
        Channels summed in step 2a.
    init : {"nndsvdar", "random"} or ndarray of shape (n_components, n_channels)
        Start of step 2.
    fixed_spectra : ndarray of shape (n_fixed, n_channels), optional
        Known spectra, of unit sum. They come first in the result, as they are.
    refinement : {"fixed", "joint"}
        Whether step 3 holds the spectra or updates them too, as published.
    max_iter, tol :
        See `poisson_nmf`.
    rng : numpy.random.Generator, optional
        Source of random numbers.
    n_jobs : int or None
        Threads; None is all cores.
    callback : callable, optional
        Called with the name of the step, the iteration and its KKT residual.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    notify = callback or (lambda step, iteration, residual: None)
    options = {"max_iter": max_iter, "tol": tol, "n_jobs": n_jobs}
    fixed = np.empty((0, X.shape[1])) if fixed_spectra is None else fixed_spectra

    notify("bin", 0, np.inf)
    binned = bin_counts(X, pixel_bins, n_jobs=n_jobs)
    binned_fit = None
    if len(fixed) < n_components:
        binned_W, H, binned_fit = _factorise_binned(
            binned, n_components, fixed, energy_binning, init, rng, options, notify
        )
    else:
        H = fixed
        binned_W = solve_loadings(binned, H, n_jobs=n_jobs)

    notify("full resolution", 0, np.inf)
    W = _share_out(X, pixel_bins, binned_W)
    joint_fit = None
    if refinement == "joint" and len(fixed) < n_components:
        joint_fit = poisson_nmf(
            X, H, W, n_fixed=len(fixed), callback=_forward(notify, "full resolution"), **options
        )
        # Its rows add up to their counts up to convergence; maps of counts do exactly.
        total = joint_fit.W.sum(axis=1, keepdims=True)
        counts = total_counts(X, axis=1)[:, None]
        W = joint_fit.W * np.divide(counts, total, out=np.zeros_like(total), where=total > 0)
    else:
        W = solve_loadings(X, H, W, n_jobs=n_jobs)

    order = _order(W, len(fixed))
    return PSNMFResult(
        W[:, order], H[order], binned_W[:, order], pixel_bins.binned_shape, binned_fit, joint_fit
    )


def _factorise_binned(binned, n_components, fixed, energy_binning, init, rng, options, notify):
    """Step 2: loadings from coarse channels (2a), then spectra at full energy (2b)."""
    coarse = binned
    if energy_binning > 1:
        coarse = bin_energy(binned, energy_binning, n_jobs=options["n_jobs"])
    H = _start(coarse, n_components, fixed, energy_binning, init, rng)
    fit = poisson_nmf(
        coarse, H, n_fixed=len(fixed), callback=_forward(notify, "binned map"), **options
    )
    W, H = fit.W, fit.H
    if energy_binning > 1:
        H = spread_spectra(H, energy_binning, binned.shape[1])
        H[: len(fixed)] = fixed
        W, H = solve_spectra(binned, W, H, n_fixed=len(fixed), n_jobs=options["n_jobs"])
        H = _cover_channels(H, total_counts(binned, axis=0), len(fixed))
    return W, H, fit


def bin_energy(X, energy_binning: int, *, n_jobs=1):
    """Sum channels of a dense or CSR matrix of counts, `energy_binning` at a time."""
    if isinstance(X, np.ndarray):
        return bin_spectra(X, energy_binning)
    rows = PixelBins((X.shape[0],), (1,))
    return bin_counts(X, rows, energy_binning=energy_binning, n_jobs=n_jobs)


def _cover_channels(H, channel_counts, n_fixed):
    """Let the free spectra explain counts where every spectrum is zero.

    A known spectrum may explain a coarse channel and yet be zero in some of the
    channels that make it up.
    """
    bare = (channel_counts > 0) & ~H.any(axis=0)
    if not bare.any() or n_fixed == len(H):
        return H
    free = np.where(bare, channel_counts / channel_counts.sum(), H[n_fixed:])
    return np.vstack([H[:n_fixed], free / free.sum(axis=1, keepdims=True)])


def _start(coarse, n_components, fixed, energy_binning, init, rng):
    """Known spectra first; the free ones from what these leave unexplained."""
    fixed = bin_spectra(fixed, energy_binning)
    if not isinstance(init, str):
        H = initial_spectra(coarse, n_components, bin_spectra(init, energy_binning), rng)
        return np.vstack([fixed, H[len(fixed) :]])
    if not len(fixed):
        return initial_spectra(coarse, n_components, init, rng)
    rest = _unexplained(coarse, solve_loadings(coarse, fixed), fixed)
    return np.vstack([fixed, initial_spectra(rest, n_components - len(fixed), init, rng)])


def _unexplained(X, W, H):
    """Return what counts exceed the model by, where there are counts; X if nothing does."""
    if isinstance(X, np.ndarray):
        rest = np.maximum(X - W @ H, 0.0)
    else:
        row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        rest = X.copy()
        rest.data = np.maximum(X.data - np.einsum("pk,kp->p", W[row], H[:, X.indices]), 0.0)
    return rest if rest.sum() > 1e-6 * X.sum() else X


def _share_out(X, pixel_bins, binned_W):
    """Start each pixel with the composition of its bin, scaled to its own counts."""
    total = binned_W.sum(axis=1, keepdims=True)
    k = binned_W.shape[1]
    share = np.divide(binned_W, total, out=np.full_like(binned_W, 1 / k), where=total > 0)
    return share[pixel_bins.index] * total_counts(X, axis=1)[:, None]


def _order(W, n_fixed):
    free = n_fixed + np.argsort(-W[:, n_fixed:].sum(axis=0), kind="stable")
    return np.concatenate([np.arange(n_fixed), free])


def _forward(notify, step):
    return lambda iteration, divergence, residual: notify(step, iteration, residual)
