# SPDX-License-Identifier: GPL-3.0-or-later
"""Fisher's information from expected counts: 9 rows, 13 columns, 3 components, 4 shapes."""

import numpy as np
import pytest

from hyperspy_psnmf.kernels.expected import information, information_of_sums


@pytest.fixture
def problem():
    rng = np.random.default_rng(5)
    V, B, G = (
        rng.gamma(2.0, size=(9, 3)),
        rng.gamma(1.0, size=(13, 3)),
        rng.gamma(1.0, size=(4, 13)),
    )
    V[2] = 0.0
    return V, B, G


def test_information__sum_over_columns(problem):
    V, B, _ = problem
    found = information(V, B)
    for v, of_row in zip(V, found, strict=True):
        mu = B @ v
        weight = np.divide(1.0, mu, out=np.zeros(13), where=mu > 0)
        np.testing.assert_allclose(of_row, (B * weight[:, None]).T @ B)
    np.testing.assert_array_equal(found, information(V, B, n_jobs=2))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_information_of_sums__double_sum_over_shapes(problem, share):
    V, B, G = problem
    per_column = information(B, V)  # (13, 3, 3)
    which = np.random.default_rng(1).random((3, 4)) < share
    component, shape = np.nonzero(which)
    expected = np.einsum("sj,jcd,uj->csdu", G, per_column, G)
    expected = expected[component, shape][:, component, shape]
    found = information_of_sums(per_column, G, component, shape)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
