# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure of the counts that a binning leaves."""

import numpy as np
from matplotlib import pyplot as plt

from hyperspy_psnmf.plot.phases import axis_edges, axis_label


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
    fig, ax = plt.subplots(figsize=(3.6, 2.8), layout="constrained")
    ax.set_xlabel(axis_label(axes[0]))
    if data.ndim == 1:
        ax.step(axes[0].axis, data, where="mid", color="k")
        ax.set_ylabel("Counts per bin")
        return fig, ax
    data = data.sum(axis=tuple(range(data.ndim - 2)))
    extent = (*axis_edges(axes[0]), *axis_edges(axes[1])[::-1])
    image = ax.imshow(data, cmap="gray", extent=extent, vmin=0, interpolation="nearest")
    ax.set_ylabel(axis_label(axes[1]))
    # Beside the axes, it would stay as high as they were before they took the map's shape.
    bar = ax.inset_axes([1.05, 0, 0.06, 1])
    fig.colorbar(image, cax=bar, label="Counts per bin")
    return fig, ax
