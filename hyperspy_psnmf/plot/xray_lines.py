# SPDX-License-Identifier: GPL-3.0-or-later
"""X-ray lines in figures of spectra: where they are, and their labels."""

import numpy as np

from hyperspy_psnmf.eds.signals.metadata import sample_lines
from hyperspy_psnmf.eds.xray.lines import line_energy, split_line

KEV = {"keV": 1.0, "eV": 1000.0}
SIGNIFICANT = 4.0  # standard deviations of the counts of a line above those beside it


def line_label(line: str) -> str:
    """Return a line as in "Fe Kα"."""
    element, name = split_line(line)
    return f"{element} {name.replace('a', 'α').replace('b', 'β')}"


def line_energies(spectra, recorded=None):
    """Return {line: energy} of the X-ray lines of the sample within the axis.

    Parameters
    ----------
    spectra : EDSSpectrum
    recorded : EnergyCalibration, optional
        Where lines are recorded; by default at their energies.
    """
    axis = spectra.axes_manager.signal_axes[0]
    if str(axis.units) not in KEV:
        return {}
    found = {}
    for line in sample_lines(spectra):
        energy = line_energy(line)
        if recorded is not None:
            energy += recorded.shift(energy)
        energy *= KEV[str(axis.units)]
        if axis.axis[0] <= energy <= axis.axis[-1]:
            found[line_label(line)] = energy
    return found


def last_line(spectra, energy):
    """Return where to end the energy axis: the tail beyond all lines is empty."""
    lines = line_energies(spectra).values()
    return min(energy.axis[-1], 1.15 * max(lines)) if lines else energy.axis[-1]


def label_lines(ax, spectra, data, recorded=None):
    """Write the names of the sample's lines above a spectrum, within the limits of its axes."""
    (low, top), is_log = ax.get_ylim(), ax.get_yscale() == "log"
    axis = spectra.axes_manager.signal_axes[0]
    for label, energy in line_energies(spectra, recorded).items():
        nearest = int(np.argmin(np.abs(axis.axis - energy)))
        near = slice(max(0, nearest - 3), nearest + 4)
        height = data[near].max(initial=0.0)
        if is_log:
            span = top / low
            height = min(max(height, low) * span**0.03, low * span**0.76)
        else:
            height = min(height + 0.03 * top, 0.76 * top)
        # Lines that are not significant in this phase are labelled in grey.
        ax.annotate(
            label, (energy, height), ha="center", va="bottom", fontsize=7, rotation=90,
            color="k" if _is_significant(axis.axis, data, nearest) else "0.65",
        )  # fmt: skip


def _is_significant(energy, data, channel):
    """Return whether a line's counts exceed the lowest on both sides by `SIGNIFICANT` sigma."""
    step = abs(energy[1] - energy[0]) if energy.size > 1 else 0.01
    step = step if step < 0.5 else step / 1000.0  # an axis in eV
    half, reach = max(1, round(0.03 / step)), max(2, round(0.2 / step))
    sums = np.convolve(data, np.ones(2 * half + 1), mode="same")
    left = sums[max(0, channel - reach) : channel + 1].min()
    right = sums[channel : channel + reach + 1].min()
    beside = (left + right) / 2
    return sums[channel] - beside > SIGNIFICANT * np.sqrt(max(sums[channel] + beside / 2, 1.0))
