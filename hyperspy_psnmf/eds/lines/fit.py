# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit of the full model to the sum of all phases, unlisted elements included."""

from dataclasses import dataclass, replace

import numpy as np
from exspy.signals import EDSSEMSpectrum

from hyperspy_psnmf.eds.line_model.calibration import counts_within_fwhm, solve, weigh
from hyperspy_psnmf.eds.line_model.detector_artefacts import pairs_of_phases, pairs_of_strong
from hyperspy_psnmf.eds.line_model.energy_axis import EnergyCalibration
from hyperspy_psnmf.eds.line_model.full_model import MIN_COUNTS, SpectrumModel
from hyperspy_psnmf.eds.line_model.linear_model import LineModel, axis_of, read_beam_energy
from hyperspy_psnmf.eds.line_model.parameters import PRIOR_OF_SUM, Parameters, find_parameters
from hyperspy_psnmf.eds.unlisted.find_peaks import MIN_FRACTION
from hyperspy_psnmf.eds.unlisted.found import ELEMENT, SUM_PEAK, Unlisted
from hyperspy_psnmf.eds.unlisted.search import LIGHT, find_unlisted
from hyperspy_psnmf.eds.xray.lines import element_of
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.solver.one_blas_thread import one_blas_thread

MAX_STEPS = 60  # Gauss-Newton steps
# Predicted decrease of the objective (squared sigma) at which to stop, and, where the step does not
# keep what it promises, up to which that is a minimum: at a kink, as of a line at a bound.
TOLERANCE, INSIGNIFICANT = 0.02, 1.0
SIGNIFICANT = 5.0  # standard errors of a line or of the pile-up
# Tails of a line: up to this fraction of its counts, within this many keV.
NEIGHBOURS, TAILS = 0.2, 0.01


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
        Elements and peaks in the spectra that are not in the list of elements.
    piled_up : ndarray of shape (n_phases, n_pairs)
        Counts in sum peaks of each phase if all photons piled up.
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
        """Offset, gain and resolution of the energy axis, with standard errors."""
        n, kind = len(self.model.lines), self.model.parameters.kinds["axis"]
        of_axis = self.covariance[n:, n:][kind, kind]
        offset, gain, resolution, _ = np.sqrt(np.diag(of_axis))
        fitted, energy = self.model.fitted, self.model.tabulated.energy[self.model.tabulated.use]
        return EnergyCalibration(
            offset=float(fitted.offset),
            offset_error=float(offset),
            gain=float(fitted.gain),
            gain_error=float(gain),
            resolution=float(fitted.resolution),
            resolution_error=float(resolution),
            correlation=float(of_axis[0, 1] / (offset * gain)),
            axis=(float(energy[0]), float(energy[-1])),
        )

    @property
    def line_errors(self) -> np.ndarray:
        """Standard errors of the lines' counts, of shape (n_lines,)."""
        return np.sqrt(np.diag(self.covariance)[: len(self.model.lines)])


@one_blas_thread()
def fit_spectra(spectra, elements: set[str], keep: np.ndarray, variance: np.ndarray) -> FittedSum:
    """Return the model of the sum of spectra, unlisted elements included.

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
    """
    search, found = find_unlisted(spectra, elements, keep, variance)
    fit = _fit(spectra, search, found)
    significant = [one for one in found if _is_significant(one, fit)]
    if len(significant) < len(found):
        found = significant
        fit = _fit(spectra, search, found)
    light = [Unlisted(ELEMENT, 0.0, element=e) for e in LIGHT if e not in elements]
    light = [one for one in light if _is_significant(one, fit) and _exceeds_tails(one, fit)]
    unlisted = [_with_counts(one, fit.model) for one in (*found, *light)]
    sums = [replace(one, rivals=search.rivals_of(one.energy, found)) for one in _sum_peaks(fit)]
    return replace(fit, unlisted=(*unlisted, *sums))


def _fit(spectra, search, found) -> FittedSum:
    """Return the fit to the sum of spectra with the lines of what was found."""
    total, start = spectra.data.sum(axis=0), search.model(found)
    expected = replace(start, **axis_of(search.expected))
    elements = {element_of(line) for line in start.lines if " " not in line}
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
        expected, start, parameters, total, piled_up.sum(axis=0) / np.maximum(of_one, TINY)
    )
    variance = np.maximum(model.recorded, 0.5) + model.shape_variance
    return FittedSum(model, model.covariance(variance), converged, (), piled_up, rows.sum(axis=1))


def fit_sum(
    model: LineModel,
    start: LineModel,
    parameters: Parameters,
    total: np.ndarray,
    co_occurrence: np.ndarray | None = None,
) -> tuple[SpectrumModel, bool]:
    """Return the model of the sum of all spectra, and whether the fit has converged.

    Parameters
    ----------
    model : LineModel
        On the expected energy axis.
    start : LineModel
        The same on a calibrated axis.
    parameters : Parameters
    total : ndarray of shape (n_channels,)
        Counts of all phases.
    co_occurrence : ndarray of shape (n_pairs,), optional
        As of `SpectrumModel`; 1 for spectra of one phase.
    """
    if co_occurrence is None:
        co_occurrence = np.ones(len(parameters.pairs))
    n, use = len(model.lines), model.use
    weights = weigh(start, total[use])
    found = solve(start, total[use], weights)
    variance = np.full(total.size, np.inf)
    variance[use] = weights**-2.0
    expected, counts = np.zeros(len(parameters.names)), max(total[use].sum(), MIN_COUNTS)
    limits = counts_within_fwhm(start, total[use])
    lines = found[:n].clip(0.0)
    fit = SpectrumModel(
        model, parameters, expected, expected, PRIOR_OF_SUM, lines, limits, counts, co_occurrence
    )
    # Start: Kramers' law, scaled to the counts of the continuum.
    kramers = fit.linear.background[use][:, parameters.kinds["splines"]].sum()
    smooth = (start.background[use] @ found[n:]).sum()
    values = np.log(max(smooth, MIN_COUNTS) / kramers) * parameters.is_spline
    values[parameters.kinds["axis"]] = (
        start.offset - model.offset,
        start.gain - model.gain,
        start.resolution - model.resolution,
        start.fano - model.fano,
    )  # fmt: skip
    fit = replace(fit, values=parameters.bounded(values))
    for _ in range(MAX_STEPS):
        before = fit
        fit, predicted = before.improved(total, variance + before.shape_variance)
        if predicted < TOLERANCE:
            return fit, True
        if fit is before:  # no part of the step is an improvement, nor would it be next time
            return fit, predicted < INSIGNIFICANT
    return fit, False


def _lines_of(model, counts):
    """Return the counts of lines in a spectrum by a linear fit, none negative."""
    found = solve(model, counts, weigh(model, counts))[: len(model.lines)]
    return np.maximum(found, 0.0)


def _is_significant(one, fit):
    own = one.families_in(fit.model.tabulated)
    return bool((fit.model.lines[own] > SIGNIFICANT * fit.line_errors[own]).any())


def _exceeds_tails(one, fit):
    """Return whether a light element has more counts than tails of its neighbours can have."""
    model, energy = fit.model, fit.model.fitted.main_energies
    for i in one.families_in(model.tabulated):
        near = np.abs(energy - energy[i]) < NEIGHBOURS
        near[i] = False
        beside = model.lines[near].max(initial=0.0)
        if model.lines[i] > max(MIN_FRACTION * model.total, TAILS * beside):
            return True
    return False


def _with_counts(one, model):
    """Return the same with its strongest line and the counts in it."""
    fitted = model.fitted
    counts = model.lines * fitted.peaks.sum(axis=0)
    best = max(one.families_in(fitted), key=lambda i: counts[i])
    line = fitted.lines[best] if one.element else ""
    energy = float(fitted.main_energies[best]) if one.element else one.energy
    return replace(one, energy=energy, counts=float(counts[best]), line=line)


def _sum_peaks(fit):
    """Return the significant sum peaks, strongest first."""
    model, n = fit.model, len(fit.model.lines)
    kind = model.parameters.kinds["pile_up"]
    errors = np.sqrt(np.diag(fit.covariance))[n:][kind]
    inside = model.tabulated.energy[model.tabulated.use][[0, -1]]
    found = []
    for i, (a, b) in enumerate(model.parameters.pairs):
        counts = model.pile_up[i] * fit.piled_up[:, i]
        energy = float(model.fitted.main_energies[[a, b]].sum())
        large = (counts > MIN_FRACTION * fit.totals).any()
        significant = model.pile_up[i] > SIGNIFICANT * errors[i]
        if large and significant and inside[0] < energy < inside[1]:
            cause = (model.tabulated.lines[a], model.tabulated.lines[b])
            found.append(Unlisted(SUM_PEAK, round(energy, 3), float(counts.sum()), cause=cause))
    return sorted(found, key=lambda one: -one.counts)
