# SPDX-License-Identifier: GPL-3.0-or-later
"""Factorisations of a decomposed map within the confidence region of its likelihood.

Spectra are as in the decomposition: free channels, or made of the templates that the sum of the
map gives again, with the detector's response of that sum.
"""

from dataclasses import replace

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.templates import find_templates_again
from hyperspy_psnmf.nmf.binning.bins import bin_energy, bin_spectra
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.lines.templates import common_ratio
from hyperspy_psnmf.nmf.lines.weights import LineSpectra, nearest_sums
from hyperspy_psnmf.nmf.method.binned_lines import allowed_templates
from hyperspy_psnmf.nmf.uncertainty.bands import (
    Alternatives,
    alternatives,
    alternatives_of_lines,
)
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import LikelihoodRatio, Solution
from hyperspy_psnmf.nmf.uncertainty.priced import FreeSpectra, Priced, SpectraOfLines
from hyperspy_psnmf.nmf.uncertainty.profile_likelihood import equally_likely, most_likely


def find_alternatives(
    decomposed: Decomposed, confidence: float
) -> tuple[Alternatives, LikelihoodRatio]:
    """Return the factorisations that fit the binned counts as well, and whether the result does.

    Parameters
    ----------
    decomposed : Decomposed
        A decomposed map.
    confidence : float
        Between 0 and 1.
    """
    d, (problem, result, spectra) = decomposed, _problem_of(decomposed)
    solutions = equally_likely(problem, result, confidence=confidence, n_jobs=None)
    ratio = result.compare(solutions[0], confidence)
    if spectra is not None:
        return alternatives_of_lines(d.H, result, solutions, spectra), ratio
    options = {"n_fixed": d.n_fixed, "n_jobs": None}
    return alternatives(d.binned_counts, d.H, solutions, _energy_binning(d), **options), ratio


def compare_with_most_likely(decomposed: Decomposed, confidence: float) -> LikelihoodRatio | None:
    """Return the likelihood-ratio test of the result, without a search for all that fit as well.

    None where there is nothing to choose, or not known from what: all spectra are fixed, another
    algorithm found them, or they are made of templates that were given to an estimator.

    Parameters
    ----------
    decomposed : Decomposed
        A decomposed map.
    confidence : float
        Between 0 and 1.
    """
    record, n_free = decomposed.record, len(decomposed.H) - decomposed.n_fixed
    templates_are_known = record.spectra != "lines" or record.template_elements
    if record.binning is None or not n_free or not templates_are_known:
        return None
    problem, result, _ = _problem_of(decomposed)
    return result.compare(most_likely(problem, result, n_jobs=None), confidence)


def _problem_of(d) -> tuple[Priced, Solution, LineSpectra | None]:
    """Return the problem on the binned map, the result, and its spectra if made of templates."""
    X = bin_energy(d.binned_counts, _energy_binning(d), n_jobs=None)
    if d.record.spectra != "lines":
        problem = FreeSpectra(X, d.n_fixed)
        H = bin_spectra(d.H, _energy_binning(d))
        return problem, problem.solution(d.binned_loadings_found, H), None
    spectra = _as_sums_of_templates(d, total_counts(d.binned_counts, axis=0))
    coarse = spectra.binned(_energy_binning(d))
    problem = SpectraOfLines(X, coarse)
    return problem, problem.solution(d.binned_loadings_found, coarse), spectra


def _energy_binning(d):
    # Fewer channels have less noise to fit, and weights of templates fit hardly any.
    return d.record.energy_binning if d.record.spectra == "lines" else d.coarse_energy_binning


def _as_sums_of_templates(d, total) -> LineSpectra:
    """Return the spectra found as sums of templates corrected by the sum of the map."""
    templates = find_templates_again(d, total, "ambiguity() moves lines between spectra")
    templates = templates.covering(total)
    free, fixed = d.H[d.n_fixed :], d.H[: d.n_fixed]
    allowed = np.ones((len(free), len(templates)), dtype=bool)
    if d.record.absent is not None:
        allowed = allowed_templates(templates, d.record.absent[d.n_fixed :])
    spectra = replace(nearest_sums(free, templates, allowed), fixed=fixed)
    ratio = common_ratio(total, spectra.B @ d.binned_loadings_found.sum(axis=0))
    return replace(nearest_sums(free, templates.corrected(ratio), allowed), fixed=fixed)
