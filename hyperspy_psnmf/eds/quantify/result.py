# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``s.psnmf.quantify()`` returns: compositions of phases with their errors."""

from dataclasses import dataclass, field
from textwrap import fill

import numpy as np
from prettytable import PrettyTable

from hyperspy_psnmf.eds.files.tables import data_frame
from hyperspy_psnmf.eds.formulas.compatible import Formulas, match_formulas
from hyperspy_psnmf.eds.lines.intensities import FittedSpectra
from hyperspy_psnmf.eds.signals.picklable import Picklable

UNITS = {"atomic": "at%", "weight": "wt%"}
NO_ZAF = "k-ratios normalised to 100 %, without any ZAF correction"


@dataclass(frozen=True, eq=False)
class Percent:
    """Compositions in one unit; each array is of shape (n_phases, n_elements).

    Attributes
    ----------
    values : ndarray
        Per cent; NaN in phases with too few counts.
    sigma : ndarray
        Standard errors: from the parts of the budget, but for "ambiguity".
    limits : ndarray
        Detection limits: the composition for an intensity of three standard deviations
        of a blank.
    budget : dict of ndarray
        Parts of the standard errors: "counting" (of the phase's own counts),
        "spectra" (what overlap with other phases adds, for known maps), "shapes" (energies, widths
        and ratios of lines, and the continuum), "factors", "absorption" (in a specimen of
        unknown thickness), "unmixing" (by how much compositions change when spectra are found
        without a part of the counts), and, where asked for, "ambiguity".
    band : ndarray of shape (n_phases, n_elements, 2), or None
        Lowest and highest of all factorisations that fit equally well, noise included.
    """

    values: np.ndarray
    sigma: np.ndarray
    limits: np.ndarray
    budget: dict[str, np.ndarray]
    band: np.ndarray | None = None

    @property
    def lower(self) -> np.ndarray:
        """Lower ends of the intervals of one standard error, not below 0."""
        return np.maximum(self.values - self.sigma, 0.0)

    @property
    def upper(self) -> np.ndarray:
        """Upper ends of the intervals of one standard error, not above 100."""
        return np.minimum(self.values + self.sigma, 100.0)

    @property
    def has_unmixing(self) -> bool:
        """Whether the standard errors include those of unmixing."""
        return "unmixing" in self.budget


@dataclass(frozen=True, eq=False)
class Quantification(Picklable):
    """Compositions of phases or regions; can be pickled, and keeps no map in memory.

    Attributes
    ----------
    names, elements, lines : list of str
        Phases; elements and the line of each, in the order of the factors.
    method : str
    composition_units : {"atomic", "weight"}
        What tables and maps show.
    counts : ndarray of shape (n_phases,)
        All counts of each phase.
    net, net_sigma : ndarray of shape (n_phases, n_elements)
        Net counts of each line, and their standard errors.
    detected : ndarray of bool, of shape (n_phases, n_elements)
        Whether net counts exceed three standard deviations of a blank.
    atomic, weight : Percent
    confidence : float
        Of the bands.
    notes : tuple of str
        Caveats.
    fit : FittedSpectra or None
        Fit of the lines; None for windows.
    not_quantified : tuple of tuple of str
        Elements that are significant in the spectrum of each phase, but neither quantified
        nor excluded. Windows are not searched for any.
    of : {"Phase", "Region"}
        What `names` are of; for regions, all that is of a phase is of a region.
    """

    names: list[str]
    elements: list[str]
    lines: list[str]
    method: str
    composition_units: str
    counts: np.ndarray
    net: np.ndarray
    net_sigma: np.ndarray
    detected: np.ndarray
    atomic: Percent
    weight: Percent
    confidence: float
    _maps: object = field(repr=False)  # CompositionMaps
    notes: tuple[str, ...] = ()
    fit: FittedSpectra | None = field(default=None, repr=False)
    not_quantified: tuple[tuple[str, ...], ...] = ()
    of: str = "Phase"

    @property
    def normalised_to(self) -> str:
        """The elements that sum to 100 %, as in "Fe + Pt"."""
        return " + ".join(self.elements)

    @property
    def percent(self) -> Percent:
        """The compositions in `composition_units`."""
        return getattr(self, self.composition_units)

    @property
    def atomic_percent(self) -> dict[str, np.ndarray]:
        """Atomic per cent of each phase, by element."""
        return dict(zip(self.elements, self.atomic.values.T, strict=True))

    @property
    def weight_percent(self) -> dict[str, np.ndarray]:
        """Weight per cent of each phase, by element."""
        return dict(zip(self.elements, self.weight.values.T, strict=True))

    def table(self) -> PrettyTable:
        """Return compositions and standard errors, or detection limits, of every phase."""
        found, unit = self.percent, UNITS[self.composition_units]
        table = PrettyTable()
        band = "" if found.band is None else f" and {100 * self.confidence:g} % band of ambiguity"
        errors = "" if found.has_unmixing else " without unmixing"
        table.title = (
            f"Composition in {unit} normalised to {self.normalised_to}, 1 sigma{errors}{band} "
            f"({self._how()})"
        )
        # In the table itself, as tables are copied without the notes below them.
        last = ["Not quantified"] if any(self.not_quantified) else []
        table.field_names = [self.of, "Counts", *self.elements, *last]
        table.align = "r"
        table.align[self.of] = "l"
        for i, name in enumerate(self.names):
            cells = [self._cell(found, i, j) for j in range(len(self.elements))]
            cells += [self.besides(i)] if last else []
            table.add_row([name, f"{self.counts[i]:.0f}", *cells])
        return table

    def besides(self, index: int) -> str:
        """Return the elements of a phase that are not quantified, separated by commas."""
        return ", ".join(self.not_quantified[index]) if self.not_quantified else ""

    def _how(self):
        return NO_ZAF if self.method == "k_ratios" else self.method

    def _cell(self, found, i, j):
        value, sigma, limit = found.values[i, j], found.sigma[i, j], found.limits[i, j]
        if np.isnan(value):
            return "too few counts"
        decimals = 1 if sigma >= 0.05 else 2
        text = f"{value:.{decimals}f} ± {sigma:.{decimals}f}"
        up, down = found.upper[i, j] - value, value - found.lower[i, j]
        if abs(up - down) > 0.5 * 10.0**-decimals:
            text = f"{value:.{decimals}f} (+{up:.{decimals}f} −{down:.{decimals}f})"
        if not self.detected[i, j]:
            text = f"< {limit:.2g}"
        if found.band is None:
            return text
        low, high = found.band[i, j]
        return f"{text} ({low:.1f} to {high:.1f})"

    def budget(self) -> PrettyTable:
        """Return the contributions to each standard error."""
        found = self.percent
        table = PrettyTable()
        table.title = f"Standard errors in {UNITS[self.composition_units]}"
        table.field_names = [self.of, "Element", *found.budget]
        table.align = "r"
        table.align[self.of] = "l"
        for i, name in enumerate(self.names):
            for j, element in enumerate(self.elements):
                parts = (f"{part[i, j]:.2f}" for part in found.budget.values())
                table.add_row([name, element, *parts])
        return table

    def to_dataframe(self):
        """Return one row per phase and element, as a pandas DataFrame.

        Its ``attrs`` contain `normalised_to` and `notes`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        frame = data_frame(self.rows())
        frame.attrs |= {"normalised_to": self.normalised_to, "notes": list(self.notes)}
        return frame

    def rows(self) -> list[dict]:
        """Return one dict per phase and element, for CSV files and data frames."""
        return [self._row(i, j) for i in range(len(self.names)) for j in range(len(self.elements))]

    def _row(self, i, j):
        row = {
            self.of.lower(): self.names[i],
            "element": self.elements[j],
            "line": self.lines[j],
            "net_counts": float(self.net[i, j]),
            "net_counts_sigma": float(self.net_sigma[i, j]),
            "detected": bool(self.detected[i, j]),
        }
        for unit, found in (("at%", self.atomic), ("wt%", self.weight)):
            row |= {unit: float(found.values[i, j]), f"{unit}_sigma": float(found.sigma[i, j])}
            row |= {f"{unit}_lower": float(found.lower[i, j])}
            row |= {f"{unit}_upper": float(found.upper[i, j])}
            row[f"{unit}_limit"] = float(found.limits[i, j])
            row |= {f"{unit}_{name}": float(part[i, j]) for name, part in found.budget.items()}
            if found.band is not None:
                row[f"{unit}_low"], row[f"{unit}_high"] = map(float, found.band[i, j])
        return row | {"normalised_to": self.normalised_to, "not_quantified": self.besides(i)}

    def formulas(self) -> Formulas:
        """Return stoichiometric formulas that the compositions are compatible with.

        Built from the elements detected in each phase are elements, binary compounds and alloys of
        small integers, and compounds with one anion and one or two cation sites whose charges
        balance, on which elements of one charge may substitute each other. None is asserted: with
        large errors many are compatible, and the simplest of those that fit alike is first.
        Formulas are judged by the standard errors of ``atomic``, so errors of k-factors and
        absorption that these lack reject right ones.

        Returns
        -------
        Formulas
            With ``table()``, ``rows()`` and ``to_dataframe()``: for each formula chi-squared per
            degree of freedom and its p-value, and the elements that are not in it: minor ones of
            less than 3 at%, and those that were not quantified.
        """
        found = self.atomic
        matches = [
            match_formulas(
                [
                    e
                    for e, is_there in zip(self.elements, self.detected[i], strict=True)
                    if is_there
                ],
                found.values[i, self.detected[i]],
                found.sigma[i, self.detected[i]],
            )
            for i in range(len(self.names))
        ]
        besides = [self.besides(i) for i in range(len(self.names))]
        return Formulas(self.of, self.names, matches, besides)

    def maps(self, *, min_counts: float = 20.0) -> list:
        """Return the composition of the reconstructed map in every pixel.

        Thickness and density that were given for each phase are averaged in each pixel, weighted
        by the loadings; those given for each region, over the regions that the pixel is in, or
        over all where it is in none.

        Parameters
        ----------
        min_counts : float
            Pixels with fewer net counts in all lines together are NaN: the ratio of
            a few counts is too uncertain.

        Returns
        -------
        list of BaseSignal
            One map per element, in `composition_units`, in the order of `elements`.
        """
        return self._maps.maps(min_counts)

    def __repr__(self):
        notes = (fill(f"- {note}.", 100, subsequent_indent="  ") for note in self.notes)
        return "\n".join([str(self.table()), *notes])
