# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements that are in the spectra, though nobody listed them: grids, holders, ion beams.

A strong line that the model lacks bends the background beneath it, and lines nearby
come out wrong by many standard errors, even below zero. So each peak that stands out
from the fit is given to the element whose lines near it explain the counts best; these
lines are fitted with the others. A peak that no element explains is fitted by itself, and
so is one where the detector puts sums and escapes of strong lines.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from exspy.material import elements as elements_db
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from hyperspy_psnmf.eds.detector_peaks import find_cause
from hyperspy_psnmf.eds.line_calibration import calibrate
from hyperspy_psnmf.eds.line_model import (
    LineModel,
    axis_of,
    build_line_model,
    families,
    read_beam_energy,
)
from hyperspy_psnmf.eds.misfit import find_peak

MAX_PEAKS = 12
N_ROUNDS = 4
REACH = 0.15  # keV; beside a strong peak, the background bends and shifts what stands out
RIVALS = 0.9  # of the best gain: worth a calibration of their own
WORTH = 0.03  # of a misfit; what a family of lines must take away
ENOUGH = 0.6  # of what a peak at any energy gains, as the energy axis may be off
MUCH_BETTER = 1.05  # than a peak alone, by which an element shows that it has other lines
NEW = 1e-3  # of a line; less is no more than what the model has


def find_unlisted(
    spectra, elements: set[str], keep: np.ndarray, variance: np.ndarray
) -> tuple["Search", list[str]]:
    """Return what else is in spectra, and the search that found it, on a calibrated axis.

    Parameters
    ----------
    spectra : EDSSpectrum
        Spectra of phases; they are not changed.
    elements : set of str
        Those listed.
    keep : ndarray of bool, of shape (n_channels,)
        Channels that hold counts.
    variance : ndarray of shape (n_phases, n_channels)
        Of the spectra.

    Returns
    -------
    search : Search
    unlisted : list of str
        Elements, or energies of peaks that were added, with their likely cause.
    """
    listed = build_line_model(spectra, elements, keep)
    search = Search(spectra, frozenset(elements), keep, variance, calibrate(listed, spectra.data))
    if search.peak_beside([]) is None:
        return search, []
    # Without half of its lines, a model calibrates to nonsense: first the axis as it is.
    search, unlisted = replace(search, axis=listed), []
    for _ in range(N_ROUNDS):
        before, unlisted = unlisted, search.run()
        # Peaks by themselves would hold the axis where they were found.
        axis = search.model(_elements(unlisted))
        search = replace(search, axis=calibrate(replace(axis, **axis_of(listed)), spectra.data))
        if set(unlisted) == set(before):
            break
    return search, unlisted


@dataclass(frozen=True)
class Search:
    """What stands out from lines at the places and of the widths that another model has."""

    spectra: object
    listed: frozenset
    keep: np.ndarray
    variance: np.ndarray
    axis: LineModel

    @cached_property
    def rows(self):
        """Counts of all phases together and of each, and the weights of channels in use."""
        counts = np.vstack([self.spectra.data.sum(axis=0), self.spectra.data])
        # Of the counts, smoothed, as the fit may be bad.
        total = gaussian_filter1d(counts[0], 3.0, mode="nearest")
        variance = np.maximum(np.vstack([total, self.variance]), 0.5)
        return counts, 1.0 / np.sqrt(variance[:, self.axis.use])

    def model(self, names):
        """Return the model with lines of elements or peaks of these names."""
        peaks = [float(name.split()[0]) for name in _peaks(names)]
        elements = {*self.listed, *_elements(names)}
        model = build_line_model(self.spectra, elements, self.keep, peaks=peaks)
        return replace(model, **axis_of(self.axis))

    def run(self):
        """Return the names of what explains the peaks that stand out."""
        found = []
        while len(found) < MAX_PEAKS and (peak := self.peak_beside(found)):
            found.append(self.explain(peak, found))
        # What was found first may have stood in for something that was found later.
        for name in tuple(found):
            others = [other for other in found if other != name]
            peak = self.peak_beside(others)
            if peak is None:
                found = others
            elif self.has_line_near(name, peak.energy):
                found = [*others, self.explain(peak, others)]
        return found

    def has_line_near(self, name, at):
        """Tell whether a peak is where the element has a main line."""
        model = self.model([name])
        own = np.isin(model.members[:, 0], _families_of(name, model))
        energies = model.members[own & (model.members[:, 2] == 1.0), 1]
        return bool((np.abs(energies - at) < REACH).any())

    def peak_beside(self, found):
        """Return the next peak, if there is one."""
        return find_peak(self.model(found), *self.rows)

    def explain(self, peak, found):
        """Return the name of what explains a peak best."""
        model, at = self.model(found), peak.energy
        row = [values[peak.row] for values in self.rows]
        residual = _Residual(model, *row)
        others = sorted(set(_with_lines()) - self.listed - set(found))
        beam_energy = read_beam_energy(self.spectra)
        gains = _gains_of_elements(residual, model, others, at, beam_energy)
        alone, place = max(_gains_of_peaks(residual, model, at))
        top = max(gains.values(), default=0.0)
        cause = find_cause(model, *row, peak._replace(energy=place))
        if cause and top <= MUCH_BETTER * alone:
            or_else = max(gains, key=lambda name: gains[name], default="")
            return f"{place:.3f} keV = {cause}" + f", or {or_else}" * (top > RIVALS * alone)
        if top <= ENOUGH * alone:
            return f"{place:.3f} keV"
        rivals = [name for name, gain in gains.items() if gain > RIVALS * top]
        return rivals[0] if len(rivals) == 1 else min(rivals, key=self.misfit(found, row))

    def misfit(self, found, row):
        """Return what tells the misfit with another element, on an axis of its own."""

        def squared(name):
            model = calibrate(self.model([*found, name]), self.spectra.data)
            families = len(_families_of(name, model))
            return _Residual(model, *row).squared * (1 + families * WORTH)

        return squared


class StrongestLine(NamedTuple):
    """The strongest line of an element, or a peak, and its counts."""

    line: str
    counts: float

    def __str__(self):
        preposition = "at" if " " in self.line else "in"
        return f"{self.counts:.0f} counts {preposition} {self.line}"


def strongest_lines(
    model: LineModel, counts: np.ndarray, names: list[str]
) -> dict[str, StrongestLine]:
    """Return the strongest line of elements or peaks, from the counts of all lines."""
    counts = counts * model.peaks.sum(axis=0)
    strongest = {}
    for name in names:
        best = max(_families_of(name, model), key=lambda i: counts[i])
        strongest[name] = StrongestLine(model.lines[best], float(counts[best]))
    return strongest


def _families_of(name, model):
    """Return which lines of a model belong to an element, or are a peak."""
    name = name.partition(" = ")[0]
    return [i for i, line in enumerate(model.lines) if name in (line, line.partition("_")[0])]


def _elements(names):
    return [name for name in names if " " not in name]


def _peaks(names):
    return [name for name in names if " " in name]


def lines_of_elements(unlisted: dict[str, StrongestLine]) -> dict[str, str]:
    """Return {element: line} of the elements among what was found."""
    return {name: unlisted[name].line for name in _elements(unlisted)}


def describe_unlisted(unlisted: dict[str, StrongestLine]) -> str:
    """Return a sentence on what was fitted besides the elements listed."""
    what = [f"{name} ({unlisted[name]})" for name in _elements(unlisted)]
    for name in _peaks(unlisted):
        cause = name.partition(" = ")[2]
        kind = f"a peak that is likely {cause}" if cause else "a peak of no known element"
        what.append(f"{kind} ({unlisted[name]})")
    symbols = _elements(unlisted)
    call = f"; s.add_elements({symbols}) lists them, or exclude= in quantify()" if symbols else ""
    return (
        f"in the spectra, but not in s.metadata.Sample.elements: {', '.join(what)}. Fitted with "
        f"the others, so that lines nearby come out right, and in no result{call}"
    )


class _Residual:
    """What a model leaves of the spectrum, and how much of it further columns explain."""

    def __init__(self, model, counts, weights):
        self.use, self.weights = model.use, weights
        columns = model.columns * self.weights[:, None]
        self.columns = columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
        self.inverse = np.linalg.pinv(self.columns.T @ self.columns, rcond=1e-12, hermitian=True)
        self.left = self._beside(counts[model.use] * self.weights)
        self.squared = float(self.left @ self.left)

    def _beside(self, columns):
        return columns - self.columns @ (self.inverse @ (self.columns.T @ columns))

    def gain(self, columns):
        """Return the decrease of the squared residual by columns with coefficients >= 0."""
        weighted = columns[self.use] * self.weights[:, None]
        beside = self._beside(weighted)
        size = np.linalg.norm(beside, axis=0)
        new = size > NEW * np.linalg.norm(weighted, axis=0)
        if not new.any():
            return 0.0
        return self.squared - float(nnls((beside / size)[:, new], self.left)[1] ** 2)


def _gains_of_elements(residual, model, symbols, at, beam_energy):
    """Return {element: gain} by those of its families whose main line is near a peak."""
    # What is told by one line of a shell must have its others too.
    names, members = families(symbols, model.energy[0], model.energy[-1], beam_energy, whole=True)
    of_main = members[members[:, 2] == 1.0]
    near = {int(f) for f, energy, _ in of_main if abs(energy - at) < REACH}
    by_element = {}
    for family in sorted(near):
        by_element.setdefault(names[family].partition("_")[0], []).append(family)
    gains = {}
    for symbol, chosen in by_element.items():
        rows = [(chosen.index(int(f)), e, w) for f, e, w in members if int(f) in chosen]
        lines = [names[f] for f in chosen]
        gains[symbol] = residual.gain(replace(model, lines=lines, members=np.array(rows)).peaks)
    return gains


def _gains_of_peaks(residual, model, at):
    """Yield (gain, energy) of single peaks around one."""
    for energy in at + np.arange(-0.1, 0.105, 0.01):
        alone = replace(model, lines=[""], members=np.array([[0, energy, 1.0]]))
        yield residual.gain(alone.peaks), round(float(energy), 3)


@cache
def _with_lines():
    return [name for name, e in elements_db if e.Atomic_properties.has_item("Xray_lines")]
