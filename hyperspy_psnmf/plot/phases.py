# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of phases. Functions take signals and return matplotlib objects."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from hyperspy_psnmf.eds.lines.energy_calibration import lines_recorded_at
from hyperspy_psnmf.eds.xray.detector import ZERO_PEAK
from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.image import axis_label, draw_image
from hyperspy_psnmf.plot.xray_lines import KEV, label_lines, last_line

# Okabe & Ito's palette, distinguishable by colour-blind readers too; black comes last.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")


def phase_color(index: int) -> str:
    """Return the colour of a phase, the same in every figure."""
    return PALETTE[index % len(PALETTE)]


def plot_phases(maps, spectra, *, log: bool = False):
    """Plot each phase's map beside its spectrum.

    Parameters
    ----------
    maps : BaseSignal
        From ``s.psnmf.phase_maps()``. A series of maps is summed over all but the
        last two axes; a line scan is drawn as a line.
    spectra : EDSSpectrum
        From ``s.psnmf.phase_spectra()``; the X-ray lines in its metadata are labelled.
    log : bool
        Whether counts of the spectra have a logarithmic scale.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
    """
    names = maps.metadata.Phases.names
    n = len(names)
    fig, axes = subplots(
        n,
        2,
        figsize=(10, 2.4 * n + 0.4),
        gridspec_kw={"width_ratios": (1, 2.4)},
        squeeze=False,
        layout="constrained",
    )
    recorded = lines_recorded_at(spectra)
    for i, (left, right) in enumerate(axes):
        _draw_map(left, maps.data[i], maps.axes_manager.signal_axes, phase_color(i))
        left.set_title(names[i], color=phase_color(i))
        _draw_spectrum(right, spectra, i, recorded, log)
    axes[-1, 1].set_xlabel(axis_label(spectra.axes_manager.signal_axes[0]))
    return fig, axes


def _draw_map(ax, data, map_axes, color):
    if data.ndim == 1:
        ax.plot(map_axes[0].axis, data, color=color)
        ax.set(xlabel=axis_label(map_axes[0]), ylabel="Counts")
        return
    data = np.nansum(data, axis=tuple(range(data.ndim - 2))) if data.ndim > 2 else data
    # Black to a tint of the phase's colour: dark is little, as in every microscope, and a
    # phase that fills the map still has its colour.
    tint = 0.35 * np.array(to_rgb(color)) + 0.65
    shades = LinearSegmentedColormap.from_list("phase", ["black", color, tint])
    top = np.nanpercentile(data, 99.8) or None  # a few hot pixels must not hide the rest
    image = draw_image(ax, data, map_axes, cmap=shades, vmin=0, vmax=top)
    ax.figure.colorbar(image, ax=ax, label="Counts")


def _draw_spectrum(ax, spectra, index, recorded, log):
    energy = spectra.axes_manager.signal_axes[0]
    data = np.atleast_2d(spectra.data)[index]
    color = phase_color(index)
    ax.fill_between(energy.axis, data, step="mid", color=color, alpha=0.3, linewidth=0)
    ax.step(energy.axis, data, where="mid", color=color, linewidth=0.9)
    # The zero peak of SEM detectors would dwarf every line.
    visible = data[energy.axis > ZERO_PEAK * KEV.get(str(energy.units), 1.0)]
    highest = max(visible.max(initial=0.0), 1e-9)
    # Room for the labels above the highest line.
    low, top = (_lowest(visible), 30.0 * highest) if log else (0.0, 1.4 * highest)
    ax.set(xlim=(energy.axis[0], last_line(spectra, energy)), ylabel="Counts")
    ax.set(yscale="log" if log else "linear", ylim=(low, top))
    label_lines(ax, spectra, data, recorded)


def _lowest(counts):
    """Return the lower end of a logarithmic scale: most of the continuum is above it."""
    positive = counts[counts > 0]
    return 0.5 * np.percentile(positive, 5) if positive.size else 1e-10
