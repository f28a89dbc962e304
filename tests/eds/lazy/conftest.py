# SPDX-License-Identifier: GPL-3.0-or-later
"""Free spectra, as these tests are about where the counts are: a tenth of the time."""

import pytest

from tests.helpers.maps import FREE, unmix_quietly


@pytest.fixture(scope="session")
def unmix():
    """Decompose quietly and return the signal."""

    def free(signal, *args, **kwargs):
        return unmix_quietly(signal, *args, **({} if "algorithm" in kwargs else FREE) | kwargs)

    return free


@pytest.fixture(scope="session")
def unmixed(unmixed_free):
    return unmixed_free
