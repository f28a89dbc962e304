# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of compositions, from the parts of the map that a quantification keeps."""

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.phase_map.regions import Regions
from hyperspy_psnmf.eds.quantify.element_maps import loadings_in_use, per_count
from hyperspy_psnmf.eds.quantify.exspy_call import Quantifier
from hyperspy_psnmf.eds.quantify.options import LIVE_TIME, exposed
from hyperspy_psnmf.eds.quantify.result import UNITS
from hyperspy_psnmf.eds.signals.build import MapFrame


@dataclass(frozen=True, eq=False)
class CompositionMaps:
    """Computes composition maps without the signal, whose data may be large.

    Attributes
    ----------
    frame : MapFrame
        Axes and metadata of the maps.
    loadings : ndarray of shape (n_pixels, n_phases)
        Counts; NaN in masked pixels.
    per_count : ndarray of shape (n_phases, n_lines)
        Net counts of lines per count of each phase.
    quantifier : Quantifier
        That of the phases or regions.
    weights : ndarray of shape (n_pixels, n_phases or n_regions)
        Of their thicknesses and densities in each pixel.
    unit : {"atomic", "weight"}
    n_pixels : int
        Pixels that the phases' spectra are the sum of.
    """

    frame: MapFrame
    loadings: np.ndarray
    per_count: np.ndarray
    quantifier: Quantifier
    weights: np.ndarray
    unit: str
    n_pixels: int

    def maps(self, min_counts: float) -> list:
        """Return the composition in every pixel; see `Quantification.maps`."""
        if isinstance(min_counts, bool) or not isinstance(min_counts, Real) or not min_counts > 0:
            raise ValueError(f"min_counts must be a positive number, not {min_counts!r}")
        net = self.loadings @ self.per_count
        quantified = np.maximum(net, 0.0).sum(axis=1) >= min_counts
        percent = np.full(net.shape, np.nan)
        if quantified.any():
            percent[quantified] = self._of_pixels(quantified).atomic(net[quantified])
        if self.unit == "weight":
            percent = self.quantifier.weight(percent)
        return [
            self._map(line, values)
            for line, values in zip(self.quantifier.lines, percent.T, strict=True)
        ]

    def _map(self, line, values):
        found = self.frame.as_map(line, values, "", "")
        element = found.metadata.Sample.elements[0]
        found.metadata.General.title = (
            f"{self.unit} percent of {element} in {' + '.join(self.quantifier.elements)} in "
            f"{self.frame.title}"
        )
        found.metadata.set_item("Signal.quantity", f"{element} ({UNITS[self.unit]})")
        return found

    def _of_pixels(self, pixels):
        """Return the quantifier with live time, area, thickness and density of single pixels."""
        quantifier, n = self.quantifier, self.n_pixels
        area = quantifier.options.get("probe_area")
        live_time = quantifier.spectra.metadata.get_item(LIVE_TIME)
        return exposed(
            replace(
                quantifier,
                thickness=self._mean_in(pixels, quantifier.thickness),
                density=self._mean_in(pixels, quantifier.density),
                fill=None,
            ),
            probe_area=None if area is None else area / n,
            live_time=None if live_time is None else live_time / n,
        )

    def _mean_in(self, pixels, values):
        """Return what phases or regions have, averaged in some of the pixels.

        Pixels in none of the regions have the mean of all.
        """
        if values is None or np.ndim(values) == 0:
            return values
        weights = self.weights[pixels].astype(float)
        total, mean = weights.sum(axis=1), np.full(len(weights), np.mean(values))
        return np.divide(weights @ values, total, out=mean, where=total > 0)


def keep_for_maps(
    decomposed: Decomposed, quantifier: Quantifier, measured, unit: str, regions: Regions | None
) -> CompositionMaps:
    """Return the data from which composition maps are computed.

    Parameters
    ----------
    decomposed : Decomposed
        The map, which is not kept.
    quantifier : Quantifier
    measured : LineIntensities
        Of the lines of the quantifier, in the phases.
    unit : {"atomic", "weight"}
    regions : Regions or None
        What the quantifier is of, if not of the phases.
    """
    loadings = loadings_in_use(decomposed)
    return CompositionMaps(
        MapFrame.of(decomposed.signal), loadings, per_count(measured, measured.net), quantifier,
        loadings if regions is None else regions.inside.T, unit, decomposed.n_pixels,
    )  # fmt: skip
