# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.solver.fisher import covariance, information, standard_deviation
from tests.helpers.problems import planted, rows


def naive_information(V, B):
    found = np.zeros((len(V), V.shape[1], V.shape[1]))
    for i, v in enumerate(V):
        for b in B:
            mu = v @ b
            if mu > 0:
                found[i] += np.outer(b, b) / mu
    return found


def test_information__is_what_a_loop_gives():
    _, V, B = rows()
    V[3], B[5], V[:, 1] = 0.0, 0.0, 0.0
    np.testing.assert_allclose(information(V, B), naive_information(V, B), rtol=1e-12)


def test_information__of_many_columns_is_the_same_for_any_number_of_threads():
    """More columns than are looked at at a time, and more entries than a block has."""
    _, V, B = rows(seed=3, n_rows=1100, n_columns=2500)
    found = information(V, B, n_jobs=1)
    np.testing.assert_allclose(found[::300], naive_information(V[::300], B), rtol=1e-12)
    np.testing.assert_array_equal(information(V, B, n_jobs=4), found)


def test_covariance__is_the_inverse():
    _, V, B = rows(seed=1)
    product = covariance(V, B) @ naive_information(V, B)
    np.testing.assert_allclose(product, np.repeat(np.eye(3)[None], 13, axis=0), atol=1e-6)
    np.testing.assert_allclose(
        standard_deviation(V, B) ** 2, np.einsum("ikk->ik", covariance(V, B)), rtol=1e-12
    )


def test_standard_deviation__one_component_has_the_error_of_its_counts():
    _, H = planted((3, 4), 19, k=1)[1:]
    W = np.array([[4.0], [100.0], [2500.0]])
    np.testing.assert_allclose(standard_deviation(W, H.T), [[2.0], [10.0], [50.0]])


def test_covariance__loadings_scatter_as_the_covariance_says():
    _, _, H = planted((3, 4), 29, k=3)
    w, rng = np.array([300.0, 500.0, 200.0]), np.random.default_rng(1)
    found = solve_loadings(rng.poisson(np.repeat([w @ H], 3000, axis=0)), H)
    expected = covariance(w[None], H.T)[0]
    sigma = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(found.mean(axis=0), w, atol=0.1 * sigma.max())
    difference = (np.cov(found.T) - expected) / np.outer(sigma, sigma)
    assert np.abs(difference).max() < 0.1


@pytest.mark.parametrize("kind", ["no loadings", "no spectrum", "alike", "one row"])
def test_standard_deviation__what_counts_cannot_distinguish_has_huge_error_or_none_but_is_finite(
    kind,
):
    _, V, B = rows(seed=2)
    if kind == "no loadings":
        V[4] = 0.0
    if kind == "no spectrum":
        B[:, 1] = 0.0
    if kind == "alike":
        B[:, 1] = B[:, 0]
    found = standard_deviation(V[:1] if kind == "one row" else V, B)
    assert np.isfinite(found).all()
    if kind == "alike":
        assert found[:, :2].min() > 1e3
