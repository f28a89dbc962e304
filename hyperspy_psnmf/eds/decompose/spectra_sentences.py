# SPDX-License-Identifier: GPL-3.0-or-later
"""What spectra are made of, and what decided among those that fit alike, in sentences."""

import numpy as np

from hyperspy_psnmf.eds.signals.record import Record
from hyperspy_psnmf.nmf.lines.costs import default_costs

MIN_GAP, MOST_RANGES = 0.1, 5  # keV between ranges of energies, and how many are named
MIN_CHANGE = 0.02  # counts per count, or fraction of a spectrum, to be reported

_WHY_FREE = {
    "energy axis": "lines need a uniform energy axis that rises, in keV or eV",
    "beam energy": (
        "the metadata have no beam energy, which s.set_microscope_parameters(beam_energy=...) sets"
    ),
    "resolution": (
        "the metadata have no energy resolution, which "
        "s.set_microscope_parameters(energy_resolution_MnKa=...) sets"
    ),
    "energy range": "no channels in use are between the zero peak and the beam energy",
    "counts": "there are too many counts for a fit of lines",
    "fit": "a fit of lines to the sum of the map is not possible",
}


def spectra_in_summary(record: Record) -> list[str]:
    """Return the lines on spectra of what `print_info` prints."""
    if record.spectra == "lines":
        return [f"spectra=lines ({_prior_of_lines(record)})"]
    selection = "parsimony=True" if record.parsimony else f"volume={record.volume:g}"
    return [
        f"spectra=free, {selection}",
        *(f"  not made of lines: {why}" for why in _why_free(record)),
        *(f"  {decision}" for decision in _decisions(record, record.phase_names)),
    ]


def sentences_on_model(record: Record, names, energy=None) -> list[str]:
    """Return the sentences of a report on what spectra are made of, and how they were selected.

    Parameters
    ----------
    record : Record
        Of the decomposition; after other algorithms there are no such sentences.
    names : sequence of str
        Names of the phases.
    energy : ndarray of shape (n_channels_in_use,), optional
        In keV, to say where spectra deviate from lines and continuum.
    """
    if record.binning is None:
        return []
    if record.spectra == "lines":
        costs = default_costs(record.n_counts, record.n_regions)
        return [
            f"Spectra were made of X-ray lines{_elements(record)} and continuum, as fitted to the "
            f"sum of the map: {_prior_of_lines(record)}{_where_free(record, energy)}. Among those "
            f"that fit alike, the ones of least divergence, plus {costs.loading:.1f} nats for each "
            f"loading of a {'region' if record.n_regions else 'bin'}, {costs.pattern:g} times the "
            "logarithm of the number of patterns of a phase's loadings and half the logarithm of "
            "the counts for each of its elements, were taken."
        ]
    because = "".join(f": {why}" for why in _why_free(record))
    free = f"Each channel of the spectra was free{because}."
    if not record.parsimony:
        weight = record.volume
        return [free, f"A volume term of weight {weight:g} was added."] if weight else [free]
    decisions = list(_decisions(record, names))
    sentence = "Loadings of the binned map below two standard errors were set to zero"
    return [free, "; ".join([sentence, *decisions]) + "."]


def _why_free(record):
    return [] if record.why_free is None else [_WHY_FREE[record.why_free]]


def _elements(record):
    names = record.template_elements
    return f" ({', '.join(names)})" if names else ""


def _prior_of_lines(record):
    weights = record.require("prior_weights")
    free, exact = (100 * np.mean(which) for which in (weights < 1.0, np.isinf(weights)))
    return (
        f"in {exact:.0f} % of the channels they are exactly sums of these, in {free:.0f} % "
        "the counts have more weight"
    )


def _where_free(record, energy):
    """Return the energies at which the counts have more weight than the templates, in words."""
    if energy is None:
        return ""
    free = np.flatnonzero(record.require("prior_weights") < 1.0)
    if not free.size:
        return ""
    starts = np.append(0, 1 + np.flatnonzero(np.abs(np.diff(energy[free])) > MIN_GAP))
    parts = [sorted(energy[part[[0, -1]]]) for part in np.split(free, starts[1:])]
    widest = sorted(sorted(parts, key=lambda ends: ends[0] - ends[1])[:MOST_RANGES])
    more = ", among others" if len(parts) > MOST_RANGES else ""
    ranges = (f"{low:.2f}" + (f" to {high:.2f}" if high > low else "") for low, high in widest)
    return f", at {', '.join(ranges)} keV{more}"


def _decisions(record, names):
    """Yield the decisions of parsimony in words, phase by phase."""
    # The last phases may have been cropped since.
    added, removed = (of[: len(names), : len(names)] for of in (record.added, record.removed))
    for a, b in np.argwhere(added > MIN_CHANGE):
        yield (
            f"{names[b]} was in constant proportion to {names[a]}, "
            f"{added[a, b]:.2f} counts per count, and was merged with it"
        )
    for a, b in np.argwhere(np.abs(removed) > MIN_CHANGE):
        percent = f"{100 * abs(removed[a, b]):.0f} % of its spectrum was"
        what = "subtracted" if removed[a, b] > 0 else "added, where its background was missing"
        yield f"{names[b]} was in varying proportion to {names[a]}; {percent} {what}"
