# SPDX-License-Identifier: GPL-3.0-or-later
"""A map that is quickly drawn, all dimensions different: 14 x 11 pixels (x, y)."""

import pytest

from hyperspy_psnmf import data


@pytest.fixture(autouse=True)
def no_figure_is_left(close_figures):
    """Close what a test leaves open."""


@pytest.fixture(scope="session")
def pristine():
    """Not to be changed."""
    return data.mineral_grains(shape=(11, 14), n_channels=310, counts=900, seed=2)


@pytest.fixture
def grains(pristine):
    return pristine.deepcopy()
