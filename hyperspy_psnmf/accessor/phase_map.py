# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of ``s.psnmf`` on where phases are, and how much of each there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperspy_psnmf import plot
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.phase_map.fractions import (
    PhaseFractions,
    find_fractions,
    phase_fractions,
)
from hyperspy_psnmf.eds.phase_map.label_map import find_labels, label_map
from hyperspy_psnmf.eds.uncertainty.ambiguity import Ambiguity

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class PhaseMap:
    """One phase for each pixel, and fractions of phases."""

    _signal: Any

    def phase_fractions(
        self, *, confidence: float = 0.95, ambiguity: bool | Ambiguity = False
    ) -> PhaseFractions:
        """Return the fraction of the counts and of the area of each phase.

        The fraction of the area is that of the pixels whose label in `label_map` is the phase;
        unassigned pixels have a row of their own. Neither is a fraction of mass or volume: phases
        differ in how many counts a given mass yields, and overlap along the beam.

        Standard errors are of noise in the loadings, given the spectra: of counts, and of pixels
        whose label noise may change, with neighbours that were averaged scattering together. On
        maps of many counts they are small, and the separation of the phases dominates: its band
        for the counts is given by `ambiguity`. Nor do they include that at few counts smoothing
        may remove features of a few pixels.

        Parameters
        ----------
        confidence : float
            Of labels, above 0.5 and below 1: the probability that noise does not make a loading
            significant, as for `label_map`. Of the band, too, where `ambiguity` is True; otherwise
            that of the Ambiguity.
        ambiguity : bool or Ambiguity
            Give the band of the counts of other factorisations of equal likelihood: True searches
            for them, which takes as long as `ambiguity`; what that returned is used
            without another search.

        Returns
        -------
        PhaseFractions
            With ``table()``, ``rows()`` and ``to_dataframe()``, and arrays of fractions.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        return phase_fractions(Decomposed.read(self._signal), confidence, ambiguity)

    def label_map(self, *, confidence: float = 0.95) -> BaseSignal:
        """Return the number of the phase with the largest fraction of each pixel's counts.

        That is no fraction of area or volume: where phases overlap along the beam, the label is
        that of the phase with most counts among those whose loading is significant.

        Parameters
        ----------
        confidence : float
            Above 0.5 and below 1. A loading is significant if it is above zero by so many standard
            errors that noise does not reach them with this probability (one-sided, 1.64 for
            0.95). A deviance is significant where it would be in no pixel of a map of this size
            with this probability, if the model is true; where the model is imperfect all over,
            pixels are compared with the others of the map.

        Returns
        -------
        BaseSignal
            Of integers, with the map's axes as signal axes: the number of the phase as in
            `phase_names`;
            -1 (unassigned) where no loading is significant, or where the deviance from the
            model is, as in a phase that was missed (at few counts that may be significant in no
            single pixel: see `residuals`); -2 in masked pixels. ``labels == 1`` is a mask.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        decomposed = Decomposed.read(self._signal)
        return label_map(decomposed, find_labels(decomposed, confidence))

    def plot_label_map(self, *, confidence: float = 0.95) -> tuple[Figure, Axes]:
        """Plot the label map in the colours of the phases, with the fractions of the area.

        Parameters
        ----------
        confidence : float
            Above 0.5 and below 1: the probability that noise does not make a loading significant,
            as for `label_map`. Unassigned pixels are grey, masked ones white.

        Returns
        -------
        matplotlib.figure.Figure
        matplotlib.axes.Axes
        """
        decomposed = Decomposed.read(self._signal)
        labels = find_labels(decomposed, confidence)
        return plot.plot_label_map(
            label_map(decomposed, labels), find_fractions(decomposed, labels)
        )
