# SPDX-License-Identifier: GPL-3.0-or-later
"""The accessor ``s.psnmf`` of EDS maps, for before and after a decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hyperspy_psnmf import plot
from hyperspy_psnmf.accessor.certainty import Certainty
from hyperspy_psnmf.accessor.chemistry import Chemistry
from hyperspy_psnmf.accessor.old_names import OldNames
from hyperspy_psnmf.accessor.phase_map import PhaseMap
from hyperspy_psnmf.eds.decompose import report as describe
from hyperspy_psnmf.eds.fit_check.verdict import find_fit_quality
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.signals import learning_results, phases
from hyperspy_psnmf.eds.uncertainty.alternatives import compare_with_most_likely
from hyperspy_psnmf.gui import PSNMFTool

if TYPE_CHECKING:
    from exspy.signals import EDSSpectrum
    from hyperspy.signals import BaseSignal
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


class PSNMFAccessor(PhaseMap, Certainty, Chemistry, OldNames):
    """Phases of an EDS map, from its learning results.

    Works on any non-negative factors and loadings, HyperSpy's own NMF included.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    """

    def __init__(self, signal: EDSSpectrum) -> None:
        self._signal = signal

    def __repr__(self) -> str:
        state = "no decomposition yet"
        if learning_results.read_factors_and_loadings(self._signal)[0] is not None:
            state = self._signal.learning_results.decomposition_algorithm
        return f"<psnmf accessor of {self._signal!r}: {state}>"

    def gui(self, display: bool = True, toolkit: str | list[str] | None = None) -> dict | None:
        """Open a widget to set up, run, check, quantify and export a decomposition.

        Parameters
        ----------
        display : bool
            False returns the widget instead of displaying it.
        toolkit : str or list of str, optional
            "ipywidgets", for notebooks, or "traitsui"; all that are installed by
            default.

        Returns
        -------
        dict or None
            Without `display`: for each toolkit what HyperSpy's own ``gui()`` returns,
            which is the widget and its parts for ipywidgets, and the model for traitsui.

        Raises
        ------
        ImportError
            Without a toolkit: ``pip install hyperspy_gui_ipywidgets``, or
            ``hyperspy_gui_traitsui``.
        """
        tool: Any = PSNMFTool(self._signal)  # HyperSpy's decorator adds `gui`
        return tool.gui(display=display, toolkit=toolkit)

    @property
    def phase_names(self) -> list[str]:
        """Names of the phases, used in every title and table; set a list to change them."""
        return learning_results.read_names(self._signal)

    @phase_names.setter
    def phase_names(self, names: Sequence[str]) -> None:
        learning_results.write_names(self._signal, names)

    def phase_spectra(self) -> EDSSpectrum:
        """Return the spectrum of each phase, in counts, as an EDS signal.

        Each is the unit-sum spectrum times all counts of that phase in the map, so
        the spectra add up to the map's sum spectrum. Channels left out at either
        end are cropped, those in between are zero.

        Returns
        -------
        EDSTEMSpectrum or EDSSEMSpectrum
            With a navigation axis "Phase". The metadata are the map's; live and real
            time are those of all pixels together, and left out where the file does not
            specify whether they are of a pixel or of the map (see `quantify`).
            ``metadata.Signal.Noise_properties`` has the variance, that of
            Poisson counts and at least 1.
        """
        return Decomposed.read(self._signal).spectra

    def phase_maps(self, normalize: str | None = None) -> BaseSignal:
        """Return the map of each phase as a signal.

        Parameters
        ----------
        normalize : {None, "counts"}
            None: counts. "counts": the fraction of each pixel's counts that comes
            from the phase. That is no mass nor volume fraction: phases differ in
            how many counts a given mass of them yields. Empty pixels are NaN then.

        Returns
        -------
        BaseSignal
            With a navigation axis "Phase" and the map's axes as signal axes.
        """
        return phases.phase_maps(Decomposed.read(self._signal), normalize=normalize)

    def report(self) -> str:
        """Return a methods paragraph with every setting and diagnostic.

        The goodness of fit and the likelihood-ratio test of the result are computed from the
        map's counts; see `residuals` and `ambiguity`.

        Returns
        -------
        str
            One paragraph with the settings, decisions and diagnostics.
        """
        decomposed = Decomposed.read(self._signal)
        record, quality = decomposed.require_record(), find_fit_quality(decomposed)
        ratio = compare_with_most_likely(decomposed, describe.CONFIDENCE)
        energy = decomposed.map_input.energy_in_use
        return describe.report(record, decomposed.names, decomposed.counts, quality, ratio, energy)

    def plot(self, *, log: bool = False) -> tuple[Figure, NDArray]:
        """Plot each phase's map beside its spectrum with labelled X-ray lines.

        Parameters
        ----------
        log : bool
            Whether counts of the spectra have a logarithmic scale, for what a high peak hides.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
        """
        return plot.plot_phases(self.phase_maps(), self.phase_spectra(), log=log)

    def plot_overlay(self) -> tuple[Figure, Axes]:
        """Plot the maps of all phases over each other, each in its colour.

        Returns
        -------
        matplotlib.figure.Figure
        matplotlib.axes.Axes
        """
        return plot.plot_overlay(self.phase_maps())
