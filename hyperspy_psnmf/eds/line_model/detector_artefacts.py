# SPDX-License-Identifier: GPL-3.0-or-later
r"""Detector artefacts: sum peaks (pile-up) and escape peaks of strong lines.

- Sum peaks: two photons too close in time to be resolved are recorded as one. If a
  fraction :math:`p` of :math:`N` counts piles up, the sum peak of lines a and b has
  :math:`p N_a N_b / N` counts (half as many where both are the same line). The fraction is
  fitted for each pair of strong lines: the sum of two C Ka photons lies within the width of
  O Ka, and electronics reject the pile-up of high energies better than that of low ones.
- Escape peaks: a Si K photon (1.74 keV) leaves the detector.

References
----------
Reed & Ware, Journal of Physics E 5 (1972) 582 (escape). Statham, Microchimica Acta 155
(2006) 289 (pile-up).
"""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
from scipy.linalg import block_diag
from scipy.sparse import csc_array

from hyperspy_psnmf.eds.line_model.calibration import solve
from hyperspy_psnmf.eds.xray.detector import peak_fwhms, peak_shapes

SI_KA, SI_EDGE = 1.740, 1.839  # keV
ENERGY_TOLERANCE = 0.02  # keV, between a peak and the energy of an artefact
MIN_PARENT = 0.05  # of all counts; escape peaks of weaker lines are not significant
MIN_SUMMED = 0.02  # of all counts; sum peaks of weaker lines are not significant
PILE_UP = 0.03  # fraction of the photons: prior standard deviation
MAX_PILE_UP = 0.1  # fraction of the photons; above any usual count rate
N_STRONGEST = 5  # lines, with 15 sum peaks
MIN_WEIGHT = 0.05  # of the main line; sum peaks with weaker lines are left out
MAX_ESCAPE = 0.025  # of a line's counts; 1.5 % at P Ka, 0.3 % at Fe Ka


def pairs_of_strong(lines: np.ndarray, total: float) -> tuple[tuple[int, int], ...]:
    """Return the pairs of families of lines whose sum peaks may be significant.

    Parameters
    ----------
    lines : ndarray of shape (n_lines,)
        Counts in the main lines.
    total : float
        Counts of the spectrum.
    """
    strong = np.flatnonzero(lines > max(MIN_SUMMED * total, 1.0))
    strongest = strong[np.argsort(-lines[strong], kind="stable")][:N_STRONGEST]
    return tuple(combinations_with_replacement(sorted(map(int, strongest)), 2))


def pairs_of_phases(pairs, lines: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return the counts in sum peaks of each phase if all photons piled up.

    Parameters
    ----------
    pairs : sequence of tuple of int
    lines : ndarray of shape (n_phases, n_lines)
        Counts in the main lines.
    totals : ndarray of shape (n_phases,)
        Counts of the phases.

    Returns
    -------
    counts : ndarray of shape (n_phases, n_pairs)
    """
    a, b = np.array(pairs, dtype=int).reshape(-1, 2).T
    same = np.where(a == b, 0.5, 1.0)
    return same * lines[:, a] * lines[:, b] / np.maximum(totals, 1.0)[:, None]


def pair_shapes(model, pairs) -> np.ndarray:
    """Return the sum peaks of pairs of families with one count in each main line's.

    Parameters
    ----------
    model : LineModel
    pairs : sequence of tuple of int
        Indices of families.

    Returns
    -------
    shapes : ndarray of shape (n_channels, n_pairs)
    """
    family, energy, weight = model.members.T
    rows = []
    for column, (a, b) in enumerate(pairs):
        of_a, of_b = (np.flatnonzero((family == f) & (weight > MIN_WEIGHT)) for f in (a, b))
        true = np.add.outer(energy[of_a], energy[of_b]).ravel()
        rows += zip(
            true, np.outer(weight[of_a], weight[of_b]).ravel(), [column] * true.size, strict=True
        )
    if not rows:
        return np.zeros((model.energy.size, len(pairs)))
    true, weight, column = np.array(rows).T
    fwhm = peak_fwhms(model.resolution, true, model.fano)
    peaks = peak_shapes(model.energy, model.recorded_energy(true), fwhm).peaks
    add = csc_array((weight, (np.arange(true.size), column.astype(int))), (true.size, len(pairs)))
    return (peaks @ add).toarray()


def sum_peaks(pairs, shapes: np.ndarray, lines: np.ndarray, total: float) -> np.ndarray:
    """Return the counts in sum peaks if all photons piled up, (n_channels, n_pairs)."""
    if not len(pairs):
        return shapes
    a, b = np.array(pairs).T
    return shapes * (lines[a] * lines[b] / total * np.where(a == b, 0.5, 1.0))


def per_line(pairs, shapes: np.ndarray, pile_up: np.ndarray, lines: np.ndarray, total: float):
    """Return the counts in sum peaks per count in each main line, (n_channels, n_lines).

    Half of each sum peak is assigned to either line.
    """
    columns = np.zeros((len(shapes), len(lines)))
    for (a, b), shape, fraction in zip(pairs, shapes.T, pile_up, strict=True):
        for line, other in {(a, b), (b, a)}:
            columns[:, line] += 0.5 * fraction * lines[other] / total * shape
    return columns


def with_sum_peaks(model, counts: np.ndarray, weights: np.ndarray):
    """Return a model with sum peaks fitted to a spectrum.

    Parameters
    ----------
    model : LineModel
    counts : ndarray of shape (n_channels,)
    weights : ndarray of shape (n_channels_in_use,)
        1 over the standard deviations of the counts.
    """
    total, n = counts[model.use].sum(), len(model.lines)
    lines = solve(model, counts[model.use], weights)[:n]
    pairs = pairs_of_strong(lines, total)
    if not pairs:
        return model
    shapes = pair_shapes(model, pairs)
    separate = replace(
        model,
        background=np.column_stack([model.background, sum_peaks(pairs, shapes, lines, total)]),
        precision=block_diag(model.precision, PILE_UP**-2.0 * np.eye(len(pairs))),
    )
    found = solve(separate, counts[model.use], weights)
    pile_up = np.clip(found[-len(pairs) :], 0.0, MAX_PILE_UP)
    return replace(model, sum_peaks=per_line(pairs, shapes, pile_up, found[:n], total))


def find_escaped(model, counts: np.ndarray, weights: np.ndarray, peak) -> str:
    """Return the line whose escape peak a peak may be, or "".

    Parameters
    ----------
    model : LineModel
        Of the lines fitted so far.
    counts : ndarray of shape (n_channels,)
        The spectrum with the peak.
    weights : ndarray of shape (n_channels_in_use,)
        1 over the standard deviations of the counts.
    peak : Peak
        Where in keV, and its counts.
    """
    total = counts[model.use].sum()
    found = solve(model, counts[model.use], weights)
    near = [
        (abs(energy - SI_KA - peak.energy), line)
        for line, energy, n in zip(model.lines, model.main_energies, found, strict=False)
        if "_" in line
        and n > MIN_PARENT * total
        and energy > SI_EDGE
        and peak.counts < MAX_ESCAPE * n
    ]
    distance, line = min(near, default=(np.inf, ""))
    return line if distance < ENERGY_TOLERANCE else ""
