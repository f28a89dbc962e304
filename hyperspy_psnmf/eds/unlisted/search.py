# SPDX-License-Identifier: GPL-3.0-or-later
"""Search for unlisted elements: of grids, holders, contamination, ion beams.

A strong line that the model lacks distorts the background beneath it, and lines nearby are wrong
by many standard errors, even negative. So each significant peak of the residual is assigned to
the element whose lines fit it best; these lines are fitted with the others. A peak that fits no
element is fitted by itself, and so is one at the escape energy of a strong line. A residual that
slightly shifted lines fit as well is no peak.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from exspy.material import elements as elements_db
from scipy.ndimage import gaussian_filter1d

from hyperspy_psnmf._compat import symbols_with_lines
from hyperspy_psnmf.eds.line_model.calibration import calibrate
from hyperspy_psnmf.eds.line_model.detector_artefacts import ENERGY_TOLERANCE, find_escaped
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

# Light elements are always fitted, since their lines and edges overlap.
LIGHT = ("C", "N", "O")
USUAL = (*LIGHT, "Cu")  # of contamination, oxide films and grids: in most spectra
MAX_PEAKS = 12
MAX_ROUNDS = 4  # of search and calibration
REACH = 0.15  # keV; a strong peak distorts the background and so shifts the residual
# Thresholds in squared standard deviations or as fractions of gains (decreases of the squared
# residual), chosen on the built-in phantoms.
RIVAL_GAIN = 0.9  # of the best gain: candidates that are compared after a calibration each
RIVAL_MARGIN = 9.0  # squared standard deviations between residuals that fit equally well
PENALTY_PER_FAMILY = 0.03  # of the squared residual, for each family of lines
MIN_ELEMENT_GAIN = 0.6  # of a single peak's gain at any energy, as the energy axis may be off
MULTI_LINE_GAIN = 1.05  # of a single peak's gain, which shows that further lines fit too


def find_unlisted(
    spectra, elements: set[str], keep: np.ndarray, variance: np.ndarray
) -> tuple["Search", list[Unlisted]]:
    """Return unlisted elements and peaks, and the search that found them, on a calibrated axis.

    Parameters
    ----------
    spectra : EDSSpectrum
        Spectra of phases; they are not changed.
    elements : set of str
        Symbols of the elements listed.
    keep : ndarray of bool, of shape (n_channels,)
        Channels in use.
    variance : ndarray of shape (n_phases, n_channels)
        Of the spectra.

    Returns
    -------
    search : Search
    unlisted : list of Unlisted
        Elements, and peaks of no element.
    """
    listed = on_found_axis(spectra, elements, keep)
    axis = calibrate(listed, spectra.data)
    search = Search(spectra, frozenset(elements), keep, variance, listed, axis)
    if search.next_peak([]) is None:
        return search, []
    # With lines missing, the local calibration is unreliable: start from the grid search.
    search, unlisted = replace(search, axis=listed), []
    for _ in range(MAX_ROUNDS):
        before, unlisted = unlisted, search.run()
        # Peaks of no element have no tabulated energy, so they cannot calibrate the axis.
        axis = search.model(_elements(unlisted))
        search = replace(search, axis=calibrate(replace(axis, **axis_of(listed)), spectra.data))
        if {str(one) for one in unlisted} == {str(one) for one in before}:
            break
    return search, unlisted


def on_found_axis(spectra, elements, keep: np.ndarray) -> LineModel:
    """Return the model of the elements' lines on the axis from the grid search."""
    usual = build_line_model(spectra, {*elements, *USUAL}, keep)
    offset, gain = find_axis(usual, spectra.data.sum(axis=0))
    listed = build_line_model(spectra, {*elements, *LIGHT}, keep)
    return replace(listed, offset=offset, gain=gain)


@dataclass(frozen=True, eq=False)
class Search:
    """The search for peaks, with energies and widths of lines from another model.

    Attributes
    ----------
    spectra : EDSSpectrum
    listed : frozenset of str
        Elements.
    keep : ndarray of bool, of shape (n_channels,)
    variance : ndarray of shape (n_phases, n_channels)
    expected, axis : LineModel
        Models of the listed elements on the axis from the grid search, and on the axis that
        `calibrate` finds from there.
    """

    spectra: object
    listed: frozenset
    keep: np.ndarray
    variance: np.ndarray
    expected: LineModel
    axis: LineModel

    @cached_property
    def rows(self):
        """Counts of the sum of phases and of each phase, and weights of the channels in use."""
        counts = np.vstack([self.spectra.data.sum(axis=0), self.spectra.data])
        # From smoothed counts, as the fit may be bad.
        total = gaussian_filter1d(counts[0], 3.0, mode="nearest")
        variance = np.maximum(np.vstack([total, self.variance]), 0.5)
        return counts, 1.0 / np.sqrt(variance[:, self.axis.use])

    def model(self, found):
        """Return the model with the lines of unlisted elements and peaks too."""
        peaks = [one.energy for one in found if not one.element]
        elements = {*self.listed, *LIGHT, *(one.element for one in found if one.element)}
        model = build_line_model(self.spectra, elements, self.keep, peaks=peaks)
        return replace(model, **axis_of(self.axis))

    def run(self):
        """Return the elements and peaks that fit the significant peaks of the residual."""
        found, explained = [], []
        while len(found) < MAX_PEAKS and (peak := self.next_peak(found, explained)):
            one = self.explain(peak, found)
            if one is None:
                explained.append(peak.energy)
            else:
                found.append(one)
        # An early find may be redundant after a later one.
        for one in tuple(found):
            others = [other for other in found if other is not one]
            peak = self.next_peak(others, explained)
            if peak is None:
                found = others
            elif self.has_line_near(one, peak.energy):
                again = self.explain(peak, others)
                found = others if again is None else [*others, again]
        return found

    def has_line_near(self, one, at):
        """Return whether an unlisted element or peak has a main line near an energy in keV."""
        model = self.model([one])
        own = model.main_energies[one.families_in(model)]
        return bool((np.abs(own - at) < REACH).any())

    def next_peak(self, found, explained=()):
        """Return the next significant peak, or None; none at energies that are explained."""
        return find_peak(self.model(found), *self.rows, explained)

    def explain(self, peak, found):
        """Return the element or peak that fits best; None where the lines in the model do."""
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
        if top <= MULTI_LINE_GAIN * alone:
            escaped = find_escaped(model, *row, peak._replace(energy=place))
            if escaped:
                rival = max(gains, key=lambda name: gains[name], default="")
                rivals = (rival,) if top > RIVAL_GAIN * alone else ()
                return Unlisted("escape peak", place, cause=(escaped,), rivals=rivals)
        if top <= MIN_ELEMENT_GAIN * alone:
            return Unlisted("unknown peak", place)
        rivals = [name for name, gain in gains.items() if gain > RIVAL_GAIN * top]
        if len(rivals) > 1:
            scores = {name: self.score(name, found, row) for name in rivals}
            rivals = [name for name in rivals if scores[name] < min(scores.values()) + RIVAL_MARGIN]
        # The lightest of those that fit equally well, as it is by far the most abundant.
        return Unlisted("element", at, element=min(rivals, key=_atomic_number))

    def score(self, element, found, row):
        """Return the penalised squared residual with another element, axis recalibrated."""
        one = Unlisted("element", 0.0, element=element)
        model = calibrate(self.model([*found, one]), self.spectra.data)
        return Residual(model, *row).squared * (
            1 + len(one.families_in(model)) * PENALTY_PER_FAMILY
        )

    def rivals_of(self, energy: float, found) -> tuple[str, ...]:
        """Return the unlisted element that fits a sum peak nearly as well, if any."""
        model = self.model(found)
        row = [values[0] for values in self.rows]
        residual = Residual(model, *row, sum_peaks=False)
        known = {*self.listed, *LIGHT, *(one.element for one in found)}
        others = sorted(set(_with_lines()) - known)
        beam_energy = read_beam_energy(self.spectra)
        gains = gains_of_elements(
            residual, model, others, energy, beam_energy, reach=ENERGY_TOLERANCE
        )
        alone, _ = max(gains_of_peaks(residual, model, Peak(0, energy, np.inf), row))
        best = max(gains, key=lambda name: gains[name], default="")
        return (best,) if best and gains[best] > RIVAL_GAIN * alone else ()


def _elements(found):
    return [one for one in found if one.element]


def _atomic_number(symbol):
    return elements_db[symbol].General_properties.Z


@cache
def _with_lines():
    return symbols_with_lines(elements_db)
