# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositions from net intensities, with all their errors."""

from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from hyperspy_psnmf.eds.quantify.exspy_call import (
    Quantifier,
    derivatives,
    limits,
    propagate,
    trial_intensities,
)
from hyperspy_psnmf.eds.quantify.reference import Reference
from hyperspy_psnmf.eds.quantify.result import Percent
from hyperspy_psnmf.eds.uncertainty.ambiguity import Ambiguity
from hyperspy_psnmf.eds.uncertainty.jackknife import N_FOLDS

DETECTED = 3.0  # standard deviations of a blank (Goldstein et al., ch. 9)


def find_compositions(
    quantifier: Quantifier,
    measured,
    net: np.ndarray,
    relative: np.ndarray,
    *,
    refits: np.ndarray | None,
    others: Ambiguity | None,
    reference: Reference | None,
) -> list[Percent]:
    """Return compositions in atomic and in weight per cent, with all their errors.

    Parameters
    ----------
    quantifier : Quantifier
    measured : LineIntensities
        Of the phases or regions.
    net : ndarray of shape (n_phases, n_lines)
        Net counts, NaN in phases that have no composition.
    relative : ndarray of shape (n_lines, n_lines)
        Relative covariance of the factors.
    refits : ndarray of shape (n_fits, n_phases, n_lines), or None
        Net counts with the spectra of parts of the counts.
    others : Ambiguity or None
        Other factorisations of equal likelihood.
    reference : Reference or None
        Phase from which factors follow.
    """
    trials = trial_intensities(net, measured.sigma, DETECTED * measured.blank)
    shape = (-1, *net.shape)
    parts = [net[:0] if refits is None else refits]
    parts.append(net[:0] if others is None else measured.of(others.alternatives))
    parts = [part.reshape(shape) for part in parts]
    if reference is not None:
        parts = [reference.follow(part, measured) for part in parts]
    everything = np.concatenate([trials, *(np.where(np.isnan(net), np.nan, p) for p in parts)])
    atomic = quantifier.atomic(everything)
    of_factors = _outer(np.maximum(net, 0.0)) * relative
    weight = quantifier.weight(atomic)
    changes = quantifier.changes_by_absorption(weight[0])
    if reference is not None:
        changes = reference.less_its_own(changes, quantifier.lines)
    of_absorption = _outer(np.maximum(net, 0.0) * changes)  # one thickness for all lines
    found, ends = [], np.cumsum([len(trials), len(parts[0])])
    for percent in (atomic, weight):
        at_trials, at_refits, at_others = np.split(percent, ends)
        result = _with_errors(trials, at_trials, measured, of_factors, of_absorption)
        if refits is not None:
            result = _with_unmixing(result, at_refits)
        if others is not None:
            result = _with_band(result, at_others, others.confidence)
        found.append(result)
    return found


def _outer(intensities):
    return intensities[:, :, None] * intensities[:, None, :]


def _with_errors(trials, percent, measured, of_factors, of_absorption):
    jacobian = derivatives(trials, percent)
    of_counts = measured.counting, measured.of_shapes, measured.covariance
    counting, shapes, total, factors, absorption = (
        propagate(jacobian, c) for c in (*of_counts, of_factors, of_absorption)
    )
    budget = {
        "counting": np.minimum(counting, total),
        "spectra": np.sqrt(np.maximum(total**2 - counting**2 - shapes**2, 0.0)),
        "shapes": shapes,
        "factors": factors,
        "absorption": absorption,
    }
    sigma = np.sqrt(total**2 + factors**2 + absorption**2)
    return Percent(percent[0], sigma, limits(percent), budget)


def _with_unmixing(found, without_folds):
    """Return percentages with the errors from those of the spectra (jackknife)."""
    square = ((without_folds - found.values) ** 2).mean(axis=0)
    unmixing = np.sqrt((N_FOLDS - 1) * square)
    return replace(
        found,
        sigma=np.hypot(found.sigma, unmixing),
        # An element that some of the fits find is not excluded by the noise of a blank.
        limits=np.minimum(np.hypot(found.limits, DETECTED * unmixing), 100.0),
        budget={**found.budget, "unmixing": unmixing},
    )


def _with_band(found, of_others, confidence):
    # The band includes the result itself, whatever the loadings of the alternatives.
    values = np.concatenate([found.values[None], of_others])
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    z = ndtri((1 + confidence) / 2)
    band = np.stack([low - z * found.sigma, high + z * found.sigma], axis=-1)
    budget = {**found.budget, "ambiguity": (high - low) / (2 * z)}
    return replace(found, budget=budget, band=np.clip(band, 0.0, 100.0))
