# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements that are in the spectra, though nobody listed them: grids, holders, ion beams.

A strong line that the model lacks bends the background beneath it, and lines nearby
come out wrong by many standard errors, even below zero. So each significant peak of the
residual is given to the element whose lines near it explain the counts best; these
lines are fitted with the others. A peak that no element explains is fitted by itself, and
so is one where the detector puts the escape of a strong line. What lines that are a little
off their places explain as well is no peak.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from exspy.material import elements as elements_db
from scipy.linalg import block_diag
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from hyperspy_psnmf.eds.detector import peak_fwhm
from hyperspy_psnmf.eds.detector_peaks import CLOSE, find_escaped, with_sum_peaks
from hyperspy_psnmf.eds.energy_axis import find_axis
from hyperspy_psnmf.eds.line_calibration import calibrate, solve
from hyperspy_psnmf.eds.line_model import (
    LineModel,
    axis_of,
    build_line_model,
    families,
    read_beam_energy,
)
from hyperspy_psnmf.eds.misfit import Peak, find_peak
from hyperspy_psnmf.eds.unlisted_peaks import Unlisted

# Contamination, oxide films, grids: hardly any spectrum lacks all of these. Light elements
# are fitted anyway, since their lines and edges lie side by side.
LIGHT = ("C", "N", "O")
NEARLY_ALWAYS = (*LIGHT, "Cu")
MAX_PEAKS = 12
N_ROUNDS = 4
REACH = 0.15  # keV; beside a strong peak, the background bends and shifts the residual
RIVALS = 0.9  # of the best gain: worth a calibration of their own
WORTH = 0.03  # of a misfit; what a family of lines must take away
ENOUGH = 0.6  # of what a peak at any energy gains, as the energy axis may be off
MUCH_BETTER = 1.05  # than a peak alone, by which an element shows that it has other lines
# Of a peak, beside lines that are a little off their places. With less, its counts would
# have ten times the error that they have alone: the two are the same peak.
NEW = 0.1
PLACES = 0.002  # keV, standard deviation of the places of lines


def find_unlisted(
    spectra, elements: set[str], keep: np.ndarray, variance: np.ndarray
) -> tuple["Search", list[Unlisted]]:
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
    unlisted : list of Unlisted
        Elements, and peaks of none.
    """
    listed = on_found_axis(spectra, elements, keep)
    axis = calibrate(listed, spectra.data)
    search = Search(spectra, frozenset(elements), keep, variance, listed, axis)
    if search.peak_beside([]) is None:
        return search, []
    # Without half of its lines, a model calibrates to nonsense: first the axis as it is.
    search, unlisted = replace(search, axis=listed), []
    for _ in range(N_ROUNDS):
        before, unlisted = unlisted, search.run()
        # Peaks by themselves would hold the axis where they were found.
        axis = search.model(_elements(unlisted))
        search = replace(search, axis=calibrate(replace(axis, **axis_of(listed)), spectra.data))
        if {str(one) for one in unlisted} == {str(one) for one in before}:
            break
    return search, unlisted


def on_found_axis(spectra, elements, keep: np.ndarray) -> LineModel:
    """Return the model of the elements' lines where a search over shifts finds them."""
    likely = build_line_model(spectra, {*elements, *NEARLY_ALWAYS}, keep)
    offset, gain = find_axis(likely, spectra.data.sum(axis=0))
    listed = build_line_model(spectra, {*elements, *LIGHT}, keep)
    return replace(listed, offset=offset, gain=gain)


@dataclass(frozen=True, eq=False)
class Search:
    """The search for peaks, with lines at the places and of the widths of another model.

    Attributes
    ----------
    spectra : EDSSpectrum
    listed : frozenset of str
        Elements.
    keep : ndarray of bool, of shape (n_channels,)
    variance : ndarray of shape (n_phases, n_channels)
    expected, axis : LineModel
        Lines of the listed elements where the search over shifts finds them, and where
        `calibrate` does from there.
    """

    spectra: object
    listed: frozenset
    keep: np.ndarray
    variance: np.ndarray
    expected: LineModel
    axis: LineModel

    @cached_property
    def rows(self):
        """Counts of all phases together and of each, and the weights of channels in use."""
        counts = np.vstack([self.spectra.data.sum(axis=0), self.spectra.data])
        # Of the counts, smoothed, as the fit may be bad.
        total = gaussian_filter1d(counts[0], 3.0, mode="nearest")
        variance = np.maximum(np.vstack([total, self.variance]), 0.5)
        return counts, 1.0 / np.sqrt(variance[:, self.axis.use])

    def model(self, found):
        """Return the model with the lines of what was found."""
        peaks = [one.energy for one in found if not one.element]
        elements = {*self.listed, *LIGHT, *(one.element for one in found if one.element)}
        model = build_line_model(self.spectra, elements, self.keep, peaks=peaks)
        return replace(model, **axis_of(self.axis))

    def run(self):
        """Return what explains the significant peaks of the residual."""
        found, explained = [], []
        while len(found) < MAX_PEAKS and (peak := self.peak_beside(found, explained)):
            one = self.explain(peak, found)
            if one is None:
                explained.append(peak.energy)
            else:
                found.append(one)
        # What was found first may have stood in for something that was found later.
        for one in tuple(found):
            others = [other for other in found if other is not one]
            peak = self.peak_beside(others, explained)
            if peak is None:
                found = others
            elif self.has_line_near(one, peak.energy):
                again = self.explain(peak, others)
                found = others if again is None else [*others, again]
        return found

    def has_line_near(self, one, at):
        """Return whether what was found has a main line near an energy in keV."""
        model = self.model([one])
        own = model.main_energies[one.families_in(model)]
        return bool((np.abs(own - at) < REACH).any())

    def peak_beside(self, found, explained=()):
        """Return the next peak, if there is one; none at energies that are explained."""
        return find_peak(self.model(found), *self.rows, explained)

    def explain(self, peak, found):
        """Return what explains a peak best; None where the lines that are there do."""
        model, at = self.model(found), peak.energy
        row = [values[peak.row] for values in self.rows]
        residual = Residual(model, *row)
        known = {*self.listed, *LIGHT, *(one.element for one in found)}
        others = sorted(set(_with_lines()) - known)
        beam_energy = read_beam_energy(self.spectra)
        gains = gains_of_elements(residual, model, others, at, beam_energy)
        alone, place = max(_gains_of_peaks(residual, model, peak, row))
        top = max(gains.values(), default=0.0)
        if max(alone, top) <= 0.0:
            return None
        if top <= MUCH_BETTER * alone:
            escaped = find_escaped(model, *row, peak._replace(energy=place))
            if escaped:
                rival = max(gains, key=lambda name: gains[name], default="")
                rivals = (rival,) if top > RIVALS * alone else ()
                return Unlisted("escape peak", place, cause=(escaped,), rivals=rivals)
        if top <= ENOUGH * alone:
            return Unlisted("unknown peak", place)
        rivals = [name for name, gain in gains.items() if gain > RIVALS * top]
        best = rivals[0] if len(rivals) == 1 else min(rivals, key=self.misfit(found, row))
        return Unlisted("element", at, element=best)

    def misfit(self, found, row):
        """Return a function of an element: the misfit with it, on an axis of its own."""

        def squared(element):
            one = Unlisted("element", 0.0, element=element)
            model = calibrate(self.model([*found, one]), self.spectra.data)
            return Residual(model, *row).squared * (1 + len(one.families_in(model)) * WORTH)

        return squared

    def rivals_of(self, energy: float, found) -> tuple[str, ...]:
        """Return the unlisted element that a sum peak at an energy may be as well, if any."""
        model = self.model(found)
        row = [values[0] for values in self.rows]
        residual = Residual(model, *row, sum_peaks=False)
        known = {*self.listed, *LIGHT, *(one.element for one in found)}
        others = sorted(set(_with_lines()) - known)
        beam_energy = read_beam_energy(self.spectra)
        gains = gains_of_elements(residual, model, others, energy, beam_energy, reach=CLOSE)
        alone, _ = max(_gains_of_peaks(residual, model, Peak(0, energy, np.inf), row))
        best = max(gains, key=lambda name: gains[name], default="")
        return (best,) if best and gains[best] > RIVALS * alone else ()


def _elements(found):
    return [one for one in found if one.element]


class Residual:
    """What a model leaves of the spectrum, and how much of it further columns explain."""

    def __init__(self, model, counts, weights, *, sum_peaks=True):
        if sum_peaks:
            model = with_sum_peaks(model, counts, weights)
        self.use, self.weights = model.use, weights
        model = _with_places(model, counts, weights)
        columns = model.columns * self.weights[:, None]
        size = np.sqrt((columns**2).sum(axis=0) + np.diag(model.precision))
        scale = 1.0 / np.where(size > 0.0, size, 1.0)
        self.columns = columns * scale
        normal = self.columns.T @ self.columns + model.precision * np.outer(scale, scale)
        main = replace(model, members=model.members[model.members[:, 2] == 1.0], sum_peaks=0.0)
        single = main.single_peaks.toarray()[self.use] * self.weights[:, None]
        self.basis, _ = np.linalg.qr(np.hstack([self.columns, single]))
        self.inverse = np.linalg.pinv(normal, rcond=1e-12, hermitian=True)
        self.left = self._beside(counts[model.use] * self.weights)
        self.squared = float(self.left @ self.left)

    def _beside(self, columns):
        return columns - self.columns @ (self.inverse @ (self.columns.T @ columns))

    def gain(self, columns):
        """Return the decrease of the squared residual by columns with coefficients >= 0."""
        weighted = columns[self.use] * self.weights[:, None]
        # Beside lines at any place and in any ratio, however well these are known.
        apart = weighted - self.basis @ (self.basis.T @ weighted)
        new = np.linalg.norm(apart, axis=0) > NEW * np.linalg.norm(weighted, axis=0)
        if not new.any():
            return 0.0
        beside = self._beside(weighted)
        size = np.maximum(np.linalg.norm(beside, axis=0), 1e-300)
        return self.squared - float(nnls((beside / size)[:, new], self.left)[1] ** 2)


def _with_places(model, counts, weights):
    """Return the model with small shifts of each family of lines among its columns."""
    n = len(model.lines)
    if n == 0:
        return model
    lines = np.maximum(solve(model, counts[model.use], weights)[:n], 0.0)
    shifts = model.sum_over_members(model.shapes.by_centre) * (lines * PLACES)
    return replace(
        model,
        background=np.hstack([model.background, shifts]),
        precision=block_diag(model.precision, np.eye(n)),
    )


def gains_of_elements(residual, model, symbols, at, beam_energy, *, reach=REACH):
    """Return {element: gain} by those of its families whose main line is near a peak."""
    # What is recognised by one line of a shell must have its others too.
    names, members = families(symbols, model.energy[0], model.energy[-1], beam_energy, whole=True)
    of_main = members[members[:, 2] == 1.0]
    near = {int(f) for f, energy, _ in of_main if abs(energy - at) < reach}
    by_element = {}
    for family in sorted(near):
        by_element.setdefault(names[family].partition("_")[0], []).append(family)
    gains = {}
    for symbol, chosen in by_element.items():
        rows = [(chosen.index(int(f)), e, w) for f, e, w in members if int(f) in chosen]
        lines = [names[f] for f in chosen]
        of_element = replace(model, lines=lines, members=np.array(rows), sum_peaks=0.0)
        gains[symbol] = residual.gain(of_element.peaks)
    return gains


def _gains_of_peaks(residual, model, peak, row):
    """Yield (gain, energy) of single peaks around one; none where a stronger line has it."""
    counts, weights = row
    lines = solve(model, counts[model.use], weights)[: len(model.lines)]
    stronger = model.main_energies[lines > peak.counts]
    for energy in peak.energy + np.arange(-0.1, 0.105, 0.01):
        if (np.abs(stronger - energy) < peak_fwhm(model.resolution, energy)).any():
            yield 0.0, round(float(energy), 3)
            continue
        members = np.array([[0, energy, 1.0]])
        alone = replace(model, lines=[""], members=members, sum_peaks=0.0, skewness=0.0)
        yield residual.gain(alone.peaks), round(float(energy), 3)


@cache
def _with_lines():
    return [name for name, e in elements_db if e.Atomic_properties.has_item("Xray_lines")]
