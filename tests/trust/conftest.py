# SPDX-License-Identifier: GPL-3.0-or-later
"""One small map, 26 x 20 pixels (x, y), 310 channels, 3 phases."""

import matplotlib
import pytest
from maps import SMALL, describe_state, unmix_quietly

from hyperspy_psnmf import data

matplotlib.use("agg")


@pytest.fixture(scope="session")
def pristine():
    """Not to be changed."""
    return data.mineral_grains(**SMALL)


@pytest.fixture
def grains(pristine):
    return pristine.deepcopy()


@pytest.fixture(scope="session")
def unmixed(pristine):
    """Decomposed with defaults; not to be changed."""
    return unmix_quietly(pristine.deepcopy())


@pytest.fixture
def earlier(unmixed, grains):
    """Return a function that gives a map the results of an earlier decomposition."""

    def give(signal):
        signal.learning_results = unmixed.deepcopy().learning_results
        return describe_state(signal)

    return give
