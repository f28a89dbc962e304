# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings and diagnostics of a decomposition, as a summary and as a methods paragraph."""

import numpy as np

from hyperspy_psnmf.eds.decompose.fit_sentences import sentences_on_fit
from hyperspy_psnmf.eds.decompose.record import times

DECISIONS = ("added", "removed")
MIN_CHANGE = 0.02  # counts per count, or fraction of a spectrum, to be reported

_INITS = {
    "auto": "the most likely of a non-negative double SVD, the purest bins and random spectra",
    "nndsvdar": "a non-negative double SVD",
    "random": "random spectra",
    "vertex": "the purest bins",
}


def summary(record: dict) -> str:
    """Return what `print_info` prints."""
    lines = [
        "Decomposition info:",
        f"  algorithm={record['algorithm']}",
        f"  output_dimension={record['n_components']}{_why_number(record)}",
    ]
    if record.get("counts_per_unit", 1.0) != 1:
        lines.append(f"  counts_per_unit={record['counts_per_unit']:.10g}")
    if "binning" in record:
        why = (
            f"chosen for {record['median_pixel_counts']:.0f} counts in the median pixel: "
            if record["binning_chosen"]
            else ""
        )
        lines += [
            f"  binning={times(record['binning'])} ({why}{_why_binning(record)}; "
            f"{record['n_bins']} bins of {record['counts_per_bin']:.0f} counts on average)",
            f"  energy_binning={record['energy_binning']}",
            f"  refinement={record['refinement']}, fixed spectra: {record['n_fixed']}",
            f"  volume={_volume(record)}",
            *(f"    {decision}" for decision in _decisions(record, record["phase_names"])),
            f"  spatial_prior={record['spatial_prior']} ("
            f"{_median_n_averaged(record):.1f} pixels averaged, in the median)",
        ]
    percents = 100 * np.asarray(record["phase_counts"]) / record["n_counts"]
    lines += [
        f"  init={record['init']}, random_state={record['random_state']}",
        f"  {_convergence(record)}",
        f"  fraction of the counts: {', '.join(f'{percent:.1f} %' for percent in percents)}",
    ]
    return "\n".join(lines)


def report(record: dict, names: list[str], phase_counts: np.ndarray, quality) -> str:
    """Return a paragraph for the methods section of a paper.

    Parameters
    ----------
    record : dict
        What `make_record` returned.
    names : list of str
        Names of the phases.
    phase_counts : ndarray of shape (n_phases,)
        Counts of each phase.
    quality : FitQuality
        How well the model fits.
    """
    percents = 100 * phase_counts / record["n_counts"]
    phases = ", ".join(f"{n} ({percent:.1f} %)" for n, percent in zip(names, percents, strict=True))
    sentences = [
        f"The map ({record['n_counts']:.0f} counts, {record['n_filled_pixels']} pixels with "
        f"counts, {record['median_pixel_counts']:.0f} counts in the median one) was unmixed into "
        f"{record['n_components']} phase{'s' if record['n_components'] > 1 else ''} by "
        f"{_method(record)} as implemented in hyperspy-psnmf {record['version']}.",
        *_sentences_on_counts(record),
        *_sentences_on_number(record),
        *_sentences_on_spectra(record),
        *(_sentences_on_ambiguity(record, names) if record["n_iter"] else ()),
        *_sentences_on_neighbours(record),
        f"Phases and their fractions of the counts: {phases}.",
        *sentences_on_fit(quality),
        *(f"Note: {weakness}." for weakness in record["weaknesses"]),
    ]
    return " ".join(sentences)


def _sentences_on_counts(record):
    # Records of earlier versions have none.
    scale = float(record.get("counts_per_unit", 1.0))
    return [] if scale == 1 else [f"Its values were multiplied by {scale:.10g} to be counts."]


def _method(record):
    if record["algorithm"] == "PSNMF":
        return "NMF-based pan-sharpening (Chen, Alexander and Hébert, Nano Letters 24, 10177, 2024)"
    return "Poisson non-negative matrix factorisation"


def _why_number(record):
    reason = record.get("number_of_phases_reason")
    return "" if reason is None else f" (chosen among {_tried(record)}: {reason})"


def _sentences_on_number(record):
    if "number_of_phases_reason" not in record:
        return []
    return [
        f"Their number, among {_tried(record)}, was chosen by count splitting (Neufeld et al., "
        f"J. Mach. Learn. Res. 25, 57, 2024): {record['number_of_phases_reason']}."
    ]


def _tried(record):
    tried = record["numbers_tried"]
    return f"{int(tried[0])} to {int(tried[-1])}"


def _sentences_on_spectra(record):
    n_fixed = record.get("n_fixed", 0)
    if n_fixed == record["n_components"]:
        return [f"All {n_fixed} spectra were given; the maps solve a convex problem."]
    sentences = [f"{n_fixed} of the spectra were given and fixed."] if n_fixed else []
    if "binning" in record:
        kept = "fixed" if record["refinement"] == "fixed" else "updated too"
        summed = f", with {record['energy_binning']} channels summed to find its maps"
        sentences.append(
            f"Spectra were found on the map binned by {times(record['binning'])} pixels "
            f"({_why_binning(record)}; {record['n_bins']} bins, "
            f"{record['counts_per_bin']:.0f} counts each on average)"
            f"{summed if record['energy_binning'] > 1 else ''}; maps were then found at full "
            f"resolution with the spectra {kept}."
        )
    start = _INITS.get(record["init"], "given spectra")
    sentences.append(
        f"The factorisation, started from {start} (seed {record['random_state']}), "
        f"{_convergence(record)}."
    )
    return sentences


def _why_binning(record):
    # Records of earlier versions have no reason.
    return record.get("binning_reason", "chosen" if record["binning_chosen"] else "as given")


def _volume(record):
    return "auto (parsimony)" if isinstance(record["volume"], str) else f"{record['volume']:g}"


def _median_n_averaged(record):
    behind = np.asarray(record["n_pixels_behind"])
    return float(np.median(behind[behind > 0]))


def _decisions(record, names):
    """Yield the decisions of parsimony in words, phase by phase."""
    # The last phases may have been cropped since.
    added, removed = (np.asarray(record[w])[: len(names), : len(names)] for w in DECISIONS)
    for a, b in np.argwhere(added > MIN_CHANGE):
        yield (
            f"{names[b]} was in constant proportion to {names[a]}, "
            f"{added[a, b]:.2f} counts per count, and was merged with it"
        )
    for a, b in np.argwhere(np.abs(removed) > MIN_CHANGE):
        percent = f"{100 * abs(removed[a, b]):.0f} % of its spectrum was"
        what = "subtracted" if removed[a, b] > 0 else "added, where its background was missing"
        yield f"{names[b]} was in varying proportion to {names[a]}; {percent} {what}"


def _sentences_on_ambiguity(record, names):
    if not isinstance(record.get("volume"), str):
        weight = record.get("volume", 0.0)
        return [f"A volume term of weight {weight:g} was added."] if weight else []
    decisions = list(_decisions(record, names))
    sentence = "Loadings of the binned map below two standard errors were set to zero"
    return ["; ".join([sentence, *decisions]) + "."]


def _sentences_on_neighbours(record):
    if not record.get("spatial_prior"):
        return []
    return [
        "Loadings of neighbouring pixels that agree within errors were averaged "
        f"(propagation-separation; {_median_n_averaged(record):.1f} pixels in the median)."
    ]


def _convergence(record):
    if record["n_iter"] == 0:
        return "all spectra were given: the maps solve a convex problem"
    how = "converged after" if record["converged"] else "did NOT converge in"
    return (
        f"{how} {record['n_iter']} iterations (relative KKT residual "
        f"{record['kkt_residual']:.1e}, tolerance {record['tol']:.0e})"
    )
