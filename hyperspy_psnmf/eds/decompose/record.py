# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a decomposition, from the estimator that was fitted."""

from dataclasses import replace

import numpy as np

from hyperspy_psnmf._version import __version__
from hyperspy_psnmf.eds.decompose.weaknesses import find_weaknesses
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.record import Record
from hyperspy_psnmf.estimators.psnmf_model import PSNMFModel
from hyperspy_psnmf.nmf.counts.matrix import total_counts

# Whose repr has an address in memory.
_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator)


def make_record(map_input: MapInput, estimator, X, loadings, chosen=None) -> Record:
    """Return the record of a run.

    Parameters
    ----------
    map_input : MapInput
        Of the map.
    estimator : PSNMFModel or PoissonNMF
        Fitted.
    X : csr_array of shape (n_pixels, n_channels_in_use)
        Counts; pixels left out are empty.
    loadings : ndarray of shape (n_pixels, n_components)
        In counts.
    chosen : NumberOfComponents, optional
        How the number of phases was chosen.
    """
    pixel_counts, channel_counts = total_counts(X, axis=1), total_counts(X, axis=0)
    filled = pixel_counts[pixel_counts > 0]
    n_counts = float(pixel_counts.sum())
    record = Record(
        version=__version__,
        algorithm="PSNMF" if isinstance(estimator, PSNMFModel) else type(estimator).__name__,
        n_components=int(estimator.n_components),
        navigation_shape=map_input.shape[::-1],
        init=estimator.init if isinstance(estimator.init, str) else "given",
        max_iter=int(estimator.max_iter),
        tol=float(estimator.tol),
        random_state=_plain_seed(estimator.random_state),
        n_iter=int(estimator.n_iter_),
        converged=bool(estimator.converged_),
        kkt_residual=float(estimator.kkt_residual_),
        divergence=float(estimator.reconstruction_err_),
        counts_per_unit=map_input.counts_per_unit,
        n_counts=n_counts,
        n_filled_pixels=int(filled.size),
        median_pixel_counts=float(np.median(filled)),
        n_unexplained=float(channel_counts[~estimator.components_.any(axis=0)].sum()),
        phase_counts=loadings.sum(axis=0),
        phase_names=tuple(f"Phase {i}" for i in range(loadings.shape[1])),
        weaknesses=(),
        **(_of_psnmf(estimator, n_counts, map_input) if isinstance(estimator, PSNMFModel) else {}),
        **({} if chosen is None else _of_choice(chosen)),
    )
    weaknesses = find_weaknesses(
        map_input, record, estimator, X, loadings, (pixel_counts, channel_counts)
    )
    return replace(record, weaknesses=tuple(weaknesses))


def _plain_seed(random_state):
    if isinstance(random_state, _GENERATORS):
        return "from a generator given by the user"
    return int(random_state) if isinstance(random_state, int | np.integer) else repr(random_state)


def _of_psnmf(estimator, n_counts, map_input):
    fixed, bins = estimator.fixed_spectra, estimator.binned_loadings_
    choice, absent, rows = estimator.binning_choice_, estimator.absent, estimator.absent_rows_
    if absent is not None:
        absent = np.asarray(absent, dtype=bool)[... if rows is None else rows]
    n_filled_bins = max(1, np.count_nonzero(bins.sum(axis=-1)))
    return {
        # In (x, y) order, as the user gives it.
        "binning": tuple(int(b) for b in estimator.binning_[::-1]),
        "binning_chosen": isinstance(estimator.binning, str),
        "binning_choice": replace(
            choice, binning=choice.binning[::-1], tried=tuple(tried[::-1] for tried in choice.tried)
        ),
        "energy_binning": int(estimator.energy_binning),
        "line_width": int(estimator.line_width),
        "refinement": estimator.refinement,
        "spectra": "free" if estimator.template_weights_ is None else "lines",
        "prior_weights": estimator.prior_weights_,
        "template_elements": getattr(estimator.templates, "names", ()),
        "parsimony": estimator.volume_ is None,
        "volume": estimator.volume_ or 0.0,
        "added": estimator.added_,
        "removed": estimator.removed_,
        "smoothing": estimator.smoothing_,
        "n_pixels_behind": estimator.n_averaged_,
        "n_images": len(estimator.guide_shifts_),
        "n_fixed": 0 if fixed is None else len(fixed),
        "n_bins": int(np.prod(bins.shape[:-1])),
        "counts_per_bin": n_counts / n_filled_bins,
        "binned_loadings": bins,
        "absent": absent,
        "spectra_before_absent": _on_all_channels(estimator.components_before_absent_, map_input),
    }


def _on_all_channels(spectra, map_input):
    keep = map_input.keep_channels
    if spectra is None or keep is None:
        return spectra
    full = np.zeros((len(spectra), keep.size))
    full[:, keep] = spectra
    return full


def _of_choice(chosen):
    return {
        "numbers_tried": tuple(chosen.numbers),
        "held_out_deviances": chosen.deviances.mean(axis=1),
        "held_out_differences": chosen.differences,
        "held_out_standard_errors": chosen.standard_errors,
        "number_of_phases_minimum": chosen.minimum,
        "number_of_phases_limited": chosen.is_limited,
    }
