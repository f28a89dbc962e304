# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as they are seen: text that can be read, colours and scales that can be trusted.

Pixels differ between versions of matplotlib and fonts, so it is what is drawn where that
is compared, not pictures.
"""

from itertools import combinations

import hyperspy.api as hs
import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from hyperspy_psnmf import data
from hyperspy_psnmf.plot import phase_color
from tests.helpers.maps import FREE

matplotlib.use("agg")

SHAPE, FIELD = (24, 32), 1280.0  # pixels; nm along x, for any number of pixels


@pytest.fixture(autouse=True, scope="module")
def standard_looks():
    with matplotlib.rc_context(matplotlib.rcParamsDefault), np.errstate(all="ignore"):
        matplotlib.use("agg")
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def unmixed():
    hs.preferences.General.show_progressbar = False
    s = data.mineral_grains(shape=SHAPE, n_channels=760, counts=900, seed=1)
    s.decomposition(algorithm="PSNMF", output_dimension=3, print_info=False, **FREE)
    s.psnmf.phase_names = ["Silicate", "Ferropericlase", "Ca silicate"]
    return s


@pytest.fixture(scope="module")
def drawn(unmixed):
    """Return the key figures, drawn: name to figure and axes."""
    factors = {"Mg_Ka": 1.1, "Si_Ka": 1.0, "Fe_Ka": 1.3}
    exclude = ("Al", "Ca", "O", "Ti")
    p = unmixed.psnmf
    figures = {
        "phases": p.plot(),
        "ambiguity": p.plot_ambiguity(factors=factors),
        "residuals": p.plot_residuals(),
        "composition": p.plot_composition(p.quantify(factors=factors, exclude=exclude)),
        "element_maps": p.plot_element_maps(["O_Ka", "Mg_Ka", "Fe_Ka"]),
        "number": p.estimate_number_of_components(4, n_folds=3).plot(),
    }
    for figure, _ in figures.values():
        figure.canvas.draw()
    return figures


NAMES = ["phases", "ambiguity", "residuals", "composition", "element_maps", "number"]


def texts(figure):
    """Return what is written, with its place in pixels of the picture."""
    found = {}
    for text in figure.findobj(matplotlib.text.Text):
        # Ticks beyond the limits keep their labels, but are not drawn.
        if text.get_text().strip() and text.get_visible():
            found[text] = text.get_window_extent()
    for axis in (a for ax in figure.findobj(matplotlib.axes.Axes) for a in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks() + axis.get_minor_ticks():
            if not low <= tick.get_loc() <= high:
                found.pop(tick.label1, None)
            found.pop(tick.label2, None)
    return found


def spectra_of(axes):
    return axes[:, 1] if axes[0, 0].images else axes[:, 0]


@pytest.mark.parametrize("name", NAMES)
def test_decomposition__nothing_is_written_beyond_the_picture(drawn, name):
    figure, _ = drawn[name]
    page = figure.bbox.padded(3)  # to which the layout keeps
    for text, box in texts(figure).items():
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert inside, text.get_text()


@pytest.mark.parametrize("name", NAMES)
def test_decomposition__no_text_lies_on_another(drawn, name):
    figure, _ = drawn[name]
    boxes = [(text.get_text(), box.shrunk(0.9, 0.9)) for text, box in texts(figure).items()]
    pairs = combinations(boxes, 2)
    assert not [(a, b) for (a, first), (b, second) in pairs if first.overlaps(second)]


@pytest.mark.parametrize("name", ["phases", "ambiguity"])
def test_decomposition__labels_of_lines_stay_inside_their_axes(drawn, name):
    for ax in spectra_of(drawn[name][1]):
        for text in ax.texts:
            assert text.get_window_extent().y1 <= ax.bbox.y1 + 1, text.get_text()


@pytest.mark.parametrize("name", NAMES)
def test_decomposition__axes_say_what_they_are(drawn, name):
    figure, _ = drawn[name]
    named = {
        "phases": {"200 nm", "Energy (keV)", "Counts"},
        "ambiguity": {"Energy (keV)", "Counts", "Per cent (95 % bands)"},
        "residuals": {"200 nm", "Energy (keV)", "Deviance per degree of freedom"},
        "composition": {"Content (at%)"},
        "element_maps": {"200 nm", "Counts"},
        "number": {"Number of phases", "Held-out deviance above minimum"},
    }
    assert named[name] <= {text.get_text() for text in texts(figure)}


def test_phase_color__a_phase_has_one_colour_in_all_figures(drawn):
    colours = [phase_color(i).lower() for i in range(3)]
    assert len(set(colours)) == 3
    for name in ("phases", "ambiguity"):
        _, axes = drawn[name]
        assert [to_hex(ax.title.get_color()) for ax in axes[:, 0]] == colours
        assert [to_hex(ax.lines[0].get_color()) for ax in spectra_of(axes)] == colours
    _, axes = drawn["ambiguity"]
    assert [to_hex(ax.lines[0].get_color()) for ax in axes[:, 1]] == colours
    legend = drawn["composition"][1].get_legend()
    assert [to_hex(patch.get_facecolor()) for patch in legend.get_patches()] == colours
    assert [text.get_text() for text in legend.get_texts()] == [
        ax.get_title() for ax in drawn["phases"][1][:, 0]
    ]


def test_phase_color__the_shades_of_a_map_pass_through_the_colour_of_its_phase(drawn):
    for i, ax in enumerate(drawn["phases"][1][:, 0]):
        cmap = ax.images[0].get_cmap()
        expected = matplotlib.colors.to_rgb(phase_color(i))
        np.testing.assert_allclose(cmap(0.5)[:3], expected, atol=0.02)
        assert to_hex(cmap(0.0)) == "#000000"
        # A tint, not white: a phase that fills the map would have no colour.
        np.testing.assert_allclose(cmap(1.0)[:3], 0.65 + 0.35 * np.array(expected), atol=0.01)


@pytest.mark.parametrize("name", ["phases", "residuals", "element_maps"])
def test_decomposition__maps_are_in_real_units_with_one_scale_for_both_axes(drawn, unmixed, name):
    _, axes = drawn[name]
    maps = [ax for ax in axes.flat if ax.images]
    assert maps
    x, y = unmixed.axes_manager.navigation_axes
    assert x.scale * SHAPE[1] == pytest.approx(FIELD)
    for ax in maps:
        left, right, bottom, top = ax.images[0].get_extent()
        assert right - left == pytest.approx(FIELD)
        assert bottom - top == pytest.approx(y.scale * SHAPE[0])
        nm_per_dot = (right - left) / ax.bbox.width, (bottom - top) / ax.bbox.height
        assert nm_per_dot[0] == pytest.approx(nm_per_dot[1], rel=0.01)


@pytest.mark.parametrize("name", ["phases", "residuals", "element_maps"])
def test_decomposition__colour_bars_are_no_taller_than_their_maps(drawn, name):
    _, axes = drawn[name]
    maps = [ax for ax in axes.flat if ax.images]
    bars = [ax.images[0].colorbar.ax for ax in maps]
    for ax, bar in zip(maps, bars, strict=True):
        bar = bar.get_window_extent()
        assert bar.height <= 1.02 * ax.bbox.height
        assert bar.x0 >= ax.bbox.x1
