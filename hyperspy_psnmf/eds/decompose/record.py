# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a decomposition (plain values and arrays), and the weaknesses of its result."""

import math

import numpy as np

from hyperspy_psnmf._version import __version__
from hyperspy_psnmf.eds.decompose.hot_voxels import describe_hot_voxels
from hyperspy_psnmf.eds.decompose.notes import note_on_counts
from hyperspy_psnmf.eds.lazy.not_counts import judge_model, judge_values
from hyperspy_psnmf.eds.signals.axes import energies, map_shape
from hyperspy_psnmf.eds.xray.detector import ZERO_PEAK
from hyperspy_psnmf.estimators import PSNMF
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.binning.bins import PixelBins
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.selection.binning import SIGNIFICANT_GAIN

# Counts below which to warn, chosen on the built-in phantoms: with fewer, a spectrum has hardly
# more than its strongest line.
FEW_PER_BIN = 1000
FEW_IN_PHASE = 2000
ZERO_PEAK_FRACTION = 0.05  # of all counts, above which to warn

LIMITED = "as many phases as were tried are distinguishable: there may be more of them"

# Cosine of two spectra, above which they are one phase. Tuned on seven phantoms at 30, 100 and 400
# counts per pixel: none exceed it with the true number of phases, 20 of 21 with one more.
MAX_COSINE = 0.98

# Pixels' counts over the mean of their bin, weighted with counts, above which features are smaller
# than a bin; chosen on the built-in phantoms.
MAX_CONCENTRATION = 2.5


def make_record(
    signal, estimator, X, loadings, keep_channels, chosen=None, counts_per_unit=1.0
) -> dict:
    """Return the record of a run, as plain values and arrays.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    estimator : PSNMF or PoissonNMF
        Fitted.
    X : csr_array of shape (n_pixels, n_channels_in_use)
        Counts; pixels left out are empty.
    loadings : ndarray of shape (n_pixels, n_components)
        In counts.
    keep_channels : ndarray of bool or None
        Channels in use.
    chosen : NumberOfComponents, optional
        How the number of phases was chosen.
    counts_per_unit : float
        What the signal's data were multiplied by.
    """
    pixel_counts, channel_counts = total_counts(X, axis=1), total_counts(X, axis=0)
    filled = pixel_counts[pixel_counts > 0]
    record = {
        "version": __version__,
        "algorithm": "PSNMF" if isinstance(estimator, PSNMF) else type(estimator).__name__,
        "n_components": int(estimator.n_components),
        "navigation_shape": list(signal.axes_manager.navigation_shape),
        "init": estimator.init if isinstance(estimator.init, str) else "given",
        "max_iter": int(estimator.max_iter),
        "tol": float(estimator.tol),
        "random_state": _plain_seed(estimator.random_state),
        "n_iter": int(estimator.n_iter_),
        "converged": bool(estimator.converged_),
        "kkt_residual": float(estimator.kkt_residual_),
        "divergence": float(estimator.reconstruction_err_),
        "counts_per_unit": float(counts_per_unit),
        "n_counts": float(pixel_counts.sum()),
        "n_filled_pixels": int(filled.size),
        "median_pixel_counts": float(np.median(filled)),
        "n_unexplained": float(channel_counts[~estimator.components_.any(axis=0)].sum()),
        "phase_counts": loadings.sum(axis=0),
        "phase_names": [f"Phase {i}" for i in range(loadings.shape[1])],
    }
    if isinstance(estimator, PSNMF):
        record |= _record_of_binning(estimator, record["n_counts"])
        if estimator.absent is not None:
            record["absent"] = np.asarray(estimator.absent, dtype=bool)
    if chosen is not None:
        record |= _record_of_choice(chosen)
    record["weaknesses"] = _find_no_counts(
        X, loadings, estimator, map_shape(signal), counts_per_unit
    )
    options = {"sums": (pixel_counts, channel_counts), "n_jobs": estimator.n_jobs}
    record["weaknesses"] += describe_hot_voxels(signal, X, keep_channels, **options)
    record["weaknesses"] += _find_weaknesses(signal, record, channel_counts, keep_channels)
    record["weaknesses"] += _find_equal_spectra(
        signal, record, estimator.components_, keep_channels
    )
    if isinstance(estimator, PSNMF):
        record["weaknesses"] += _find_small_features(record, map_shape(signal), loadings)
    return record


def _plain_seed(random_state):
    return int(random_state) if isinstance(random_state, int | np.integer) else repr(random_state)


def _plain(word_or_number):
    return word_or_number if isinstance(word_or_number, str) else float(word_or_number)


def _record_of_binning(estimator, n_counts):
    fixed = estimator.fixed_spectra
    bins = estimator.binned_loadings_
    n_filled_bins = max(1, np.count_nonzero(bins.sum(axis=-1)))
    return {
        # In (x, y) order, as the user gives it.
        "binning": [int(b) for b in estimator.binning_[::-1]],
        "binning_chosen": isinstance(estimator.binning, str),
        "binning_reason": _reason(estimator),
        "energy_binning": int(estimator.energy_binning),
        "line_width": int(estimator.line_width),
        "refinement": estimator.refinement,
        "volume": _plain(estimator.volume),
        "added": estimator.added_,
        "removed": estimator.removed_,
        "spatial_prior": _plain(estimator.spatial_prior),
        "n_pixels_behind": estimator.support_,
        "n_fixed": 0 if fixed is None else len(fixed),
        "n_bins": int(np.prod(bins.shape[:-1])),
        "counts_per_bin": n_counts / n_filled_bins,
        "binned_loadings": bins,
    }


def _reason(estimator):
    if not isinstance(estimator.binning, str):
        return "as given"
    choice = estimator.binning_choice_
    where = f", judged on {choice.n_pixels} pixels of the map" if choice.n_pixels else ""
    if choice.n_doubled:
        where += f", and doubled {choice.n_doubled} times for the binned map to fit into memory"
    if choice.not_tried:
        return f"the rule of thumb; {choice.not_tried}{where}"
    steps = []
    for binning, (gain, error) in zip(choice.tried[1:], choice.gains, strict=True):
        insignificant = ", not significant" if 0 < gain <= SIGNIFICANT_GAIN * error else ""
        steps.append(
            f"{times(binning[::-1])} has a held-out deviance {'lower' if gain > 0 else 'higher'} "
            f"by {abs(gain):.0f} +- {error:.0f}{insignificant}"
        )
    return f"the rule of thumb is {times(choice.tried[0][::-1])}; {', '.join(steps)}{where}"


def _record_of_choice(chosen):
    return {
        "numbers_tried": list(chosen.numbers),
        "held_out_deviances": chosen.deviances.mean(axis=1),
        "held_out_differences": chosen.differences,
        "held_out_standard_errors": chosen.standard_errors,
        "number_of_phases_minimum": chosen.minimum,
        "number_of_phases_reason": chosen.reason(),
        "number_of_phases_limited": chosen.is_limited,
    }


def _find_no_counts(X, loadings, estimator, shape, counts_per_unit):
    if isinstance(estimator, PSNMF):
        found = judge_model(
            X,
            loadings,
            estimator.components_,
            PixelBins(shape, estimator.binning_),
            estimator.energy_binning,
            resolve_n_jobs(estimator.n_jobs),
        )
    else:
        found = judge_values(X)
    return [] if found.are_counts else [note_on_counts(found, counts_per_unit)]


def _find_weaknesses(signal, record, channel_counts, keep_channels):
    found = []
    if record.get("number_of_phases_limited"):
        found.append(LIMITED)
    if record.get("counts_per_bin", np.inf) < FEW_PER_BIN:
        # Larger bins have a worse held-out deviance where the binning was chosen.
        bin_more = "" if record["binning_chosen"] else "bin more, or "
        found.append(
            f"only {record['counts_per_bin']:.0f} counts per bin on average: spectra will be "
            f"poor in detail; {bin_more}lower output_dimension"
        )
    for name, counts in zip(record["phase_names"], record["phase_counts"], strict=True):
        if counts < FEW_IN_PHASE:
            found.append(f"{name} holds {counts:.0f} counts only: do not rely on its spectrum")
    fraction, highest = _zero_peak(signal, channel_counts, keep_channels)
    if fraction > ZERO_PEAK_FRACTION:
        found.append(
            f"{100 * fraction:.0f} % of the counts lie below {ZERO_PEAK} keV, in the detector's "
            f"zero peak; energy_range=({ZERO_PEAK}, {math.ceil(100 * highest) / 100:g}) "
            "leaves them out"
        )
    if record["n_unexplained"]:
        found.append(
            f"{record['n_unexplained']:.0f} counts lie in channels where all spectra are zero: "
            "they are left out of the maps"
        )
    return found


def _find_equal_spectra(signal, record, spectra, keep_channels):
    """Warn of phases with nearly equal spectra, which may be one phase, split by noise."""
    spectra = np.where(_below_lines(signal, keep_channels, spectra.shape[1]), 0.0, spectra)
    spectra = spectra / np.maximum(np.linalg.norm(spectra, axis=1, keepdims=True), 1e-300)
    alike = np.argwhere(np.triu(spectra @ spectra.T, 1) > MAX_COSINE)
    if not alike.size:
        return []
    names = record["phase_names"]
    pairs = "; ".join(f"{names[a]} and {names[b]}" for a, b in alike)
    return [
        f"spectra hardly differ: {pairs}. They may be one phase, split by noise: "
        "s.psnmf.estimate_number_of_components() estimates how many the counts distinguish"
    ]


def _find_small_features(record, shape, loadings):
    """Warn of phases whose counts are in a few pixels of their bins."""
    bins = PixelBins(shape, tuple(record["binning"][::-1]))
    n_pixels = np.maximum(np.bincount(bins.index, loadings.any(axis=1), bins.n_bins), 1.0)
    found = []
    for name, w in zip(record["phase_names"], loadings.T, strict=True):
        mean = (np.bincount(bins.index, w, bins.n_bins) / n_pixels)[bins.index]
        if (w**2).sum() > MAX_CONCENTRATION * (w * mean).sum():
            found.append(
                f"features of {name} are smaller than the binning, {times(record['binning'])}: "
                "its spectrum may contain much of their surroundings; try a smaller binning"
            )
    return found


def _zero_peak(signal, channel_counts, keep_channels):
    below = _below_lines(signal, keep_channels, channel_counts.size)
    if not below.any():
        return 0.0, 0.0
    return channel_counts[below].sum() / channel_counts.sum(), energies(signal).max()


def _below_lines(signal, keep_channels, n_channels):
    """Return which channels in use lie in the zero peak."""
    try:
        energy = energies(signal)
    except ValueError:  # an axis without units has been warned of
        return np.zeros(n_channels, bool)
    return (energy if keep_channels is None else energy[keep_channels]) < ZERO_PEAK


def times(binning) -> str:
    """Return a binning as in "4 x 4"."""
    return " x ".join(str(b) for b in binning)
