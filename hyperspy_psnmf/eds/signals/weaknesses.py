# SPDX-License-Identifier: GPL-3.0-or-later
"""Weaknesses of data as numbers; `eds.decompose.notes` makes sentences of them."""

from dataclasses import dataclass

# Deviance per degree of freedom, and its distance from 1 in standard errors, below which values are
# no counts. Tuned on the eight phantoms at 10 to 1000 counts per pixel, which are at most three
# standard errors below 1; a mean of two frames has 0.5.
MAX_DEVIANCE, SIGNIFICANT = 0.85, 10.0


@dataclass(frozen=True)
class CountLikeness:
    """Properties of a map's values that differ between counts and other data.

    Attributes
    ----------
    step : float
        The largest number that all are multiples of: 1 for counts, NaN where there is none.
    smooth_pixels, smooth_channels : bool
        Whether neighbours differ by less than those of counts.
    gaps : bool
        Whether some values are too rare, given how often their neighbours are.
    deviance, scatter : float
        Deviance per degree of freedom of the binned map, and its standard error; 1 and 0
        without a model.
    """

    step: float
    smooth_pixels: bool = False
    smooth_channels: bool = False
    gaps: bool = False
    deviance: float = 1.0
    scatter: float = 0.0

    @property
    def are_counts(self) -> bool:
        """Whether the values may be Poisson counts."""
        smooth = self.smooth_pixels or self.smooth_channels
        too_small = self.deviance < min(MAX_DEVIANCE, 1 - SIGNIFICANT * self.scatter)
        return self.step == 1 and not (smooth or self.gaps or too_small)
