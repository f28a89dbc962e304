# SPDX-License-Identifier: GPL-3.0-or-later
"""Label maps: colours, legend, scale bar, series, line scans, masks."""

import hyperspy.api as hs
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from hyperspy_psnmf.plot import phase_color
from hyperspy_psnmf.plot.label_map import GREY, WHITE
from tests.helpers.figures import texts_of
from tests.helpers.maps import FREE, unmix_quietly


@pytest.fixture(scope="module")
def grains(pristine):
    return unmix_quietly(pristine.deepcopy(), 3, **FREE)


def legend_of(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def test_plot_label_map__each_pixel_has_the_colour_of_its_phase(grains):
    grains.psnmf.phase_names = ["olivine", "periclase", "davemaoite"]
    fig, ax = grains.psnmf.plot_label_map()
    labels = grains.psnmf.label_map().data
    colors = np.array([to_rgb(c) for c in (*map(phase_color, range(3)), GREY)])
    np.testing.assert_allclose(ax.images[0].get_array(), colors[labels], atol=1e-6)
    fig.canvas.draw()
    area = 100 * grains.psnmf.phase_fractions().area_fractions[1]
    assert legend_of(fig)[1].startswith(f"periclase: {area:.1f} ±")
    assert any(text.endswith(" nm") for text in texts_of(fig))


def test_plot_label_map__only_what_is_in_the_map_is_in_the_legend(grains):
    assert not any("Unassigned" in text for text in legend_of(grains.psnmf.plot_label_map()[0]))
    s, mask = grains.deepcopy(), np.zeros((14, 11), bool)
    mask[:2] = True
    s.data[4, 5] = 0
    unmix_quietly(s, 2, **FREE, navigation_mask=mask)
    fig, ax = s.psnmf.plot_label_map()
    assert legend_of(fig)[-2].startswith("Unassigned")
    assert legend_of(fig)[-1] == "Left out"
    image = ax.images[0].get_array()
    np.testing.assert_allclose(image[4, 5], to_rgb(GREY), atol=1e-6)
    np.testing.assert_allclose(image[3, 1], to_rgb(WHITE), atol=1e-6)


def test_plot_label_map__a_line_scan_is_a_strip(grains):
    s = unmix_quietly(grains.inav[:, 3], 2, **FREE)
    fig, ax = s.psnmf.plot_label_map()
    fig.canvas.draw()
    labels = s.psnmf.label_map().data
    assert [patch.get_facecolor()[:3] for patch in ax.patches] == [
        to_rgb(phase_color(i)) for i in labels
    ]


def test_plot_label_map__of_a_series_the_most_frequent_label(grains):
    s = unmix_quietly(hs.stack([grains.inav[:7, :5]] * 3), 2, **FREE)
    labels = s.psnmf.label_map().data
    image = s.psnmf.plot_label_map()[1].images[0].get_array()
    colors = {0: phase_color(0), 1: phase_color(1), -1: GREY}
    for number, color in colors.items():
        most = (labels == number).sum(axis=0) >= 2
        np.testing.assert_allclose(image[most], np.tile(to_rgb(color), (most.sum(), 1)), atol=1e-6)
