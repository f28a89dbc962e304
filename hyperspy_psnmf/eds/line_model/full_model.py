# SPDX-License-Identifier: GPL-3.0-or-later
r"""Lines and continuum as a detector records them, fitted to a spectrum.

.. math::

    S(E) = R \left[ N(E) \, e^{\sum_b c_b B_b(E) - \sum_s d_s g_s(E)} \right]
           + \sum_l A_l \, G_l(E)

The continuum is Kramers' law :math:`N = (E_0 - E) / E` times a smooth factor, splines
:math:`B_b` on a logarithmic energy axis (P-splines), and the absorption edges :math:`g_s` of
window, detector and specimen. Lines of a family :math:`G_l` are Gaussians in the ratios of their
weights, behind the same edges. Shifts of lines, ratios within shells, skewness, axis, resolution
and the fraction of photons that pile up are fitted too, all with Gaussian priors and within
bounds (maximum a posteriori by Gauss-Newton steps, halved until the posterior rises). The prior
of a line's counts has the counts around it as standard deviation, so that lines which the
spectrum does not distinguish stay finite.

One detector records all phases, so the sum of their spectra is fitted first, then each phase,
with narrow priors about the parameters of the sum. Strong lines deviate from Gaussians, which
must not be fitted by edges beneath them: the error of their shapes is added to the variance.

References
----------
Eilers & Marx, Statistical Science 11 (1996) 89 (P-splines). Kramers, Philosophical Magazine
46 (1923) 836. Fiori, Myklebust, Heinrich & Yakowitz, Analytical Chemistry 48 (1976) 172
(the continuum behind window and specimen).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hyperspy_psnmf.eds.line_model.calibration import counts_within_fwhm, solve_normal, solve_within
from hyperspy_psnmf.eds.line_model.detector_artefacts import pair_shapes, per_line, sum_peaks
from hyperspy_psnmf.eds.line_model.linear_model import LineModel
from hyperspy_psnmf.eds.line_model.parameters import PRIOR_PER_PHASE, ParameterPrior, Parameters
from hyperspy_psnmf.eds.xray.detector import ELECTRONICS, FANO, MN_KA

SHAPE_ERROR = 0.01  # standard deviation, of the maximum of a peak: lines are no exact Gaussians
SHAPE_ERROR_WIDTH = 1.6  # in peak widths: the reach of tails and of errors of the width
MAX_STEP = 1.0  # of a parameter (mostly logarithms) in one Gauss-Newton step
MAX_HALVINGS = 6  # of a step that does not raise the posterior
MIN_COUNTS = 1e-6  # of a spectrum, to divide by


@dataclass(frozen=True, eq=False)
class SpectrumModel:
    """A model of one spectrum.

    Attributes
    ----------
    tabulated : LineModel
        The lines as in the tables, on the axis of the file.
    parameters : Parameters
    values, expected : ndarray of shape (n_parameters,)
        Current values, and the means of their priors.
    prior : ParameterPrior
        Standard deviations of the priors.
    lines, limits : ndarray of shape (n_lines,)
        Counts of lines, and the counts around each main line, an upper limit.
    total : float
        Counts of the spectrum.
    co_occurrence : ndarray of shape (n_pairs,)
        How often photons of two lines come from the same phase, relative to a spectrum of
        one phase.
    """

    tabulated: LineModel
    parameters: Parameters
    values: np.ndarray
    expected: np.ndarray
    prior: ParameterPrior
    lines: np.ndarray
    limits: np.ndarray
    total: float
    co_occurrence: np.ndarray

    @cached_property
    def linear(self) -> LineModel:
        """The model linearised at these values.

        Its background columns are the continuum times each spline (they sum to 1), and the
        derivatives by the other parameters.
        """
        parameters, fitted, n = self.parameters, self.fitted, len(self.lines)
        kinds, shapes = parameters.kinds, fitted.shapes
        counts = fitted.members[:, 2] * self.lines[self._family]
        change = _weighted_product(parameters.spread, self._generated, parameters.of_continuum)
        change += _weighted_product(fitted.single_peaks, counts, parameters.of_lines)
        moved = fitted.sum_over_members(shapes.by_centre) * self.lines
        change[:, kinds["shifts"]] += (1.0 + fitted.gain) * moved
        change[:, kinds["skews"]] += fitted.sum_over_members(shapes.by_skewness) * self.lines
        change[:, kinds["axis"]] += np.column_stack(
            [
                shapes.by_centre @ counts,
                shapes.by_centre @ (counts * fitted.members[:, 1]),
                *(shapes.by_fwhm @ (counts[:, None] * self._widths_by_axis)).T,
            ]
        )
        change[:, kinds["pile_up"]] += sum_peaks(
            parameters.pairs, self._pair_shapes, self.lines, self.total
        )
        precision = np.zeros((n + self.values.size,) * 2)
        precision[np.arange(n), np.arange(n)] = self.limits**-2.0
        precision[n:, n:] = parameters.precision(self.prior)
        return replace(fitted, background=change, precision=precision)

    @cached_property
    def fitted(self) -> LineModel:
        """The lines with the fitted energies, ratios and shapes; its background is not used."""
        pairs, pile_up = self.parameters.pairs, self.values[self.parameters.kinds["pile_up"]]
        columns = per_line(pairs, self._pair_shapes, pile_up, self.lines, self.total)
        return replace(self._without_sums, sum_peaks=columns)

    @cached_property
    def _without_sums(self):
        members, kinds = self.tabulated.members.copy(), self.parameters.kinds
        members[:, 1] += self.values[kinds["shifts"]][self._family]
        members[:, 2] *= np.exp(self.parameters.of_lines @ self.values)
        offset, gain, resolution, fano = self.values[kinds["axis"]]
        return replace(
            self.tabulated,
            members=members,
            offset=self.tabulated.offset + offset,
            gain=self.tabulated.gain + gain,
            resolution=max(self.tabulated.resolution + resolution, ELECTRONICS),
            fano=1.0 + fano,
            skewness=self.values[kinds["skews"]],
        )

    @property
    def _widths_by_axis(self):
        """Derivatives of the FWHM by resolution and Fano term, (n_members, 2)."""
        fwhm, energy = self._without_sums.fwhm, self._without_sums.members[:, 1]
        statistics = fwhm > 1e-3 * ELECTRONICS
        by_resolution = 1e-6 * self._without_sums.resolution / fwhm
        by_fano = 0.5e-6 * FANO * (energy - MN_KA) / fwhm
        return np.column_stack([by_resolution, by_fano]) * statistics[:, None]

    @cached_property
    def _pair_shapes(self):
        return self.co_occurrence * pair_shapes(self._without_sums, self.parameters.pairs)

    @property
    def pile_up(self) -> np.ndarray:
        """Fractions of photons that pile up, of shape (n_pairs,)."""
        return self.values[self.parameters.kinds["pile_up"]]

    @property
    def _family(self):
        return self.tabulated.members[:, 0].astype(int)

    @cached_property
    def _generated(self):
        parameters = self.parameters
        return parameters.kramers * np.exp(parameters.of_continuum @ self.values)

    @property
    def continuum(self) -> np.ndarray:
        """Counts of the continuum in each channel."""
        return self.parameters.spread @ self._generated

    @property
    def recorded(self) -> np.ndarray:
        """Expected counts in each channel."""
        return self.fitted.peaks @ self.lines + self.continuum

    @property
    def shape_variance(self) -> np.ndarray:
        """Variance of counts from lines that are no exact Gaussians, of shape (n_channels,).

        The error in the flanks is a fraction of the peak's maximum, not of the counts there:
        otherwise tails would determine the energy of a peak.
        """
        peaks = self.fitted.wider_peaks(SHAPE_ERROR_WIDTH) @ np.maximum(self.lines, 0.0)
        return (SHAPE_ERROR * SHAPE_ERROR_WIDTH * peaks) ** 2

    def refined(self, counts: np.ndarray, variance: np.ndarray) -> "SpectrumModel":
        """Return the same after one Gauss-Newton step, with lines of either sign.

        Parameters
        ----------
        counts, variance : ndarray of shape (n_channels,)
        """
        normal, right, change = self._normal_equations(counts, variance)
        found = solve_normal(normal, right)
        step = np.clip(change + found[len(self.lines) :], -MAX_STEP, MAX_STEP)
        values = self.parameters.bounded(self.values + step)
        return replace(self, values=values, lines=found[: len(self.lines)])

    def improved(self, counts: np.ndarray, variance: np.ndarray) -> tuple["SpectrumModel", float]:
        """Return the same after one step that raises the posterior, with lines >= 0.

        Parameters
        ----------
        counts, variance : ndarray of shape (n_channels,)

        Returns
        -------
        model : SpectrumModel
        predicted : float
            Decrease of `objective` that its quadratic model predicts for the whole step.
        """
        n = len(self.lines)
        normal, right, change = self._normal_equations(counts, variance)
        here = np.append(self.lines, -change)
        least, most = self.parameters.bounds - self.values
        low = np.append(np.zeros(n), np.maximum(least, -MAX_STEP) - change)
        high = np.append(np.full(n, np.inf), np.minimum(most, MAX_STEP) - change)
        step = solve_within(normal, right, low, high) - here
        predicted = float(2.0 * step @ (right - normal @ here) - step @ normal @ step)
        best = self.objective(counts, variance)
        for fraction in 0.5 ** np.arange(MAX_HALVINGS):
            values, lines = self.values + fraction * step[n:], self.lines + fraction * step[:n]
            moved = replace(self, values=self.parameters.bounded(values), lines=lines)
            if moved.objective(counts, variance) < best:
                return moved, predicted
        return self, predicted

    def objective(self, counts: np.ndarray, variance: np.ndarray) -> float:
        """Return minus twice the logarithm of the posterior, up to a constant."""
        use = self.tabulated.use
        residuals = (counts - self.recorded)[use]
        off = self.values - self.expected
        penalty = off @ self.parameters.precision(self.prior) @ off
        return float(
            residuals @ (residuals / variance[use])
            + penalty
            + ((self.lines / self.limits) ** 2).sum()
        )

    def covariance(self, variance: np.ndarray) -> np.ndarray:
        """Return the covariance of lines and parameters, priors included.

        Parameters
        ----------
        variance : ndarray of shape (n_channels,)

        Returns
        -------
        covariance : ndarray of shape (n_lines + n_parameters, n_lines + n_parameters)
        """
        return solve_normal(
            self.linear.normal(variance), np.eye(len(self.lines) + self.values.size)
        )

    def _normal_equations(self, counts, variance):
        """Return the normal equations for lines and for deviations from the priors' means."""
        linear = self.linear
        change = self.expected - self.values
        # Splines of the linear model that sum to 1 are the continuum itself.
        rest = counts - linear.background @ (change + self.parameters.is_spline)
        right = linear.columns.T @ (rest / variance)[linear.use]
        return linear.normal(variance), right, change

    def for_phase(self, counts: np.ndarray) -> "SpectrumModel":
        """Return the starting model of one phase, with priors from this fit to the sum.

        Parameters
        ----------
        counts : ndarray of shape (n_channels,)
            Spectrum of the phase.
        """
        total = max(counts[self.tabulated.use].sum(), MIN_COUNTS)
        fraction = total / max(self.total, MIN_COUNTS)
        values = self.values + np.log(fraction) * self.parameters.is_spline
        # Where unmixing has removed too much, a line may be as negative as the continuum is high.
        around = np.maximum(counts, fraction * self.continuum)
        return replace(
            self,
            values=values,
            expected=values,
            prior=PRIOR_PER_PHASE,
            lines=fraction * self.lines,
            limits=counts_within_fwhm(self.fitted, around[self.tabulated.use]),
            total=total,
            co_occurrence=np.ones(len(self.parameters.pairs)),
        )


def _weighted_product(left, weights, right):
    """Return left @ diag(weights) @ right, of which many columns are zero."""
    found, some = np.zeros((left.shape[0], right.shape[1])), right.any(axis=0)
    found[:, some] = left @ (weights[:, None] * right[:, some])
    return found
