# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure of the counts that a binning leaves, with the outlines of images."""

import numpy as np
from scipy.ndimage import gaussian_filter

from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.image import axis_label, draw_image
from hyperspy_psnmf.plot.phases import phase_color

SMOOTHING = 1.0  # pixels, standard deviation, so that noise has no outlines
LEVELS = (25, 50, 75)  # per cent of an image's range
RANGE = (2, 98)  # percentiles between which it is


def plot_binned_map(counts, images=()):
    """Plot a binned map of counts.

    Parameters
    ----------
    counts : BaseSignal
        With the map's axes as signal axes. A series of maps is summed over all but
        the last two axes; a line scan is drawn as a line.
    images : sequence of BaseSignal
        Of the same area, such as a guide of the smoothing: their contour lines show
        whether they are where the map is. None are drawn on a line scan.

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
    for i, one in enumerate(images):
        _draw_contours(ax, one, phase_color(i))
    return fig, ax


def _draw_contours(ax, image, color):
    axes, values = image.axes_manager.signal_axes, np.asarray(image.data, dtype=float)
    values = gaussian_filter(values.sum(axis=tuple(range(values.ndim - 2))), SMOOTHING)
    low, high = np.percentile(values, RANGE)
    levels = low + np.array(LEVELS) / 100 * (high - low)
    if high > low and min(values.shape) > 1:
        options = {"levels": levels, "colors": [color], "linewidths": 0.7}
        ax.contour(axes[0].axis, axes[1].axis, values, **options)
