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
from scipy.ndimage import gaussian_filter1d

from hyperspy_psnmf._compat import symbols_with_lines
from hyperspy_psnmf.eds.line_model.calibration import calibrate
from hyperspy_psnmf.eds.line_model.detector_artefacts import CLOSE, find_escaped
from hyperspy_psnmf.eds.line_model.energy_axis import find_axis
from hyperspy_psnmf.eds.line_model.linear_model import (
    LineModel,
    axis_of,
    build_line_model,
    read_beam_energy,
)
from hyperspy_psnmf.eds.unlisted.find_peaks import Peak, find_peak
from hyperspy_psnmf.eds.unlisted.found import Unlisted
from hyperspy_psnmf.eds.unlisted.residual_gains import Residual, gains_of_elements, gains_of_peaks

# Contamination, oxide films, grids: hardly any spectrum lacks all of these. Light elements
# are fitted anyway, since their lines and edges lie side by side.
LIGHT = ("C", "N", "O")
NEARLY_ALWAYS = (*LIGHT, "Cu")
MAX_PEAKS = 12
N_ROUNDS = 4
REACH = 0.15  # keV; beside a strong peak, the background bends and shifts the residual
RIVALS = 0.9  # of the best gain: worth a calibration of their own
ALIKE = 9.0  # squared standard deviations between misfits that are the same
WORTH = 0.03  # of a misfit; what a family of lines must take away
ENOUGH = 0.6  # of what a peak at any energy gains, as the energy axis may be off
MUCH_BETTER = 1.05  # than a peak alone, by which an element shows that it has other lines


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
        gains = gains_of_elements(residual, model, others, at, beam_energy, reach=REACH)
        alone, place = max(gains_of_peaks(residual, model, peak, row))
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
        if len(rivals) > 1:
            misfit = {name: self.misfit(name, found, row) for name in rivals}
            rivals = [name for name in rivals if misfit[name] < min(misfit.values()) + ALIKE]
        # The lightest of those that fit alike, as it is by far the most abundant.
        return Unlisted("element", at, element=min(rivals, key=_atomic_number))

    def misfit(self, element, found, row):
        """Return the misfit with another element, on an axis of its own."""
        one = Unlisted("element", 0.0, element=element)
        model = calibrate(self.model([*found, one]), self.spectra.data)
        return Residual(model, *row).squared * (1 + len(one.families_in(model)) * WORTH)

    def rivals_of(self, energy: float, found) -> tuple[str, ...]:
        """Return the unlisted element that a sum peak at an energy may be as well, if any."""
        model = self.model(found)
        row = [values[0] for values in self.rows]
        residual = Residual(model, *row, sum_peaks=False)
        known = {*self.listed, *LIGHT, *(one.element for one in found)}
        others = sorted(set(_with_lines()) - known)
        beam_energy = read_beam_energy(self.spectra)
        gains = gains_of_elements(residual, model, others, energy, beam_energy, reach=CLOSE)
        alone, _ = max(gains_of_peaks(residual, model, Peak(0, energy, np.inf), row))
        best = max(gains, key=lambda name: gains[name], default="")
        return (best,) if best and gains[best] > RIVALS * alone else ()


def _elements(found):
    return [one for one in found if one.element]


def _atomic_number(symbol):
    return elements_db[symbol].General_properties.Z


@cache
def _with_lines():
    return symbols_with_lines(elements_db)
