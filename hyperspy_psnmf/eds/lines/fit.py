# SPDX-License-Identifier: GPL-3.0-or-later
"""The full model of the sum of all phases, with the lines of whatever is in it."""

from dataclasses import dataclass, replace

import numpy as np
from exspy.signals import EDSSEMSpectrum

from hyperspy_psnmf.eds.line_model.calibration import counts_around, solve, weigh
from hyperspy_psnmf.eds.line_model.detector_artefacts import pairs_of_phases, pairs_of_strong
from hyperspy_psnmf.eds.line_model.energy_axis import EnergyCalibration
from hyperspy_psnmf.eds.line_model.full_model import FEWEST, SpectrumModel
from hyperspy_psnmf.eds.line_model.linear_model import LineModel, axis_of, read_beam_energy
from hyperspy_psnmf.eds.line_model.parameters import BEFORE, Parameters, find_parameters
from hyperspy_psnmf.eds.unlisted.found import ELEMENT, SUM_PEAK, Unlisted
from hyperspy_psnmf.eds.unlisted.search import LIGHT, find_unlisted

MAX_ROUNDS = 60
SETTLED = 0.02  # of squared standard deviations, that a step may still promise
SIGNIFICANT = 5.0  # standard errors of a line or of the pile-up
WORTH_NAMING = 0.003  # of all counts; a smaller peak changes no composition
NEIGHBOURS, TAILS = 0.2, 0.01  # keV; of the counts of a line, which reach that far


@dataclass(frozen=True, eq=False)
class FittedSum:
    """The model of the sum of spectra.

    Attributes
    ----------
    model : SpectrumModel
    covariance : ndarray of shape (n_lines + n_parameters, n_lines + n_parameters)
        Of the lines' counts and the parameters, priors included.
    converged : bool
    unlisted : tuple of Unlisted
        What is in the spectra though nobody listed it.
    piled_up : ndarray of shape (n_phases, n_pairs)
        Counts in sum peaks if all photons piled up.
    totals : ndarray of shape (n_phases,)
        Counts of the phases in the channels fitted.
    """

    model: SpectrumModel
    covariance: np.ndarray
    converged: bool
    unlisted: tuple[Unlisted, ...]
    piled_up: np.ndarray
    totals: np.ndarray

    @property
    def axis(self) -> EnergyCalibration:
        """Where lines are recorded and how wide, with standard errors."""
        n, kind = len(self.model.lines), self.model.parameters.kinds["axis"]
        of_axis = self.covariance[n:, n:][kind, kind]
        offset, gain, resolution, _ = np.sqrt(np.diag(of_axis))
        bent, energy = self.model.bent, self.model.bare.energy[self.model.bare.use]
        return EnergyCalibration(
            offset=float(bent.offset),
            offset_error=float(offset),
            gain=float(bent.gain),
            gain_error=float(gain),
            resolution=float(bent.resolution),
            resolution_error=float(resolution),
            correlation=float(of_axis[0, 1] / (offset * gain)),
            axis=(float(energy[0]), float(energy[-1])),
        )

    @property
    def line_errors(self) -> np.ndarray:
        """Standard errors of the lines' counts, of shape (n_lines,)."""
        return np.sqrt(np.diag(self.covariance)[: len(self.model.lines)])


def fit_spectra(spectra, elements: set[str], keep: np.ndarray, variance: np.ndarray) -> FittedSum:
    """Return the model of the sum of spectra, with what is in it though nobody listed it.

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
    """
    search, found = find_unlisted(spectra, elements, keep, variance)
    fit = _fit(spectra, search, found)
    significant = [one for one in found if _is_significant(one, fit)]
    if len(significant) < len(found):
        found = significant
        fit = _fit(spectra, search, found)
    light = [Unlisted(ELEMENT, 0.0, element=e) for e in LIGHT if e not in elements]
    light = [one for one in light if _is_significant(one, fit) and _is_worth_naming(one, fit)]
    unlisted = [_with_counts(one, fit.model) for one in (*found, *light)]
    sums = [replace(one, rivals=search.rivals_of(one.energy, found)) for one in _sum_peaks(fit)]
    return replace(fit, unlisted=(*unlisted, *sums))


def _fit(spectra, search, found) -> FittedSum:
    """Return the fit to the sum of spectra with the lines of what was found."""
    total, start = spectra.data.sum(axis=0), search.model(found)
    expected = replace(start, **axis_of(search.expected))
    elements = {line.partition("_")[0] for line in start.lines if " " not in line}
    bulk = isinstance(spectra, EDSSEMSpectrum)
    use, rows = start.use, spectra.data[:, start.use]
    lines = _lines_of(start, total[use])
    pairs = pairs_of_strong(lines, total[use].sum())
    parameters = find_parameters(
        expected, elements, read_beam_energy(spectra), bulk=bulk, pairs=pairs
    )
    of_phases = np.array([_lines_of(start, row) for row in rows])
    piled_up = pairs_of_phases(pairs, of_phases, rows.sum(axis=1))
    of_one = pairs_of_phases(pairs, lines[None], total[use].sum(keepdims=True))[0]
    model, converged = fit_sum(
        expected, start, parameters, total, piled_up.sum(axis=0) / np.maximum(of_one, 1e-300)
    )
    variance = np.maximum(model.recorded, 0.5) + model.shape_variance
    return FittedSum(model, model.covariance(variance), converged, (), piled_up, rows.sum(axis=1))


def fit_sum(
    model: LineModel,
    start: LineModel,
    parameters: Parameters,
    total: np.ndarray,
    together: np.ndarray | None = None,
) -> tuple[SpectrumModel, bool]:
    """Return the model of the sum of all spectra, and whether the fit has converged.

    Parameters
    ----------
    model : LineModel
        On the axis that is expected.
    start : LineModel
        The same on a calibrated axis.
    parameters : Parameters
    total : ndarray of shape (n_channels,)
        Counts of all phases.
    together : ndarray of shape (n_pairs,), optional
        As of `SpectrumModel`; 1 for spectra of one phase.
    """
    if together is None:
        together = np.ones(len(parameters.pairs))
    n, use = len(model.lines), model.use
    weights = weigh(start, total[use])
    found = solve(start, total[use], weights)
    variance = np.full(total.size, np.inf)
    variance[use] = weights**-2.0
    expected, counts = np.zeros(len(parameters.names)), max(total[use].sum(), FEWEST)
    limits = counts_around(start, total[use])
    lines = found[:n].clip(0.0)
    fit = SpectrumModel(
        model, parameters, expected, expected, BEFORE, lines, limits, counts, together
    )
    # Kramers' law with as many counts, for a start.
    straight = fit.linear.background[use][:, parameters.kinds["splines"]].sum()
    smooth = (start.background[use] @ found[n:]).sum()
    values = np.log(max(smooth, FEWEST) / straight) * parameters.is_spline
    values[parameters.kinds["axis"]] = (
        start.offset - model.offset,
        start.gain - model.gain,
        start.resolution - model.resolution,
        start.fano - model.fano,
    )  # fmt: skip
    fit = replace(fit, values=parameters.bounded(values))
    for _ in range(MAX_ROUNDS):
        fit, promised = fit.improved(total, variance + fit.shape_variance)
        if promised < SETTLED:
            return fit, True
    return fit, False


def _lines_of(model, counts):
    """Return the counts of lines in a spectrum by a linear fit, none negative."""
    found = solve(model, counts, weigh(model, counts))[: len(model.lines)]
    return np.maximum(found, 0.0)


def _is_significant(one, fit):
    own = one.families_in(fit.model.bare)
    return bool((fit.model.lines[own] > SIGNIFICANT * fit.line_errors[own]).any())


def _is_worth_naming(one, fit):
    """Return whether a light element is more than what tails of its neighbours may be."""
    model, energy = fit.model, fit.model.bent.main_energies
    for i in one.families_in(model.bare):
        near = np.abs(energy - energy[i]) < NEIGHBOURS
        near[i] = False
        beside = model.lines[near].max(initial=0.0)
        if model.lines[i] > max(WORTH_NAMING * model.total, TAILS * beside):
            return True
    return False


def _with_counts(one, model):
    """Return the same with its strongest line and the counts of that."""
    bent = model.bent
    counts = model.lines * bent.peaks.sum(axis=0)
    best = max(one.families_in(bent), key=lambda i: counts[i])
    line = bent.lines[best] if one.element else ""
    energy = float(bent.main_energies[best]) if one.element else one.energy
    return replace(one, energy=energy, counts=float(counts[best]), line=line)


def _sum_peaks(fit):
    """Return the significant sum peaks, strongest first."""
    model, n = fit.model, len(fit.model.lines)
    kind = model.parameters.kinds["pile_up"]
    errors = np.sqrt(np.diag(fit.covariance))[n:][kind]
    inside = model.bare.energy[model.bare.use][[0, -1]]
    found = []
    for i, (a, b) in enumerate(model.parameters.pairs):
        counts = model.pile_up[i] * fit.piled_up[:, i]
        energy = float(model.bent.main_energies[[a, b]].sum())
        large = (counts > WORTH_NAMING * fit.totals).any()
        significant = model.pile_up[i] > SIGNIFICANT * errors[i]
        if large and significant and inside[0] < energy < inside[1]:
            cause = (model.bare.lines[a], model.bare.lines[b])
            found.append(Unlisted(SUM_PEAK, round(energy, 3), float(counts.sum()), cause=cause))
    return sorted(found, key=lambda one: -one.counts)
