# SPDX-License-Identifier: GPL-3.0-or-later
r"""Lines and continuum as a detector records them, fitted to a spectrum.

.. math::

    S(E) = R \left[ N(E) \, e^{\sum_b c_b B_b(E) - \sum_s d_s g_s(E)} \right]
           + \sum_l A_l \, G_l(E)

The continuum is Kramers' law :math:`N = (E_0 - E) / E` times what is smooth, splines
:math:`B_b` on a logarithmic energy axis (P-splines), and what is not: absorption edges
:math:`g_s` of window, detector and specimen. Lines of a family :math:`G_l` are Gaussians in
the ratios of their weights, behind the same edges. Places of lines, the ratios within L and
M shells, axis and resolution are fitted too, all with a Gaussian prior about what is
expected of them (Gauss-Newton).

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

from hyperspy_psnmf.eds.line_calibration import solve, weigh
from hyperspy_psnmf.eds.line_model import LineModel
from hyperspy_psnmf.eds.spectrum_parameters import (
    BEFORE,
    ONCE_THE_SUM_IS_KNOWN,
    KnownTo,
    Parameters,
)

MAX_ROUNDS = 30
SETTLED = 0.01  # of standard errors of lines, and of the continuum
SHAPES_KNOWN_TO = 0.02  # of a peak
STEP = 1.0  # of a logarithm in one round
SMALL = 1e-6  # keV, to differentiate by
FEWEST = 1e-6  # counts


@dataclass(frozen=True)
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
    lines : ndarray of shape (n_lines,)
        Counts.
    """

    bare: LineModel
    parameters: Parameters
    values: np.ndarray
    expected: np.ndarray
    known: KnownTo
    lines: np.ndarray

    @cached_property
    def linear(self) -> LineModel:
        """The linear model about these values.

        Its background is the continuum times each spline, which sum to 1, and what
        changes with the other parameters.
        """
        parameters, bent, n = self.parameters, self.bent, len(self.lines)
        continuum = self._generated
        counts = bent.members[:, 2] * self.lines[self._family]
        change = parameters.spread @ (continuum[:, None] * parameters.of_continuum)
        change += bent.single_peaks @ (counts[:, None] * parameters.of_lines)
        change[:, parameters.kinds["places"].start :] += self._moved(bent, counts)
        precision = np.zeros((n + self.values.size,) * 2)
        precision[n:, n:] = parameters.precision(self.known)
        return replace(bent, background=change, precision=precision)

    @cached_property
    def bent(self) -> LineModel:
        """The lines where they are and as strong as they are, without a continuum of use."""
        members, kinds = self.bare.members.copy(), self.parameters.kinds
        members[:, 1] += self.values[kinds["places"]][self._family]
        members[:, 2] *= np.exp(self.parameters.of_lines @ self.values)
        offset, gain, resolution = self.values[kinds["axis"]]
        return replace(
            self.bare,
            members=members,
            offset=offset,
            gain=gain,
            resolution=max(self.bare.resolution + resolution, 20.0),
        )

    @property
    def _family(self):
        return self.bare.members[:, 0].astype(int)

    def _moved(self, bent, counts):
        """Return what changes with places of lines and the axis, per keV and eV."""

        def per(change, size):
            up, down = (replace(bent, **change(sign * size / 2)) for sign in (1, -1))
            return (up.single_peaks - down.single_peaks) * counts / size

        slopes = per(lambda by: {"offset": bent.offset + by}, SMALL)
        wider = per(lambda by: {"resolution": bent.resolution + by}, 1e3 * SMALL)
        of = np.zeros((counts.size, len(self.lines)))
        of[np.arange(counts.size), self._family] = 1.0
        axis = [slopes.sum(axis=1), slopes @ bent.members[:, 1], wider.sum(axis=1)]
        return np.column_stack([(1.0 + bent.gain) * (slopes @ of), *axis])

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
        """Variance of counts as lines are no Gaussians, of shape (n_channels,)."""
        return (SHAPES_KNOWN_TO * (self.bent.peaks @ np.maximum(self.lines, 0.0))) ** 2

    def refined(self, counts: np.ndarray, variance: np.ndarray) -> "SpectrumModel":
        """Return the same, nearer to the maximum of the posterior.

        Parameters
        ----------
        counts, variance : ndarray of shape (n_channels,)
        """
        linear, n = self.linear, len(self.lines)
        change = self.expected - self.values
        rest = counts - linear.background @ (change + self.parameters.is_spline)
        found = solve(linear, rest[linear.use], variance[linear.use] ** -0.5)
        step = np.clip(change + found[n:], -STEP, STEP)
        values = self.parameters.bounded(self.values + step)
        return replace(self, values=values, lines=found[:n])

    def of_part(self, share: float) -> "SpectrumModel":
        """Return what is expected of a spectrum with a share of the counts."""
        values = self.values + np.log(share) * self.parameters.is_spline
        lines = share * self.lines
        return replace(
            self, values=values, expected=values, known=ONCE_THE_SUM_IS_KNOWN, lines=lines
        )


def fit_sum(
    model: LineModel, start: LineModel, parameters: Parameters, total: np.ndarray
) -> SpectrumModel:
    """Return the model of the sum of all spectra.

    Parameters
    ----------
    model : LineModel
        With the axis that the file tells.
    start : LineModel
        The same on a calibrated axis.
    parameters : Parameters
    total : ndarray of shape (n_channels,)
        Counts of all phases.
    """
    n, use = len(model.lines), model.use
    weights = weigh(start, total[use])
    found = solve(start, total[use], weights)
    variance = np.full(total.size, np.inf)
    variance[use] = weights**-2.0
    expected = np.zeros(len(parameters.names))
    fit = SpectrumModel(model, parameters, expected, expected, BEFORE, found[:n])
    # Kramers' law with as many counts, for a start.
    straight = fit.linear.background[use][:, parameters.kinds["splines"]].sum()
    smooth = (start.background[use] @ found[n:]).sum()
    values = np.log(max(smooth, FEWEST) / straight) * parameters.is_spline
    values[parameters.kinds["axis"]] = start.offset, start.gain, start.resolution - model.resolution
    fit = replace(fit, values=values)
    for _ in range(MAX_ROUNDS):
        before, fit = fit, fit.refined(total, variance + fit.shape_variance)
        lines = (fit.lines - before.lines) / np.sqrt(np.abs(fit.lines) + 1.0)
        continuum = (fit.values - before.values)[parameters.is_spline]
        if (np.abs(np.append(lines, continuum)) < SETTLED).all():
            break
    return fit
