# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of phases whose deviance is beyond the figure are told by triangles."""

import numpy as np

from hyperspy_psnmf.results import EstimatedNumber


def drawn(differences, best):
    """Return the axes of a figure, the triangles' numbers and what is written beside them."""
    n = len(differences)
    found = EstimatedNumber(
        best, best, tuple(range(1, n + 1)), np.ones((n, 5)), np.array(differences, float),
        np.full(n, 9.0), False,
    )  # fmt: skip
    fig, ax = found.plot()
    fig.canvas.draw()
    triangles = [int(line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "^"]
    return ax, triangles, [text.get_text() for text in ax.texts]


def test_EstimatedNumber__too_few_phases_are_triangles_with_their_value():
    ax, triangles, words = drawn([31879.4, 3143.0, 0.0, 195.0, 389.0], best=3)
    assert triangles == [1, 2]
    assert words == ["31879", "3143"]
    assert 389 < ax.get_ylim()[1] < 3143


def test_EstimatedNumber__what_is_in_the_figure_has_no_triangle():
    ax, triangles, words = drawn([60.0, 0.0, 50.0], best=2)
    assert (triangles, words) == ([], [])
    assert ax.get_ylim()[1] > 60
