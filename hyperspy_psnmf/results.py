# SPDX-License-Identifier: GPL-3.0-or-later
"""What methods of ``s.psnmf`` return, besides HyperSpy's signals and Matplotlib's figures.

For type hints, ``isinstance`` and ``help``; results are made by ``s.psnmf`` alone. All can be
pickled and copied. Those that have a figure are made of the results of `eds`, of the same names,
to which they add methods that plot them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hyperspy_psnmf import plot
from hyperspy_psnmf.eds.decompose.n_phases import NumberOfComponents
from hyperspy_psnmf.eds.fit_check import residuals
from hyperspy_psnmf.eds.formulas.candidates import Formula
from hyperspy_psnmf.eds.formulas.compatible import Formulas, Match
from hyperspy_psnmf.eds.line_model.energy_axis import EnergyCalibration
from hyperspy_psnmf.eds.phase_map.fractions import PhaseFractions
from hyperspy_psnmf.eds.quantify import result
from hyperspy_psnmf.eds.quantify.result import Percent
from hyperspy_psnmf.eds.uncertainty import ambiguity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = [
    "Ambiguity",
    "EnergyCalibration",
    "EstimatedNumber",
    "Formula",
    "Formulas",
    "Match",
    "Percent",
    "PhaseFractions",
    "Quantification",
    "Residuals",
]
Result = TypeVar("Result", bound="_MadeOf")


class _MadeOf:
    """A result that has the fields of one of `eds`."""

    @classmethod
    def made_of(cls: type[Result], found: Any) -> Result:
        """Return the same with methods to plot it."""
        return cls(**vars(found))


class EstimatedNumber(_MadeOf, NumberOfComponents):  # noqa: D101 - as in `eds`
    __doc__ = NumberOfComponents.__doc__

    def plot(self) -> tuple[Figure, Axes]:
        """Plot the held-out deviance of every number, above the smallest.

        Returns
        -------
        matplotlib.figure.Figure
        matplotlib.axes.Axes
        """
        return plot.plot_number_of_components(self)


class Ambiguity(_MadeOf, ambiguity.Ambiguity):  # noqa: D101 - as in `eds`
    __doc__ = ambiguity.Ambiguity.__doc__

    def plot(self) -> tuple[Figure, NDArray]:
        """Plot the bands of spectra, counts and, with factors, compositions.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
            The band of the spectrum on the left; those of the fraction of counts and of
            the composition on the right, with points for the values found.
        """
        return plot.plot_ambiguity(self)


class Residuals(_MadeOf, residuals.Residuals):  # noqa: D101 - as in `eds`
    __doc__ = residuals.Residuals.__doc__

    def plot(self) -> tuple[Figure, NDArray]:
        """Plot the deviance per degree of freedom as a map and a spectrum, and of the binned map.

        X-ray lines near significant residuals are labelled. Dips of the spectrum below 1
        are no errors of the model: there a phase of few counts was fitted to its noise.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (3,)
        """
        return plot.plot_residuals(self)


class Quantification(_MadeOf, result.Quantification):  # noqa: D101 - as in `eds`
    __doc__ = result.Quantification.__doc__

    def plot(self, *, log: bool = False) -> tuple[Figure, Axes]:
        """Plot the composition of each phase as bars with 1-sigma errors.

        Elements below their detection limit have an arrow from that limit down in place of a bar.

        Parameters
        ----------
        log : bool
            Whether the scale is logarithmic, for minor elements.

        Returns
        -------
        matplotlib.figure.Figure
        matplotlib.axes.Axes
        """
        return plot.plot_composition(self, log=log)

    def plot_line_fit(self) -> tuple[Figure, NDArray]:
        """Plot the fit of lines and continuum to each phase's spectrum.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
            Spectra with fit and continuum, and residuals in standard deviations.

        Raises
        ------
        ValueError
            If intensities are from windows, which fit nothing.
        """
        return plot.plot_line_fit(self.fit)
