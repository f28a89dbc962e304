# SPDX-License-Identifier: GPL-3.0-or-later
import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st

from hyperspy_psnmf.kernels.newton.rows import solve_rows
from tests.helpers import naive
from tests.helpers.problems import awkward_rows, both, rows

SETTINGS = hypothesis.settings(max_examples=40, deadline=None, derandomize=True)


def explained(X, B):
    """Return the counts in channels that some component explains."""
    return np.where(B.any(axis=1), X, 0)


def assert_optimal(X, B, V, gaps, tol, n_fixed=0):
    """Check gap, distance to the optimum and constraints of a solution."""
    X = explained(X, B)
    best = naive.solve_rows(X, B, V, n_fixed)
    excess = naive.divergences(X, V, B) - naive.divergences(X, best, B)
    rounding = 1e-9 + 1e-12 * X.sum(axis=1)
    assert (V >= 0).all()
    assert (gaps <= tol + rounding).all()
    assert (excess <= gaps + rounding).all()
    assert (excess >= -2e-7 - rounding).all()


@pytest.mark.parametrize("problem", [rows, awkward_rows])
def test_solve_rows__every_row_is_solved_to_the_gap_asked_for(problem):
    X, V, B = problem()
    for tol in (1e-1, 1e-4, 1e-6):
        assert_optimal(X, B, *solve_rows(X, B, V, tol=tol), tol)


def test_solve_rows__the_coefficients_are_those_of_the_reference():
    X, V, B = rows(seed=1, n_rows=8, n_columns=12, k=3, counts=500)
    found, _ = solve_rows(X, B, V, tol=1e-9)
    np.testing.assert_allclose(found, naive.solve_rows(X, B, gap=1e-9), atol=1e-2)


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("problem", [rows, awkward_rows])
def test_parallel__serial_and_parallel_agree_in_every_bit(problem, n_fixed, many_blocks):
    X, V, B = problem()
    for counts in both(X):
        expected = solve_rows(counts, B, V, n_fixed=n_fixed, n_jobs=1)
        for n_jobs in (4, None):
            found = solve_rows(counts, B, V, n_fixed=n_fixed, n_jobs=n_jobs)
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_solve_rows__dense_and_sparse_agree(n_fixed):
    X, V, B = rows()
    dense, sparse = (solve_rows(x, B, V, n_fixed=n_fixed, tol=1e-10)[0] for x in both(X))
    np.testing.assert_allclose(dense, sparse, rtol=1e-10, atol=1e-10)


@pytest.mark.thorough_cases("u1", "i2", "u4", "u8", "f4")  # each is compiled for itself
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "u8", "f4", "f8"])
def test_solve_rows__counts_may_have_any_type(dtype):
    X, V, B = rows(n_rows=5, n_columns=6, k=2)
    for counts in both(X):
        expected = solve_rows(counts.astype(float), B, V)[0]
        np.testing.assert_array_equal(solve_rows(counts.astype(dtype), B, V)[0], expected)


@pytest.mark.thorough  # compiled for itself
def test_solve_rows__arrays_may_be_in_fortran_order_and_read_only():
    X, V, B = rows(n_rows=5, n_columns=6, k=2)
    expected = solve_rows(X, B, V)
    arguments = [np.asfortranarray(a) for a in (X, B, V)]
    for a in arguments:
        a.flags.writeable = False
    for found, wanted in zip(solve_rows(*arguments), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_solve_rows__the_start_is_not_changed():
    X, V, B = rows(n_rows=5, n_columns=6, k=2)
    before = V.copy()
    solve_rows(X, B, V)
    np.testing.assert_array_equal(V, before)


def test_solve_rows__rows_do_not_depend_on_each_other(many_blocks):
    X, V, B = awkward_rows()
    together = solve_rows(X, B, V, n_jobs=4)
    for i in reversed(range(len(X))):
        v, gap = solve_rows(X[i : i + 1], B, V[i : i + 1])
        np.testing.assert_array_equal(v[0], together[0][i])
        assert gap[0] == together[1][i]


@pytest.mark.parametrize("max_iter", [0, 1, 2, 3])
def test_solve_rows__the_gap_bounds_what_is_left_also_when_stopped_early(max_iter):
    X, V, B = rows(seed=2, n_rows=12, n_columns=9, k=4)
    V, gaps = solve_rows(X, B, V, tol=0.0, max_iter=max_iter)
    best = naive.divergences(X, naive.solve_rows(X, B), B)
    assert (naive.divergences(X, V, B) - best <= gaps + 1e-9).all()


def test_solve_rows__no_step_makes_a_row_worse():
    X, V, B = rows(seed=3, n_rows=12, n_columns=9, k=4)
    before = naive.divergences(X, V, B)
    for _ in range(6):
        V, _ = solve_rows(X, B, V, tol=0.0, max_iter=1)
        after = naive.divergences(X, V, B)
        assert (after <= before + 1e-10).all()
        before = after


def test_solve_rows__a_solution_is_left_alone():
    X, V, B = rows(seed=4, n_rows=7, n_columns=9)
    V, _ = solve_rows(X, B, V, tol=1e-6)
    np.testing.assert_allclose(solve_rows(X, B, V, tol=1e-3)[0], V, rtol=1e-12)


def test_solve_rows__coefficients_spend_the_counts_of_their_row():
    X, V, B = awkward_rows()
    V, _ = solve_rows(X, B, V)
    shown = B.any(axis=0)
    np.testing.assert_allclose(
        V[:, shown] @ B[:, shown].sum(axis=0), explained(X, B).sum(axis=1), rtol=1e-12
    )


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_solve_rows__a_row_without_counts_is_zero(n_fixed):
    X, V, B = rows(n_rows=6, n_columns=7, k=3)
    X[4] = 0
    for counts in both(X):
        found, gaps = solve_rows(counts, B, V, n_fixed=n_fixed)
        assert not found[4, n_fixed:].any()
        np.testing.assert_array_equal(found[4, :n_fixed], V[4, :n_fixed])
        assert gaps[4] == 0


def test_solve_rows__explicit_zeros_are_no_counts():
    X, V, B = rows(n_rows=5, n_columns=6, k=2)
    indices, indptr = np.tile(np.arange(6), 5), np.arange(0, 31, 6)
    full = sp.csr_array((X.ravel(), indices.astype("i4"), indptr.astype("i4")), shape=X.shape)
    np.testing.assert_array_equal(solve_rows(full, B, V)[0], solve_rows(X, B, V)[0])


@pytest.mark.parametrize("n_counts", [1, 3, 1_000_000, 2**40])
def test_solve_rows__a_row_with_one_channel_goes_to_the_component_strongest_there(n_counts):
    _, V, B = rows(seed=6, n_rows=1, n_columns=8, k=4)
    X = np.zeros((1, 8), np.int64)
    X[0, 5] = n_counts
    found, _ = solve_rows(X, B, V, tol=1e-9 * n_counts)
    best = np.argmax(B[5] / B.sum(axis=0))
    expected = np.eye(4)[best] * n_counts / B[:, best].sum()
    np.testing.assert_allclose(found[0], expected, rtol=1e-6, atol=1e-6 * expected.max())


def test_solve_rows__one_component_gets_all_counts():
    X, V, B = rows(n_rows=5, n_columns=7, k=1)
    found, gaps = solve_rows(X, B, V, tol=1e-9)
    np.testing.assert_allclose(found[:, 0], X.sum(axis=1) / B.sum(), rtol=1e-12)
    assert (gaps <= 1e-9).all()


@pytest.mark.parametrize("scale", [1e-6, 0.37, 1e6])
def test_solve_rows__coefficients_scale_with_the_counts(scale):
    X, V, B = rows(seed=7, n_rows=6, n_columns=9, counts=200)
    one, _ = solve_rows(X.astype(float), B, V, tol=1e-7)
    other, _ = solve_rows(scale * X, B, scale * V, tol=1e-7 * scale)
    np.testing.assert_allclose(other, scale * one, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize("start", [0.0, 1e-300, 1e-12, 1e12])
def test_solve_rows__any_start_leads_to_the_solution(start):
    X, V, B = awkward_rows()
    V[:] = start  # where all of it is zero, or far too much
    assert_optimal(X, B, *solve_rows(X, B, V, tol=1e-4), 1e-4)


def test_solve_rows__a_start_in_a_corner_leads_to_the_solution():
    X, _, B = rows(seed=8, n_rows=6, n_columns=9, k=3)
    for corner in np.eye(3):
        V = np.repeat(corner[None], 6, axis=0)
        assert_optimal(X, B, *solve_rows(X, B, V, tol=1e-5), 1e-5)


def test_solve_rows__components_that_are_alike_do_no_harm():
    X, V, B = rows(seed=9, n_rows=6, n_columns=9, k=3)
    B[:, 2] = B[:, 0]
    assert_optimal(X, B, *solve_rows(X, B, V, tol=1e-6), 1e-6)


@pytest.mark.parametrize("tiny", [1e-12, 1e-100, 1e-170, 1e-250])
def test_solve_rows__tiny_entries_of_the_basis_do_no_harm(tiny):
    X = np.array([[5, 10, 0], [3, 0, 2]])
    B = np.array([[tiny, 0.0], [1.0, 2.0], [0.5, 1.0]])
    for V in (np.ones((2, 2)), np.array([[1.0, 0.0], [0.0, 1.0]])):
        found, gaps = solve_rows(X, B, V, tol=1e-4)
        assert np.isfinite(found).all()
        assert (gaps <= 1e-4).all()
        np.testing.assert_allclose(found @ B.sum(axis=0), [15, 5], rtol=1e-12)


@pytest.mark.parametrize("large", [1e6, 1e12, 1e100])
def test_solve_rows__components_that_cost_much_and_explain_nothing_vanish(large):
    X = np.array([[5, 10, 0, 0]])
    B = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, large], [1.0, 1.0]])
    found, _ = solve_rows(X, B, np.ones((1, 2)), tol=1e-6)
    np.testing.assert_allclose(found, [[3.75, 0.0]], rtol=1e-6, atol=1e-6 / large)


@pytest.mark.parametrize("n_fixed", [1, 2, 3])
def test_solve_rows__fixed_coefficients_stay_in_every_bit_and_the_rest_is_optimal(n_fixed):
    X, V, B = rows(seed=10, n_rows=9, n_columns=11, k=3, counts=40)
    V[0] *= 1e-3
    V[1] *= 1e3
    for counts in both(X):
        found, gaps = solve_rows(counts, B, V, n_fixed=n_fixed, tol=1e-5)
        np.testing.assert_array_equal(found[:, :n_fixed], V[:, :n_fixed])
        assert_optimal(X, B, found, gaps, 1e-5, n_fixed)


def test_solve_rows__fixed_coefficients_that_explain_everything_leave_nothing():
    _, V, B = rows(seed=11, n_rows=4, n_columns=9, k=3)
    V[:, 2] = 0.0
    X = V @ B.T
    found, _ = solve_rows(X, B, np.where([True, True, False], V, 1.0), n_fixed=2, tol=1e-9)
    np.testing.assert_allclose(found[:, 2], 0, atol=1e-3)


def test_solve_rows__a_count_that_only_a_fixed_zero_could_explain_is_left_out():
    B = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 1.0]])
    X, V = np.array([[5, 3, 4]]), np.array([[0.0, 1.0]])
    alone, _ = solve_rows(X, B, V, n_fixed=1, tol=1e-12)
    after_another, _ = solve_rows(
        np.vstack([[7, 2, 9], X]), B, np.vstack([[0.5, 1.0], V]), n_fixed=1, tol=1e-12
    )
    np.testing.assert_array_equal(alone[0], after_another[1])
    np.testing.assert_allclose(alone, [[0.0, 3.5]])


@SETTINGS
@hypothesis.given(st.data())
def test_solve_rows__small_rows_of_all_kinds_are_solved(data):
    k, n_columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    weights = st.sampled_from([0.0, 1e-3, 0.5, 1.0, 3.0])
    X = data.draw(hnp.arrays(np.int64, (2, n_columns), elements=st.sampled_from([0, 1, 2, 40])))
    B = data.draw(hnp.arrays(float, (n_columns, k), elements=weights))
    V = data.draw(hnp.arrays(float, (2, k), elements=weights))
    found, gaps = solve_rows(X, B, V, tol=1e-3)
    assert_optimal(X, B, found, gaps, 1e-3)


@SETTINGS
@hypothesis.given(st.data())
def test_solve_rows__small_rows_with_fixed_coefficients_are_solved(data):
    k, n_columns = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 5))
    n_fixed = data.draw(st.integers(1, k - 1))
    positive = st.sampled_from([1e-3, 0.5, 1.0, 3.0])
    X = data.draw(hnp.arrays(np.int64, (2, n_columns), elements=st.sampled_from([0, 1, 2, 40])))
    B = data.draw(hnp.arrays(float, (n_columns, k), elements=positive))
    B[:, n_fixed:] *= data.draw(hnp.arrays(bool, (n_columns, k - n_fixed)))
    V = data.draw(hnp.arrays(float, (2, k), elements=positive))
    found, gaps = solve_rows(X, B, V, n_fixed=n_fixed, tol=1e-3)
    np.testing.assert_array_equal(found[:, :n_fixed], V[:, :n_fixed])
    assert_optimal(X, B, found, gaps, 1e-3, n_fixed)
