# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the confidence bands of `ambiguity`."""

import numpy as np

from hyperspy_psnmf.eds.xray.detector import ZERO_PEAK
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.image import axis_label
from hyperspy_psnmf.plot.phases import phase_color
from hyperspy_psnmf.plot.xray_lines import KEV, label_lines, last_line


def plot_ambiguity(result):
    """Plot the confidence bands of the rotational ambiguity.

    Parameters
    ----------
    result : Ambiguity
        From ``s.psnmf.ambiguity()``.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
        The band of the spectrum on the left; those of the fraction of counts and of
        the composition on the right, with points for the values found.
    """
    n = len(result.names)
    fig, axes = subplots(
        n,
        2,
        figsize=(10, 2.4 * n + 0.4),
        gridspec_kw={"width_ratios": (2.4, 1)},
        squeeze=False,
        layout="constrained",
    )
    for i, (left, right) in enumerate(axes):
        _draw_band(left, result, i)
        left.set_title(result.names[i], color=phase_color(i))
        _draw_intervals(right, result, i)
    axes[-1, 0].set_xlabel(axis_label(result.spectra.axes_manager.signal_axes[0]))
    axes[-1, 1].set_xlabel(f"Per cent ({100 * result.confidence:g} % bands)")
    return fig, axes


def _draw_band(ax, result, index):
    spectra, color = result.spectra, phase_color(index)
    energy = spectra.axes_manager.signal_axes[0]
    found, low, high = (
        np.atleast_2d(s.data)[index] for s in (spectra, result.spectra_low, result.spectra_high)
    )
    ax.fill_between(energy.axis, low, high, step="mid", color=color, alpha=0.35, linewidth=0)
    ax.step(energy.axis, found, where="mid", color=color, linewidth=0.8)
    visible = energy.axis > ZERO_PEAK * KEV.get(str(energy.units), 1.0)
    # Where a phase hardly has counts, its band is far higher than its spectrum.
    top = 1.4 * max(found[visible].max(initial=0.0), high[visible].max(initial=0.0), 1e-9)
    ax.set(ylim=(0, top), xlim=(energy.axis[0], last_line(spectra, energy)), ylabel="Counts")
    label_lines(ax, spectra, high)


def _draw_intervals(ax, result, index):
    total = max(result.counts.sum(), TINY)
    rows = {"counts": (100 * result.counts / total, 100 * result.counts_band / total)}
    for element, found in result.compositions.items():
        rows[element] = found, result.compositions_band[element]
    for y, (found, band) in enumerate(rows.values()):
        color = phase_color(index)
        ax.plot(band[index], (y, y), color=color, alpha=0.35, linewidth=7, solid_capstyle="butt")
        ax.plot(found[index], y, "o", color=color, markersize=4)
    ax.set_yticks(range(len(rows)), [k if k == "counts" else f"{k} (at%)" for k in rows])
    ax.set(xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5))
