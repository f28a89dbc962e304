# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps have a scale bar that is as long as it says, or axes where there is no length."""

import hyperspy.api as hs
import numpy as np
import pytest
from matplotlib import pyplot as plt
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from hyperspy_psnmf.plot.image import draw_image, scale_of


def map_axes(scale=(0.5, 0.5), units=("nm", "nm"), size=(80, 60)):
    """Return the axes x and y of a map of these sizes."""
    axes = [
        {"name": name, "size": n, "scale": s, "units": u}
        for name, n, s, u in zip("yx", size[::-1], scale[::-1], units[::-1], strict=True)
    ]
    return hs.signals.Signal2D(np.zeros(size[::-1]), axes=axes).axes_manager.signal_axes


def drawn(axes):
    """Return the axes of a figure of a map, and the scale bar's label and length."""
    fig, ax = plt.subplots()
    draw_image(ax, np.ones((axes[1].size, axes[0].size)), axes)
    fig.canvas.draw()
    bars = [artist for artist in ax.artists if isinstance(artist, AnchoredSizeBar)]
    if not bars:
        return ax, None, None
    (bar,), (words,) = bars[0].size_bar.get_children(), bars[0].txt_label.get_children()
    of_unit = np.ptp(ax.transData.transform([(0, 0), (1, 0)])[:, 0])
    length = bar.get_window_extent().width / of_unit
    return ax, words.get_text(), length


@pytest.mark.parametrize(
    ("width", "unit", "length", "label"),
    [
        (40.0, "nm", 10.0, "10 nm"),  # a quarter
        (39.9, "nm", 5.0, "5 nm"),
        (0.9, "nm", 0.2, "200 pm"),
        (31.0, "nm", 5.0, "5 nm"),
        (8800.0, "nm", 2000.0, "2 µm"),
        (1.0, "µm", 0.2, "200 nm"),
        (2.3e-7, "m", 5e-8, "50 nm"),
        (300.0, "Å", 50.0, "50 Å"),
        (4.0, "mm", 1.0, "1 mm"),
    ],
)
def test_scale_of__largest_round_length_within_quarter_of_width(width, unit, length, label):
    found, words = scale_of(width, unit)
    assert found == pytest.approx(length)
    assert words == label


@pytest.mark.parametrize("unit", ["nm", "um", "µm", "\N{GREEK SMALL LETTER MU}m"])
def test_draw_image__the_bar_is_as_long_as_it_says(unit):
    ax, label, length = drawn(map_axes(units=(unit, unit)))
    assert label == ("10 nm" if unit == "nm" else "10 µm")
    assert length == pytest.approx(10)
    assert not ax.get_xticks().size
    assert not ax.get_xlabel()


def test_draw_image__pixels_that_are_no_squares_have_a_true_scale():
    ax, label, length = drawn(map_axes(scale=(0.5, 1.5)))
    assert (label, length) == ("10 nm", pytest.approx(10))
    assert ax.get_aspect() == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("units", [("", ""), ("nm", "µm"), ("s", "s"), ("px", "px"), ("nm", "eV")])
def test_draw_image__without_a_common_unit_of_length_there_are_axes(units):
    ax, label, _ = drawn(map_axes(units=units))
    assert label is None
    assert ax.get_xlabel() == (f"x ({units[0]})" if units[0] else "x")
    assert ax.get_xticks().size


def test_draw_image__axes_that_are_not_uniform_are_drawn_as_axes():
    axes = map_axes()
    axes[0].convert_to_non_uniform_axis()
    assert drawn(axes)[1] is None


def test_draw_image__a_map_of_a_single_pixel():
    _, label, length = drawn(map_axes(size=(1, 1)))
    assert (label, length) == ("100 pm", pytest.approx(0.1))
