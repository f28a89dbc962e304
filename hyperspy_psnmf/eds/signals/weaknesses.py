# SPDX-License-Identifier: GPL-3.0-or-later
"""Weaknesses of a decomposition as numbers; `eds.decompose.notes` makes sentences of them.

They are stored in the record column by column, as ``{class: {attribute: [values]}}``, so the
names of these classes and of their attributes are the format of files.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

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


@dataclass(frozen=True)
class HotVoxel:
    """A channel of a pixel with implausibly many counts.

    Attributes
    ----------
    pixel : tuple of int
        Index of the pixel, in (x, y) order.
    energy : float
        Of the channel, in keV.
    counts, expected : float
        Counts found, and those that its neighbours suggest.
    """

    pixel: tuple[int, ...]
    energy: float
    counts: float
    expected: float


@dataclass(frozen=True)
class NumberLimited:
    """The number of phases that was chosen is the largest that was allowed.

    Attributes
    ----------
    largest : int
        Number of phases.
    """

    largest: int


@dataclass(frozen=True)
class FewCountsPerBin:
    """Bins have too few counts for details of spectra.

    Attributes
    ----------
    counts : float
        Counts per bin, on average.
    binning_chosen : bool
        Whether the binning was chosen by held-out deviance, so that larger bins are worse.
    """

    counts: float
    binning_chosen: bool


@dataclass(frozen=True)
class FewCountsInPhase:
    """A phase has too few counts for a spectrum.

    Attributes
    ----------
    phase : int
        Index of the phase.
    counts : float
        Its counts in the whole map.
    """

    phase: int
    counts: float


@dataclass(frozen=True)
class ShiftedImage:
    """An image that guided the smoothing fits the map better after a shift.

    Attributes
    ----------
    number : int
        Index of the image.
    shift : tuple of int
        Pixels by which to move it, in (x, y) order.
    """

    number: int
    shift: tuple[int, ...]


@dataclass(frozen=True)
class ZeroPeak:
    """Many counts are in the detector's zero peak.

    Attributes
    ----------
    fraction : float
        Of all counts.
    highest_energy : float
        Of the map, in keV.
    """

    fraction: float
    highest_energy: float


@dataclass(frozen=True)
class CountsWithoutSpectrum:
    """Counts in channels where all spectra are zero, which are in no map.

    Attributes
    ----------
    counts : float
    """

    counts: float


@dataclass(frozen=True)
class AlikeSpectra:
    """Two phases with nearly equal spectra.

    Attributes
    ----------
    first, second : int
        Indices of the phases.
    cosine : float
        Of the angle between their spectra, the zero peak excluded.
    """

    first: int
    second: int
    cosine: float


@dataclass(frozen=True)
class SmallFeatures:
    """A phase whose features are smaller than the bins.

    Attributes
    ----------
    phase : int
        Index of the phase.
    concentration : float
        Its counts in a pixel over the mean of the pixel's bin, weighted with counts.
    """

    phase: int
    concentration: float


@dataclass(frozen=True)
class EarlierNote:
    """A weakness as earlier versions stored it: a sentence.

    Attributes
    ----------
    text : str
    """

    text: str


Weakness = (
    CountLikeness
    | HotVoxel
    | NumberLimited
    | FewCountsPerBin
    | FewCountsInPhase
    | ZeroPeak
    | CountsWithoutSpectrum
    | ShiftedImage
    | AlikeSpectra
    | SmallFeatures
    | EarlierNote
)
KINDS = Weakness.__args__  # in the order of a report


def as_columns(weaknesses: Iterable[Weakness]) -> dict[str, dict[str, list]]:
    """Return weaknesses as plain values, to be stored."""
    found: dict[str, dict[str, list]] = {}
    for weakness in weaknesses:
        columns = found.setdefault(type(weakness).__name__, {})
        for name, value in vars(weakness).items():
            columns.setdefault(name, []).append(value)
    return found


def from_columns(stored: Mapping | Iterable) -> Iterator[Weakness]:
    """Yield the weaknesses that were stored: as columns, or by earlier versions as sentences."""
    if not isinstance(stored, Mapping):
        yield from (EarlierNote(str(plain_value(text))) for text in stored)
        return
    for kind in KINDS:
        columns = stored.get(kind.__name__)
        if columns is not None:
            names = [field.name for field in fields(kind) if field.name in columns]
            for row in zip(*(plain_value(columns[name]) for name in names), strict=True):
                yield kind(**dict(zip(names, row, strict=True)))


def plain_value(value):
    """Return a value read from a file as Python's own type, with tuples for lists and arrays."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return tuple(map(plain_value, value))
    return value.decode() if isinstance(value, bytes) else value
