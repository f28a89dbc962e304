# SPDX-License-Identifier: GPL-3.0-or-later
r"""Compositions from net intensities by eXSpy's quantification, with propagated errors.

The Jacobian is by finite differences, :math:`C_c = J C_I J^T`. Factors occur only in products with
intensities, :math:`k_l I_l`, so a relative error of a factor is equivalent to the same relative
error of the intensity.

References
----------
Cliff & Lorimer, Journal of Microscopy 103 (1975) 203. Watanabe & Williams, Journal of
Microscopy 221 (2006) 89 (zeta factors). MacArthur et al., Microscopy and Microanalysis
22 (2016) 71 (cross sections).
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from exspy.material import atomic_to_weight, weight_to_atomic
from hyperspy.signals import BaseSignal

from hyperspy_psnmf.eds.quantify.absorption import Absorber
from hyperspy_psnmf.eds.signals.progress import no_progress_bars
from hyperspy_psnmf.eds.xray.lines import element_of

METHODS = ("CL", "zeta", "cross_section", "k_ratios")
CONVERGED = 0.05  # per cent; eXSpy's own 0.5 is not small against standard errors


@dataclass(frozen=True, eq=False)
class Quantifier:
    """Converts net intensities of lines to compositions.

    Attributes
    ----------
    spectra : EDSSpectrum
        From `phase_spectra`, for its metadata.
    method : {"CL", "zeta", "cross_section", "k_ratios"}
        The last one divides by the intensities of pure standards.
    lines : list of str
        One per element.
    factors : ndarray of shape (n_lines,)
    absorption_correction : bool
    thickness, density : float or ndarray of shape (n_phases,), or None
        In nm and g/cm³, for the absorption correction.
    fill : ndarray of shape (n_phases,), or None
        Fraction of the pixels that each phase fills, so that the mass thickness for the
        absorption correction, which eXSpy finds from intensities, is the local one.
    options : dict
        Further arguments of eXSpy's quantification.
    """

    spectra: object
    method: str
    lines: list[str]
    factors: np.ndarray
    absorption_correction: bool = False
    thickness: object = None
    density: object = None
    fill: object = None
    options: dict = field(default_factory=dict)

    @property
    def elements(self) -> list[str]:
        """Element of each line."""
        return [element_of(line) for line in self.lines]

    def atomic(self, intensities: np.ndarray) -> np.ndarray:
        """Return atomic per cent of intensities of shape (..., n_phases, n_lines).

        NaN where no intensity is above zero; others below zero count as zero.
        """
        shape = intensities.shape
        thickness, density = (
            None if v is None else np.broadcast_to(v, shape[:-1]).ravel()
            for v in (self.thickness, self.density)
        )
        local = intensities if self.fill is None else intensities / self.fill[:, None]
        net = np.maximum(local, 0.0).reshape(-1, shape[-1])
        some = net.sum(axis=1) > 0
        percent = np.full(net.shape, np.nan)
        if some.any():
            percent[some] = self._compose(
                net[some], *(None if v is None else v[some] for v in (thickness, density))
            )
        return percent.reshape(shape)

    def _compose(self, net, thickness, density):
        if self.method == "k_ratios":
            return _convert(weight_to_atomic, net / self.factors, self.elements)
        if self.method != "CL":
            return self._call_exspy(net)
        if self.absorption_correction:
            net = self.absorber.correct(net, self.factors, thickness, density)
        # Only ratios matter, and eXSpy takes what is below 0.1 for zero.
        return self._call_exspy(net * (1e6 / net.sum(axis=1, keepdims=True)))

    def _call_exspy(self, net):
        signals = [_intensity(net[:, i], line) for i, line in enumerate(self.lines)]
        options = dict(self.options)
        if self.absorption_correction and self.method != "CL":
            options |= {"absorption_correction": True, "convergence_criterion": CONVERGED}
        # eXSpy divides by the intensity of a reference line before it tests for zero.
        with no_progress_bars(), np.errstate(divide="ignore", invalid="ignore"):
            found = self.spectra.quantification(
                signals,
                self.method,
                [float(f) for f in self.factors],
                composition_units="atomic",
                navigation_mask=None,
                **options,
            )
        maps = found if isinstance(found, list) else found[0]
        return np.array([np.ravel(m.data) for m in maps]).T

    @cached_property
    def absorber(self) -> Absorber:
        """The specimen as an absorber of its own lines."""
        return Absorber.of(self.lines, self.options["take_off_angle"])

    def changes_by_absorption(self, weight: np.ndarray) -> np.ndarray:
        """Return relative errors of intensities (n_phases, n_lines) from unknown absorption.

        See `Absorber.plausible_changes`; zero where absorption is corrected for, and for k-ratios.

        Parameters
        ----------
        weight : ndarray of shape (n_phases, n_lines)
            Weight per cent.
        """
        if self.absorption_correction or self.method == "k_ratios":
            return np.zeros(weight.shape)
        return self.absorber.plausible_changes(weight / 100.0)

    def weight(self, atomic: np.ndarray) -> np.ndarray:
        """Return weight per cent of atomic per cent, (..., n_lines)."""
        return _convert(atomic_to_weight, atomic, self.elements)


def _convert(function, percent, symbols):
    """Call eXSpy's conversion with elements first."""
    if percent.shape[-1] == 1:
        return np.where(np.isnan(percent), np.nan, 100.0)
    return np.moveaxis(np.array(function(np.moveaxis(percent, -1, 0), symbols)), 0, -1)


def _intensity(values, line):
    signal = BaseSignal(np.array(values, dtype=float)).T
    signal.metadata.set_item("Sample.elements", [element_of(line)])
    signal.metadata.set_item("Sample.xray_lines", [line])
    return signal


def trial_intensities(net: np.ndarray, sigma: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """Return intensities whose compositions give derivatives and detection limits.

    All in one array, as a call of eXSpy takes about a second however many it gets.

    Parameters
    ----------
    net, sigma : ndarray of shape (n_phases, n_lines)
        Net intensities and their standard errors.
    blank : ndarray of shape (n_phases, n_lines)
        Intensities at the detection limit, to replace each line's.

    Returns
    -------
    ndarray of shape (1 + 3 n_lines, n_phases, n_lines)
        As found; each line half a sigma higher, then lower, but not below zero; and
        each line replaced by `blank`.
    """
    net = np.maximum(net, 0.0)
    each = np.eye(net.shape[1])[:, None, :]
    steps = each * np.maximum(0.5 * sigma, 1e-9)
    replaced = np.where(each, blank, net)
    return np.concatenate([net[None], net + steps, np.maximum(net - steps, 0.0), replaced])


def derivatives(intensities: np.ndarray, percent: np.ndarray) -> np.ndarray:
    """Return the derivatives of compositions by intensities, by finite differences.

    Parameters
    ----------
    intensities, percent : ndarray of shape (1 + 3 n_lines, n_phases, n_lines)
        From `trial_intensities`, and the compositions there.

    Returns
    -------
    ndarray of shape (n_phases, n_elements, n_lines)
    """
    n = intensities.shape[-1]
    width, change = (a[1 : 1 + n] - a[1 + n : 1 + 2 * n] for a in (intensities, percent))
    return np.moveaxis(change / width.sum(axis=-1)[..., None], 0, -1)


def limits(percent: np.ndarray) -> np.ndarray:
    """Return the per cent (n_phases, n_elements) of each element in place of a blank."""
    return np.einsum("epe->pe", percent[-percent.shape[-1] :])


def propagate(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return standard errors (n_phases, n_elements) from the covariance of intensities."""
    variance = np.einsum("pel,plm,pem->pe", jacobian, covariance, jacobian)
    return np.sqrt(np.maximum(variance, 0.0))
