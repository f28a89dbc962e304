# SPDX-License-Identifier: GPL-3.0-or-later
"""Contour lines of images lie where these change, on the map of counts."""

import hyperspy.api as hs
import numpy as np
import pytest
from matplotlib import pyplot as plt

from hyperspy_psnmf.plot import plot_binned_map

pytestmark = pytest.mark.usefixtures("close_figures")


def image_of(values, scale):
    axes = [
        {"name": name, "size": n, "scale": scale, "offset": 3.0, "units": "nm"}
        for name, n in zip("yx", values.shape, strict=True)
    ]
    return hs.signals.BaseSignal(values, axes=[{**axis, "navigate": False} for axis in axes])


def step(n_rows=24, n_columns=40, at=30):
    values = np.zeros((n_rows, n_columns))
    values[:, at:] = 7.0
    return values


def test_plot_binned_map__contours_of_an_image_are_at_its_edge():
    counts = image_of(np.ones((6, 10)), 4.0)
    _, ax = plot_binned_map(counts, [image_of(step(), 1.0)])
    (contours,) = [c for c in ax.collections if hasattr(c, "levels")]
    vertices = np.vstack([path.vertices for path in contours.get_paths()])
    # Between columns 29 and 30, which are at 32 and 33 nm.
    assert abs(vertices[:, 0] - 32.5).max() < 1.5
    assert np.ptp(vertices[:, 1]) == 23.0


def test_plot_binned_map__none_of_a_constant_image_nor_without_images():
    counts = image_of(np.ones((6, 10)), 4.0)
    for images in ((), [image_of(np.full((24, 40), 2.0), 1.0)]):
        _, ax = plot_binned_map(counts, images)
        assert not ax.collections
        plt.close("all")
