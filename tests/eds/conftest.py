# SPDX-License-Identifier: GPL-3.0-or-later
"""Small maps, all dimensions different: 26 x 20 pixels (x, y), 310 channels, 3 phases."""

import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.helpers.maps import SMALL, describe_state, unmix_quietly


@pytest.fixture(scope="session")
def unmix():
    """Decompose quietly and return the signal."""

    return unmix_quietly


@pytest.fixture(scope="session")
def pristine_sem():
    return data.sem_two_phases(**SMALL)


@pytest.fixture
def sem(pristine_sem):
    """A SEM map of two phases; a copy."""
    return pristine_sem.deepcopy()


@pytest.fixture
def unmixed_copy(unmixed):
    return unmixed.deepcopy()


@pytest.fixture
def navigation_mask():
    """The four leftmost columns, in HyperSpy's (x, y) order."""
    mask = np.zeros((26, 20), bool)
    mask[:4] = True
    return mask


@pytest.fixture
def signal_mask():
    mask = np.zeros(310, bool)
    mask[:9] = mask[120:131] = True
    return mask


@pytest.fixture(scope="session")
def state():
    """Return all that a call must leave alone, in comparable form."""

    return describe_state
