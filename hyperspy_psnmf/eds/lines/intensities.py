# SPDX-License-Identifier: GPL-3.0-or-later
r"""Net intensities of X-ray lines in the spectra of phases, with their covariance.

Both methods are linear in the spectrum, :math:`I = L^T S`, so that the covariance is
:math:`L^T C_S L` with the variance :math:`C_S` of each channel of the spectrum, which is
the Poisson variance plus the error of unmixing where phases overlap.

- "model": weighted least squares with the columns of `full_model`. Weights are 1
  over the variance of the fitted counts (iteratively reweighted): weights from the counts
  themselves would bias the fit low.
- "windows": sums of eXSpy's windows less the background on both sides.

The uncertainties of the model's shapes (shifts and ratios of lines, axis, continuum), in the fit
to the sum of all phases and from phase to phase, are propagated to the covariance.

A line significantly below zero indicates a systematic error of at least that size: it is
reported and added to its standard error.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.line_model.energy_axis import EnergyCalibration
from hyperspy_psnmf.eds.lines.fit import fit_spectra
from hyperspy_psnmf.eds.lines.notes import notes_on_fit, widen_below_zero
from hyperspy_psnmf.eds.lines.windows import window_operators
from hyperspy_psnmf.eds.unlisted.found import Unlisted
from hyperspy_psnmf.eds.xray.lines import element_of
from hyperspy_psnmf.nmf.solver.one_blas_thread import one_blas_thread
from hyperspy_psnmf.nmf.uncertainty.bands import sampling_errors

METHODS = ("model", "windows")
FLOOR = 0.5  # counts, least variance of a channel
N_FITS = 4  # rounds of reweighting


@dataclass(frozen=True, eq=False)
class FittedSpectra:
    """The fit of each phase's spectrum; arrays of shape (n_phases, n_channels).

    Attributes
    ----------
    spectra : EDSTEMSpectrum or EDSSEMSpectrum
        From `phase_spectra`.
    fitted, continuum : ndarray
        Counts with and without the lines; NaN in channels that were not fitted.
    sigma : ndarray
        Standard deviations of the spectra, from counting and from unmixing.
    axis : EnergyCalibration
        Energies at which lines were measured.
    """

    spectra: object
    fitted: np.ndarray
    continuum: np.ndarray
    sigma: np.ndarray
    axis: EnergyCalibration


@dataclass(frozen=True, eq=False)
class LineIntensities:
    """Net intensities of lines in each phase.

    Attributes
    ----------
    spectra : EDSTEMSpectrum or EDSSEMSpectrum
        From `phase_spectra`.
    lines : list of str
        In the order asked for.
    counts : ndarray of shape (n_phases,)
        All counts of each phase.
    net : ndarray of shape (n_phases, n_lines)
        Net counts; may be below zero by noise.
    covariance, counting : ndarray of shape (n_phases, n_lines, n_lines)
        Of the net counts; and the part from the counting statistics of the phase alone.
    of_shapes : ndarray of shape (n_phases, n_lines, n_lines)
        Part of the covariance, from the uncertainty of shapes of lines and continuum.
    blank : ndarray of shape (n_phases, n_lines)
        Standard deviation of the net counts if the line were absent.
    operators : ndarray of shape (n_phases, n_channels, n_lines)
        From a spectrum on the channels of `spectra` to its net counts.
    fit : FittedSpectra or None
        Of the model; None for windows.
    unlisted : tuple of Unlisted
        Elements and peaks that were fitted though not listed.
    notes : tuple of str
        Caveats.
    """

    spectra: object
    lines: list[str]
    counts: np.ndarray
    net: np.ndarray
    covariance: np.ndarray
    counting: np.ndarray
    of_shapes: np.ndarray
    blank: np.ndarray
    operators: np.ndarray
    fit: FittedSpectra | None = None
    unlisted: tuple[Unlisted, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sigma(self) -> np.ndarray:
        """Standard errors of the net counts, of shape (n_phases, n_lines)."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    def of(self, spectra: np.ndarray) -> np.ndarray:
        """Return net counts of other spectra of the phases, (..., n_phases, n_channels)."""
        return np.einsum("...pj,pjl->...pl", spectra, self.operators)


def measure_lines(
    decomposed: Decomposed, lines: list[str], *, stacklevel: int = 4, **options
) -> LineIntensities:
    """Return `net_intensities`, whose notes are issued as warnings, too.

    `stacklevel` is that of `warnings.warn` in this function.
    """
    measured = net_intensities(decomposed, lines, **options)
    for note in measured.notes:
        warnings.warn(note, UserWarning, stacklevel=stacklevel)
    return measured


def net_intensities(
    decomposed: Decomposed, lines: list[str], *, method: str = "model", elements=()
) -> LineIntensities:
    """Return the net intensities of X-ray lines in each phase of a decomposed map.

    Parameters
    ----------
    decomposed : Decomposed
        The map; it is not changed.
    lines : list of str
        Lines as eXSpy writes them, such as "Fe_Ka".
    method : {"model", "windows"}
        See above.
    elements : iterable of str
        Elements in the spectra beside those of the lines.

    Raises
    ------
    ValueError
        If a line cannot be measured on the channels in use.
    """
    found, noise = decomposed.spectra, _Noise(decomposed)
    if method == "windows":
        parts = _by_windows(found, lines, noise)
    else:
        everything = {element_of(line) for line in lines} | set(elements)
        variance = noise.variance(gaussian_filter1d(found.data, 3.0, axis=1, mode="nearest"))
        of_sum = fit_spectra(found, everything, noise.inside, variance)
        parts = _by_model(found, lines, noise, of_sum)
    net = np.einsum("pj,pjl->pl", found.data, parts.operators).clip(-parts.limits, parts.limits)
    covariance, counting = (
        np.einsum("pjl,pj,pjm->plm", parts.operators, v, parts.operators, optimize=True)
        for v in (parts.variance, parts.own)
    )
    covariance = covariance + parts.of_shapes
    blank = parts.blank
    if blank is None:
        of_nets = np.diagonal(covariance, axis1=1, axis2=2)
        blank = np.sqrt(np.maximum(of_nets - np.maximum(net, 0.0), FLOOR))
    return widen_below_zero(LineIntensities(
        found, list(lines), found.data.sum(axis=1), net, covariance, counting,
        np.broadcast_to(parts.of_shapes, covariance.shape), blank,
        parts.operators, parts.fit, parts.unlisted, parts.notes,
    ))  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Parts:
    """Operators and variances of either method; arrays as in `LineIntensities`."""

    operators: np.ndarray
    variance: np.ndarray
    own: np.ndarray
    blank: np.ndarray | None = None
    of_shapes: np.ndarray | float = 0.0
    limits: np.ndarray | float = np.inf
    fit: FittedSpectra | None = None
    unlisted: tuple[Unlisted, ...] = ()
    notes: tuple[str, ...] = ()


@one_blas_thread()
def _by_model(found, lines, noise, of_sum):
    """Return operators and variances of the model of lines and continuum."""
    fit = of_sum.model
    pick = _columns_of(fit.tabulated, lines)
    operators, fits, variance, fitted, of_shapes = _fit(of_sum, found.data, noise)
    operators = operators[:, :, pick]
    peaks = np.array([one.fitted.peaks[:, pick] for one in fits])
    net = np.einsum("pjl,pj->pl", operators, found.data)
    # The variance without the line itself.
    rest = variance[:, :, None] - np.maximum(net, 0.0)[:, None] * peaks
    blank = np.sqrt((operators**2 * np.maximum(rest, FLOOR)).sum(axis=1))
    recorded = [np.where(fit.tabulated.use, one, np.nan) for one in (m.recorded for m in fits)]
    smooth = [np.where(fit.tabulated.use, one, np.nan) for one in (m.continuum for m in fits)]
    return _Parts(
        operators,
        variance,
        np.maximum(fitted, FLOOR),
        blank,
        of_shapes[:, pick][:, :, pick],
        np.array([one.limits[pick] for one in fits]),
        FittedSpectra(found, np.array(recorded), np.array(smooth), np.sqrt(variance), of_sum.axis),
        of_sum.unlisted,
        tuple(notes_on_fit(of_sum, lines)),
    )


def _by_windows(found, lines, noise):
    """Return operators and variances of windows; blanks follow from the net counts."""
    operators = window_operators(found, lines, noise.inside)
    return _Parts(operators, noise.variance(found.data), np.maximum(found.data, FLOOR))


class _Noise:
    """The variance of phase spectra, from the binned loadings."""

    def __init__(self, decomposed: Decomposed):
        self.inside, self.n_fixed = decomposed.map_input.inside, decomposed.n_fixed
        self.W = decomposed.binned_loadings
        self.counts = decomposed.spectra.data.sum(axis=1, keepdims=True)

    def variance(self, spectra):
        """Return the variance (n_phases, n_channels) that spectra in counts have.

        Fixed spectra have unknown counting statistics; at least Poisson noise of the
        phase's counts is assumed.
        """
        counts = np.where(self.counts > 0, self.counts, np.inf)
        H = np.maximum(spectra, 0.0)[:, self.inside] / counts
        errors = np.zeros_like(spectra)
        errors[:, self.inside] = sampling_errors(self.W, H, n_fixed=self.n_fixed) * self.counts
        return np.maximum(errors**2, np.maximum(spectra, FLOOR))


def _columns_of(model, lines):
    missing = [line for line in lines if line not in model.lines]
    if missing:
        raise ValueError(
            f"{', '.join(missing)}: the model has {', '.join(model.lines)} on the channels in use "
            "(the main line of each shell); intensities='windows' can integrate others"
        )
    return [model.lines.index(line) for line in lines]


def _fit(of_sum, data, noise):
    """Return operators, models of all phases, variances, fitted spectra, covariances of shapes."""
    use = of_sum.model.tabulated.use
    fits = [of_sum.model.for_phase(counts) for counts in data]
    expected = gaussian_filter1d(data, 3.0, axis=1, mode="nearest")
    for _ in range(N_FITS):
        weighted = noise.variance(expected) + [one.shape_variance for one in fits]
        fits = [one.refined(*of) for one, *of in zip(fits, data, weighted, strict=True)]
        expected = data.copy()
        expected[:, use] = [np.maximum(one.recorded[use], 0.0) for one in fits]
    variance = noise.variance(expected)
    weighted = variance + [one.shape_variance for one in fits]
    n = len(of_sum.model.lines)
    of_parameters = of_sum.covariance[n:, n:]
    operators, of_shapes = zip(
        *(_least_squares(one, v, of_parameters) for one, v in zip(fits, weighted, strict=True)),
        strict=True,
    )
    return np.array(operators), fits, variance, expected, np.array(of_shapes)


def _least_squares(fit, variance, of_parameters):
    """Return the operator from a spectrum to line counts, and the covariance from shapes.

    Parameters
    ----------
    fit : SpectrumModel
    variance : ndarray of shape (n_channels,)
    of_parameters : ndarray of shape (n_parameters, n_parameters)
        Covariance of the parameters in the fit to the sum.

    Returns
    -------
    operator : ndarray of shape (n_channels, n_lines)
    of_shapes : ndarray of shape (n_lines, n_lines)
        Covariance of the lines' counts from the uncertainty of the parameters.
    """
    linear, n = fit.linear, len(fit.lines)
    covariance = fit.covariance(variance)[:n]
    operator = np.zeros((variance.size, n))
    operator[linear.use] = linear.columns / variance[linear.use, None] @ covariance.T
    of_priors = covariance @ linear.precision @ covariance.T
    by_parameters = covariance @ linear.precision[:, n:]
    return operator, of_priors + by_parameters @ of_parameters @ by_parameters.T
