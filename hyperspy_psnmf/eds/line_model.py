# SPDX-License-Identifier: GPL-3.0-or-later
r"""Families of X-ray lines and a smooth background, as columns of a linear model.

.. math:: S_j = \sum_l A_l g_{lj} + \sum_b c_b B_{bj}

The peaks :math:`g_l` are Gaussians as in eXSpy's EDS model, each main line with all
lines of its shell in their fixed ratios, or those that a detector records as well. Cubic
B-splines :math:`B_b` on a logarithmic energy axis follow the continuum better than eXSpy's
polynomial of order 6, which misses that of the phantoms by up to 8 standard deviations of
a net intensity at 100 000 counts. This is enough to see which lines are in a spectrum;
`spectrum_model` measures them.

References
----------
Fiori & Newbury, SEM/1978/I, p. 401 (widths). Eilers & Marx, Statistical Science 11
(1996) 89 (B-splines).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.interpolate import BSpline
from scipy.special import ndtr

from hyperspy_psnmf.eds.axes import energies
from hyperspy_psnmf.eds.sample import line_table, read_number

KNOTS_PER_E_FOLD = 2.8  # finer knots follow lines, coarser ones miss absorption edges
LOWEST = 0.12  # keV; below are the zero peak of SEM detectors and no lines
MN_KA = 5.8987  # keV
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))
RESOLVED = 2.5  # widths
TYPICAL_RESOLUTION = 130.0  # eV at Mn Ka
STRONG = 0.2  # of the main line
_SHELLS = ("Ka", "La", "Ma")


@dataclass(frozen=True)
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
    precision : ndarray of shape (n_lines + n_columns, n_lines + n_columns)
        Inverse covariance that coefficients are expected to have about zero.
    offset, gain : float
        Where lines are, beside their energy E: at E + offset + gain E, in keV.
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

    @cached_property
    def peaks(self) -> np.ndarray:
        """Counts in each channel per count in the main line, (n_channels, n_lines)."""
        peaks = np.zeros((self.energy.size, len(self.lines)))
        for peak, (family, _, weight) in zip(self.single_peaks.T, self.members, strict=True):
            peaks[:, int(family)] += weight * peak
        return peaks

    @cached_property
    def single_peaks(self) -> np.ndarray:
        """Share of each channel in the counts of each member, (n_channels, n_members)."""
        peaks = np.zeros((self.energy.size, len(self.members)))
        width = self.energy[1] - self.energy[0]
        borders = np.append(self.energy, self.energy[-1] + width) - width / 2
        for peak, (_, energy, _) in zip(peaks.T, self.members, strict=True):
            sigma = peak_fwhm(self.resolution, energy) / FWHM_PER_SIGMA
            distance = (borders - energy * (1 + self.gain) - self.offset) / sigma
            # Integrated over channels, which are half a standard deviation wide.
            peak[:] = np.diff(ndtr(distance))
        return peaks

    @cached_property
    def columns(self) -> np.ndarray:
        """All columns, lines first, of the channels in use."""
        return np.hstack([self.peaks, self.background])[self.use]


def build_line_model(spectra, elements, keep: np.ndarray, *, peaks=()) -> LineModel:
    """Return the model of all lines that the elements have on the energy axis.

    Parameters
    ----------
    spectra : EDSSpectrum
        Spectra of phases; they are not changed.
    elements : iterable of str
        All elements whose lines are in the spectra.
    keep : ndarray of bool, of shape (n_channels,)
        Channels that hold counts.
    peaks : iterable of float
        Energies in keV of peaks of no known element.
    """
    energy = energies(spectra)
    axis = spectra.axes_manager.signal_axes[0]
    if not axis.is_uniform:
        raise ValueError("a model of lines needs a uniform energy axis: use method='windows'")
    beam_energy, resolution = read_beam_energy(spectra), read_resolution(spectra)
    use = keep & (energy >= LOWEST) & (energy < beam_energy)
    names, members = families(sorted(elements), energy[0], energy[-1], beam_energy)
    alone = [(len(names) + i, peak, 1.0) for i, peak in enumerate(peaks)]
    names, members = [*names, *(f"{p:.3f} keV" for p in peaks)], np.vstack([members, *alone])
    background = splines(energy, energy, use)
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
    """Return where a model's lines are and how wide, as keywords of another."""
    return {"offset": model.offset, "gain": model.gain, "resolution": model.resolution}


def peak_fwhm(resolution: float, energy: float) -> float:
    """Return the width of a line in keV, after Fiori and Newbury.

    Never below 30 eV, which the electronics alone take: eXSpy's own formula has no
    root for the lightest elements where the resolution is below 122 eV.
    """
    return 1e-3 * np.sqrt(max(resolution**2 + 2500.0 * (energy - MN_KA), 30.0**2))


def read_beam_energy(signal) -> float:
    """Return the beam energy in keV, or raise saying how to set it."""
    for microscope in ("SEM", "TEM"):
        found = read_number(signal, f"Acquisition_instrument.{microscope}.beam_energy")
        if found is not None:
            return found
    raise ValueError(
        "the metadata have no beam energy: set it with s.set_microscope_parameters(beam_energy=...)"
    )


def read_resolution(signal) -> float:
    """Return the detector's resolution at Mn Ka in eV, or raise saying how to set it."""
    for microscope in ("SEM", "TEM"):
        path = f"Acquisition_instrument.{microscope}.Detector.EDS.energy_resolution_MnKa"
        found = read_number(signal, path)
        if found is not None:
            return found
    raise ValueError(
        "the metadata have no energy resolution: set it with "
        "s.set_microscope_parameters(energy_resolution_MnKa=...)"
    )


def families(
    elements, first: float, last: float, beam_energy: float, *, whole: bool = False
) -> tuple[list[str], np.ndarray]:
    """Return the main lines and the members of their families, as of `LineModel`.

    As in eXSpy's EDS model, which takes seconds to build: all lines of a shell,
    in the ratio of their weights, but for those of `_groups`.

    Parameters
    ----------
    elements : iterable of str
    first, last, beam_energy : float
        In keV; lines beyond are left out.
    whole : bool
        Take shells as a whole.
    """
    names, members = [], []
    for element in elements:
        lines = line_table(element)
        inside = [name for name, (e, _) in lines.items() if first < e < min(last, beam_energy)]
        for main in (shell for shell in _SHELLS if shell in inside):
            shell = {n: lines[n] for n in inside if n[0] == main[0]}
            # The database has none for Ca La.
            shell[main] = (shell[main][0], max(shell[main][1], 1.0))
            for group in [list(shell)] if whole else _groups(shell, main):
                strongest = max(group, key=lambda n: (n == main, shell[n][1]))
                members += [
                    (len(names), shell[n][0], shell[n][1] / shell[strongest][1]) for n in group
                ]
                names.append(f"{element}_{strongest}")
    return names, np.array(members).reshape(-1, 3)


def _groups(shell, main):
    """Return lines of a shell whose ratio is known well enough, the main line's first.

    A detector does not record all of an L or M shell with the same efficiency, so
    strong lines that it resolves from the main line stand by themselves.
    """
    own, apart = [], []
    for name, (energy, _) in shell.items():
        far = abs(energy - shell[main][0]) > RESOLVED * peak_fwhm(TYPICAL_RESOLUTION, energy)
        (apart if far and main != "Ka" else own).append(name)
    above = [n for n in apart if shell[n][0] > shell[main][0]]
    if sum(shell[n][1] for n in above) < STRONG:
        return [[*own, *apart]]
    return [[*own, *(n for n in apart if n not in above)], above]


def splines(at: np.ndarray, energy: np.ndarray, use: np.ndarray) -> np.ndarray:
    """Return cubic B-splines at some energies, of shape (n_energies, n_splines).

    Parameters
    ----------
    at : ndarray of shape (n_energies,)
        In keV.
    energy : ndarray of shape (n_channels,)
        Energy axis in keV.
    use : ndarray of bool, of shape (n_channels,)
        Channels that the splines are made for; they are constant beyond.
    """
    low, high = _position(energy[use][[0, -1]])
    n = max(2, round(KNOTS_PER_E_FOLD * (high - low)) + 1)
    knots = np.pad(np.linspace(low, high, n), 3, mode="edge")

    def columns(energies):
        return BSpline.design_matrix(np.clip(_position(energies), low, high), knots, 3).toarray()

    # Splines over channels left out would be undetermined.
    return columns(at)[:, (columns(energy[use]) > 0.05).any(axis=0)]


def _position(energy):
    return np.log(np.maximum(energy, LOWEST / 2))
