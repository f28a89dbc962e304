# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings and diagnostics of a decomposition, as a summary and as a methods paragraph."""

import numpy as np

from hyperspy_psnmf.eds.decompose.fit_sentences import sentence_on_likelihood, sentences_on_fit
from hyperspy_psnmf.eds.decompose.notes import notes, times
from hyperspy_psnmf.eds.decompose.spectra_sentences import (
    sentences_on_model,
    spectra_in_summary,
)
from hyperspy_psnmf.eds.fit_check.verdict import FitQuality
from hyperspy_psnmf.eds.signals.record import Record
from hyperspy_psnmf.nmf.selection.binning import SIGNIFICANT_GAIN
from hyperspy_psnmf.nmf.selection.components_of_lines import LINE_CHANGE
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import LikelihoodRatio

CONFIDENCE = 0.95  # of the likelihood-ratio test

_INITS = {
    "auto": "the most likely of a non-negative double SVD, the purest bins and random spectra",
    "nndsvdar": "a non-negative double SVD",
    "random": "random spectra",
    "vertex": "the purest bins",
}
_AUTO_OF_LINES = (
    "the most likely of a non-negative double SVD, the purest bins and what one phase after the "
    "other leaves unexplained"
)

_NOT_TRIED = {
    "single pixels": "there are none smaller",
    "fixed spectra": "all spectra are fixed",
    "fractions": (
        "the data are no whole numbers, so smaller bins cannot be compared by count splitting"
    ),
}


def summary(record: Record) -> str:
    """Return what `print_info` prints."""
    chosen = ""
    if record.numbers_tried is not None:
        chosen = f" (chosen among {_tried(record)}: {_why_number(record)})"
    lines = [
        "Decomposition info:",
        f"  algorithm={record.algorithm}",
        f"  output_dimension={record.n_components}{chosen}",
    ]
    if record.counts_per_unit != 1:
        lines.append(f"  counts_per_unit={record.counts_per_unit:.10g}")
    if record.binning is not None:
        why = (
            f"chosen for {record.median_pixel_counts:.0f} counts in the median pixel: "
            if record.binning_chosen
            else ""
        )
        lines += [
            f"  binning={times(record.binning)} ({why}{_why_binning(record)}; "
            f"{record.n_bins} bins of {record.counts_per_bin:.0f} counts on average"
            f"{_merged(record)})",
            f"  energy_binning={record.energy_binning}",
            f"  refinement={record.refinement}, fixed spectra: {record.n_fixed}",
            *(f"  {line}" for line in spectra_in_summary(record)),
            f"  smoothing={record.smoothing:g} ("
            f"{_median_n_averaged(record):.1f} pixels averaged, in the median)",
        ]
    percents = 100 * record.phase_counts / record.n_counts
    lines += [
        f"  init={record.init}, random_state={record.random_state}",
        f"  {_convergence(record)}",
        f"  fraction of the counts: {', '.join(f'{percent:.1f} %' for percent in percents)}",
    ]
    return "\n".join(lines)


def report(
    record: Record,
    names: list[str],
    phase_counts: np.ndarray,
    quality: FitQuality,
    ratio: LikelihoodRatio | None = None,
    energy: np.ndarray | None = None,
) -> str:
    """Return a paragraph for the methods section of a paper.

    Parameters
    ----------
    record : Record
        Of the decomposition.
    names : list of str
        Names of the phases.
    phase_counts : ndarray of shape (n_phases,)
        Counts of each phase.
    quality : FitQuality
        How well the model fits.
    ratio : LikelihoodRatio, optional
        Whether the result is as likely as the best factorisation, at `CONFIDENCE`.
    energy : ndarray of shape (n_channels_in_use,), optional
        Of the channels, in keV.
    """
    percents = 100 * phase_counts / record.n_counts
    fractions = (f"{n} ({percent:.1f} %)" for n, percent in zip(names, percents, strict=True))
    sentences = [
        f"The map ({record.n_counts:.0f} counts, {record.n_filled_pixels} pixels with "
        f"counts, {record.median_pixel_counts:.0f} counts in the median one) was unmixed into "
        f"{phases(record.n_components)} by {_method(record)} as implemented in hyperspy-psnmf "
        f"{record.version}.",
        *_sentences_on_counts(record),
        *_sentences_on_number(record),
        *_sentences_on_spectra(record),
        *_sentences_on_absent(record, names),
        *(sentences_on_model(record, names, energy) if record.n_iter else ()),
        *_sentences_on_neighbours(record),
        f"Phases and their fractions of the counts: {', '.join(fractions)}.",
        *sentences_on_fit(quality),
        *([] if ratio is None else [sentence_on_likelihood(ratio, CONFIDENCE)]),
        *(f"Note: {note}." for note in notes(record, names)),
    ]
    return " ".join(sentences)


def phases(n: int) -> str:
    """Return a number of phases as in "1 phase"."""
    return f"{n} phase{'s' * (n != 1)}"


def why_number(best: int, minimum: int, difference: float, error: float) -> str:
    """Return why a number of phases was chosen.

    Parameters
    ----------
    best, minimum : int
        The number chosen, and that with the smallest held-out deviance.
    difference, error : float
        Held-out deviance of `best` less that of `minimum`, and its standard error.
    """
    predict = f"{phases(best)} predict{'s' * (best == 1)} held-out counts"
    if best == minimum:
        return f"{predict} best"
    return (
        f"{predict} as well as {minimum}, within one standard error: deviance higher by "
        f"{difference:.1f} +- {error:.1f}"
    )


def _sentences_on_counts(record):
    scale = record.counts_per_unit
    return [] if scale == 1 else [f"Its values were multiplied by {scale:.10g} to be counts."]


def _method(record):
    if record.algorithm == "PSNMF":
        return "NMF-based pan-sharpening (Chen, Alexander and Hébert, Nano Letters 24, 10177, 2024)"
    return "Poisson non-negative matrix factorisation"


def _why_number(record):
    i = record.numbers_tried.index(record.n_components)
    of_best = record.held_out_differences[i], record.held_out_standard_errors[i]
    return why_number(record.n_components, record.number_of_phases_minimum, *of_best)


def _sentences_on_number(record):
    if record.numbers_tried is None:
        return []
    of_lines = ""
    if record.template_elements:
        of_lines = (
            f" with spectra made of lines, whose counts may vary by about {LINE_CHANGE:.0%} "
            "within a phase"
        )
    return [
        f"Their number, among {_tried(record)}, was chosen by count splitting (Neufeld et al., "
        f"J. Mach. Learn. Res. 25, 57, 2024){of_lines}: {_why_number(record)}."
    ]


def _tried(record):
    return f"{record.numbers_tried[0]} to {record.numbers_tried[-1]}"


def _sentences_on_spectra(record):
    n_fixed = record.n_fixed
    if n_fixed == record.n_components:
        return [f"All {n_fixed} spectra were given; the maps solve a convex problem."]
    sentences = [f"{n_fixed} of the spectra were given and fixed."] if n_fixed else []
    if record.binning is not None:
        kept = "fixed" if record.refinement == "fixed" else "updated too"
        summed = f", with {record.energy_binning} channels summed to find its maps"
        sentences.append(
            f"Spectra were found on the map binned by {times(record.binning)} pixels "
            f"({_why_binning(record)}; {record.n_bins} bins, "
            f"{record.counts_per_bin:.0f} counts each on average{_merged(record)})"
            f"{summed if record.energy_binning > 1 else ''}; maps were then found at full "
            f"resolution with the spectra {kept}."
        )
    start = _INITS.get(record.init, "given spectra")
    if record.init == "auto" and record.spectra == "lines":
        start = _AUTO_OF_LINES
    sentences.append(
        f"The factorisation, started from {start} (seed {record.random_state}), "
        f"{_convergence(record)}."
    )
    return sentences


def _sentences_on_absent(record, names):
    if record.absent_elements is None:
        return []
    pairs = zip(record.absent_elements, names, strict=False)
    excluded = ", ".join(f"{elements} from {name}" for elements, name in pairs if elements)
    how = ", which lost least of its counts by that" if record.absent_found else ""
    return [f"Elements were excluded by the user: {excluded}{how}."] if excluded else []


def _merged(record):
    n = record.n_regions
    return f", merged into {n} regions that look alike" if n else ""


def _why_binning(record):
    if not record.binning_chosen:
        return "as given"
    choice = record.binning_choice
    if choice is None:  # records of earlier versions have a sentence, or nothing
        return record.binning_reason or "chosen"
    where = f", judged on {choice.n_pixels} pixels of the map" if choice.n_pixels else ""
    if choice.n_doubled:
        where += f", and doubled {choice.n_doubled} times for the binned map to fit into memory"
    if choice.not_tried:
        return f"the rule of thumb; {_NOT_TRIED[choice.not_tried]}{where}"
    steps = []
    for binning, (gain, error) in zip(choice.tried[1:], choice.gains, strict=True):
        insignificant = ", not significant" if 0 < gain <= SIGNIFICANT_GAIN * error else ""
        steps.append(
            f"{times(binning)} has a held-out deviance {'lower' if gain > 0 else 'higher'} "
            f"by {abs(gain):.0f} +- {error:.0f}{insignificant}"
        )
    return f"the rule of thumb is {times(choice.tried[0])}; {', '.join(steps)}{where}"


def _median_n_averaged(record):
    behind = record.n_pixels_behind
    return float(np.median(behind[behind > 0]))


def _sentences_on_neighbours(record):
    if record.binning is None or not record.smoothing:
        return []
    return [
        "Loadings of neighbouring pixels that agree within errors were averaged "
        "(propagation-separation), and filtered by the covariance of their surroundings beyond "
        "counting statistics (local linear minimum mean square error): the variance is that of "
        f"averages of {_median_n_averaged(record):.1f} pixels in the median."
        + _on_images(record.n_images)
    ]


def _on_images(n_images):
    if not n_images:
        return ""
    images = "An image" if n_images == 1 else f"{n_images} images"
    return (
        f" {images} of the same area took part in it, by the covariance with the loadings and by "
        "details that the counts confirm (five standard errors)."
    )


def _convergence(record):
    if record.n_iter == 0:
        return "all spectra were given: the maps solve a convex problem"
    how = "converged after" if record.converged else "did NOT converge in"
    return (
        f"{how} {record.n_iter} iterations (relative KKT residual "
        f"{record.kkt_residual:.1e}, tolerance {record.tol:.0e})"
    )
