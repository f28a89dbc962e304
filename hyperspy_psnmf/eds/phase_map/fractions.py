# SPDX-License-Identifier: GPL-3.0-or-later
r"""``s.psnmf.phase_fractions()``: fractions of the counts and of the area, with errors.

Loadings averaged over n pixels scatter together with n neighbours, so that their sums over the map
have the covariance :math:`S = \sum_i n_i C_i`. The fraction :math:`f_k = T_k / \sum T` of the
counts has the variance :math:`g^T S g` with the gradient :math:`g = (e_k - f_k 1) / \sum T`.
"""

from dataclasses import dataclass

import numpy as np
from prettytable import PrettyTable

from hyperspy_psnmf.eds.files.tables import data_frame
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.phase_map.label_map import find_labels
from hyperspy_psnmf.eds.uncertainty.ambiguity import Ambiguity, resolve_ambiguity
from hyperspy_psnmf.eds.uncertainty.standard_errors import covariance_of_loadings
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.uncertainty.labels import Labels
from hyperspy_psnmf.nmf.validation import check_confidence

NO_PHASE = "Unassigned"


@dataclass(frozen=True, eq=False)
class PhaseFractions:
    """Fractions of phases in a map.

    Attributes
    ----------
    names : list of str
        Of the phases, and "Unassigned".
    counts : ndarray of shape (n_phases,)
        All counts of each phase.
    count_fractions, count_sigma : ndarray of shape (n_phases,)
        Fraction of the counts of all phases, and its standard error given the spectra.
    count_band : ndarray of shape (n_phases, 2), or None
        Lowest and highest of all factorisations that fit equally well, where asked for.
    area_fractions, area_sigma : ndarray of shape (n_phases + 1,)
        Fraction of the pixels with the label of the phase, the last one of unassigned pixels, and
        its standard error given the spectra.
    n_pixels : int
        Pixels that were decomposed, which areas are fractions of.
    band_confidence : float or None
        Of `count_band`.
    """

    names: list[str]
    counts: np.ndarray
    count_fractions: np.ndarray
    count_sigma: np.ndarray
    count_band: np.ndarray | None
    area_fractions: np.ndarray
    area_sigma: np.ndarray
    n_pixels: int
    band_confidence: float | None = None

    def table(self) -> PrettyTable:
        """Return fractions in per cent with standard errors, one row per phase."""
        table = PrettyTable()
        table.title = (
            f"Fractions of counts and of {self.n_pixels} pixels, 1 sigma of noise given the spectra"
        )
        band = [] if self.count_band is None else [f"{100 * self.band_confidence:g} % band"]
        table.field_names = ["Phase", "Counts", "Counts (%)", *band, "Area (%)"]
        table.align = "r"
        table.align["Phase"] = "l"
        for i, name in enumerate(self.names):
            of_counts = self._cells(i) if i < len(self.counts) else [""] * (2 + len(band))
            area = with_error(self.area_fractions[i], self.area_sigma[i])
            table.add_row([name, *of_counts, area])
        return table

    def _cells(self, i):
        """Return the cells of a phase on its counts."""
        cells = [f"{self.counts[i]:.0f}", with_error(self.count_fractions[i], self.count_sigma[i])]
        if self.count_band is not None:
            cells.append("{:.1f} to {:.1f}".format(*(100 * self.count_band[i])))
        return cells

    def rows(self) -> list[dict]:
        """Return one dict per phase, and one for unassigned pixels, whose counts are NaN."""
        columns = {
            "phase": self.names,
            "counts": self.counts,
            "count_fraction": self.count_fractions,
            "count_fraction_sigma": self.count_sigma,
        }
        if self.count_band is not None:
            low, high = self.count_band.T
            columns |= {"count_fraction_low": low, "count_fraction_high": high}
        columns |= {"area_fraction": self.area_fractions, "area_fraction_sigma": self.area_sigma}
        return [
            {name: self._value(of, i) for name, of in columns.items()}
            for i in range(len(self.names))
        ]

    def _value(self, column, i):
        if column is self.names:
            return column[i]
        return float(column[i]) if i < len(column) else float("nan")

    def to_dataframe(self):
        """Return `rows` as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return data_frame(self.rows())

    def __repr__(self):
        return str(self.table())


def with_error(fraction: float, sigma: float) -> str:
    """Return a fraction in per cent with its standard error, of which one digit is shown."""
    digits = 1 if 100 * sigma >= 0.05 else 2
    return f"{100 * fraction:.{digits}f} ± {100 * sigma:.{digits}f}"


def phase_fractions(
    decomposed: Decomposed, confidence: float, ambiguity: bool | Ambiguity
) -> PhaseFractions:
    """Return the fractions of the phases of a decomposed map; see the accessor."""
    check_confidence(confidence, lowest=0.5)
    others = resolve_ambiguity(decomposed, ambiguity, confidence)
    return find_fractions(decomposed, find_labels(decomposed, confidence), others)


def find_fractions(
    decomposed: Decomposed, labels: Labels, ambiguity: Ambiguity | None = None
) -> PhaseFractions:
    """Return fractions, those of the area by labels, and the band of an ambiguity."""
    counts = decomposed.counts
    total = max(counts.sum(), TINY)
    return PhaseFractions(
        [*decomposed.names, NO_PHASE],
        counts,
        counts / total,
        _errors_of_counts(decomposed, counts / total) / total,
        None if ambiguity is None else np.clip(ambiguity.counts_band / total, 0.0, 1.0),
        labels.fractions,
        labels.fraction_errors,
        decomposed.n_pixels,
        None if ambiguity is None else ambiguity.confidence,
    )


def _errors_of_counts(decomposed, fractions):
    n_pixels = decomposed.record.n_pixels_behind
    n_pixels = 1.0 if n_pixels is None else np.maximum(n_pixels, 1.0)[:, None, None]
    of_totals = (n_pixels * covariance_of_loadings(decomposed)).sum(axis=0)
    gradients = np.eye(len(fractions)) - fractions[:, None]
    return np.sqrt(np.maximum(np.einsum("kc,cd,kd->k", gradients, of_totals, gradients), 0.0))
