# SPDX-License-Identifier: GPL-3.0-or-later
r"""Lines and continuum as a detector records them, fitted to a spectrum.

.. math::

    S(E) = R \left[ N(E) \, e^{\sum_b c_b B_b(E) - \sum_s d_s g_s(E)} \right]
           + \sum_l A_l \, G_l(E)

The continuum is Kramers' law :math:`N = (E_0 - E) / E` times what is smooth, splines
:math:`B_b` on a logarithmic energy axis (P-splines), and what is not: absorption edges
:math:`g_s` of window, detector and specimen. Lines of a family :math:`G_l` are Gaussians in
the ratios of their weights, behind the same edges. Places of lines, the ratios within L and
shells, skewness, axis, resolution and the fraction of photons that pile up are fitted too, all with
a Gaussian prior about what is expected of them, and within bounds (Gauss-Newton steps,
halved until the posterior rises). The prior of a line's counts is as wide as the counts
around it are many, so that lines which nothing distinguishes stay finite.

One detector records all phases, so the sum of their spectra is fitted first, then each
phase, held to what the sum told. Strong lines deviate from Gaussians, which must not pass
for edges beneath them: their shapes are an error of the counts.

References
----------
Eilers & Marx, Statistical Science 11 (1996) 89 (P-splines). Kramers, Philosophical Magazine
46 (1923) 836. Fiori, Myklebust, Heinrich & Yakowitz, Analytical Chemistry 48 (1976) 172
(the continuum behind window and specimen).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hyperspy_psnmf.eds.line_model.calibration import counts_around, solve_normal, solve_within
from hyperspy_psnmf.eds.line_model.detector_artefacts import pair_shapes, per_line, sum_peaks
from hyperspy_psnmf.eds.line_model.linear_model import LineModel
from hyperspy_psnmf.eds.line_model.parameters import ONCE_THE_SUM_IS_KNOWN, KnownTo, Parameters
from hyperspy_psnmf.eds.xray.detector import ELECTRONICS, FANO, MN_KA

SHAPES_KNOWN_TO = 0.01  # of the maximum of a peak
WIDER = 1.6  # than a peak: where its tails, and errors of its width, reach
STEP = 1.0  # of a logarithm in one round
HALVINGS = 6  # of a step that does not raise the posterior
FEWEST = 1e-6  # counts


@dataclass(frozen=True, eq=False)
class SpectrumModel:
    """A model of one spectrum.

    Attributes
    ----------
    bare : LineModel
        The lines as database and file have them.
    parameters : Parameters
    values, expected : ndarray of shape (n_parameters,)
        Found so far, and expected before the spectrum was seen.
    known : KnownTo
        How well they are expected.
    lines, limits : ndarray of shape (n_lines,)
        Counts, and those around each main line, which are at most the line's.
    total : float
        Counts of the spectrum.
    together : ndarray of shape (n_pairs,)
        How often two lines meet in the same phase, relative to a spectrum of one phase.
    """

    bare: LineModel
    parameters: Parameters
    values: np.ndarray
    expected: np.ndarray
    known: KnownTo
    lines: np.ndarray
    limits: np.ndarray
    total: float
    together: np.ndarray

    @cached_property
    def linear(self) -> LineModel:
        """The linear model about these values.

        Its background is the continuum times each spline, which sum to 1, and what
        changes with the other parameters.
        """
        parameters, bent, n = self.parameters, self.bent, len(self.lines)
        kinds, shapes = parameters.kinds, bent.shapes
        counts = bent.members[:, 2] * self.lines[self._family]
        change = parameters.spread @ (self._generated[:, None] * parameters.of_continuum)
        change += bent.single_peaks @ (counts[:, None] * parameters.of_lines)
        moved = bent.sum_over_members(shapes.by_centre) * self.lines
        change[:, kinds["places"]] += (1.0 + bent.gain) * moved
        change[:, kinds["skews"]] += bent.sum_over_members(shapes.by_skewness) * self.lines
        change[:, kinds["axis"]] += np.column_stack(
            [
                shapes.by_centre @ counts,
                shapes.by_centre @ (counts * bent.members[:, 1]),
                *(shapes.by_fwhm @ (counts[:, None] * self._widths_by_axis)).T,
            ]
        )
        change[:, kinds["pile_up"]] += sum_peaks(
            parameters.pairs, self._pair_shapes, self.lines, self.total
        )
        precision = np.zeros((n + self.values.size,) * 2)
        precision[np.arange(n), np.arange(n)] = self.limits**-2.0
        precision[n:, n:] = parameters.precision(self.known)
        return replace(bent, background=change, precision=precision)

    @cached_property
    def bent(self) -> LineModel:
        """The lines where they are and as strong as they are, without a continuum of use."""
        pairs, pile_up = self.parameters.pairs, self.values[self.parameters.kinds["pile_up"]]
        columns = per_line(pairs, self._pair_shapes, pile_up, self.lines, self.total)
        return replace(self._without_sums, sum_peaks=columns)

    @cached_property
    def _without_sums(self):
        members, kinds = self.bare.members.copy(), self.parameters.kinds
        members[:, 1] += self.values[kinds["places"]][self._family]
        members[:, 2] *= np.exp(self.parameters.of_lines @ self.values)
        offset, gain, resolution, fano = self.values[kinds["axis"]]
        return replace(
            self.bare,
            members=members,
            offset=self.bare.offset + offset,
            gain=self.bare.gain + gain,
            resolution=max(self.bare.resolution + resolution, ELECTRONICS),
            fano=1.0 + fano,
            skewness=self.values[kinds["skews"]],
        )

    @property
    def _widths_by_axis(self):
        """Derivatives of widths by resolution and Fano term, (n_members, 2)."""
        fwhm, energy = self._without_sums.fwhm, self._without_sums.members[:, 1]
        statistics = fwhm > 1e-3 * ELECTRONICS
        by_resolution = 1e-6 * self._without_sums.resolution / fwhm
        by_fano = 0.5e-6 * FANO * (energy - MN_KA) / fwhm
        return np.column_stack([by_resolution, by_fano]) * statistics[:, None]

    @cached_property
    def _pair_shapes(self):
        return self.together * pair_shapes(self._without_sums, self.parameters.pairs)

    @property
    def pile_up(self) -> np.ndarray:
        """Fractions of photons that pile up, of shape (n_pairs,)."""
        return self.values[self.parameters.kinds["pile_up"]]

    @property
    def _family(self):
        return self.bare.members[:, 0].astype(int)

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
        return self.bent.peaks @ self.lines + self.continuum

    @property
    def shape_variance(self) -> np.ndarray:
        """Variance of counts as lines are no Gaussians, of shape (n_channels,).

        Flanks are known to a fraction of the peak, not of themselves: with weights
        relative to the counts there, tails would determine the place of a peak.
        """
        peaks = self.bent.wider_peaks(WIDER) @ np.maximum(self.lines, 0.0)
        return (SHAPES_KNOWN_TO * WIDER * peaks) ** 2

    def refined(self, counts: np.ndarray, variance: np.ndarray) -> "SpectrumModel":
        """Return the same after one Gauss-Newton step, with lines of either sign.

        Parameters
        ----------
        counts, variance : ndarray of shape (n_channels,)
        """
        normal, right, change = self._normal_equations(counts, variance)
        found = solve_normal(normal, right)
        step = np.clip(change + found[len(self.lines) :], -STEP, STEP)
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
        promised : float
            By how much the whole step lowers the quadratic model of `objective`.
        """
        n = len(self.lines)
        normal, right, change = self._normal_equations(counts, variance)
        here = np.append(self.lines, -change)
        least, most = self.parameters.bounds - self.values
        low = np.append(np.zeros(n), np.maximum(least, -STEP) - change)
        high = np.append(np.full(n, np.inf), np.minimum(most, STEP) - change)
        way = solve_within(normal, right, low, high) - here
        promised = float(2.0 * way @ (right - normal @ here) - way @ normal @ way)
        best = self.objective(counts, variance)
        for fraction in 0.5 ** np.arange(HALVINGS):
            values, lines = self.values + fraction * way[n:], self.lines + fraction * way[:n]
            moved = replace(self, values=self.parameters.bounded(values), lines=lines)
            if moved.objective(counts, variance) < best:
                return moved, promised
        return self, promised

    def objective(self, counts: np.ndarray, variance: np.ndarray) -> float:
        """Return minus twice the logarithm of the posterior, but for a constant."""
        use = self.bare.use
        left = (counts - self.recorded)[use]
        off = self.values - self.expected
        prior = off @ self.parameters.precision(self.known) @ off
        return float(
            left @ (left / variance[use]) + prior + ((self.lines / self.limits) ** 2).sum()
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
        """Return those of lines and changes of parameters beside what is expected of them."""
        linear = self.linear
        change = self.expected - self.values
        # Splines of the linear model that sum to 1 are the continuum itself.
        rest = counts - linear.background @ (change + self.parameters.is_spline)
        right = linear.columns.T @ (rest / variance)[linear.use]
        return linear.normal(variance), right, change

    def of_part(self, counts: np.ndarray) -> "SpectrumModel":
        """Return what is expected of a spectrum, as part of that which was fitted.

        Parameters
        ----------
        counts : ndarray of shape (n_channels,)
        """
        total = max(counts[self.bare.use].sum(), FEWEST)
        fraction = total / max(self.total, FEWEST)
        values = self.values + np.log(fraction) * self.parameters.is_spline
        # Where unmixing took too much, a line is as far below zero as the continuum is high.
        around = np.maximum(counts, fraction * self.continuum)
        return replace(
            self,
            values=values,
            expected=values,
            known=ONCE_THE_SUM_IS_KNOWN,
            lines=fraction * self.lines,
            limits=counts_around(self.bent, around[self.bare.use]),
            total=total,
            together=np.ones(len(self.parameters.pairs)),
        )
