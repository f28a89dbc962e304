# SPDX-License-Identifier: GPL-3.0-or-later
import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st
from scipy.special import kl_div

from hyperspy_psnmf.kernels.likelihood import divergence, duality_gap, score
from tests.helpers import naive
from tests.helpers.problems import awkward_rows, both, rows

SETTINGS = hypothesis.settings(max_examples=30, deadline=None, derandomize=True)


@pytest.mark.parametrize("problem", [rows, awkward_rows])
@pytest.mark.parametrize("n_jobs", [1, 4])
def test_score__equals_the_loops_dense_and_sparse(problem, n_jobs, many_blocks):
    X, V, B = problem()
    for counts in both(X):
        S, loss = score(counts, V, B, n_jobs=n_jobs)
        np.testing.assert_allclose(S, naive.scores(X, V, B), rtol=1e-12)
        np.testing.assert_allclose(loss, naive.divergences(X, V, B), rtol=1e-11)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_score__the_number_of_threads_changes_no_bit(convert, many_blocks):
    X, V, B = rows(seed=1)
    for serial, parallel in zip(
        score(convert(X), V, B, n_jobs=1), score(convert(X), V, B, n_jobs=4), strict=True
    ):
        np.testing.assert_array_equal(serial, parallel)


@pytest.mark.thorough_cases("i2", "u4", "u8", "f4")  # each is compiled for itself
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "u8", "f4", "f8"])
def test_score__counts_may_have_any_type(dtype):
    X, V, B = rows(n_rows=5, n_columns=6, k=2)
    for counts in both(X.astype(dtype)):
        np.testing.assert_allclose(score(counts, V, B)[0], naive.scores(X, V, B), rtol=1e-12)


def test_divergence__is_that_of_kullback_and_leibler():
    X, V, B = rows(seed=2, n_rows=6, n_columns=9)
    np.testing.assert_allclose(divergence(X, V, B), kl_div(X, V @ B.T).sum(), rtol=1e-12)


def test_divergence__a_perfect_model_has_no_divergence():
    _, V, B = rows(seed=3, n_rows=6, n_columns=9)
    X = V @ B.T
    assert divergence(X, V, B) == pytest.approx(0, abs=1e-12 * X.sum())


def test_divergence__is_infinite_where_the_model_is_zero_at_a_count():
    X, V, B = awkward_rows()
    for counts in both(X):
        loss = score(counts, V, B)[1]
        np.testing.assert_array_equal(np.isinf(loss), X[:, 13] > 0)
        assert divergence(counts, V, B) == np.inf


def test_score__the_divergence_is_the_model_where_there_are_no_counts():
    _, V, B = rows(n_rows=4, n_columns=5, k=2)
    for counts in both(np.zeros((4, 5), np.uint8)):
        S, loss = score(counts, V, B)
        assert not S.any()
        np.testing.assert_allclose(loss, (V @ B.T).sum(axis=1))


def test_score__explicit_zeros_are_no_counts():
    X, V, B = rows(n_rows=5, n_columns=6, k=2)
    full = sp.csr_array((X.ravel(), np.tile(np.arange(6), 5), np.arange(0, 31, 6)), shape=X.shape)
    B[2] = 0.0
    X[:, 2], full.data[full.indices == 2] = 0, 0
    for found, expected in zip(score(full, V, B), score(X, V, B), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_score__the_gradient_is_that_of_finite_differences():
    X, V, B = rows(seed=4, n_rows=5, n_columns=8)
    gradient = B.sum(axis=0) - score(X, V, B)[0]
    for i, c in np.ndindex(V.shape):
        step = np.zeros(V.shape)
        step[i, c] = h = 1e-5 * V[i, c]
        change = score(X, V + step, B)[1][i] - score(X, V - step, B)[1][i]
        assert gradient[i, c] == pytest.approx(change / (2 * h), rel=1e-5, abs=1e-5)


def test_divergence__the_gradient_of_the_basis_is_that_of_the_transpose():
    X, V, B = rows(seed=5, n_rows=5, n_columns=8)
    gradient = V.sum(axis=0) - score(np.ascontiguousarray(X.T), B, V)[0]
    j, c, h = 3, 1, 1e-6
    step = np.zeros(B.shape)
    step[j, c] = h
    change = divergence(X, V, B + step) - divergence(X, V, B - step)
    assert gradient[j, c] == pytest.approx(change / (2 * h), rel=1e-5)


def gaps(X, V, B):
    return duality_gap(V, score(X, V, B)[0], B.sum(axis=0), X.sum(axis=1))


def test_duality_gap__the_gap_equals_the_loops():
    X, V, B = rows(seed=6)
    expected = [naive.gap_of_row(x, v, B) for x, v in zip(X, V, strict=True)]
    np.testing.assert_allclose(gaps(X, V, B), expected, rtol=1e-10)


@pytest.mark.parametrize("scale", [0.03, 1.0])
def test_duality_gap__the_gap_does_not_depend_on_the_scale_of_the_basis(scale):
    # Spectra of unit sum cost 1 each, those of other scales more or less.
    X, V, B = rows(seed=4, n_rows=7, n_columns=11, k=3)
    B = scale * B / B.sum(axis=0)
    expected = [naive.gap_of_row(x, v, B) for x, v in zip(X, V / scale, strict=True)]
    np.testing.assert_allclose(gaps(X, V / scale, B), expected, rtol=1e-10)


def test_duality_gap__no_row_can_gain_more_than_its_gap():
    X, V, B = rows(seed=7, n_rows=11, n_columns=7)
    best = naive.solve_rows(X, B)
    gain = naive.divergences(X, V, B) - naive.divergences(X, best, B)
    assert (gain <= gaps(X, V, B) + 1e-9).all()
    assert (gaps(X, best, B) < 1e-6).all()


@SETTINGS
@hypothesis.given(st.data())
def test_score__no_other_coefficients_are_better_by_more_than_the_gap(data):
    weights = st.floats(1e-3, 1e3)
    X = data.draw(hnp.arrays(np.int64, (1, 5), elements=st.integers(0, 50)))
    B = data.draw(hnp.arrays(float, (5, 3), elements=weights))
    V, other = (data.draw(hnp.arrays(float, (1, 3), elements=weights)) for _ in range(2))
    gain = score(X, V, B)[1] - score(X, other, B)[1]
    assert (gain <= gaps(X, V, B) + 1e-8 * (1 + np.abs(gain))).all()


def test_score__a_count_that_the_model_does_not_explain_adds_nothing_to_the_score():
    X, V, B = rows(seed=8, n_rows=5, n_columns=7, k=3)
    # Only the last component knows of the channel, and the row does not have it.
    B[2, :2] = V[3, 2] = 0.0
    X[3, 2] = 4
    for counts in both(X):
        S, loss = score(counts, V, B)
        assert loss[3] == np.inf
        np.testing.assert_allclose(S, naive.scores(X, V, B), rtol=1e-12)


def test_score__there_may_be_more_components_than_channels():
    X, V, B = rows(seed=9, n_rows=5, n_columns=2, k=6)
    for counts in both(X):
        np.testing.assert_allclose(score(counts, V, B)[0], naive.scores(X, V, B), rtol=1e-12)


def test_duality_gap__a_component_without_a_spectrum_has_no_part_in_the_gap():
    X, V, B = rows(seed=6, n_rows=5, n_columns=7, k=3)
    B[:, 1] = 0.0
    expected = [naive.gap_of_row(x, v, B) for x, v in zip(X, V, strict=True)]
    np.testing.assert_allclose(gaps(X, V, B), expected, rtol=1e-10)
