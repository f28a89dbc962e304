# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.selection import n_components
from hyperspy_psnmf.nmf.selection.n_components import choose_n_components, coarse_counts
from hyperspy_psnmf.nmf.solver import one_more
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from tests.helpers.problems import both, planted


def rng(seed=0):
    return np.random.default_rng(seed)


def counts_of(k, shape=(9, 10), seed=0, **options):
    return planted(shape, n_channels=31, k=k, seed=seed, **options)[0].reshape(-1, 31)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_choose_n_components__the_number_of_planted_components_is_found(k):
    X = counts_of(k)
    for counts in both(X):
        found = choose_n_components(counts, n_folds=5, rng=rng(k))
        assert found.best == found.simplest() == k
        assert found.names == tuple(range(1, k + n_components.PATIENCE + 1))
        assert found.deviances.shape == (k + n_components.PATIENCE, 5)


def test_csr__an_array_and_a_csr_matrix_are_judged_alike():
    X, csr = both(counts_of(3))
    a, b = (choose_n_components(c, n_folds=3, rng=rng(1)) for c in (X, csr))
    np.testing.assert_allclose(a.deviances[:3], b.deviances[:3], rtol=1e-4)


def test_choose_n_components__a_seed_makes_it_reproducible_and_is_the_default():
    X = counts_of(2)
    a, b, c = (choose_n_components(X, n_folds=3, **o) for o in ({}, {}, {"rng": rng(0)}))
    np.testing.assert_array_equal(a.deviances, b.deviances)
    np.testing.assert_array_equal(a.deviances, c.deviances)
    d = choose_n_components(X, n_folds=3, rng=rng(1))
    assert (a.deviances[0] != d.deviances[0]).all()


def test_choose_n_components__a_component_with_few_counts_is_found():
    # 2 % of the pixels, at 60 counts each, in channels between the lines of the others.
    X = counts_of(2, shape=(13, 14))
    X[50:54] = 0
    X[50:54, 13:18] = rng(3).poisson(12, size=(4, 5))
    assert choose_n_components(X, n_folds=5).simplest() == 3


def test_choose_n_components__few_counts_never_show_more_components_than_there_are():
    for seed in range(5):
        X = counts_of(3, counts=3.0, seed=seed)
        assert choose_n_components(X, n_folds=5, rng=rng(seed)).simplest() <= 3


@pytest.mark.parametrize("max_components", [1, 2])
def test_choose_n_components__no_more_components_than_asked_for_are_tried(max_components):
    found = choose_n_components(counts_of(3), max_components=max_components, n_folds=2)
    assert found.names == (1, 2)[:max_components]


@pytest.mark.parametrize("shape", [(1, 8), (7, 1), (2, 9)])
def test_choose_n_components__no_more_components_than_rows_or_channels_are_tried(shape):
    found = choose_n_components(rng().poisson(50.0, size=shape), n_folds=2)
    assert max(found.names) <= min(shape)
    assert np.isfinite(found.deviances).all()


def test_choose_n_components__empty_rows_and_channels_and_a_single_count_do_no_harm():
    X = counts_of(2)
    X[7], X[:, 5] = 0, 0
    assert choose_n_components(X, n_folds=5).simplest() == 2
    X[:] = 0
    X[4, 3] = 1
    for counts in both(X):
        found = choose_n_components(counts, n_folds=3)
        assert np.isfinite(found.deviances).all()
        assert found.simplest() == 1


@pytest.mark.thorough_cases("uint16")  # compiled for itself
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_choose_n_components__all_types_of_counts_give_the_same(dtype):
    X = counts_of(2)
    expected = choose_n_components(X, n_folds=2).deviances
    found = choose_n_components(X.astype(dtype), n_folds=2).deviances
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_choose_n_components__the_callback_sees_every_fit_and_can_end_the_search():
    calls = []

    def stop(k, fold, deviance):
        calls.append((k, fold))
        if len(calls) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose_n_components(counts_of(2), n_folds=3, callback=stop)
    assert calls == [(1, 0), (1, 1), (1, 2), (2, 0)]


def test_choose_n_components__what_cannot_be_judged_is_refused():
    X = counts_of(2)
    with pytest.raises(ValueError, match="X has no counts"):
        choose_n_components(0 * X)
    with pytest.raises(ValueError, match=r"X must hold counts.*raw Poisson counts"):
        choose_n_components(0.5 * X)
    with pytest.raises(ValueError, match="max_components must be at least 1"):
        choose_n_components(X, max_components=0)
    with pytest.raises(ValueError, match="n_folds must be at least 2"):
        choose_n_components(X, n_folds=1)


def test_coarse_counts__are_sums_over_pixels_and_channels():
    cube = rng(2).poisson(0.3, size=(36, 40, 50)).astype(np.uint8)
    X = sp.csr_array(cube.reshape(-1, 50))
    found = coarse_counts(X, (36, 40), (True, True), energy_binning=10)
    # 64 bins must remain: of 16 x 16 pixels there were but 9, of 4 x 4 there are 90.
    np.testing.assert_array_equal(
        found, cube.reshape(9, 4, 10, 4, 5, 10).sum(axis=(1, 3, 5)).reshape(90, 5)
    )


@pytest.mark.slow
@pytest.mark.parametrize("n_fixed", [1, 2, 3])
def test_choose_n_components__fixed_spectra_included_and_unchanged(n_fixed, monkeypatch):
    cube, _, H = planted((9, 10), n_channels=31, k=3, counts=200.0)
    seen = []

    def watch(X, start, **options):
        seen.append(start[: options["n_fixed"]])
        return poisson_nmf(X, start, **options)

    monkeypatch.setattr(one_more, "poisson_nmf", watch)
    for X in both(cube.reshape(-1, 31)):
        found = choose_n_components(X, fixed_spectra=H[:n_fixed], n_folds=5, rng=rng(1))
        assert found.simplest() == 3
        assert found.names[0] == n_fixed
    assert all(np.array_equal(fixed, H[:n_fixed]) for fixed in seen)


def test_choose_n_components__fixed_spectrum_without_counts():
    cube, _, H = planted((9, 10), n_channels=31, k=3, counts=200.0)
    absent = np.full((1, 31), 1 / 31)
    absent[0, ::2] = 0  # nothing of it in half the channels
    absent /= absent.sum()
    fixed = np.vstack([H, absent])
    found = choose_n_components(cube.reshape(-1, 31), fixed_spectra=fixed, n_folds=5)
    assert found.simplest() == 4


def test_choose_n_components__fewer_than_fixed_spectra_refused():
    with pytest.raises(ValueError, match="max_components=2 is less than the 3 fixed"):
        choose_n_components(
            counts_of(3), max_components=2, fixed_spectra=np.full((3, 31), 1 / 31), n_folds=2
        )
