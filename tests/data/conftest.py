# SPDX-License-Identifier: GPL-3.0-or-later
"""Every phantom, small and large."""

import pytest

from hyperspy_psnmf import data
from tests.data.phantom_truth import FAST, PHANTOMS


@pytest.fixture(scope="module", params=PHANTOMS, ids=data.__all__)
def phantom(request):
    return request.param(**FAST)


@pytest.fixture(scope="module", params=PHANTOMS, ids=data.__all__)
def large_phantom(request):
    return request.param(shape=(62, 58), counts=120, seed=3)
