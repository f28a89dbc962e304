# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of whether a map's values are Poisson counts.

Rates, means of frames, normalised and smoothed maps have other errors than counts. They are
recognised, on some pixels, by the step between values, by the differences of neighbours, and, with
a model, by a deviance below that of counts.
"""

from dataclasses import dataclass, replace

import numpy as np

from hyperspy_psnmf.eds.signals.weaknesses import CountLikeness
from hyperspy_psnmf.estimators.psnmf_model import PSNMFModel
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts, bin_spectra
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.counts.count_like import are_smooth, find_step, have_gaps
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.diagnostics.deviance import excess_deviance
from hyperspy_psnmf.nmf.lines.channels import weights_of_sums

# Contiguous pixels and bins, so that few blocks are read. The degrees of freedom of free spectra
# are all subtracted from those of few bins, so the deviance is slightly high: no false alarm.
MAX_PIXELS, MAX_VALUES, MAX_BINS = 4096, 100_000, 64
MIN_PER_COMPONENT = 10  # pixels and channels, for residuals of a model


def judge_values(X, W=None, H=None) -> CountLikeness:
    """Return the properties of a map's values.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Values; of blocks, few are read.
    W, H : ndarray, optional
        Loadings and spectra: neighbours are then compared by the residuals of these.
    """
    rows = _middle(X)
    some = _take(X, rows)
    values = some.data if isinstance(X, CountBlocks) else X.data
    step = find_step(values)
    if step is None:
        return CountLikeness(np.nan)
    gaps = step == 1 and have_gaps(values)
    # A model of about as many parameters as values has no residuals.
    fits_all = H is None or min(some.shape) < MIN_PER_COMPONENT * len(H)
    expected = 0.0 if fits_all else W[rows] @ H
    smooth = are_smooth(some.toarray().astype(float), expected, step)
    return CountLikeness(float(step), "pixels" in smooth, "channels" in smooth, bool(gaps))


def judge_model(X, W, model: PSNMFModel, bins: PixelBins) -> CountLikeness:
    """Return the properties of a map's values, the deviance from a model included.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Values.
    W : ndarray of shape (n_pixels, n_components)
        Loadings.
    model : PSNMFModel
        Fitted.
    bins : PixelBins
        Bins of pixels.
    """
    H, energy_binning = model.components_, model.energy_binning
    n_jobs = resolve_n_jobs(model.n_jobs)
    first = max(0, bins.n_bins - MAX_BINS) // 2
    rows = np.flatnonzero((bins.index >= first) & (bins.index < first + MAX_BINS))
    index = bins.index[rows] - first
    n_bins = int(index.max()) + 1
    band = _Band(index, n_bins)
    binned = bin_counts(_take(X, rows), band, energy_binning=energy_binning, n_jobs=n_jobs)
    loadings = np.zeros((n_bins, W.shape[1]))
    np.add.at(loadings, index, W[rows])
    values = judge_values(X, W, H)
    if not loadings.any():
        return values
    weights = weights_of_sums(model.prior_weights_, energy_binning)
    options = {"prior_weights": weights, "n_jobs": n_jobs}
    found = excess_deviance(binned, loadings, bin_spectra(H, energy_binning), **options)
    return replace(values, deviance=float(found.total), scatter=float(found.scatter))


@dataclass(frozen=True, eq=False)
class _Band:
    """Bins of some pixels."""

    index: np.ndarray
    n_bins: int


def _middle(X):
    """Return pixels with counts in the middle of a map that follow each other."""
    filled = np.flatnonzero(total_counts(X, axis=1))
    most = min(MAX_PIXELS, max(2, MAX_VALUES // X.shape[1]))
    first = max(0, filled.size - most) // 2
    return filled[first : first + most]


def _take(X, rows):
    return X.take(rows) if isinstance(X, CountBlocks) else X[rows]
