# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase of each pixel in one picture, with the fractions of the area."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from hyperspy_psnmf.eds.phase_map.fractions import with_error
from hyperspy_psnmf.eds.phase_map.label_map import LEFT_OUT
from hyperspy_psnmf.nmf.uncertainty.labels import UNASSIGNED
from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.image import axis_edges, axis_label, draw_image
from hyperspy_psnmf.plot.phases import phase_color

GREY, WHITE = "#B3B3B3", "#FFFFFF"


def plot_label_map(labels, fractions):
    """Plot the phase of each pixel in the phase's colour.

    Parameters
    ----------
    labels : BaseSignal
        From ``s.psnmf.label_map()``. Of a series of maps, each pixel has its most frequent
        label; a line scan is drawn as a strip.
    fractions : PhaseFractions
        From ``s.psnmf.phase_fractions()``, for the legend.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
    """
    names, axes = labels.metadata.Phases.names, labels.axes_manager.signal_axes
    numbers = [*range(len(names)), UNASSIGNED, LEFT_OUT]
    colors = [*map(phase_color, range(len(names))), GREY, WHITE]
    fig, ax = subplots(figsize=(6.4, 4 if len(axes) > 1 else 1.6), layout="constrained")
    index = _most_frequent(labels.data, numbers)
    image = np.array([to_rgb(color) for color in colors])[index]
    if len(axes) == 1:
        _draw_strip(ax, image, axes[0])
    else:
        draw_image(ax, image, axes)
    areas = [
        f"{name}: {with_error(area, sigma)} %"
        for name, area, sigma in zip(
            fractions.names, fractions.area_fractions, fractions.area_sigma, strict=True
        )
    ]
    patches = [
        Patch(facecolor=color, edgecolor="0.4", linewidth=0.5, label=label)
        for number, color, label in zip(numbers, colors, [*areas, "Left out"], strict=True)
        if number >= 0 or (labels.data == number).any()
    ]
    fig.legend(handles=patches, loc="outside right upper", frameon=False, title="Area fraction",
               alignment="left")  # fmt: skip
    return fig, ax


def _most_frequent(data, numbers):
    """Return the index of each pixel's label, over all but the last two axes."""
    found = np.array([data == number for number in numbers])
    return found.sum(axis=tuple(range(1, found.ndim - 2))).argmax(axis=0)


def _draw_strip(ax, colors, axis):
    values = np.asarray(axis.axis, dtype=float)
    width = abs(np.gradient(values)) if values.size > 1 else abs(axis.scale)
    ax.bar(values, 1.0, width, color=colors, linewidth=0)
    ax.set(xlabel=axis_label(axis), xlim=axis_edges(axis), ylim=(0, 1), yticks=[])
