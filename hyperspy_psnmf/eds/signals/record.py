# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a decomposition: its settings and diagnostics, as numbers.

It is stored as a dict of plain values and arrays (`as_plain`), and read from one that this or an
earlier version wrote (`from_plain`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

import numpy as np

from hyperspy_psnmf._version import __version__
from hyperspy_psnmf.eds.signals.weaknesses import Weakness, as_columns, from_columns, plain_value
from hyperspy_psnmf.nmf.binning.bins import regions_of_bins
from hyperspy_psnmf.nmf.method.many_bins import uses_subset
from hyperspy_psnmf.nmf.selection.binning import BinningChoice

# None for other algorithms; the class has no such default, so it is missing if it is not stored.
_OF_PSNMF: dict[str, Any] = {"default_factory": type(None)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Record:
    """Settings and diagnostics of a decomposition; empty after another algorithm.

    An attribute without a default is missing if the version that wrote the record did not have
    it, and asking for it raises ValueError.

    Attributes
    ----------
    version : str or None
        Of this package; None after another algorithm.
    algorithm : str or None
        "PSNMF", or the name of an estimator's class.
    n_components : int
        Number of phases.
    navigation_shape : tuple of int or None
        Of the map, in (x, y) order.
    init : str
        Start of the factorisation; "given" for spectra.
    max_iter, n_iter : int
        Largest number of iterations of a fit, and how many all fits of the binned map have done; 0
        where all spectra were fixed.
    tol, kkt_residual : float
        Relative KKT residual to stop at, and the one reached, in nats per count.
    converged : bool
    random_state : int or str
        Seed; words for a generator, else as ``repr``.
    divergence : float
        Kullback-Leibler divergence of the counts from the model, in nats.
    counts_per_unit : float
        What the signal's data were multiplied by.
    n_counts, median_pixel_counts : float
        Counts of the map, and of the median pixel with counts.
    n_filled_pixels : int
        Pixels with counts.
    n_unexplained : float
        Counts in channels where all spectra are zero.
    phase_counts : ndarray of shape (n_components,)
        Counts of each phase.
    phase_names : tuple of str or None
    weaknesses : tuple of Weakness
        In the order of a report.
    binning : tuple of int or None
        Pixels summed along each axis, in (x, y) order. None, as all that follows up to
        `absent`, for other algorithms than PSNMF.
    binning_chosen : bool
    binning_choice : BinningChoice or None
        Comparison behind the binning, in (x, y) order.
    binning_reason : str or None
        The same as earlier versions stored it: a sentence.
    energy_binning, line_width : int
        Channels.
    refinement : str
    spectra : str
        "lines" where spectra are made of X-ray lines and continuum, else "free".
    why_free : str or None
        What of the map does not allow lines, as `NoLineModel.reason`, where free spectra were
        not asked for.
    prior_weights : ndarray of shape (n_channels_in_use,) or None
        Counts of these templates, as a prior of the spectra, per count of the data; infinite
        where the spectra are exactly made of them. None for free spectra.
    parsimony : bool
        Whether parsimony selected one of the factorisations that fit equally well.
    volume : float
        Weight of the volume term.
    added, removed : ndarray of shape (n_components, n_components)
        Decisions of parsimony; see `PSNMF`.
    smoothing : float
        Weight of neighbouring pixels in the adaptive smoothing.
    n_pixels_behind : ndarray of shape (n_pixels,) or None
        Effective number of pixels averaged in each pixel by the adaptive smoothing.
    n_images : int
        Images of the same area that took part in the smoothing.
    template_elements : tuple of str
        Elements that have templates; empty for free spectra and given templates.
    n_fixed : int
        Number of spectra that were given and fixed.
    n_bins : int
    counts_per_bin : float
        On average over bins with counts.
    binned_loadings : ndarray of shape (*binned map, n_components)
        In counts.
    absent : ndarray of bool of shape (n_components, n_channels_in_use) or None
        Channels excluded from a phase.
    absent_elements : tuple of str or None
        The elements excluded from each phase, as "Pt, O"; None where none were.
    absent_found : bool
        Whether phases of excluded elements were found by what they lose.
    spectra_before_absent : ndarray of shape (n_components, n_channels) or None
        Before channels were excluded, by which phases are found again; 0 in channels left out.
    numbers_tried : tuple of int or None
        Numbers of phases compared; None where the number was given.
    held_out_deviances, held_out_differences, held_out_standard_errors : ndarray or None
        Of shape (n_numbers,): mean deviance, its difference from that of the minimum, and
        the standard error of this difference.
    number_of_phases_minimum : int or None
        The number with the smallest held-out deviance.
    number_of_phases_limited : bool
        Whether the number chosen is the largest allowed.
    data_shape : tuple of int or None
        Of the data in array order. This and the following are the fingerprint; see `same_data`.
    data_pixel_counts : ndarray of shape (n_pixels_compared,) or None
    data_checksum : int or None
    """

    version: str | None = None
    algorithm: str | None = None
    n_components: int
    navigation_shape: tuple[int, ...] | None = None
    init: str
    max_iter: int
    tol: float
    random_state: int | str
    n_iter: int
    converged: bool
    kkt_residual: float
    divergence: float
    counts_per_unit: float = 1.0
    n_counts: float
    n_filled_pixels: int
    median_pixel_counts: float
    n_unexplained: float
    phase_counts: np.ndarray
    phase_names: tuple[str, ...] | None = None
    weaknesses: tuple[Weakness, ...]

    binning: tuple[int, ...] | None = None
    binning_chosen: bool = False
    binning_choice: BinningChoice | None = None
    binning_reason: str | None = None
    energy_binning: int = field(**_OF_PSNMF)
    line_width: int = field(**_OF_PSNMF)
    refinement: str = field(**_OF_PSNMF)
    spectra: str = "free"
    why_free: str | None = None
    prior_weights: np.ndarray | None = None
    template_elements: tuple[str, ...] = ()
    parsimony: bool = field(**_OF_PSNMF)
    volume: float = field(**_OF_PSNMF)
    added: np.ndarray = field(**_OF_PSNMF)
    removed: np.ndarray = field(**_OF_PSNMF)
    smoothing: float = field(**_OF_PSNMF)
    n_pixels_behind: np.ndarray | None = field(**_OF_PSNMF)
    n_images: int = 0
    n_fixed: int = 0
    n_bins: int = field(**_OF_PSNMF)
    counts_per_bin: float = field(**_OF_PSNMF)
    binned_loadings: np.ndarray = field(**_OF_PSNMF)
    absent: np.ndarray | None = None
    absent_elements: tuple[str, ...] | None = None
    absent_found: bool = False
    spectra_before_absent: np.ndarray | None = None

    numbers_tried: tuple[int, ...] | None = None
    held_out_deviances: np.ndarray | None = None
    held_out_differences: np.ndarray | None = None
    held_out_standard_errors: np.ndarray | None = None
    number_of_phases_minimum: int | None = None
    number_of_phases_limited: bool = False

    data_shape: tuple[int, ...] | None = None
    data_pixel_counts: np.ndarray | None = None
    data_checksum: int | None = None

    @property
    def n_regions(self) -> int | None:
        """Regions that look alike into which bins were merged; None where they were not."""
        if self.spectra != "lines" or uses_subset(self.n_bins, self.n_counts):
            return None
        return regions_of_bins(self.n_bins, self.n_counts, self.n_components)

    def require(self, name: str):
        """Return an entry that may be None in other records, or raise ValueError naming it."""
        value = getattr(self, name)
        return self.__getattr__(name) if value is None else value

    def __getattr__(self, name: str) -> NoReturn:
        """Raise ValueError naming the version that wrote the record without this entry."""
        if name not in self.__dataclass_fields__:
            raise AttributeError(f"a record has no attribute {name!r}")
        writer = self.version or "of an unknown version"
        raise ValueError(
            f"the learning results were written by hyperspy-psnmf {writer} and have no {name!r}, "
            f"which version {__version__} needs for this: decompose the map again"
        )


def as_plain(record: Record) -> dict:
    """Return a record as the dict that is stored: plain values, lists of them and arrays."""
    stored = {name: value for name, value in vars(record).items() if value is not None}
    stored["weaknesses"] = as_columns(record.weaknesses)
    if record.binning_choice is not None:
        stored["binning_choice"] = vars(record.binning_choice)
    return {name: _with_lists(value) for name, value in stored.items()}


def from_plain(stored: Mapping) -> Record:
    """Return the record that this or an earlier version stored; entries may be missing."""
    stored, read = _with_new_names(stored), {}
    for one in fields(Record):
        if one.name in stored:
            is_array = "ndarray" in str(one.type)
            read[one.name] = (np.asarray if is_array else plain_value)(stored[one.name])
    if "weaknesses" in read:
        read["weaknesses"] = tuple(from_columns(read["weaknesses"]))
    if "binning_choice" in read:
        known = {one.name for one in fields(BinningChoice)} & read["binning_choice"].keys()
        read["binning_choice"] = BinningChoice(
            **{name: plain_value(read["binning_choice"][name]) for name in known}
        )
    if "binning" not in read:
        others = {one.name for one in fields(Record) if one.default_factory is type(None)}
        read |= dict.fromkeys(others - read.keys())
    record = object.__new__(Record)  # with what is stored alone
    vars(record).update(read)
    return record


def _with_new_names(stored):
    """Return what is stored, by the names that entries have had since version 0.1."""
    new = dict(stored)
    if (weight := plain_value(new.pop("spatial_prior", None))) is not None:
        new["smoothing"] = 1.0 if weight == "auto" else float(weight)
    if "parsimony" not in new and (volume := plain_value(new.get("volume"))) is not None:
        new |= {"parsimony": volume == "auto", "volume": 0.0 if volume == "auto" else volume}
    return new


def _with_lists(value):
    if isinstance(value, dict):
        return {name: _with_lists(each) for name, each in value.items()}
    return list(map(_with_lists, value)) if isinstance(value, list | tuple) else value
