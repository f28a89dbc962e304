# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.ambiguity()``: bands of spectra, counts and compositions of phases."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from prettytable import PrettyTable
from scipy.stats import norm

from hyperspy_psnmf.eds.binned import bin_as_decomposed, coarse_energy_binning, read_decomposed
from hyperspy_psnmf.eds.line_intensities import compositions
from hyperspy_psnmf.eds.phases import phase_spectra
from hyperspy_psnmf.eds.progress import no_progress_bars
from hyperspy_psnmf.eds.results import read_counts_and_spectra, read_names
from hyperspy_psnmf.nmf.ambiguity import equally_likely
from hyperspy_psnmf.nmf.bands import Alternatives, alternatives
from hyperspy_psnmf.nmf.bins import bin_energy

N_DRAWS = 100  # noisy spectra per phase over all alternatives, for errors of compositions
SEED = 0


@dataclass(frozen=True)
class Ambiguity:
    """What the data cannot tell apart.

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

    def table(self) -> PrettyTable:
        """Return counts and atomic per cent of every phase, with their bands."""
        table = PrettyTable()
        table.title = f"Bands at {100 * self.confidence:g} % confidence"
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


def find_ambiguity(signal, *, confidence: float = 0.95, factors=None) -> Ambiguity:
    """Return the bands of a decomposed map; see the accessor."""
    check_confidence(confidence)
    found = phase_spectra(signal)
    percent = _compositions(found, factors) if factors is not None else {}
    others, window = find_alternatives(signal, found, confidence)
    low, high = np.moveaxis(others.spectra_band(confidence), -1, 0)
    return Ambiguity(
        read_names(signal),
        float(confidence),
        found,
        window.like_found(low, "Lowest"),
        window.like_found(high, "Highest"),
        window.counts,
        others.counts_band(confidence),
        percent,
        _compositions_band(window, others, factors, confidence) if percent else {},
        len(others.counts),
    )


def find_alternatives(signal, found, confidence: float):
    """Return the factorisations that fit as well, and what makes signals of them.

    Parameters
    ----------
    signal : EDSSpectrum
        A decomposed map.
    found : EDSSpectrum
        Its `phase_spectra`.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Alternatives
    Window
    """
    decomposed = read_decomposed(signal)
    X = bin_as_decomposed(signal, decomposed)
    energy_binning = coarse_energy_binning(signal, X.shape[1])
    coarse = bin_energy(X, energy_binning, n_jobs=None)
    n_fixed, H = decomposed.n_fixed, decomposed.H
    solutions = equally_likely(
        coarse, bin_energy(H, energy_binning), confidence=confidence, n_fixed=n_fixed, n_jobs=None
    )
    others = alternatives(X, H, solutions, energy_binning, n_fixed=n_fixed, n_jobs=None)
    counts = np.nansum(read_counts_and_spectra(signal)[0], axis=0)
    return others, Window(found, decomposed.keep_channels, counts)


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def check_confidence(confidence):
    """Raise naming the argument unless it lies between 0 and 1."""
    if not _is_number(confidence):
        raise TypeError(f"confidence must be a number, not {confidence!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")


def _compositions(spectra, factors):
    """Return atomic per cent by element; errors name the argument."""
    if not isinstance(factors, dict) or not all(map(_is_number, factors.values())):
        raise TypeError(f"factors must be a dict of one k-factor per X-ray line, not {factors!r}")
    if not all(0 < k < np.inf for k in factors.values()):
        raise ValueError(f"factors must be positive and finite, not {factors!r}")
    try:
        return compositions(spectra, factors)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("k_factors", "factors")) from None


class Window:
    """Brings spectra of unit sum, on the channels in use, to signals like `phase_spectra()`."""

    def __init__(self, found, keep_channels, counts):
        used = np.flatnonzero(keep_channels)
        self.found, self.counts = found, counts
        self.inside = keep_channels[used[0] : used[-1] + 1]

    def spread(self, H):
        """Return spectra (..., n_phases, n_channels) in counts, zero in masked channels."""
        full = np.zeros((*H.shape[:-1], self.inside.size))
        full[..., self.inside] = H * self.counts[:, None]
        return full

    def like_found(self, H, what):
        """Return bounds of spectra as a signal like `phase_spectra`."""
        signal = self.found.deepcopy()
        signal.data = self.spread(H)
        signal.metadata.General.title = f"{what} {signal.metadata.General.title}"
        # A bound has no Poisson variance.
        del signal.metadata.Signal.Noise_properties
        return signal

    def stack(self, H):
        """Return spectra (n, n_phases, n_channels) as a signal with one navigation axis."""
        data = self.spread(H).reshape(-1, self.inside.size)
        energy = self.found.axes_manager.signal_axes[0].get_axis_dictionary()
        metadata = self.found.metadata.as_dictionary()
        metadata["Signal"].pop("Noise_properties", None)
        axes = [{"size": len(data), "navigate": True}, {**energy, "navigate": False}]
        return type(self.found)(data, axes=axes, metadata=metadata)


def _compositions_band(window, others: Alternatives, factors, confidence):
    """Return the lowest and highest atomic per cent of all alternatives, noise added."""
    n, k = others.counts.shape
    n_each = 1 + -(-N_DRAWS // n)  # the first without noise
    noise = np.random.default_rng(SEED).standard_normal((n_each, *others.errors.shape))
    noise[0] = 0.0
    drawn = (others.spectra + noise * others.errors).reshape(n_each * n, k, -1)
    with no_progress_bars():
        found = compositions(window.stack(drawn), factors)
    z, bands = norm.ppf((1 + confidence) / 2), {}
    for element, values in found.items():
        percent = np.reshape(values, (n_each, n, k))
        spread = z * np.sqrt(np.nanmean((percent[1:] - percent[0]) ** 2, axis=(0, 1)))
        low, high = np.nanmin(percent[0], axis=0), np.nanmax(percent[0], axis=0)
        bands[element] = np.clip(np.stack([low - spread, high + spread], axis=-1), 0.0, 100.0)
    return bands
