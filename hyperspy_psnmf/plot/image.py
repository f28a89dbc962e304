# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps as images, with a scale bar where their axes are lengths."""

import math

import numpy as np
from matplotlib.patheffects import withStroke
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

PREFIXES = {"fm": -15, "pm": -12, "nm": -9, "µm": -6, "mm": -3, "m": 0, "km": 3}
SPELLINGS = {
    "um": "µm",
    "\N{GREEK SMALL LETTER MU}m": "µm",
    "angstrom": "Å",
    "\N{ANGSTROM SIGN}": "Å",
}
LENGTHS = {*PREFIXES, "Å"}
LARGEST = 0.25  # of the width of a map


def axis_label(axis) -> str:
    """Return name and unit of an axis."""
    name = axis.name if isinstance(axis.name, str) else "Position"
    return f"{name} ({axis.units})" if isinstance(axis.units, str) and axis.units else name


def axis_edges(axis):
    """Return where the first pixel begins and the last one ends."""
    values = np.asarray(axis.axis, dtype=float)
    step = axis.scale if axis.is_uniform else 1.0
    half = (values[-1] - values[0]) / (2 * (values.size - 1)) if values.size > 1 else step / 2
    return values[0] - half, values[-1] + half


def draw_image(ax, data, axes, **options):
    """Draw a map with a scale bar, or with labelled axes where they are no lengths.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    data : ndarray of shape (n_rows, n_columns), or (n_rows, n_columns, 3)
    axes : sequence of DataAxis
        The map's x and y, in this order.
    options
        Of ``imshow``.

    Returns
    -------
    matplotlib.image.AxesImage
    """
    x, y = axes[:2]
    extent = (*axis_edges(x), *axis_edges(y)[::-1])
    image = ax.imshow(data, extent=extent, interpolation="nearest", **options)
    unit = _common_unit(x, y)
    if unit is None:
        ax.set(xlabel=axis_label(x), ylabel=axis_label(y))
    else:
        ax.set(xticks=[], yticks=[])
        _draw_scale_bar(ax, abs(extent[1] - extent[0]), abs(extent[3] - extent[2]), unit)
    return image


def scale_of(width: float, unit: str) -> tuple[float, str]:
    """Return the length of a scale bar in `unit`, and its label.

    The largest of 1, 2 and 5 times a power of ten within a quarter of the width.
    """
    power = 10.0 ** math.floor(math.log10(LARGEST * width))
    # A quarter that is a round number but for rounding errors is that number.
    length = power * max(m for m in (1, 2, 5) if m * power <= LARGEST * width * (1 + 1e-9))
    if unit not in PREFIXES:
        return length, f"{length:g} {unit}"
    metres = math.log10(length) + PREFIXES[unit]
    shown = next((u for u in reversed(PREFIXES) if PREFIXES[u] <= metres + 1e-9), "fm")
    return length, f"{length * 10.0 ** (PREFIXES[unit] - PREFIXES[shown]):.3g} {shown}"


def _common_unit(x, y):
    """Return the unit of length of both axes, or None."""
    units = {SPELLINGS.get(str(axis.units), str(axis.units)) for axis in (x, y)}
    if len(units) > 1 or not units <= LENGTHS or not (x.is_uniform and y.is_uniform):
        return None
    return units.pop()


def _draw_scale_bar(ax, width, height, unit):
    length, label = scale_of(width, unit)
    bar = AnchoredSizeBar(
        ax.transData, length, label, "lower left", color="white", frameon=False,
        size_vertical=0.015 * height, pad=0.4, sep=4, fontproperties={"size": 9},
    )  # fmt: skip
    # White maps have a bar too.
    for artist in (*bar.txt_label.get_children(), *bar.size_bar.get_children()):
        artist.set_path_effects([withStroke(linewidth=1.6, foreground="black")])
    ax.add_artist(bar)
