# SPDX-License-Identifier: GPL-3.0-or-later
import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st

from hyperspy_psnmf.kernels.em import em_sweep
from tests.helpers import naive
from tests.helpers.problems import awkward_rows, both, rows

SETTINGS = hypothesis.settings(max_examples=30, deadline=None, derandomize=True)
WEIGHTS = st.sampled_from([0.0, 1e-12, 0.3, 1.0, 2.5, 1e6])


def assert_close(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * (np.abs(b).max() + 1e-300))


@pytest.mark.parametrize("problem", [rows, awkward_rows])
@pytest.mark.parametrize("n_jobs", [1, 4])
def test_em_sweep__a_sweep_equals_the_loops_dense_and_sparse(problem, n_jobs, many_blocks):
    X, V, B = problem()
    expected = naive.em_sweep(X, V, B)
    for counts in both(X):
        assert_close(em_sweep(counts, V, B, n_jobs=n_jobs), expected)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_em_sweep__the_number_of_threads_changes_no_bit(convert, many_blocks):
    X, V, B = awkward_rows()
    serial = em_sweep(convert(X), V, B, n_jobs=1)
    parallel = em_sweep(convert(X), V, B, n_jobs=4)
    for a, b in zip(serial, parallel, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.thorough_cases("i2", "u4", "u8", "f4")  # each is compiled for itself
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "u8", "f4", "f8"])
def test_em_sweep__counts_may_have_any_type(dtype):
    X, V, B = rows(n_rows=5, n_columns=6, k=2)
    for counts in both(X.astype(dtype)):
        assert_close(em_sweep(counts, V, B), naive.em_sweep(X, V, B))


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_em_sweep__the_divergence_never_rises(convert):
    X, V, B = rows(seed=2, n_rows=9, n_columns=11)
    before = naive.divergences(X, V, B).sum()
    for _ in range(12):
        V, B = em_sweep(convert(X), V, B)
        after = naive.divergences(X, V, B).sum()
        assert after <= before * (1 + 1e-12)
        before = after


def test_em_sweep__afterwards_the_model_has_as_many_counts_as_the_data():
    X, V, B = rows(seed=3)
    V, B = em_sweep(X, V, B)
    np.testing.assert_allclose((V @ B.T).sum(axis=0), X.sum(axis=0), rtol=1)
    np.testing.assert_allclose(V @ B.sum(axis=0), (V * B.sum(axis=0)).sum(axis=1))
    np.testing.assert_allclose((V @ B.T).sum(), X.sum())


def test_em_sweep__one_component_is_solved_by_one_sweep():
    X, V, B = rows(seed=4, n_rows=7, n_columns=8, k=1)
    V, B = em_sweep(X, V, B)
    np.testing.assert_allclose(V @ B.T, np.outer(X.sum(axis=1), X.sum(axis=0)) / X.sum())


def test_em_sweep__explicit_zeros_are_no_counts():
    X, V, B = rows(n_rows=5, n_columns=6, k=2)
    full = sp.csr_array((X.ravel(), np.tile(np.arange(6), 5), np.arange(0, 31, 6)), shape=X.shape)
    assert full.nnz == 30 > np.count_nonzero(X)
    assert_close(em_sweep(full, V, B), em_sweep(X, V, B))


def test_em_sweep__zeros_stay_zero():
    X, V, B = awkward_rows()
    V[4, 1] = B[15, 0] = 0.0
    V_new, B_new = em_sweep(X, V, B)
    assert V_new[4, 1] == B_new[15, 0] == 0
    assert not B_new[:, 2].any()
    assert not V_new[2].any()
    assert np.isfinite(V_new).all()
    assert np.isfinite(B_new).all()


def test_em_sweep__without_counts_everything_vanishes():
    _, V, B = rows(n_rows=4, n_columns=5, k=2)
    for counts in both(np.zeros((4, 5), np.uint8)):
        for found in em_sweep(counts, V, B):
            assert not found.any()


def test_em_sweep__the_arguments_are_not_changed():
    arguments = rows(n_rows=4, n_columns=5, k=2)
    copies = [a.copy() for a in arguments]
    em_sweep(*arguments)
    for a, b in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(a, b)


def test_em_sweep__factors_may_be_in_fortran_order_and_read_only():
    X, V, B = rows(n_rows=4, n_columns=5, k=2)
    expected = em_sweep(X, V, B)
    arguments = [np.asfortranarray(a) for a in (X, V, B)]
    for a in arguments:
        a.flags.writeable = False
    assert_close(em_sweep(*arguments), expected)


@SETTINGS
@hypothesis.given(st.data())
def test_em_sweep__whatever_the_start_the_divergence_does_not_rise(data):
    n_rows, n_columns, k = 3, 4, 2
    X = data.draw(hnp.arrays(np.int64, (n_rows, n_columns), elements=st.integers(0, 5)))
    V = data.draw(hnp.arrays(float, (n_rows, k), elements=WEIGHTS))
    B = data.draw(hnp.arrays(float, (n_columns, k), elements=WEIGHTS))
    before = naive.divergences(X, V, B).sum()
    V, B = em_sweep(X, V, B)
    assert naive.divergences(X, V, B).sum() <= before + 1e-9 * max(1.0, abs(before))
