# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of compositions: of phases as bars, of elements as maps."""

import numpy as np
from matplotlib import pyplot as plt

from hyperspy_psnmf.eds.quantify.result import NO_ZAF, UNITS
from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.image import axis_label, draw_image
from hyperspy_psnmf.plot.phases import phase_color
from hyperspy_psnmf.plot.xray_lines import line_label

MAX_COLUMNS = 4


def plot_composition(result, *, log: bool = False):
    """Plot the composition of each phase as bars with error bars.

    Parameters
    ----------
    result : Quantification
        From ``s.psnmf.quantify()``. Error bars are 1 sigma. Elements below their
        detection limit have an arrow from that limit down instead of a bar.
    log : bool
        Whether the scale is logarithmic.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
    """
    n_phases, n = len(result.names), len(result.elements)
    fig, ax = subplots(figsize=(2.0 + 0.42 * n * max(n_phases, 2), 3.6), layout="constrained")
    width = 0.8 / n_phases
    for i, name in enumerate(result.names):
        x = np.arange(n) + (i - (n_phases - 1) / 2) * width
        _draw_bars(ax, result, i, x, width, name)
    unit = UNITS[result.composition_units]
    ax.set(xticks=range(n), ylabel=f"Content ({unit})", xlim=(-0.5, n - 0.5))
    ax.set_xticklabels(result.elements)
    if log:
        ax.set(yscale="log", ylim=(_least_shown(result), 200.0))
    else:
        ax.set_ylim(0, min(1.02 * ax.get_ylim()[1], 115.0))
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    notes = [f"normalised to {result.normalised_to}"]
    notes += [NO_ZAF] if result.method == "k_ratios" else []
    notes.append("errors: 1 sigma" + ("" if result.percent.has_unmixing else ", without unmixing"))
    ax.set_title("\n".join(notes), fontsize=9)
    return fig, ax


def _draw_bars(ax, result, i, x, width, name):
    found, color = result.percent, phase_color(i)
    values, limits = found.values[i], found.limits[i]
    if np.isnan(values).all():
        name += " (no composition)"
    shown = result.detected[i] & np.isfinite(values)
    ax.bar(x, np.where(shown, values, 0.0), width, color=color, label=name)
    ends = np.abs(np.stack([found.lower[i], found.upper[i]]) - values)[:, shown]
    ax.errorbar(x[shown], values[shown], ends, fmt="none", ecolor="k", capsize=2)
    below = ~shown & np.isfinite(values) & np.isfinite(limits)
    drop = np.vstack([limits[below], np.zeros(below.sum())])
    arrows = ax.errorbar(
        x[below], limits[below], drop, fmt="_", color=color, uplims=True, elinewidth=0.8,
        capsize=2.5, clip_on=False,
    )  # fmt: skip
    for part in arrows.get_children():
        part.set_in_layout(False)  # heads below zero take no room


def _least_shown(result):
    """Return the lower end of a logarithmic scale: half of the smallest content or limit."""
    found = result.percent
    shown = np.where(result.detected, found.values, found.limits)
    positive = shown[np.isfinite(shown) & (shown > 0)]
    return 0.5 * positive.min() if positive.size else 0.01


def plot_element_maps(maps):
    """Plot element maps side by side, each with its own scale.

    Parameters
    ----------
    maps : list of BaseSignal
        From ``s.psnmf.element_maps()`` or ``Quantification.maps()``. Series of maps are
        averaged over all but the last two axes; line scans are drawn as lines.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : numpy.ndarray of matplotlib.axes.Axes, of shape (n_maps,)
    """
    n = len(maps)
    columns = min(n, MAX_COLUMNS)
    rows = -(-n // columns)
    fig, grid = subplots(
        rows, columns, figsize=(3.1 * columns, 2.8 * rows), squeeze=False, layout="constrained"
    )
    axes = grid.ravel()
    for ax, signal in zip(axes, maps, strict=False):
        _draw_element(ax, signal)
    for ax in axes[n:]:
        ax.remove()
    return fig, axes[:n]


def _draw_element(ax, signal):
    data, map_axes = np.asarray(signal.data, dtype=float), signal.axes_manager.navigation_axes
    quantity = signal.metadata.get_item("Signal.quantity", default="Counts")
    ax.set_title(line_label(str(signal.metadata.Sample.xray_lines[0])))
    if data.ndim == 1:
        ax.plot(map_axes[0].axis, data, color="k")
        ax.set(xlabel=axis_label(map_axes[0]), ylabel=quantity)
        return
    if data.ndim > 2:
        leading = tuple(range(data.ndim - 2))
        filled = np.isfinite(data).sum(axis=leading)
        data = np.nansum(data, axis=leading) / np.where(filled, filled, np.nan)
    finite = data[np.isfinite(data)]
    top = np.percentile(finite, 99.8) if finite.size else 0.0
    top = top if top > 0 else 1.0  # of nothing found, noise below zero
    # Masked pixels are grey; black is zero.
    cmap = plt.get_cmap("inferno").with_extremes(bad="0.6")
    image = draw_image(ax, data, map_axes, cmap=cmap, vmin=0, vmax=top)
    # Beside the axes, it would stay as high as they were before they took the map's shape.
    ax.figure.colorbar(image, cax=ax.inset_axes([1.05, 0, 0.06, 1]), label=quantity)
