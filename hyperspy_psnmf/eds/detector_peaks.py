# SPDX-License-Identifier: GPL-3.0-or-later
r"""Peaks that the detector makes of strong lines, and that are lines of no element.

- Sum peaks: two photons so close in time that they count as one. Of :math:`N` counts, a
  share :math:`p` of which meets another, :math:`p N_a N_b / N` are of lines a and b (half
  as many where both are the same line).
- Escape peaks: silicon fluoresces, and its photon leaves the detector with 1.74 keV.

Both are small, so a peak is one of them only where it is no larger than they can be.

References
----------
Reed & Ware, Journal of Physics E 5 (1972) 582 (escape). Statham, Microchimica Acta 155
(2006) 289 (pile-up).
"""

from itertools import combinations_with_replacement

import numpy as np

from hyperspy_psnmf.eds.line_calibration import solve

SI_KA, SI_EDGE = 1.740, 1.839  # keV
CLOSE = 0.02  # keV
STRONG = 0.05  # of all counts
PILED_UP = 0.1  # of all counts; more than anybody measures with
ESCAPING = 0.025  # of a line; 1.5 % at P Ka, 0.3 % at Fe Ka


def find_cause(model, counts: np.ndarray, weights: np.ndarray, peak) -> str:
    """Return what the detector may have made a peak of, or nothing.

    Parameters
    ----------
    model : LineModel
        Of the lines there are.
    counts : ndarray of shape (n_channels,)
        The spectrum that the peak stands out from.
    weights : ndarray of shape (n_channels_in_use,)
        1 over the standard deviations of the counts.
    peak : Peak
        Where in keV, and its counts.
    """
    total = counts[model.use].sum()
    lines = {line: n for line, n in _counts_of_lines(model, counts, weights) if n > STRONG * total}
    energy = {model.lines[int(f)]: e for f, e, weight in model.members if weight == 1.0}
    candidates = [
        (e - SI_KA, ESCAPING * lines[line], f"the escape peak of {line}")
        for line in lines
        if (e := energy[line]) > SI_EDGE
    ]
    for a, b in combinations_with_replacement(lines, 2):
        at_most = PILED_UP * lines[a] * lines[b] / total * (0.5 if a == b else 1.0)
        candidates.append((energy[a] + energy[b], at_most, f"the sum peak of {a} and {b}"))
    near = [
        (abs(at - peak.energy), words)
        for at, at_most, words in candidates
        if abs(at - peak.energy) < CLOSE and peak.counts < at_most
    ]
    return min(near, default=(0.0, ""))[1]


def _counts_of_lines(model, counts, weights):
    """Return the counts of each main line of elements."""
    found = solve(model, counts[model.use], weights)
    return [(line, n) for line, n in zip(model.lines, found, strict=False) if "_" in line]
