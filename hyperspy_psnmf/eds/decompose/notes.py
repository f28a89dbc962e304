# SPDX-License-Identifier: GPL-3.0-or-later
"""Weaknesses of a result in sentences, as they are warned of and noted in the report."""

import math
from itertools import groupby

from hyperspy_psnmf.eds.lazy.read import NAME
from hyperspy_psnmf.eds.signals.record import Record
from hyperspy_psnmf.eds.signals.weaknesses import (
    AlikeSpectra,
    CountLikeness,
    CountsWithoutSpectrum,
    EarlierNote,
    FewCountsInPhase,
    FewCountsPerBin,
    HotVoxel,
    NumberLimited,
    ShiftedImage,
    SmallFeatures,
    ZeroPeak,
)
from hyperspy_psnmf.eds.xray.detector import ZERO_PEAK
from hyperspy_psnmf.nmf.counts.count_like import PRECISION

MAX_NAMED = 4  # hot voxels in a sentence

CONSEQUENCE = (
    "Standard errors, limits, the deviance and what is chosen automatically are not valid for them"
)


def notes(record: Record, names) -> list[str]:
    """Return the weaknesses in sentences without a full stop.

    Parameters
    ----------
    record : Record
        Of the decomposition.
    names : sequence of str
        Names of the phases.
    """
    sentences = []
    for kind, found in groupby(record.weaknesses, type):
        sentences += _SENTENCES[kind](list(found), record, names)
    return sentences


def times(binning) -> str:
    """Return a binning as in "4 x 4"."""
    return " x ".join(str(b) for b in binning)


def why_not_counts(values: CountLikeness) -> str:
    """Return why values are not counts."""
    if math.isnan(values.step):
        return (
            "they are multiples of no common number, as after smoothing, interpolation, "
            "background subtraction or normalisation pixel by pixel"
        )
    if values.smooth_pixels != values.smooth_channels:
        return (
            f"neighbouring {'pixels' if values.smooth_pixels else 'channels'} differ by less than "
            "counts do, as after smoothing or interpolation, and are correlated"
        )
    if not values.smooth_pixels:
        if values.step > 1:
            return f"they look like counts multiplied by {_short(values.step)}"
        if values.step < 1:
            return f"they look like counts divided by {_short(1 / values.step)}"
        if values.gaps:
            return (
                "some values are rarer than those beside them can be, as after a multiplication "
                "and rounding"
            )
    known = f" (the deviance per degree of freedom is {values.deviance:.2f})"
    return (
        "they scatter by less than counts do, as means and smoothed values do"
        f"{known if values.scatter else ''}"
    )


def note_on_counts(values: CountLikeness, counts_per_unit: float = 1.0) -> str:
    """Return the sentence on values that are not counts.

    Parameters
    ----------
    values : CountLikeness
    counts_per_unit : float
        What the signal's data have been multiplied by already.
    """
    by = "" if counts_per_unit == 1 else f" times counts_per_unit={_short(counts_per_unit)}"
    text = f"{NAME}{by} are not counts: {why_not_counts(values)}. {CONSEQUENCE}; "
    smooth = values.smooth_pixels or values.smooth_channels
    if math.isnan(values.step) or smooth or values.step == 1:
        return f"{text}decompose the counts as they were recorded"
    scale = _short(counts_per_unit / values.step)
    return f"{text}pass counts_per_unit={scale}, or multiply the data by {scale}"


def _short(number):
    """Return a number in the fewest digits that are as good as single precision."""
    texts = (f"{number:.{digits}g}" for digits in range(2, 12))
    return next((s for s in texts if abs(float(s) - number) <= PRECISION * number), f"{number!r}")


def _name(names, phase):
    # The last phases may have been cropped since.
    return names[phase] if phase < len(names) else f"Phase {phase}"


def _on_counts(found, record, names):
    return [note_on_counts(one, record.counts_per_unit) for one in found]


def _on_hot_voxels(found, record, names):
    places = [
        f"pixel ({', '.join(map(str, one.pixel))}) has {one.counts:.0f} counts in the channel at "
        f"{one.energy:.3f} keV, where about {one.expected:.2g} are expected"
        for one in found[:MAX_NAMED]
    ]
    more = [f"{len(found) - MAX_NAMED} more"] if len(found) > MAX_NAMED else []
    return [
        f"hot voxel{'s' * (len(found) > 1)}: {'; '.join([*places, *more])}. No X-ray line is that "
        "sharp: leave such pixels out with navigation_mask, or channels with signal_mask"
    ]


def _on_number(found, record, names):
    return ["as many phases as were tried are distinguishable: there may be more of them"]


def _on_bins(found, record, names):
    # Larger bins have a worse held-out deviance where the binning was chosen.
    merged = ", after those that look alike were merged" if record.n_regions else ""
    return [
        f"only {one.counts:.0f} counts per bin on average{merged}: spectra will be poor in detail; "
        f"{'' if one.binning_chosen else 'bin more, or '}lower output_dimension"
        for one in found
    ]


def _on_phases(found, record, names):
    return [
        f"{_name(names, one.phase)} has {one.counts:.0f} counts only: do not rely on its spectrum"
        for one in found
    ]


def _on_zero_peak(found, record, names):
    return [
        f"{100 * one.fraction:.0f} % of the counts lie below {ZERO_PEAK} keV, in the detector's "
        f"zero peak; energy_range=({ZERO_PEAK}, {math.ceil(100 * one.highest_energy) / 100:g}) "
        "leaves them out"
        for one in found
    ]


def _on_channels(found, record, names):
    return [
        f"{one.counts:.0f} counts lie in channels where all spectra are zero: "
        "they are left out of the maps"
        for one in found
    ]


def _on_shifted_images(found, record, names):
    return [
        f"image {one.number} of guide fits the map better when it is moved by {one.shift} pixels "
        "in (x, y): align it, and it will be of more use"
        for one in found
    ]


def _on_alike_spectra(found, record, names):
    pairs = "; ".join(f"{_name(names, p.first)} and {_name(names, p.second)}" for p in found)
    return [
        f"spectra hardly differ: {pairs}. They may be one phase, split by noise: "
        "s.psnmf.estimate_number_of_components() estimates how many the counts distinguish"
    ]


def _on_small_features(found, record, names):
    return [
        f"features of {_name(names, one.phase)} are smaller than the binning, "
        f"{times(record.binning)}: its spectrum may contain much of their surroundings; "
        "try a smaller binning"
        for one in found
    ]


_SENTENCES = {
    CountLikeness: _on_counts,
    HotVoxel: _on_hot_voxels,
    NumberLimited: _on_number,
    FewCountsPerBin: _on_bins,
    FewCountsInPhase: _on_phases,
    ZeroPeak: _on_zero_peak,
    CountsWithoutSpectrum: _on_channels,
    ShiftedImage: _on_shifted_images,
    AlikeSpectra: _on_alike_spectra,
    SmallFeatures: _on_small_features,
    EarlierNote: lambda found, record, names: [one.text for one in found],
}
