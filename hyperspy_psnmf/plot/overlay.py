# SPDX-License-Identifier: GPL-3.0-or-later
"""All phases in one picture, each in its colour."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.image import axis_label, draw_image
from hyperspy_psnmf.plot.phases import phase_color

BRIGHTEST = 99.8  # percentile of a map's counts, so that a few hot pixels do not darken the rest


def plot_overlay(maps):
    """Plot the maps of all phases over each other.

    The colours of phases are added like light; the brightness is the phase's counts relative
    to the largest in its map.

    Parameters
    ----------
    maps : BaseSignal
        From ``s.psnmf.phase_maps()``. A series of maps is summed over all but the
        last two axes; phases of a line scan are drawn as lines.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
    """
    names, axes = maps.metadata.Phases.names, maps.axes_manager.signal_axes
    fig, ax = subplots(figsize=(5.5, 4), layout="constrained")
    if len(axes) == 1:
        for i, counts in enumerate(maps.data):
            ax.plot(axes[0].axis, counts, color=phase_color(i), label=names[i])
        ax.set(xlabel=axis_label(axes[0]), ylabel="Counts")
        ax.legend()
        return fig, ax
    draw_image(ax, _mix(maps.data), axes)
    patches = [Patch(color=phase_color(i), label=name) for i, name in enumerate(names)]
    fig.legend(handles=patches, loc="outside right upper", frameon=False)
    return fig, ax


def _mix(maps):
    """Return an image (n_rows, n_columns, 3) of maps (n_phases, ..., n_rows, n_columns)."""
    maps = np.nan_to_num(maps).sum(axis=tuple(range(1, maps.ndim - 2)))
    tops = np.percentile(maps, BRIGHTEST, axis=(1, 2))
    # A phase in hardly any pixel has a percentile of zero.
    tops = np.where(tops > 0, tops, np.maximum(maps.max(axis=(1, 2)), TINY))
    colors = np.array([to_rgb(phase_color(i)) for i in range(len(maps))])
    brightness = np.minimum(maps / tops[:, None, None], 1.0)
    return np.minimum(np.einsum("kyx,kc->yxc", brightness, colors), 1.0)
