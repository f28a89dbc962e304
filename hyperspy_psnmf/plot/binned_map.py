# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure of the counts that a binning leaves."""

import numpy as np

from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.image import axis_label, draw_image


def plot_binned_map(counts):
    """Plot a binned map of counts.

    Parameters
    ----------
    counts : BaseSignal
        With the map's axes as signal axes. A series of maps is summed over all but
        the last two axes; a line scan is drawn as a line.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
    """
    data, axes = np.asarray(counts.data, dtype=float), counts.axes_manager.signal_axes
    fig, ax = subplots(figsize=(3.6, 2.8))
    # Layout engines do not see the bar, which is as high as a map of any shape.
    fig.subplots_adjust(left=0.19, right=0.72, bottom=0.17, top=0.95)
    if data.ndim == 1:
        ax.step(axes[0].axis, data, where="mid", color="k")
        ax.set(xlabel=axis_label(axes[0]), ylabel="Counts per bin")
        return fig, ax
    data = data.sum(axis=tuple(range(data.ndim - 2)))
    image = draw_image(ax, data, axes, cmap="gray", vmin=0)
    bar = ax.inset_axes([1.05, 0, 0.06, 1])
    fig.colorbar(image, cax=bar, label="Counts per bin")
    return fig, ax
