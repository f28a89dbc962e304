# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.ambiguity()``: bands of spectra, counts and compositions of phases."""

import warnings
from dataclasses import dataclass

import numpy as np
from prettytable import PrettyTable

from hyperspy_psnmf.eds.decompose.fit_sentences import sentence_on_likelihood
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.signals.phases import spectra_like_phases
from hyperspy_psnmf.eds.signals.picklable import Picklable
from hyperspy_psnmf.eds.uncertainty.alternatives import find_alternatives
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import LikelihoodRatio
from hyperspy_psnmf.nmf.validation import check_confidence


@dataclass(frozen=True, eq=False)
class Ambiguity(Picklable):
    """Confidence bands of spectra, counts and compositions (profile likelihood).

    Attributes
    ----------
    names : list of str
        Names of the phases.
    confidence : float
        Of the bands.
    spectra, spectra_low, spectra_high : EDSTEMSpectrum or EDSSEMSpectrum
        The phases' spectra as found, and the lowest and highest of each channel,
        for the counts of the phase as found: bands of the shape.
    counts : ndarray of shape (n_phases,)
        Counts of each phase as found.
    counts_band : ndarray of shape (n_phases, 2)
        Lowest and highest.
    compositions : dict of ndarray of shape (n_phases,)
        Atomic per cent as found, by element. Empty without factors.
    compositions_band : dict of ndarray of shape (n_phases, 2)
        Lowest and highest.
    n_alternatives : int
        Number of factorisations that the bands enclose.
    alternatives : ndarray of shape (n_alternatives, n_phases, n_channels)
        Their spectra, for the counts of the phases as found, on the channels of `spectra`.
    likelihood_ratio : LikelihoodRatio
        Test of the result, its loadings of the binned map and its spectra, against the most likely
        of these factorisations: its ``excess`` in nats, the largest that is not significant
        (``limit``), and ``is_as_likely``. Of spectra made of X-ray lines that follow the counts
        in some channels, the part made of lines is tested.
    """

    names: list[str]
    confidence: float
    spectra: object
    spectra_low: object
    spectra_high: object
    counts: np.ndarray
    counts_band: np.ndarray
    compositions: dict[str, np.ndarray]
    compositions_band: dict[str, np.ndarray]
    n_alternatives: int
    alternatives: np.ndarray
    likelihood_ratio: LikelihoodRatio

    def table(self) -> PrettyTable:
        """Return counts and atomic per cent of every phase, with their bands.

        The title has the excess of the result, and its limit, in nats.
        """
        table = PrettyTable()
        of = f", at% normalised to {' + '.join(self.compositions)}" if self.compositions else ""
        ratio = self.likelihood_ratio
        result = f"result: excess {ratio.excess:.1f} nats, limit {ratio.limit:.1f}"
        table.title = f"Bands at {100 * self.confidence:g} % confidence{of}; {result}"
        table.field_names = ["Phase", "Counts", *(f"{el} (at%)" for el in self.compositions)]
        table.align = "r"
        table.align["Phase"] = "l"
        for i, name in enumerate(self.names):
            percent = (
                _with_band(found[i], self.compositions_band[el][i], 1)
                for el, found in self.compositions.items()
            )
            table.add_row([name, _with_band(self.counts[i], self.counts_band[i], 0), *percent])
        return table

    def __repr__(self):
        return str(self.table())


def _with_band(value, band, decimals):
    return f"{value:.{decimals}f} ({band[0]:.{decimals}f} to {band[1]:.{decimals}f})"


def find_ambiguity(decomposed: Decomposed, *, confidence: float = 0.95) -> Ambiguity:
    """Return the bands of a decomposed map, without compositions; see the accessor."""
    check_confidence(confidence)
    found = decomposed.counts
    others, ratio = find_alternatives(decomposed, confidence)
    if not ratio.is_as_likely:
        warnings.warn(sentence_on_likelihood(ratio, confidence), UserWarning, stacklevel=3)
    low, high = np.moveaxis(others.spectra_band(confidence), -1, 0)
    # The band includes the result itself, whose loadings are not from the binned map alone.
    counts = np.concatenate([others.counts_band(confidence), found[:, None]], axis=1)
    return Ambiguity(
        decomposed.names,
        float(confidence),
        decomposed.spectra,
        _like_spectra(decomposed, low, "Lowest"),
        _like_spectra(decomposed, high, "Highest"),
        found,
        np.stack([counts.min(axis=1), counts.max(axis=1)], axis=1),
        {},
        {},
        len(others.counts),
        _in_counts(decomposed, others.spectra),
        ratio,
    )


def resolve_ambiguity(
    decomposed: Decomposed, ambiguity: bool | Ambiguity, confidence: float
) -> Ambiguity | None:
    """Return the ambiguity given, or found where that is True, or None; raise for other values."""
    if isinstance(ambiguity, Ambiguity):
        check_ambiguity(ambiguity, decomposed)
        return ambiguity
    if not isinstance(ambiguity, bool):
        raise TypeError(
            f"ambiguity must be True, False or what s.psnmf.ambiguity() returned, not {ambiguity!r}"
        )
    return find_ambiguity(decomposed, confidence=confidence) if ambiguity else None


def check_ambiguity(ambiguity: Ambiguity, decomposed: Decomposed) -> None:
    """Raise ValueError unless an ambiguity is that of a decomposed map."""
    if not np.array_equal(ambiguity.spectra.data, decomposed.spectra.data):
        raise ValueError(
            "ambiguity is that of another decomposition, with other spectra: call "
            "s.psnmf.ambiguity() again"
        )


def _in_counts(decomposed, H):
    """Return spectra of unit sum (..., n_phases, n_channels) in counts, zero in masked channels."""
    inside = decomposed.map_input.inside
    full = np.zeros((*H.shape[:-1], inside.size))
    full[..., inside] = H * decomposed.counts[:, None]
    return full


def _like_spectra(decomposed, H, what):
    """Return bounds of spectra as a signal like `phase_spectra`."""
    title = f"{what} {decomposed.spectra.metadata.General.title}"
    return spectra_like_phases(decomposed.spectra, _in_counts(decomposed, H), title)
