# SPDX-License-Identifier: GPL-3.0-or-later
"""Sum peaks (pile-up): two photons recorded as one of the sum of their energies.

Where the count rate is about the same all over the map, pile-up is a part of every
phase's spectrum like any line, and is in no residual. So the map's spectrum is searched for
peaks at sums of the energies of its strongest peaks, where the specimen has no line. That needs
no beam energy and no uniform axis, as the fit of sum peaks in `line_model.detector_artefacts` does.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy.ndimage import gaussian_filter1d, grey_opening

from hyperspy_psnmf.eds.signals.metadata import sample_elements, sample_lines
from hyperspy_psnmf.eds.xray.detector import FWHM_PER_SIGMA, LINE_WIDTH, TYPICAL_RESOLUTION
from hyperspy_psnmf.eds.xray.lines import line_energy, lines_of
from hyperspy_psnmf.nmf.counts.matrix import total_counts

N_STRONGEST = 3  # peaks whose sums are tested
SIGNIFICANT = 6.0  # standard deviations
WIDTH = 1e-3 * TYPICAL_RESOLUTION  # keV, of a line at half its height
LOWEST = 0.2  # keV; below it is the zero peak


@dataclass(frozen=True)
class SumPeak:
    """A peak at the sum of the energies of two strong peaks.

    Attributes
    ----------
    energies : (float, float)
        Of the two peaks, in keV.
    lines : (str, str) or None
        X-ray lines of the specimen there, where both have one.
    """

    energies: tuple[float, float]
    lines: tuple[str, str] | None

    @property
    def energy(self) -> float:
        """Energy of the sum, in keV."""
        return sum(self.energies)


def find_sum_peaks(signal, X, energy) -> list[SumPeak]:
    """Return significant peaks at sum energies; none where the metadata have no elements.

    Parameters
    ----------
    signal : EDSSpectrum
        With ``metadata.Sample.elements``.
    X : csr_array of shape (n_pixels, n_channels_in_use)
        Counts.
    energy : ndarray of shape (n_channels_in_use,)
        In keV.
    """
    known = _lines_of_elements(signal)
    spectrum = total_counts(X, axis=0)
    if energy[-1] < energy[0]:
        spectrum, energy = spectrum[::-1], energy[::-1]
    found = {}
    for a, b in combinations_with_replacement(_strongest(spectrum, energy), 2):
        at = a + b
        if not known.size or np.abs(known - at).min() < WIDTH:
            continue
        if _significance(spectrum, energy, at) > SIGNIFICANT:
            found[round(at, 2)] = SumPeak((a, b), _lines_at(signal, a, b))
    return list(found.values())


def _lines_at(signal, *energies):
    """Return the lines of the specimen nearest to some energies, or None if any is far off."""
    listed = {line: line_energy(line) for line in sample_lines(signal)}
    nearest = [min(listed, key=lambda n: abs(listed[n] - e), default=None) for e in energies]
    known = all(
        n is not None and abs(listed[n] - e) < WIDTH / 2
        for n, e in zip(nearest, energies, strict=True)
    )
    return tuple(map(str, nearest)) if known else None


def _lines_of_elements(signal):
    """Return the energies of all lines of the specimen's elements."""
    of_elements = map(lines_of, sample_elements(signal))
    return np.array([energy for lines in of_elements for energy in lines.values()])


def _strongest(spectrum, energy):
    """Return the energies of the highest peaks above the background."""
    channel = float(np.median(np.diff(energy)))
    smooth = gaussian_filter1d(spectrum, WIDTH / FWHM_PER_SIGMA / channel)
    net = smooth - grey_opening(smooth, max(3, round(LINE_WIDTH / channel)))
    net[energy < LOWEST] = 0.0
    peaks = []
    while len(peaks) < N_STRONGEST and net.any():
        peaks.append(float(energy[np.argmax(net)]))
        net[np.abs(energy - peaks[-1]) < 1.5 * WIDTH] = 0.0
    return peaks


def _significance(spectrum, energy, at):
    """Return a peak's net counts over their error, with background from both sides."""
    distance = np.abs(energy - at)
    peak, sides = distance < 0.7 * WIDTH, (distance > 1.2 * WIDTH) & (distance < 2.2 * WIDTH)
    if at + 2.2 * WIDTH > energy[-1] or not peak.any() or not sides.any():
        return 0.0
    ratio = np.count_nonzero(peak) / np.count_nonzero(sides)
    gross, beside = spectrum[peak].sum(), spectrum[sides].sum()
    return (gross - ratio * beside) / np.sqrt(max(gross + ratio**2 * beside, 1.0))
