# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps that have a result already."""

from copy import deepcopy

import pytest

from tests.helpers.maps import describe_state


@pytest.fixture
def earlier(unmixed, grains):
    """Return a function that gives a map the results of an earlier decomposition."""

    def give(signal):
        signal.learning_results = deepcopy(unmixed.learning_results)
        return describe_state(signal)

    return give
