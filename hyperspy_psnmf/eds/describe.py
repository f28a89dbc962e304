# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done, in plain values, in a summary and in a methods paragraph."""

import math

import numpy as np

from hyperspy_psnmf._version import __version__
from hyperspy_psnmf.eds.axes import energies
from hyperspy_psnmf.estimators import PSNMF
from hyperspy_psnmf.nmf.counts import total_counts

FEW_PER_BIN = 1000  # counts; below it a spectrum shows little but its strongest line
FEW_IN_PHASE = 2000  # counts
ZERO_PEAK = 0.12  # keV; below it is the electronic noise peak
ZERO_PEAK_SHARE = 0.05

_INITS = {"nndsvdar": "a non-negative double SVD", "random": "random spectra"}


def make_record(signal, estimator, X, loadings, keep_channels) -> dict:
    """Return everything worth keeping about a run, as plain values and arrays.

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
        "n_counts": float(pixel_counts.sum()),
        "n_filled_pixels": int(filled.size),
        "median_pixel_counts": float(np.median(filled)),
        "n_unexplained": float(channel_counts[~estimator.components_.any(axis=0)].sum()),
        "phase_counts": loadings.sum(axis=0),
        "phase_names": [f"Phase {i}" for i in range(loadings.shape[1])],
    }
    if isinstance(estimator, PSNMF):
        record |= _record_of_binning(estimator, record["n_counts"])
    record["weaknesses"] = _find_weaknesses(signal, record, channel_counts, keep_channels)
    return record


def _plain_seed(random_state):
    return int(random_state) if isinstance(random_state, int | np.integer) else repr(random_state)


def _record_of_binning(estimator, n_counts):
    fixed = estimator.fixed_spectra
    bins = estimator.binned_loadings_
    n_filled_bins = max(1, np.count_nonzero(bins.sum(axis=-1)))
    return {
        # In (x, y) order, as the user gives it.
        "binning": [int(b) for b in estimator.binning_[::-1]],
        "binning_chosen": isinstance(estimator.binning, str),
        "energy_binning": int(estimator.energy_binning),
        "refinement": estimator.refinement,
        "n_fixed": 0 if fixed is None else len(fixed),
        "n_bins": int(np.prod(bins.shape[:-1])),
        "counts_per_bin": n_counts / n_filled_bins,
        "binned_loadings": bins,
    }


def _find_weaknesses(signal, record, channel_counts, keep_channels):
    found = []
    if record.get("counts_per_bin", np.inf) < FEW_PER_BIN:
        found.append(
            f"only {record['counts_per_bin']:.0f} counts per bin on average: spectra will be "
            "poor in detail; bin more, or lower output_dimension"
        )
    for name, counts in zip(record["phase_names"], record["phase_counts"], strict=True):
        if counts < FEW_IN_PHASE:
            found.append(f"{name} holds {counts:.0f} counts only: do not rely on its spectrum")
    share, highest = _zero_peak(signal, channel_counts, keep_channels)
    if share > ZERO_PEAK_SHARE:
        found.append(
            f"{100 * share:.0f} % of the counts lie below {ZERO_PEAK} keV, in the detector's "
            f"zero peak; energy_range=({ZERO_PEAK}, {math.ceil(100 * highest) / 100:g}) "
            "leaves them out"
        )
    if record["n_unexplained"]:
        found.append(
            f"{record['n_unexplained']:.0f} counts lie in channels where all spectra are zero: "
            "they are left out of the maps"
        )
    return found


def _zero_peak(signal, channel_counts, keep_channels):
    try:
        energy = energies(signal)
    except ValueError:  # an axis without units has been warned of
        return 0.0, 0.0
    used = energy if keep_channels is None else energy[keep_channels]
    return channel_counts[used < ZERO_PEAK].sum() / channel_counts.sum(), energy[-1]


def summary(record: dict) -> str:
    """Return what `print_info` prints."""
    lines = [
        "Decomposition info:",
        f"  algorithm={record['algorithm']}",
        f"  output_dimension={record['n_components']}",
    ]
    if "binning" in record:
        why = (
            f"chosen for {record['median_pixel_counts']:.0f} counts in the median pixel"
            if record["binning_chosen"]
            else "as given"
        )
        lines += [
            f"  binning={_times(record['binning'])} ({why}; {record['n_bins']} bins of "
            f"{record['counts_per_bin']:.0f} counts on average)",
            f"  energy_binning={record['energy_binning']}",
            f"  refinement={record['refinement']}, fixed spectra: {record['n_fixed']}",
        ]
    shares = 100 * np.asarray(record["phase_counts"]) / record["n_counts"]
    lines += [
        f"  init={record['init']}, random_state={record['random_state']}",
        f"  {_convergence(record)}",
        f"  share of the counts: {', '.join(f'{share:.1f} %' for share in shares)}",
    ]
    return "\n".join(lines)


def report(record: dict, names: list[str], phase_counts: np.ndarray) -> str:
    """Return a paragraph for the methods section of a paper.

    Parameters
    ----------
    record : dict
        What `make_record` returned.
    names : list of str
        Names of the phases.
    phase_counts : ndarray of shape (n_phases,)
        Counts of each phase.
    """
    shares = 100 * phase_counts / record["n_counts"]
    phases = ", ".join(f"{n} ({share:.1f} %)" for n, share in zip(names, shares, strict=True))
    sentences = [
        f"The map ({record['n_counts']:.0f} counts, {record['n_filled_pixels']} pixels with "
        f"counts, {record['median_pixel_counts']:.0f} counts in the median one) was unmixed into "
        f"{record['n_components']} phase{'s' if record['n_components'] > 1 else ''} by "
        f"{_method(record)} as implemented in hyperspy-psnmf {record['version']}.",
        *_sentences_on_spectra(record),
        f"Phases and their share of the counts: {phases}.",
        *(f"Note: {weakness}." for weakness in record["weaknesses"]),
    ]
    return " ".join(sentences)


def _method(record):
    if record["algorithm"] == "PSNMF":
        return "NMF-based pan-sharpening (Chen, Alexander and Hébert, Nano Letters 24, 10177, 2024)"
    return "Poisson non-negative matrix factorisation"


def _sentences_on_spectra(record):
    n_fixed = record.get("n_fixed", 0)
    if n_fixed == record["n_components"]:
        return [f"All {n_fixed} spectra were known; the maps solve a convex problem."]
    sentences = [f"{n_fixed} of the spectra were known and kept."] if n_fixed else []
    if "binning" in record:
        held = "held" if record["refinement"] == "fixed" else "updated too"
        summed = f", with {record['energy_binning']} channels summed to find its maps"
        sentences.append(
            f"Spectra were found on the map binned by {_times(record['binning'])} pixels "
            f"({record['n_bins']} bins, {record['counts_per_bin']:.0f} counts each on average)"
            f"{summed if record['energy_binning'] > 1 else ''}; maps were then found at full "
            f"resolution with the spectra {held}."
        )
    start = _INITS.get(record["init"], "given spectra")
    sentences.append(
        f"The factorisation, started from {start} (seed {record['random_state']}), "
        f"{_convergence(record)}."
    )
    return sentences


def _convergence(record):
    if record["n_iter"] == 0:
        return "all spectra were given: the maps solve a convex problem"
    how = "converged after" if record["converged"] else "did NOT converge in"
    return (
        f"{how} {record['n_iter']} iterations (relative KKT residual "
        f"{record['kkt_residual']:.1e}, tolerance {record['tol']:.0e})"
    )


def _times(binning):
    return " x ".join(str(b) for b in binning)
