# SPDX-License-Identifier: GPL-3.0-or-later
r"""Net intensities of regions of a map, from those of its phases.

With the sums R of the loadings inside a region, and the net intensities h of each phase per count,
those of the region are :math:`I = R h`. Their covariance has two parts, one from the phases'
spectra and one from the counts inside the region,

.. math:: C = \sum_{kl} R_k R_l \, C_{kl} + h^T S h.

:math:`C_{kl}` is that of the intensities per count of two phases, which are anticorrelated where
phases overlap: what one has too much, another has too little. :math:`S = \sum_i \min(n_i, m) C_i`
is that of the sums of loadings over the m pixels of the region, each averaged over n pixels.
"""

from dataclasses import dataclass, replace

import numpy as np
from hyperspy.signal import BaseSignal

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.intensities import LineIntensities
from hyperspy_psnmf.eds.signals.build import spectra_like
from hyperspy_psnmf.eds.uncertainty.standard_errors import covariance_of_loadings
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.uncertainty.bands import sampling_covariance
from hyperspy_psnmf.nmf.validation import as_array

NAME = "Region"  # of a single mask


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions of a map, which may overlap.

    Attributes
    ----------
    names : list of str
    inside : ndarray of bool, of shape (n_regions, n_pixels)
        Pixels in use that are in each region.
    """

    names: list[str]
    inside: np.ndarray

    @classmethod
    def read(cls, decomposed: Decomposed, region):
        """Return the regions given to ``s.psnmf.quantify()``, or raise naming the argument."""
        given = region if isinstance(region, dict) else {NAME: region}
        if not given or not all(isinstance(name, str) and name for name in given):
            raise TypeError(
                f"region must be a mask, or a dict of masks by their names, not {region!r}"
            )
        inside = np.array([_read_mask(decomposed, *named) for named in given.items()])
        return cls(list(given), inside)

    def fill(self, decomposed: Decomposed) -> np.ndarray:
        """Return the fraction of the map's pixels in each region."""
        return self.inside.sum(axis=1) / decomposed.n_pixels

    def intensities(self, decomposed: Decomposed, measured: LineIntensities) -> LineIntensities:
        """Return the net intensities of the regions.

        Parameters
        ----------
        decomposed : Decomposed
            The map.
        measured : LineIntensities
            Of its phases.

        Returns
        -------
        LineIntensities
            One row per region in place of phases. The fit remains that of the phases; ``counting``
            is the part of the counts inside. ``operators`` are NaN: each phase has its own.
        """
        sums, counts = self.inside @ decomposed.W, np.maximum(measured.counts, TINY)
        parts = sums / counts
        counting = self._of_loadings(decomposed, measured.net / counts[:, None])
        of_shapes = _fully_correlated(parts, measured.of_shapes)
        of_spectra = np.einsum(
            "rp,rq,pqlm->rlm", parts, parts, _covariance(decomposed, measured), optimize=True
        )
        return replace(
            measured,
            spectra=self._spectra(measured.spectra, parts),
            counts=sums.sum(axis=1),
            net=parts @ measured.net,
            covariance=of_spectra + counting + of_shapes,
            counting=counting,
            of_shapes=of_shapes,
            blank=np.sqrt(parts**2 @ measured.blank**2),
            operators=np.full((len(parts), *measured.operators.shape[1:]), np.nan),
        )

    def net_with(self, decomposed: Decomposed, spectra: np.ndarray, per_count: np.ndarray):
        """Return the net counts of the regions with other spectra of the phases.

        Parameters
        ----------
        decomposed : Decomposed
            The map.
        spectra : ndarray of shape (n_fits, n_phases, n_channels_in_use)
            Of unit sum.
        per_count : ndarray of shape (n_fits, n_phases, n_lines)
            Net counts of these spectra.

        Returns
        -------
        ndarray of shape (n_fits, n_regions, n_lines)
            With the counts of each region divided among these spectra.
        """
        counts = self.inside @ decomposed.W @ decomposed.H
        each = [solve_loadings(counts, H, n_jobs=None) for H in spectra]
        return np.array(each) @ per_count

    def _of_loadings(self, decomposed, intensities):
        """Return the covariance (n_regions, n_lines, n_lines) from loadings inside."""
        covariance = covariance_of_loadings(decomposed)
        n_pixels, n_averaged = self.inside.sum(axis=1), decomposed.record.n_pixels_behind
        n_averaged = np.ones(len(covariance)) if n_averaged is None else np.maximum(n_averaged, 1.0)
        weights = self.inside * np.minimum(n_averaged, n_pixels[:, None])
        of_sums = np.einsum("ri,ipq->rpq", weights, covariance, optimize=True)
        return np.einsum("pl,rpq,qm->rlm", intensities, of_sums, intensities, optimize=True)

    def _spectra(self, of_phases, parts):
        title = of_phases.metadata.General.title.replace("Phase spectra", "Spectra of regions")
        axis = {"name": NAME, "size": len(parts), "offset": 0, "scale": 1}
        found = spectra_like(of_phases, parts @ of_phases.data, title, navigation=[axis])
        found.metadata.set_item("Phases.names", self.names)
        return found


def _read_mask(decomposed, name, mask):
    if isinstance(mask, BaseSignal):
        mask = mask.data
    mask = as_array("region", mask.compute() if hasattr(mask, "compute") else mask)
    if mask.dtype != bool:
        raise TypeError(
            f"region {name!r} must be boolean (True = inside), not {mask.dtype}; of a label map it "
            "is s.psnmf.label_map() == 1"
        )
    expected = decomposed.map_input.shape
    if mask.shape != expected:
        raise ValueError(
            f"region {name!r} must have the map's shape in array order, as s.data has it, "
            f"{expected}, not {mask.shape}"
        )
    inside = mask.ravel() & decomposed.pixels_in_use
    if not decomposed.W[inside].any():
        raise ValueError(f"region {name!r} has no pixel with counts that was decomposed")
    return inside


def _covariance(decomposed, measured):
    """Return that of net intensities of phases p and q, from their spectra, (p, q, line, line)."""
    inside, operators = decomposed.map_input.inside, measured.operators
    of_spectra = sampling_covariance(
        decomposed.binned_loadings, decomposed.H, n_fixed=decomposed.n_fixed
    )
    counts, used = measured.counts, operators[:, inside]
    found = np.einsum(
        "pjl,jpq,qjm->pqlm", used, of_spectra * np.outer(counts, counts), used, optimize=True
    )
    each = np.arange(len(counts))
    found[each, each] = measured.covariance - measured.of_shapes
    return found


def _fully_correlated(parts, covariance):
    """Return the covariance of sums of phases whose shapes of lines are wrong together."""
    values, vectors = np.linalg.eigh(covariance)
    roots = np.einsum(
        "pla,pa,pma->plm", vectors, np.sqrt(np.maximum(values, 0.0)), vectors, optimize=True
    )
    of_sums = np.einsum("rp,plm->rlm", parts, roots)
    return of_sums @ of_sums.transpose(0, 2, 1)
