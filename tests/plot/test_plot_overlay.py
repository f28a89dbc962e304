# SPDX-License-Identifier: GPL-3.0-or-later
"""All phases in one picture: colours, scale bar, series, line scans, empty phases."""

import hyperspy.api as hs
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from hyperspy_psnmf.plot import phase_color
from tests.helpers.figures import texts_of
from tests.helpers.maps import FREE, unmix_quietly


@pytest.fixture(scope="module")
def grains(pristine):
    return unmix_quietly(pristine.deepcopy(), 3)


def test_plot_overlay__each_pixel_has_the_colour_of_its_phase(grains):
    s = grains.deepcopy()
    pure = np.repeat(np.eye(3), [50, 50, 54], axis=0)
    s.learning_results.loadings = pure * [10.0, 500.0, 3.0]
    s.psnmf.phase_names = ["olivine", "periclase", "davemaoite"]
    fig, ax = s.psnmf.plot_overlay()
    image = ax.images[0].get_array().reshape(-1, 3)
    expected = np.array([to_rgb(phase_color(i)) for i in range(3)])
    np.testing.assert_allclose(image, pure @ expected, atol=1e-6)
    fig.canvas.draw()
    assert set(s.psnmf.phase_names) <= set(texts_of(fig))


def test_plot_overlay__there_is_a_scale_bar_or_there_are_axes(grains):
    fig, ax = grains.psnmf.plot_overlay()
    assert any(text.endswith(" nm") for text in texts_of(fig))
    assert not ax.get_xlabel()
    s = grains.deepcopy()
    for axis in s.axes_manager.navigation_axes:
        axis.units = "px"
    assert s.psnmf.plot_overlay()[1].get_xlabel() == "x (px)"


def test_plot_overlay__a_phase_in_a_single_pixel_is_seen(grains):
    s = grains.deepcopy()
    s.learning_results.loadings[:, 2] = 0
    s.learning_results.loadings[0, 2] = 5
    s.learning_results.loadings[0, :2] = 0
    _, ax = s.psnmf.plot_overlay()
    np.testing.assert_allclose(ax.images[0].get_array()[0, 0], to_rgb(phase_color(2)), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["line", "series", "masked", "empty phase", "no units"])
def test_plot_overlay__every_kind_of_map_is_drawn(grains, kind):
    s, options = grains.deepcopy(), {}
    if kind == "line":
        s = s.inav[:, 3]
    if kind == "series":
        s = hs.stack([s.inav[:7, :5]] * 2)
    if kind == "masked":
        options["navigation_mask"] = np.arange(14 * 11).reshape(11, 14).T % 5 == 0
    if kind == "no units":
        for axis in s.axes_manager.navigation_axes:
            axis.units = ""
    unmix_quietly(s, 2, **FREE, **options)
    if kind == "empty phase":
        s.learning_results.loadings[:, 1] = 0
    fig, ax = s.psnmf.plot_overlay()
    fig.canvas.draw()
    if kind == "line":
        assert [line.get_color() for line in ax.lines] == [phase_color(0), phase_color(1)]
    else:
        assert np.isfinite(ax.images[0].get_array()).all()
