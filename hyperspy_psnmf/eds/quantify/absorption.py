# SPDX-License-Identifier: GPL-3.0-or-later
r"""Absorption of X-rays on their way out of a thin specimen.

.. math:: A = \frac{x}{1 - e^{-x}}, \qquad x = \frac{\chi \varrho t}{\sin\alpha}

is the factor by which an intensity would be higher without absorption, with the mass absorption
coefficient :math:`\chi` of the specimen, its density and thickness, and the take-off angle. These
are eXSpy's formula and coefficients; its own correction of Cliff-Lorimer compositions makes
hundreds of signals, which takes seconds, and takes the mean of the elements' densities, gases
included.

References
----------
Goldstein et al., in Introduction to Analytical Electron Microscopy (1979), ch. 3. Chantler et al.,
X-Ray Form Factor, Attenuation and Scattering Tables (2005).
"""

from dataclasses import dataclass

import numpy as np
from exspy.material import elements as elements_db
from exspy.material import mass_absorption_coefficient

from hyperspy_psnmf.eds.xray.lines import element_of, line_energy

NM = 1e-7  # cm
CONVERGED, MAX_ROUNDS = 1e-7, 100  # of weight fractions
GAS = 0.1  # g/cm³; elements below are gases, which say nothing of the density of a solid
# nm, of specimens that are transparent to the beam, where the thickness is not known
PLAUSIBLE_THICKNESS = 200.0
PLAUSIBLE_ANGLE = 30.0  # degrees, where the take-off angle is not known


@dataclass(frozen=True, eq=False)
class Absorber:
    """The specimen's absorption coefficients at its own lines, and the detector's position.

    Attributes
    ----------
    coefficients : ndarray of shape (n_elements, n_lines)
        In cm²/g.
    densities : ndarray of shape (n_elements,)
        Of the pure elements, in g/cm³.
    take_off_angle : float
        In degrees.
    """

    coefficients: np.ndarray
    densities: np.ndarray
    take_off_angle: float

    @classmethod
    def of(cls, lines: list[str], take_off_angle: float):
        """Return the absorber that consists of the elements of the lines."""
        energies = np.array([line_energy(line) for line in lines])
        symbols = [element_of(line) for line in lines]
        return cls(
            np.array([mass_absorption_coefficient(symbol, energies) for symbol in symbols]),
            np.array([_density(symbol) for symbol in symbols]),
            take_off_angle,
        )

    def factors(self, weight, thickness, density=None) -> np.ndarray:
        """Return the factors A.

        Parameters
        ----------
        weight : ndarray of shape (n_rows, n_elements)
            Weight fractions.
        thickness, density : ndarray of shape (n_rows,)
            In nm and g/cm³; the mean of the elements' densities by default, as in eXSpy.
        """
        density = weight @ self.densities if density is None else density
        path = density * thickness * NM / np.sin(np.radians(self.take_off_angle))
        x = np.maximum((weight @ self.coefficients) * path[:, None], 1e-12)
        return x / -np.expm1(-x)

    def correct(self, intensities, k_factors, thickness, density=None) -> np.ndarray:
        """Return intensities (n_rows, n_lines) as they would be without absorption.

        Raises
        ------
        RuntimeError
            If no composition agrees with its own absorption.
        """
        corrected = intensities
        weight = _normalised(corrected * k_factors)
        for _ in range(MAX_ROUNDS):
            corrected = intensities * self.factors(weight, thickness, density)
            before, weight = weight, _normalised(corrected * k_factors)
            if abs(weight - before).max() < CONVERGED:
                return corrected
        raise RuntimeError(
            f"absorption_correction has not converged in {MAX_ROUNDS} rounds: thickness and "
            "density are too large for a thin specimen"
        )

    def plausible_changes(self, weight) -> np.ndarray:
        """Return relative changes of intensities from a thickness between 0 and 200 nm.

        They are the root of the mean square, relative to no absorption, if all thicknesses are
        equally likely, and common to all lines, as the thickness is one.

        Parameters
        ----------
        weight : ndarray of shape (n_rows, n_elements)
            Weight fractions.
        """
        solid = weight * (self.densities > GAS)
        total = solid.sum(axis=1)
        density = np.divide(solid @ self.densities, total, out=np.ones_like(total), where=total > 0)
        thickness = np.full(len(weight), PLAUSIBLE_THICKNESS)
        return (self.factors(weight, thickness, density) - 1.0) / np.sqrt(3.0)


def _normalised(values):
    return values / values.sum(axis=1, keepdims=True)


def _density(element):
    return elements_db[element].Physical_properties["density (g/cm^3)"]
