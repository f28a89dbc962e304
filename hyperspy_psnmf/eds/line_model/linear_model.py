# SPDX-License-Identifier: GPL-3.0-or-later
r"""Families of X-ray lines and a smooth background, as columns of a linear model.

.. math:: S_j = \sum_l A_l g_{lj} + \sum_b c_b B_{bj}

The peaks :math:`g_l` are Gaussians as in eXSpy's EDS model, each main line with all
lines of its shell in their fixed ratios, or those that a detector records as well. Cubic
B-splines :math:`B_b` on a logarithmic energy axis follow the continuum better than eXSpy's
polynomial of order 6, which misses that of the phantoms by up to 8 standard deviations of
a net intensity at 100 000 counts. It serves to find which lines are in a spectrum;
`full_model` measures them.

References
----------
Eilers & Marx, Statistical Science 11 (1996) 89 (B-splines).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csc_array

from hyperspy_psnmf.eds.line_model.splines import clamped_splines
from hyperspy_psnmf.eds.signals.axes import energies
from hyperspy_psnmf.eds.signals.metadata import find_beam_energy, find_resolution
from hyperspy_psnmf.eds.xray.detector import (
    TYPICAL_RESOLUTION,
    ZERO_PEAK,
    PeakShapes,
    peak_fwhm,
    peak_fwhms,
    peak_shapes,
)
from hyperspy_psnmf.eds.xray.lines import line_table

RESOLVED = 2.5  # FWHM from the main line; lines beyond are fitted by themselves
MIN_GROUP_WEIGHT = 0.2  # of the main line, for lines above it to be fitted by themselves
_SHELLS = ("Ka", "La", "Ma")


@dataclass(frozen=True, eq=False)
class LineModel:
    """The linear model on all channels of the spectra.

    Attributes
    ----------
    lines : list of str
        Main line of each family.
    members : ndarray of shape (n_members, 3)
        Family, energy in keV and weight of each line; main lines have weight 1.
    energy : ndarray of shape (n_channels,)
        Energy axis in keV.
    background : ndarray of shape (n_channels, n_columns)
        Columns beside those of lines: splines of the continuum.
    use : ndarray of bool, of shape (n_channels,)
        Channels that the model describes.
    resolution : float
        Of the detector at Mn Ka, in eV.
    fano : float
        Fano term, relative to the usual one.
    precision : ndarray of shape (n_lines + n_columns, n_lines + n_columns)
        Inverse covariance of the coefficients' Gaussian prior about zero.
    offset, gain : float
        A line of energy E is recorded at E + offset + gain E, in keV.
    skewness : ndarray of shape (n_lines,) or float
        Of the peaks; negative for tails on the side of low energies.
    sum_peaks : ndarray of shape (n_channels, n_lines) or float
        Counts in sum peaks per count in the main line.
    """

    lines: list[str]
    members: np.ndarray
    energy: np.ndarray
    background: np.ndarray
    use: np.ndarray
    resolution: float
    precision: np.ndarray
    offset: float = 0.0
    gain: float = 0.0
    fano: float = 1.0
    skewness: np.ndarray | float = 0.0
    sum_peaks: np.ndarray | float = 0.0

    @cached_property
    def peaks(self) -> np.ndarray:
        """Counts in each channel per count in the main line, (n_channels, n_lines)."""
        return self.sum_over_members(self.single_peaks) + self.sum_peaks

    @property
    def main_energies(self) -> np.ndarray:
        """Energies in keV of the main line of each family, of shape (n_lines,)."""
        main = np.flatnonzero(self.members[:, 2] == 1.0)[::-1]  # the first of each family
        energies = np.full(len(self.lines), np.nan)
        energies[self.members[main, 0].astype(int)] = self.members[main, 1]
        return energies

    def recorded_energy(self, energy: np.ndarray) -> np.ndarray:
        """Return where on the energy axis, in keV, lines of an energy are recorded."""
        return energy * (1.0 + self.gain) + self.offset

    def sum_over_members(self, of_members: csc_array) -> np.ndarray:
        """Return the weighted sums of members by family, of shape (n_channels, n_lines)."""
        family, _, weight = self.members.T
        weights = np.zeros((len(self.members), len(self.lines)))
        weights[np.arange(len(self.members)), family.astype(int)] = weight
        return of_members @ weights

    @property
    def single_peaks(self) -> csc_array:
        """Fraction of the counts of each member in each channel, (n_channels, n_members)."""
        if not np.any(self.skewness):
            return self.shapes.peaks
        of_members = np.broadcast_to(self.skewness, len(self.lines))[self.members[:, 0].astype(int)]
        return self.shapes.peaks + self.shapes.by_skewness * of_members

    @cached_property
    def shapes(self) -> PeakShapes:
        """Peaks of the members and their derivatives."""
        return peak_shapes(self.energy, self.recorded_energy(self.members[:, 1]), self.fwhm)

    @property
    def fwhm(self) -> np.ndarray:
        """Widths of the members in keV, of shape (n_members,)."""
        return peak_fwhms(self.resolution, self.members[:, 1], self.fano)

    def wider_peaks(self, factor: float) -> np.ndarray:
        """Return the peaks with all widths multiplied, of shape (n_channels, n_lines)."""
        centres = self.recorded_energy(self.members[:, 1])
        shapes = peak_shapes(self.energy, centres, factor * self.fwhm)
        return self.sum_over_members(shapes.peaks)

    @cached_property
    def columns(self) -> np.ndarray:
        """All columns, lines first, of the channels in use."""
        return np.hstack([self.peaks, self.background])[self.use]

    def normal(self, variance: np.ndarray) -> np.ndarray:
        """Return the matrix of the normal equations, (n_columns, n_columns).

        Parameters
        ----------
        variance : ndarray of shape (n_channels,)
            Of the counts that the model is fitted to.
        """
        return self.columns.T @ (self.columns / variance[self.use, None]) + self.precision


def build_line_model(spectra, elements, keep: np.ndarray, *, peaks=()) -> LineModel:
    """Return the model of all lines that the elements have on the energy axis.

    Parameters
    ----------
    spectra : EDSSpectrum
        Spectra of phases; they are not changed.
    elements : iterable of str
        All elements whose lines are in the spectra.
    keep : ndarray of bool, of shape (n_channels,)
        Channels in use.
    peaks : iterable of float
        Energies in keV of peaks that no element was assigned to.
    """
    energy = energies(spectra)
    axis = spectra.axes_manager.signal_axes[0]
    if not axis.is_uniform:
        raise ValueError("a model of lines needs a uniform energy axis: use intensities='windows'")
    beam_energy, resolution = read_beam_energy(spectra), read_resolution(spectra)
    use = keep & (energy >= ZERO_PEAK) & (energy < beam_energy)
    names, members = families(sorted(elements), energy[0], energy[-1], beam_energy)
    singles = [(len(names) + i, peak, 1.0) for i, peak in enumerate(peaks)]
    names, members = [*names, *(f"{p:.3f} keV" for p in peaks)], np.vstack([members, *singles])
    background = _background(energy, use)
    free = np.zeros((len(names) + background.shape[1],) * 2)
    model = LineModel(names, members, energy, background, use, resolution, free)
    # A line cut off by the end of what is used has no defined area.
    whole = model.peaks[use].sum(axis=0) > 0.5 * np.maximum(model.peaks.sum(axis=0), 0.5)
    kept = np.flatnonzero(whole)
    members = np.array([(np.searchsorted(kept, f), *m) for f, *m in members if whole[int(f)]])
    return replace(
        model,
        lines=[names[i] for i in kept],
        members=members.reshape(-1, 3),
        precision=free[len(names) - kept.size :, len(names) - kept.size :],
    )


def axis_of(model: LineModel) -> dict[str, float]:
    """Return the energy axis and resolution of a model, as keywords of another."""
    return {"offset": model.offset, "gain": model.gain, "resolution": model.resolution}


def read_beam_energy(signal) -> float:
    """Return the beam energy in keV, or raise saying how to set it."""
    found = find_beam_energy(signal)
    if found is not None:
        return found
    raise ValueError(
        "the metadata have no beam energy: set it with s.set_microscope_parameters(beam_energy=...)"
    )


def read_resolution(signal) -> float:
    """Return the detector's resolution at Mn Ka in eV, or raise saying how to set it."""
    found = find_resolution(signal)
    if found is not None:
        return found
    raise ValueError(
        "the metadata have no energy resolution: set it with "
        "s.set_microscope_parameters(energy_resolution_MnKa=...)"
    )


def families(
    elements, first: float, last: float, beam_energy: float, *, whole_shells: bool = False
) -> tuple[list[str], np.ndarray]:
    """Return the main lines and the members of their families, as of `LineModel`.

    As in eXSpy's EDS model, which takes seconds to build: all lines of a shell,
    in the ratio of their weights, but for those of `_groups`.

    Parameters
    ----------
    elements : iterable of str
    first, last, beam_energy : float
        In keV; lines beyond are left out.
    whole_shells : bool
        Keep all lines of a shell in one family.
    """
    names, members = [], []
    for element in elements:
        lines = line_table(element)
        inside = [name for name, (e, _) in lines.items() if first < e < min(last, beam_energy)]
        for main in (shell for shell in _SHELLS if shell in inside):
            shell = {n: lines[n] for n in inside if n[0] == main[0]}
            # The database has none for Ca La.
            shell[main] = (shell[main][0], max(shell[main][1], 1.0))
            for group in [list(shell)] if whole_shells else _groups(shell, main):
                strongest = max(group, key=lambda n: (n == main, shell[n][1]))
                members += [
                    (len(names), shell[n][0], shell[n][1] / shell[strongest][1]) for n in group
                ]
                names.append(f"{element}_{strongest}")
    return names, np.array(members).reshape(-1, 3)


def _groups(shell, main):
    """Return lines of a shell whose ratio is accurate enough, the main line's first.

    The detector's efficiency varies over an L or M shell, so strong lines that are resolved
    from the main line are fitted by themselves.
    """
    own, resolved = [], []
    for name, (energy, _) in shell.items():
        far = abs(energy - shell[main][0]) > RESOLVED * peak_fwhm(TYPICAL_RESOLUTION, energy)
        (resolved if far and main != "Ka" else own).append(name)
    above = [n for n in resolved if shell[n][0] > shell[main][0]]
    if sum(shell[n][1] for n in above) < MIN_GROUP_WEIGHT:
        return [[*own, *resolved]]
    return [[*own, *(n for n in resolved if n not in above)], above]


def _background(energy, use):
    """Return the splines that channels in use determine, of shape (n_channels, n_splines)."""
    splines = clamped_splines(energy, *energy[use][[0, -1]])
    return splines[:, (splines[use] > 0.05).any(axis=0)]
