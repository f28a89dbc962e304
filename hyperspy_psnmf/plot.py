# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of phases. Functions take signals and return matplotlib objects."""

import numpy as np
from exspy.material import elements
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap

# Okabe & Ito's palette, told apart by colour-blind readers too; black comes last.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")

ZERO_PEAK = 0.12  # keV
_KEV = {"keV": 1.0, "eV": 1000.0}


def phase_color(index: int) -> str:
    """Return the colour of a phase, the same in every figure."""
    return PALETTE[index % len(PALETTE)]


def plot_phases(maps, spectra):
    """Plot each phase's map beside its spectrum.

    Parameters
    ----------
    maps : BaseSignal
        From ``s.psnmf.phase_maps()``. A series of maps is summed over all but the
        last two axes; a line scan is drawn as a line.
    spectra : EDSSpectrum
        From ``s.psnmf.phase_spectra()``; the X-ray lines in its metadata are labelled.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
    """
    names = maps.metadata.Phases.names
    n = len(names)
    fig, axes = plt.subplots(
        n,
        2,
        figsize=(10, 2.4 * n + 0.4),
        gridspec_kw={"width_ratios": (1, 2.4)},
        squeeze=False,
        layout="constrained",
    )
    for i, (left, right) in enumerate(axes):
        _draw_map(left, maps.data[i], maps.axes_manager.signal_axes, phase_color(i))
        left.set_title(names[i], color=phase_color(i))
        _draw_spectrum(right, spectra, i)
    axes[-1, 1].set_xlabel(_label(spectra.axes_manager.signal_axes[0]))
    return fig, axes


def _label(axis):
    name = axis.name if isinstance(axis.name, str) else "Position"
    return f"{name} ({axis.units})" if isinstance(axis.units, str) and axis.units else name


def _edges(axis):
    """Return where the first pixel begins and the last one ends."""
    values = np.asarray(axis.axis, dtype=float)
    half = (values[-1] - values[0]) / max(1, 2 * (values.size - 1)) or 0.5
    return values[0] - half, values[-1] + half


def _draw_map(ax, data, map_axes, color):
    x = map_axes[0]
    ax.set_xlabel(_label(x))
    if data.ndim == 1:
        ax.plot(x.axis, data, color=color)
        ax.set_ylabel("Counts")
        return
    y = map_axes[1]
    data = np.nansum(data, axis=tuple(range(data.ndim - 2))) if data.ndim > 2 else data
    # Black to the phase's colour to white: dark is little, as in every microscope.
    shades = LinearSegmentedColormap.from_list("phase", ["black", color, "white"])
    top = np.nanpercentile(data, 99.8) or None  # a few hot pixels must not hide the rest
    extent = (*_edges(x), *_edges(y)[::-1])
    image = ax.imshow(data, cmap=shades, extent=extent, vmin=0, vmax=top, interpolation="nearest")
    ax.set_ylabel(_label(y))
    ax.figure.colorbar(image, ax=ax, label="Counts")


def _draw_spectrum(ax, spectra, index):
    energy = spectra.axes_manager.signal_axes[0]
    data = np.atleast_2d(spectra.data)[index]
    color = phase_color(index)
    ax.fill_between(energy.axis, data, step="mid", color=color, alpha=0.3, linewidth=0)
    ax.step(energy.axis, data, where="mid", color=color, linewidth=0.9)
    # The zero peak of SEM detectors would dwarf every line.
    visible = data[energy.axis > ZERO_PEAK * _KEV.get(str(energy.units), 1.0)]
    top = 1.3 * max(visible.max(initial=0.0), 1e-9)
    ax.set(ylim=(0, top), xlim=(energy.axis[0], _last_line(spectra, energy)), ylabel="Counts")
    _label_lines(ax, spectra, data, top)


def _line_energies(spectra):
    """Return {line: energy} of the X-ray lines of the sample within the axis."""
    if not spectra.metadata.has_item("Sample.xray_lines"):
        return {}
    axis = spectra.axes_manager.signal_axes[0]
    if str(axis.units) not in _KEV:
        return {}
    found = {}
    for line in spectra.metadata.Sample.xray_lines:
        element, name = str(line).split("_")
        xray_lines = elements.get_item(element).Atomic_properties.Xray_lines
        energy = xray_lines.get_item(name)["energy (keV)"] * _KEV[str(axis.units)]
        if axis.axis[0] <= energy <= axis.axis[-1]:
            found[f"{element} {name.replace('a', 'α').replace('b', 'β')}"] = energy
    return found


def _last_line(spectra, energy):
    """Return where to end the energy axis: the tail beyond all lines is empty."""
    lines = _line_energies(spectra).values()
    return min(energy.axis[-1], 1.15 * max(lines)) if lines else energy.axis[-1]


def _label_lines(ax, spectra, data, top):
    axis = spectra.axes_manager.signal_axes[0]
    for label, energy in _line_energies(spectra).items():
        nearest = int(np.argmin(np.abs(axis.axis - energy)))
        near = slice(max(0, nearest - 3), nearest + 4)
        height = min(data[near].max(initial=0.0) + 0.03 * top, 0.78 * top)
        ax.annotate(label, (energy, height), ha="center", va="bottom", fontsize=7, rotation=90)
