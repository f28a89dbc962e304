# SPDX-License-Identifier: GPL-3.0-or-later
"""Three minerals, unmixed perfectly."""

import pytest

from hyperspy_psnmf import data
from tests.helpers.compositions import LAMELLA, as_found


@pytest.fixture(scope="session")
def pristine():
    return as_found(data.mineral_grains(shape=(20, 26), n_channels=800, counts=2000, seed=3))


@pytest.fixture
def minerals(pristine):
    """A TEM map of three minerals, unmixed perfectly; a copy."""
    return pristine.deepcopy()


@pytest.fixture(scope="session")
def factors(pristine):
    return pristine.metadata.Truth.k_factors.as_dictionary()


@pytest.fixture(scope="session")
def few():
    """Arguments for a composition of three elements, which takes eXSpy half the time of seven."""
    return {
        "factors": {"Fe_Ka": 1.3, "Mg_Ka": 1.07, "Si_Ka": 1.0},
        "exclude": ("Al", "Ca", "O", "Ti"),
    }


@pytest.fixture(scope="session")
def result(pristine, factors):
    return pristine.deepcopy().psnmf.quantify(factors=factors, **LAMELLA)


@pytest.fixture(scope="session")
def plain(pristine, factors):
    """The same with the thickness and density in the metadata."""
    return pristine.deepcopy().psnmf.quantify(factors=factors)
