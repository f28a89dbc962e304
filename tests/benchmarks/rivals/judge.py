# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of what a method found: against the truth, or against counts that it did not get.

- angles: between the true and the found spectrum of each phase, in degrees;
- at_percent: largest error of an element in each phase, by line ratios with the true k-factors
  and eXSpy's windows, for all methods alike, and for the true spectra;
- reconstruction: relative Frobenius distance to the noise-free counts;
- lines: the same of the maps of net counts in a line by windows, median over lines;
- correlation: of these maps with those of the left-out counts, median over lines;
- nats: half the deviance of left-out counts from the model, per 1000 of them;
- core_iron: at% Fe in the component that is richest in Pt, with the tutorial's k-factors.
"""

import warnings

import numpy as np
from exspy.material import weight_to_atomic

from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import held_out_deviance
from tests.benchmarks.fidelity_figures import (
    Unmixed,
    composition_errors,
    in_counts,
    match,
    reconstruction_error,
    true_phases,
)
from tests.benchmarks.rivals.exchange import Returned
from tests.benchmarks.rivals.maps import Case

TUTORIAL_FACTORS = {"Fe_Ka": 1.450226, "Pt_La": 5.075602}


def figures(case: Case, found: Returned) -> dict[str, object]:
    """Return all figures of a result that have a meaning for it, with its costs."""
    costs = {"seconds": found.seconds, "gigabytes": found.peak_bytes / 1e9}
    if found.failure:
        return {"failure": found.failure}
    judged = judge_truth if case.truth is not None else judge_left_out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return costs | judged(case, found)


def line_maps(case: Case, found: Returned) -> np.ndarray:
    """Return maps of net counts in each line, of shape (n_pixels, n_lines)."""
    if found.line_maps.size:
        return found.line_maps
    return found.loadings @ (found.factors.T @ case.given.windows)


def judge_truth(case: Case, found: Returned) -> dict[str, object]:
    """Return the figures of a map whose truth is known."""
    truth, windows = case.truth, case.given.windows
    expected = truth.loadings @ (truth.factors.T @ windows)
    off = np.linalg.norm(line_maps(case, found) - expected, axis=0)
    result = {"lines": float(np.median(off / np.linalg.norm(expected, axis=0)))}
    if found.line_maps.size:
        return result
    unmixed = Unmixed(found.factors, found.loadings)
    result["reconstruction"] = reconstruction_error(unmixed, truth)
    return result | (spectra_errors(case, unmixed) if found.phases else {})


def spectra_errors(case: Case, unmixed: Unmixed) -> dict[str, object]:
    """Return errors of the spectra that are nearest to those of the phases."""
    _, true = true_phases(case.truth)
    spectra = in_counts(unmixed).factors
    component, angles = match(true.factors, spectra)
    kept = component >= 0
    errors = np.full(len(angles), np.nan)
    errors[kept] = composition_errors(
        true.factors[:, kept], spectra[:, component[kept]], case.signal
    )
    return {"angles": angles.tolist(), "at_percent": errors.tolist()}


def judge_left_out(case: Case, found: Returned) -> dict[str, object]:
    """Return the figures of a real map, of which counts were left out."""
    maps, windows = line_maps(case, found), case.given.windows
    observed = case.left_out @ windows
    pairs = zip(maps.T, observed.T, strict=True)
    result = {"correlation": float(np.median([np.corrcoef(a, b)[0, 1] for a, b in pairs]))}
    if found.line_maps.size or found.signed:
        return result | core_iron(case, found)
    seen = total_counts(case.given.counts, axis=0)
    deviance = held_out_deviance(
        case.left_out, found.loadings, found.factors.T, case.fraction, seen
    )
    result["nats"] = 500 * deviance / case.left_out.sum()
    return result | core_iron(case, found)


def core_iron(case: Case, found: Returned) -> dict[str, float]:
    """Return at% Fe beside Pt in the component that has most Pt for its counts."""
    lines = case.given.xray_lines
    if not (found.phases and set(TUTORIAL_FACTORS) <= set(lines)):
        return {}
    net = in_counts(Unmixed(found.factors, found.loadings)).factors.T @ case.given.windows
    chosen = np.array([lines.index(line) for line in TUTORIAL_FACTORS])
    weights = net[:, chosen].clip(min=0) * list(TUTORIAL_FACTORS.values())
    core = weights[np.argmax(weights[:, 1])]
    return {"core_iron": float(weight_to_atomic(100 * core / core.sum(), ["Fe", "Pt"])[0])}
