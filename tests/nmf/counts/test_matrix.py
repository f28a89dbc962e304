# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.counts.matrix import (
    check_count_dtype,
    check_no_mask,
    check_range,
    count_matrix,
    total_counts,
)

MATRICES = [sp.csr_array, sp.csc_array, sp.coo_array, sp.lil_array, sp.csr_matrix, sp.csc_matrix]


def make_map(shape=(4, 5, 7), dtype="u1"):
    return np.random.default_rng(0).poisson(0.9, size=shape).astype(dtype)


@pytest.mark.parametrize("shape", [(7,), (5, 7), (4, 5, 7), (2, 3, 4, 7), (5, 1), (3, 2, 1)])
def test_count_matrix__a_map_becomes_one_row_per_pixel_in_c_order(shape):
    cube = make_map(shape)
    X = count_matrix(cube)
    assert isinstance(X, sp.csr_array)
    np.testing.assert_array_equal(X.toarray(), cube.reshape(-1, shape[-1]))


@pytest.mark.parametrize("convert", MATRICES)
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i8", "f4", "f8"])
def test_count_matrix__sparse_equals_dense(convert, dtype):
    cube = make_map((9, 7), dtype)
    X = count_matrix(convert(cube))
    assert isinstance(X, sp.csr_array)
    assert X.dtype.kind in "uf"
    np.testing.assert_array_equal(X.toarray(), count_matrix(cube).toarray())


@pytest.mark.parametrize("convert", [np.asarray, *MATRICES])
def test_count_matrix__pixels_left_out_are_empty_and_channels_left_out_are_gone(convert):
    rng = np.random.default_rng(1)
    cube = make_map((9, 7), "f8")
    rows, channels = rng.random(9) < 0.5, rng.random(7) < 0.5
    cube[~rows] = np.nan
    cube[:, ~channels] = -1
    X = count_matrix(convert(cube), keep_rows=rows, keep_channels=channels)
    expected = np.where(rows[:, None], cube, 0)[:, channels]
    np.testing.assert_array_equal(X.toarray(), expected)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u4", "f8"])
def test_count_matrix__duplicate_entries_of_a_sparse_matrix_are_summed(dtype):
    data = np.array([10, 12, 3, 9], dtype)
    X = sp.csr_array((data, np.array([1, 1, 0, 1]), np.array([0, 2, 4])), shape=(2, 3))
    np.testing.assert_array_equal(count_matrix(X).toarray(), [[0, 22, 0], [3, 9, 0]])
    assert X.nnz == 4


@pytest.mark.parametrize("convert", MATRICES)
def test_count_matrix__fractions_and_stored_zeros_of_a_sparse_matrix_are_counts(
    convert,
):
    X = sp.csr_array(([0.25, 0.0, 3.5], [0, 2, 1], [0, 2, 3]), shape=(2, 3))
    assert X.nnz == 3
    np.testing.assert_array_equal(count_matrix(convert(X)).toarray(), [[0.25, 0, 0], [0, 3.5, 0]])


@pytest.mark.parametrize("convert", MATRICES)
def test_count_matrix__large_integers_of_a_sparse_matrix_are_not_rounded(convert):
    X = np.array([[0, 2**53 + 1], [3, 0]])
    np.testing.assert_array_equal(count_matrix(convert(X)).toarray(), X)


@pytest.mark.parametrize(("dtype", "count"), [("u1", 200), ("i1", 100), ("u2", 40_000)])
def test_count_matrix__sums_of_duplicates_do_not_overflow(dtype, count):
    data = np.array([count, count], dtype)
    X = sp.csr_array((data, np.array([1, 1]), np.array([0, 2, 2])), shape=(2, 3))
    np.testing.assert_array_equal(count_matrix(X).toarray(), [[0, 2 * count, 0], [0, 0, 0]])


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("bad", [-1, np.nan, np.inf, -np.inf])
def test_count_matrix__a_bad_count_is_an_error_naming_the_data(convert, bad):
    cube = make_map((6, 7), "f8")
    cube[3, 4] = bad
    with pytest.raises(ValueError, match="my data: counts must be finite and not negative"):
        count_matrix(convert(cube), name="my data")


@pytest.mark.parametrize("dtype", ["c8", "c16", "O", "S1", "U1", "M8[s]", "m8[s]", "V2", "g"])
def test_check_count_dtype__what_are_no_real_counts_is_a_type_error_naming_the_data(dtype):
    with pytest.raises(TypeError, match="my data"):
        check_count_dtype(np.dtype(dtype), "my data")
    with pytest.raises(TypeError, match="my data"):
        count_matrix(np.zeros((2, 3), dtype), name="my data")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3), (2, 3, 0)])
def test_count_matrix__data_without_pixels_or_channels_are_an_error(shape):
    with pytest.raises(ValueError, match="no pixels or no channels"):
        count_matrix(np.zeros(shape))


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_count_matrix__leaving_out_all_channels_is_an_error(convert):
    with pytest.raises(ValueError, match="no pixels or no channels"):
        count_matrix(convert(make_map((5, 7))), keep_channels=np.zeros(7, bool))


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_count_matrix__a_map_in_many_pieces_is_the_same(n_jobs, many_blocks):
    cube = make_map((6, 5, 7), "u2")
    np.testing.assert_array_equal(count_matrix(cube, n_jobs=n_jobs).toarray(), cube.reshape(30, 7))


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_total_counts__totals_of_uint8_do_not_overflow(convert, axis):
    X = np.full((300, 7), 255, np.uint8)
    np.testing.assert_array_equal(
        total_counts(convert(X), axis=axis), X.sum(axis=axis, dtype=float)
    )


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("dtype", ["f4", "u4", "f8"])
def test_total_counts__totals_are_exact_for_integers(convert, axis, dtype):
    X = np.ones((41, 7), dtype)
    X[0] = 2**24  # float32 cannot hold the next integer
    np.testing.assert_array_equal(
        total_counts(convert(X), axis=axis), X.astype(float).sum(axis=axis)
    )


@pytest.mark.parametrize("total", [1e-99, 0.5, 1, 2, 1e6, 1e99])
def test_check_range__counts_of_any_sum_that_can_be_squared_will_do(total):
    for counts in (np.full((2, 2), total / 4), np.array([[0, total]])):
        check_range(counts)
        check_range(sp.csr_array(counts))


@pytest.mark.parametrize("total", [1e-101, 1e101, 1e300])
def test_check_range__a_sum_that_cannot_be_squared_is_an_error_naming_the_data(total):
    with pytest.raises(ValueError, match="my data must add up to between"):
        check_range(np.full((2, 2), total / 4), "my data")


def test_check_range__a_sum_beyond_all_numbers_is_an_error_and_no_warning(recwarn):
    with pytest.raises(ValueError, match="X must add up to between 1e-100 and 1e"):
        check_range(np.full((2, 2), 1e308))
    assert not recwarn


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_check_range__zeros_everywhere_are_an_error_naming_the_data(convert):
    with pytest.raises(ValueError, match="my data must have counts: it is zero everywhere"):
        check_range(convert(np.zeros((2, 3), np.uint8)), "my data")


def test_check_no_mask__a_masked_array_is_a_type_error_naming_the_data():
    check_no_mask(np.ones(3))
    with pytest.raises(TypeError, match="my data must not be a masked array"):
        check_no_mask(np.ma.ones(3), "my data")
