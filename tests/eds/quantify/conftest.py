# SPDX-License-Identifier: GPL-3.0-or-later
"""Three minerals, unmixed perfectly."""

import pytest

from hyperspy_psnmf import data
from tests.helpers.compositions import LAMELLA, as_found


@pytest.fixture(scope="module")
def pristine():
    return as_found(data.mineral_grains(shape=(20, 26), n_channels=800, counts=2000, seed=3))


@pytest.fixture
def minerals(pristine):
    """A TEM map of three minerals, unmixed perfectly; a copy."""
    return pristine.deepcopy()


@pytest.fixture(scope="module")
def factors(pristine):
    return pristine.metadata.Truth.k_factors.as_dictionary()


@pytest.fixture(scope="module")
def result(pristine, factors):
    return pristine.deepcopy().psnmf.quantify(factors=factors, **LAMELLA)


@pytest.fixture(scope="module")
def plain(pristine, factors):
    """The same without absorption correction, which takes eXSpy some seconds."""
    return pristine.deepcopy().psnmf.quantify(factors=factors)
