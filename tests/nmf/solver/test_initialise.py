# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from tests.helpers.problems import ALLOY, MATRIX, angles, grains, planted

INITS = ["nndsvdar", "vertex", "random"]


def counts(seed=0):
    cube, _, H = planted(shape=(5, 6), n_channels=23, counts=200, seed=seed)
    return cube.reshape(30, 23).astype(float), H


def start(X, k, init="nndsvdar", seed=0):
    return initial_spectra(X, k, init, np.random.default_rng(seed))


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("k", [1, 3, 7, 23])
def test_initial_spectra__spectra_have_unit_sum_and_are_positive_where_there_are_counts(
    convert, init, k
):
    X, _ = counts()
    X[:, 9] = 0
    H = start(convert(X), k, init)
    assert H.shape == (k, 23)
    np.testing.assert_allclose(H.sum(axis=1), 1)
    assert (H[:, X.any(axis=0)] > 0).all()
    assert (H >= 0).all()


@pytest.mark.parametrize("init", INITS)
def test_initial_spectra__the_start_does_not_depend_on_the_kind_of_matrix(init):
    X, _ = counts()
    X[11] = 0
    np.testing.assert_allclose(start(X, 3, init), start(sp.csr_array(X), 3, init), atol=1e-10)


@pytest.mark.parametrize("init", INITS)
def test_initial_spectra__the_same_seed_gives_the_same_start(init):
    X, _ = counts()
    np.testing.assert_array_equal(start(X, 3, init, seed=4), start(X, 3, init, seed=4))
    assert not np.array_equal(start(X, 3, init, seed=4), start(X, 3, init, seed=5))


def test_initial_spectra__given_spectra_are_kept_but_for_a_little_of_the_mean():
    X, truth = counts()
    H = start(X, 3, truth * [[2.0], [5.0], [1e6]])
    assert angles(H, truth).max() < 2
    zeros = np.eye(3, 23)
    H = start(X, 3, zeros)
    assert (H > 0).all()
    assert (H[zeros == 0] < 0.1).all()


def test_initial_spectra__given_spectra_are_not_changed():
    X, truth = counts()
    before = truth.copy()
    start(X, 3, truth)
    np.testing.assert_array_equal(truth, before)


@pytest.mark.parametrize("init", ["nndsvdar", "vertex"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_initial_spectra__the_start_is_nearer_to_the_phases_than_the_mean_is(seed, init):
    X, truth = counts(seed)
    assert (angles(start(X, 3, init), truth) < 0.9 * angles(X.mean(axis=0)[None], truth)).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_initial_spectra__vertices_are_the_pure_rows(seed):
    X = np.random.default_rng(seed).poisson(4000 * grains() @ np.stack([MATRIX, ALLOY]))
    assert angles(start(X, 2, "vertex", seed), np.stack([MATRIX, ALLOY])).max() < 4
    assert angles(start(X, 2, "nndsvdar", seed), np.stack([MATRIX, ALLOY])).max() > 20


def test_initial_spectra__rows_with_next_to_no_counts_are_no_vertices():
    X = np.random.default_rng(3).poisson(4000 * grains() @ np.stack([MATRIX, ALLOY]))
    X[3:9], X[3:9, 37] = 0, 1
    assert angles(start(X, 2, "vertex"), np.stack([MATRIX, ALLOY])).max() < 4


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("k", [2, 4])
def test_initial_spectra__rows_that_are_all_alike_give_a_start(convert, k, init):
    X = np.outer(np.arange(1.0, 7), np.arange(9.0))
    H = start(convert(X), k, init)
    np.testing.assert_allclose(H.sum(axis=1), 1)
    assert np.isfinite(H).all()


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_initial_spectra__a_single_count_gives_a_start(convert, init):
    X = np.zeros((4, 6))
    X[2, 3] = 1
    H = start(convert(X), 3, init)
    np.testing.assert_allclose(H.sum(axis=1), 1)
    assert (H[:, 3] > 0).all()
    assert (H >= 0).all()
