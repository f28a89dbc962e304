# SPDX-License-Identifier: GPL-3.0-or-later
import hypothesis
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hyperspy_psnmf.nmf.held_out import count_splitting
from hyperspy_psnmf.nmf.held_out.count_splitting import (
    Comparison,
    compare,
    held_out_deviance,
    make_folds,
    split_counts,
    thin_counts,
)
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from tests.helpers import naive
from tests.helpers.problems import both, planted, rows

SETTINGS = hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
DTYPES = [np.uint8, np.uint16, np.int32, np.int64, np.uint64, np.float32, np.float64]


def rng(seed=0):
    return np.random.default_rng(seed)


def dense(X):
    return X.toarray() if sp.issparse(X) else X


def counts_of(dtype, shape=(11, 7), largest=200):
    X = rng(1).integers(0, largest, shape) * (rng(2).random(shape) < 0.4)
    X[3], X[:, 5], X[0, 0] = 0, 0, largest
    return X.astype(dtype)


@SETTINGS
@hypothesis.given(
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 2**40)),
    st.integers(2, 7),
    st.integers(0, 99),
)
def test_split_counts__every_count_is_conserved(X, n_folds, seed):
    for counts in both(X):
        folds = split_counts(counts, n_folds, rng(seed))
        np.testing.assert_array_equal(sum(dense(f) for f in folds), X)
        assert all(dense(f).min() >= 0 for f in folds)
        train, test = thin_counts(counts, 0.3, rng(seed))
        np.testing.assert_array_equal(dense(train) + dense(test), X)


@pytest.mark.parametrize("dtype", DTYPES)
def test_split_counts__folds_keep_integer_types_and_widen_floats(dtype):
    X = counts_of(dtype)
    for counts in both(X):
        folds = split_counts(counts, 3, rng())
        expected = np.float64 if X.dtype.kind == "f" else dtype
        assert all(f.dtype == expected for f in folds)
        assert all(sp.issparse(f) == sp.issparse(counts) for f in folds)
        np.testing.assert_array_equal(sum(dense(f).astype(float) for f in folds), X)


def test_split_counts__half_precision_is_widened_too():
    X = counts_of(np.float16)
    folds = split_counts(X, 3, rng())
    assert folds[0].dtype == np.float64
    np.testing.assert_array_equal(sum(folds), X)


def test_csr__an_array_and_a_csr_matrix_are_split_alike():
    X, csr = both(counts_of(np.uint16))
    for a, b in zip(split_counts(X, 4, rng(3)), split_counts(csr, 4, rng(3)), strict=True):
        np.testing.assert_array_equal(a, b.toarray())


def test_split_counts__input_unchanged_and_folds_independent_copies():
    X, csr = both(counts_of(np.uint8))
    before = csr.copy()
    for fold in split_counts(csr, 2, rng()):
        assert fold.has_canonical_format
        assert (fold.data > 0).all()
        fold.data[:] = 0
    split_counts(X, 2, rng())[0][:] = 0
    np.testing.assert_array_equal(csr.toarray(), before.toarray())
    np.testing.assert_array_equal(X, before.toarray())


def test_split_counts__a_seed_makes_it_reproducible():
    X = counts_of(np.uint8)
    first, second, other = (split_counts(X, 3, rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert (np.array(first) != np.array(other)).any()


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_split_counts__a_million_counts_in_one_entry_are_binomial(dtype):
    X = np.zeros((3, 5), dtype)
    X[1, 4] = 1_000_000
    folds = np.array([f[1, 4] for f in split_counts(X, 5, rng(7))])
    assert folds.sum() == 1_000_000
    assert np.abs(folds - 200_000).max() < 5 * np.sqrt(1e6 * 0.2 * 0.8)


def test_split_counts__folds_are_of_equal_size_and_independent_poisson():
    X = rng(4).poisson(6.0, size=(300, 200))
    a, b, c = (f.ravel().astype(float) for f in split_counts(X, 3, rng(8)))
    for fold in (a, b, c):
        assert fold.mean() == pytest.approx(2.0, abs=5 * np.sqrt(2 / X.size))
        assert fold.var() == pytest.approx(2.0, abs=5 * np.sqrt((2 + 2 * 4) / X.size))
    for pair in ((a, b), (a, c), (b, c)):
        assert abs(np.corrcoef(*pair)[0, 1]) < 5 / np.sqrt(X.size)


def test_thin_counts__expected_fraction_in_the_test():
    X = np.full((200, 90), 4, np.uint8)
    train, test = thin_counts(X, 0.1, rng(9))
    assert test.sum() == pytest.approx(0.1 * X.sum(), abs=5 * np.sqrt(X.sum() * 0.09))
    assert train.dtype == test.dtype == np.uint8


def test_make_folds__booleans_are_counts_of_one():
    X = counts_of(np.uint8) > 0
    for counts in both(X):
        folds = make_folds(counts, 3, rng())
        np.testing.assert_array_equal(sum(dense(f.test) for f in folds), X)
        np.testing.assert_array_equal(dense(folds[1].train) + dense(folds[1].test), X)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (3, 4)])
def test_split_counts__no_counts_make_empty_folds(shape):
    for X in both(np.zeros(shape, np.uint8)):
        assert [f.shape for f in split_counts(X, 2, rng())] == [shape] * 2


@pytest.mark.parametrize("value", [0.5, -1.0, np.nan, np.inf, 1e300])
def test_thin_counts__what_is_no_count_is_refused_with_the_reason(value):
    X = np.zeros((4, 3))
    X[2, 1] = value
    for counts in both(X):
        with pytest.raises(ValueError, match=r"X must hold counts.*raw Poisson counts"):
            split_counts(counts, 2, rng())
    with pytest.raises(ValueError, match="X must hold counts"):
        thin_counts(np.array([[-1, 2]]), 0.5, rng())


def test_split_counts__wrong_arguments_are_named():
    X = counts_of(np.uint8)
    for n_folds in (1, 0):
        with pytest.raises(ValueError, match="n_folds must be at least 2"):
            split_counts(X, n_folds, rng())
    with pytest.raises(TypeError, match="n_folds must be an int"):
        split_counts(X, 2.5, rng())
    for fraction in (0, 1, -0.2, np.nan):
        with pytest.raises(ValueError, match="fraction must be between 0 and 1"):
            thin_counts(X, fraction, rng())
    for fraction in ("half", True, None):
        with pytest.raises(TypeError, match="fraction must be a number"):
            thin_counts(X, fraction, rng())
    for bad in (X.tolist(), sp.csc_array(X)):
        with pytest.raises(TypeError, match="X must be an ndarray or a CSR matrix"):
            split_counts(bad, 2, rng())
    with pytest.raises(TypeError, match="X must hold real counts"):
        split_counts(X.astype(complex), 2, rng())
    for eta in (0, 1):
        with pytest.raises(ValueError, match="eta must be between 0 and 1"):
            held_out_deviance(X, np.ones((11, 2)), np.ones((2, 7)), 0.2, np.ones(7), eta=eta)
    with pytest.raises(ValueError, match="fits must hold at least one candidate"):
        compare(X, {})


def test_held_out_deviance__is_the_formula():
    X, W, B = rows(seed=3, n_rows=6, n_columns=9, k=2)
    H, spectrum = (B / B.sum(axis=0)).T, rng(1).uniform(5, 9, 9)
    mean = (spectrum + 0.5) / (spectrum + 0.5).sum()
    mu = W @ (0.99 * H + 0.01 * mean) * 0.2 / 0.8
    expected = 2 * naive.divergences(X, mu, np.eye(9)).sum()
    for counts in both(X):
        found = held_out_deviance(counts, W, H, 0.2, spectrum, eta=0.01)
        assert found == pytest.approx(expected, rel=1e-12)


def test_held_out_deviance__does_not_depend_on_how_spectra_are_scaled():
    X, W, B = rows(seed=4, n_rows=6, n_columns=9, k=2)
    scale = np.array([3.0, 0.2])
    a = held_out_deviance(X, W, B.T, 0.2, X.sum(axis=0))
    b = held_out_deviance(X, W / scale, B.T * scale[:, None], 0.2, X.sum(axis=0))
    assert a == pytest.approx(b, rel=1e-12)


def test_held_out_deviance__is_always_finite():
    test = np.ones((5, 8))
    W, H = np.ones((5, 2)), np.full((2, 8), 1 / 8)
    empty_pixel, empty_channel, nothing = W.copy(), H.copy(), np.zeros(8)
    empty_pixel[2], empty_channel[:, 3] = 0, 0
    for V, B in [(empty_pixel, H), (W, empty_channel), (0 * W, H), (W, 0 * H), (0 * W, 0 * H)]:
        for counts in both(test):
            assert np.isfinite(held_out_deviance(counts, V, B, 0.2, nothing))


def test_held_out_deviance__models_that_are_not_finite_are_refused():
    W, H = np.ones((5, 2)), np.ones((2, 8))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="W and H must be finite"):
            held_out_deviance(np.ones((5, 8)), bad * W, H, 0.2, np.ones(8))


def test_thin_counts__no_model_predicts_better_than_the_truth_on_average():
    cube, W, H = planted(shape=(9, 10), n_channels=31, counts=200.0)
    X = cube.reshape(-1, 31)
    train, test = thin_counts(X, 0.2, rng(1))
    deviances = [
        held_out_deviance(test, factor * 0.8 * V, H, 0.2, train.sum(axis=0))
        for factor, V in [(1.0, W), (0.9, W), (1.1, W), (1.0, W.mean(axis=0) + 0 * W)]
    ]
    assert np.argmin(deviances) == 0
    # A deviance has about one unit per entry that could hold counts.
    assert deviances[0] < 1.3 * X.size


def mean_model(train):
    """One spectrum for all pixels."""
    total = np.asarray(train.sum(axis=1), dtype=float).reshape(-1, 1)
    channels = np.asarray(train.sum(axis=0), dtype=float).reshape(1, -1)
    return total, channels / channels.sum()


def saturated_model(train):
    """Every pixel its own spectrum."""
    return np.eye(train.shape[0]), np.asarray(dense(train), dtype=float)


def nmf_model(k):
    def fit(train):
        found = poisson_nmf(train, initial_spectra(train, k, "nndsvdar", rng()))
        return found.W, found.H

    return fit


FITS = {"mean": mean_model, "nmf": nmf_model(3), "saturated": saturated_model}


@pytest.mark.parametrize("kind", [0, 1])
def test_compare__the_true_model_wins_over_too_simple_and_too_complex_ones(kind):
    X = both(planted(shape=(9, 10), n_channels=31)[0].reshape(-1, 31))[kind]
    found = compare(X, FITS, n_folds=4, rng=rng(2))
    assert found.names == ("mean", "nmf", "saturated")
    assert found.deviances.shape == (3, 4)
    assert found.best == found.simplest() == "nmf"
    assert found.standard_errors[1] == 0
    assert (found.differences[1] == 0).all()


def test_csr__an_array_and_a_csr_matrix_are_scored_alike():
    X, csr = both(planted(shape=(5, 6), n_channels=31)[0].reshape(-1, 31))
    fits = {"mean": mean_model, "saturated": saturated_model}
    a, b = compare(X, fits, rng=rng(3)), compare(csr, fits, rng=rng(3))
    np.testing.assert_allclose(a.deviances, b.deviances, rtol=1e-12)


def test_Comparison__the_simplest_is_the_first_within_an_error_of_the_best():
    # Differences to "c": 6 to "a", 3 +- 4 to "b"; "d" is as good, but no simpler.
    base = np.array([100.0, 90.0, 110.0, 95.0, 105.0])
    spread = 4 * np.array([-1, 1, 0, -1, 1]) / np.sqrt(0.2 + 0.25)
    found = Comparison(tuple("abcd"), np.array([base + 6, base + 3 + spread, base, base + 0.1]))
    np.testing.assert_allclose(found.standard_errors, [0, 4, 0, 0], atol=1e-9)
    np.testing.assert_allclose(found.mean, [106, 103, 100, 100.1])
    assert found.best == "c"
    assert found.simplest() == "b"
    assert found.simplest(0.7) == "c"


def test_compare__the_callback_sees_every_fit_and_can_end_the_comparison():
    X, calls = counts_of(np.uint8), []

    def stop(name, fold, deviance):
        calls.append((name, fold))
        if len(calls) == 3:
            raise KeyboardInterrupt

    fits = {"mean": mean_model, "saturated": saturated_model}
    with pytest.raises(KeyboardInterrupt):
        compare(X, fits, n_folds=2, callback=stop)
    assert calls == [("mean", 0), ("mean", 1), ("saturated", 0)]


def test_compare__a_fit_sees_none_of_the_test_counts():
    X = counts_of(np.uint8)
    trained = []
    compare(X, {"mean": lambda train: trained.append(train) or mean_model(train)}, n_folds=3)
    np.testing.assert_array_equal(sum(t.astype(int) for t in trained), 2 * X.astype(int))


def test_count_splitting__the_floor_keeps_half_a_count_per_channel():
    assert count_splitting.ETA == 1e-4
    assert count_splitting.JEFFREYS == 0.5
