# SPDX-License-Identifier: GPL-3.0-or-later
r"""A phase of known composition in the map, as a standard for the others.

.. math:: f_e = s \frac{w_e}{I_e A_e}

is the factor of an element (a k-factor, or one over the intensity of a pure standard), from its
weight fraction, net intensity and absorption in the reference. The scale s leaves the factors that
are given for lines of the reference as they are on average, or else the computed ones. Relative
errors of the intensities are those of the factors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
from exspy.material import atomic_to_weight

from hyperspy_psnmf.eds.lines.measurable_lines import name_some
from hyperspy_psnmf.eds.quantify.complete_factors import (
    COMPUTED,
    default_factors,
    is_computed,
    main_lines,
)
from hyperspy_psnmf.eds.quantify.factors import (
    check_elements,
    check_factors,
    check_lines,
)
from hyperspy_psnmf.eds.xray.lines import element_of, is_element

METHODS = ("CL", "k_ratios")
TOLERANCE = 0.5  # at%, within which a composition sums to 100
SIGNIFICANT = 5.0  # standard errors of a net intensity; then ratios are nearly normal


@dataclass(frozen=True)
class Reference:
    """A phase of known composition.

    Attributes
    ----------
    phase : int
    name : str
    atomic_percent : dict of float
        By element.
    anchors : tuple of str
        Lines whose factors stay, on average; all of the reference by default.
    """

    phase: int
    name: str
    atomic_percent: dict[str, float]
    anchors: tuple[str, ...] = ()

    @classmethod
    def read(cls, given, names: list[str], exclude, method: str):
        """Return what is given as `reference` of `quantify`, or None.

        Raises
        ------
        TypeError, ValueError
            If it is not one phase of the map with at% of two elements or more that sum to 100, or
            if it is given for another method than "CL" and "k_ratios".
        """
        if given is None:
            return None
        if method not in METHODS:
            raise ValueError(f"reference is for 'CL' and 'k_ratios', not for method={method!r}")
        if not isinstance(given, Mapping) or len(given) != 1:
            raise TypeError(
                "reference must be a dict of one phase, such as "
                f"{{'Phase 1': {{'Ga': 50, 'As': 50}}}}, not {given!r}"
            )
        ((phase, percent),) = given.items()
        index = _phase_number(phase, names)
        return cls(index, names[index], _checked(percent, check_elements("exclude", exclude)))

    def with_lines(self, spectra, map_input, factors, xray_lines, exclude, *, how, method):
        """Return factors with a place for a line of each element of the reference.

        Parameters
        ----------
        spectra, map_input, factors, xray_lines, exclude
            See `complete_factors`.
        how : {"model", "windows"}
            How lines are to be measured.
        method : {"CL", "k_ratios"}

        Returns
        -------
        factors : dict
            As `complete_factors` takes them.
        reference : Reference
            Its anchors are lines with a factor that is given.

        Raises
        ------
        ValueError
            If an element has no line that can be measured, or factors of other lines are given
            that cannot be related to those of the reference.
        """
        if method == "CL":
            factors = default_factors(spectra, map_input, factors, xray_lines, exclude, method=how)
        if factors is not None and not isinstance(factors, dict):
            check_factors(factors)  # raises
        found = dict(factors or {})
        lines = check_lines("factors", list(found)) if found else []
        missing = self._without([element_of(line) for line in lines])
        chosen = (
            main_lines(spectra, map_input, missing, how, computable=method == "CL")
            if xray_lines is None
            else [v for v in check_lines("xray_lines", xray_lines) if element_of(v) in missing]
        )
        left = self._without([element_of(line) for line in (*lines, *chosen)])
        if left:
            raise ValueError(f"reference: no line of {name_some(left)} can be measured")
        given = [line for line, value in found.items() if not is_computed(value)]
        own = [line for line in given if self.has(line)]
        if given and not own:
            raise ValueError(
                f"factors: those of {name_some(given)} are relative to another line than those of "
                f"the reference: give that of one of its lines, {name_some(chosen)}, too"
            )
        return found | dict.fromkeys(chosen, COMPUTED if method == "CL" else 1.0), replace(
            self, anchors=tuple(own)
        )

    def calibrate(self, quantifier, measured, relative):
        """Return a quantifier with the factors that the reference has, and their errors.

        Parameters
        ----------
        quantifier : Quantifier
            With the factors that are given or computed.
        measured : LineIntensities
            Of the lines of the quantifier.
        relative : ndarray of shape (n_lines,)
            Relative errors of the factors of the quantifier.

        Returns
        -------
        Quantifier
        ndarray of shape (n_phases, n_lines, n_lines)
            Relative covariance of the factors. In the reference itself those of its lines have
            none, as they are what makes its composition that given.

        Raises
        ------
        ValueError
            If a line of the reference is not significant.
        """
        own, fixed = self._own_and_fixed(quantifier.lines)
        self._require_significant(measured, own)
        net, weight = measured.net[self.phase], self._weight_fractions(quantifier.elements)
        raw = np.log(weight[own] / (net * self._absorption(quantifier, weight))[own])
        power = 1.0 if quantifier.method == "CL" else -1.0
        logarithm = power * np.log(quantifier.factors)
        logarithm[own] = raw + np.mean(logarithm[fixed] - raw[fixed[own]])
        covariance = self._covariance(measured, own, fixed, relative)
        return replace(quantifier, factors=np.exp(power * logarithm)), covariance

    def follow(self, intensities: np.ndarray, measured) -> np.ndarray:
        """Return intensities that have, with fixed factors, the composition by their own reference.

        Parameters
        ----------
        intensities : ndarray of shape (..., n_phases, n_lines)
            Of other spectra of the phases.
        measured : LineIntensities
            That the factors are from.
        """
        own, fixed = self._own_and_fixed(measured.lines)
        there = np.where(own, intensities[..., self.phase, :], 1.0)
        here = np.where(own, measured.net[self.phase], 1.0)
        ratio = np.log(here / np.maximum(there, 1e-3 * here))
        ratio -= ratio[..., fixed].mean(axis=-1, keepdims=True)
        return intensities * np.exp(np.where(own, ratio, 0.0))[..., None, :]

    def _own_and_fixed(self, lines):
        own = np.array([self.has(line) for line in lines])
        return own, (np.isin(lines, self.anchors) if self.anchors else own)

    def _covariance(self, measured, own, fixed, relative):
        net = np.where(own, measured.net[self.phase], np.inf)
        of_net = measured.covariance[self.phase] / np.outer(net, net)
        # Relative to the mean of the fixed ones, whose errors are common to all.
        difference = (np.eye(net.size) - fixed / fixed.sum())[own]
        common = (relative[fixed] ** 2).sum() / fixed.sum() ** 2
        found = np.diag(np.where(own, 0.0, relative**2))
        found[np.ix_(own, own)] = difference @ of_net @ difference.T + common
        of_phases = np.repeat(found[None], len(measured.net), axis=0)
        of_phases[np.ix_([self.phase], own, own)] = 0.0
        return of_phases

    def less_its_own(self, changes: np.ndarray, lines: list[str]) -> np.ndarray:
        """Return changes of intensities by absorption (n_phases, n_lines), less the reference's.

        Its factors include the absorption in it, where that is not corrected for.
        """
        own, _ = self._own_and_fixed(lines)
        return changes - np.where(own, changes[self.phase], 0.0)

    def note(self, quantifier, covariance) -> str:
        """Return a note on the factors of the reference's lines."""
        errors = 100 * np.sqrt(np.diag(covariance.max(axis=0)))
        what = "k-factors" if quantifier.method == "CL" else "intensities of pure standards"
        values = ", ".join(
            f"{line} {value:.3g} ± {error:.2g} %"
            for line, value, error in zip(quantifier.lines, quantifier.factors, errors, strict=True)
            if self.has(line)
        )
        return (
            f"{what} are from {self.name}, of the composition given, which the table repeats: "
            f"{values}"
        )

    def has(self, line: str) -> bool:
        """Return whether a line is of an element of the reference."""
        return element_of(line) in self.atomic_percent

    def _without(self, elements):
        return [element for element in self.atomic_percent if element not in elements]

    def _weight_fractions(self, elements):
        """Return the weight fractions (n_elements,) of the reference; 0 of other elements."""
        symbols, percent = zip(*self.atomic_percent.items(), strict=True)
        weights = dict(zip(symbols, atomic_to_weight(list(percent), elements=symbols), strict=True))
        return np.array([weights.get(element, 0.0) for element in elements]) / 100.0

    def _absorption(self, quantifier, weight):
        """Return the factors (n_lines,) for absorption in the reference."""
        if quantifier.method != "CL" or not quantifier.absorption_correction:
            return np.ones(weight.size)
        of_phase = [
            None if v is None else np.ravel(v)[[self.phase if np.size(v) > 1 else 0]]
            for v in (quantifier.thickness, quantifier.density)
        ]
        return quantifier.absorber.factors(weight[None], *of_phase)[0]

    def _require_significant(self, measured, own):
        few = own & ~(measured.net[self.phase] > SIGNIFICANT * measured.sigma[self.phase])
        if few.any():
            lines = [line for line, of_line in zip(measured.lines, few, strict=True) if of_line]
            raise ValueError(
                f"reference: {name_some(lines)} of {self.name} has no significant counts"
            )


def _phase_number(phase, names):
    if isinstance(phase, Integral) and not isinstance(phase, bool) and 0 <= phase < len(names):
        return int(phase)
    if isinstance(phase, str) and names.count(phase) == 1:
        return names.index(phase)
    raise ValueError(
        f"reference names the phase {phase!r}, which is none of {names}, nor a number from 0 to "
        f"{len(names) - 1}"
    )


def _checked(percent, excluded):
    """Return at% by element, or raise."""
    if not isinstance(percent, Mapping) or len(percent) < 2:
        raise TypeError(
            "reference must have at% of two elements or more, {'Ga': 50, 'As': 50}, not "
            f"{percent!r}"
        )
    for element, value in percent.items():
        if not is_element(element):
            raise ValueError(f"reference: {element!r} is no element")
        if element in excluded:
            raise ValueError(f"reference: {element} is excluded")
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"reference: {element} must be a number in at%, not {value!r}")
        if not 0 < value < 100:
            raise ValueError(f"reference: {element} must be between 0 and 100 at%, not {value!r}")
    total = sum(percent.values())
    if abs(total - 100) > TOLERANCE:
        raise ValueError(f"reference must sum to 100 at%, not {total:g}")
    return {element: 100.0 * float(value) / total for element, value in percent.items()}
