# SPDX-License-Identifier: GPL-3.0-or-later
"""Weaknesses of data in sentences, as they are warned of and noted in the report."""

import math

from hyperspy_psnmf.eds.lazy.read import NAME
from hyperspy_psnmf.eds.signals.weaknesses import CountLikeness
from hyperspy_psnmf.nmf.counts.count_like import PRECISION

CONSEQUENCE = (
    "Standard errors, limits, the deviance and what is chosen automatically are not valid for them"
)


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
