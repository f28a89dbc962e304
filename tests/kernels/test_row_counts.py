# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of every type reach the kernels in one."""

import numba
import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.kernels import em, likelihood
from hyperspy_psnmf.kernels.newton import rows as newton
from hyperspy_psnmf.kernels.row_counts import RowCounts, as_argument, load_basis, make_memory
from tests.helpers.problems import rows
from tests.kernels.plain import plain

TYPES = ["u1", "i2", "u4", "u8", "f4", "f8"]


def read_only(values):
    values.flags.writeable = False
    return values


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("index_type", [np.int32, np.int64])
@pytest.mark.parametrize(("start", "stop"), [(0, 7), (2, 5), (6, 7), (3, 3)])
def test_row_counts__rows_of_csr_are_those_of_the_matrix(dtype, index_type, start, stop):
    X, _, _ = rows(seed=0, n_rows=7, n_columns=11, counts=4)
    X[3] = 0
    csr = sp.csr_array(X.astype(dtype))
    csr.indices, csr.indptr = csr.indices.astype(index_type), csr.indptr.astype(index_type)
    counts = RowCounts(csr)
    begin, columns, data = counts.take(start, stop)
    assert (begin.dtype, columns.dtype, data.dtype) == (np.int64, np.int32, np.float64)
    assert counts.longest == (X > 0).sum(axis=1).max()
    assert counts.has_columns
    found = np.zeros((stop - start, 11))
    for i in range(stop - start):
        row = slice(begin[i], begin[i + 1])
        found[i, columns[row]] = data[row]
    np.testing.assert_array_equal(found, X[start:stop])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("start", "stop"), [(0, 7), (2, 5), (6, 7), (3, 3)])
def test_row_counts__rows_of_a_dense_matrix_have_all_columns(dtype, start, stop):
    X, _, _ = rows(seed=0, n_rows=7, n_columns=11, counts=4)
    counts = RowCounts(X.astype(dtype))
    begin, columns, data = counts.take(start, stop)
    assert (begin.dtype, columns.dtype, data.dtype) == (np.int64, np.int32, np.float64)
    assert counts.longest == 11
    assert not counts.has_columns
    assert columns.size == 0
    np.testing.assert_array_equal(np.diff(begin), 11)
    found = data[begin[0] : begin[-1]].reshape(stop - start, 11)
    np.testing.assert_array_equal(found, X[start:stop])


@pytest.mark.parametrize("sparse", [False, True])
def test_row_counts__of_the_right_type_are_not_copied(sparse):
    X, _, _ = rows(seed=0, n_rows=7, n_columns=11, counts=4)
    X = sp.csr_array(X.astype(float)) if sparse else X.astype(float)
    data = RowCounts(X).take(1, 4)[2]
    assert np.shares_memory(data, X.data if sparse else X)
    read_only(X.data if sparse else X)
    assert RowCounts(X).take(1, 4)[2].flags.writeable


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6),
        np.arange(12.0)[::2],
        np.asfortranarray(np.ones((3, 4))),
        read_only(np.arange(6.0)),
        np.frombuffer(b"0" * 49, np.uint8)[1:].view(float),
    ],
    ids=["integers", "strided", "columns", "read-only", "not aligned"],
)
def test_as_argument__has_one_type_and_the_values(values):
    found = as_argument(values)
    np.testing.assert_array_equal(found, values)
    assert numba.typeof(found) == numba.typeof(np.empty(found.shape))


@pytest.mark.parametrize("n_columns", [1, 8, 13])
def test_make_memory__rows_begin_with_cache_lines(n_columns):
    memory = make_memory(3, n_columns)
    assert memory.shape[0] == 3
    assert n_columns <= memory.shape[1] < n_columns + 8
    assert [row.ctypes.data % 64 for row in memory] == [0, 0, 0]


def test_load_basis__takes_the_columns_of_a_row():
    basis, b = np.arange(12.0).reshape(3, 4), np.full((3, 5), np.nan)
    plain(load_basis)(np.array([3, 0], np.int32), basis, b)
    np.testing.assert_array_equal(b[:, :2], basis[:, [3, 0]])
    assert np.isnan(b[:, 2:]).all()


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_kernels__are_compiled_once_for_counts_of_all_types():
    X, V, B = rows(seed=0, n_rows=7, n_columns=11, counts=4)
    for dtype in TYPES:
        for counts in (X.astype(dtype), sp.csr_array(X.astype(dtype)), read_only(X.astype(dtype))):
            likelihood.score(counts, V, B)
            em.em_sweep(counts, V, read_only(np.asfortranarray(B)))
            newton.solve_rows(counts, B, read_only(np.array(V)), max_iter=1)
    for kernel in (likelihood._score, em._sweep, newton._solve):
        assert len(kernel.signatures) == 1
