# SPDX-License-Identifier: GPL-3.0-or-later
import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st

from hyperspy_psnmf.kernels import csr
from hyperspy_psnmf.kernels.csr import csr_arrays, sum_bins, sum_rows_and_columns
from tests.helpers import naive

SETTINGS = hypothesis.settings(max_examples=40, deadline=None, derandomize=True)
INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
DTYPES = ["?", *INTEGERS, "f2", "f4", "f8", ">i2", ">i4", ">i8", ">u2", ">u8", ">f2", ">f4", ">f8"]


def make_cube(dtype="u1", shape=(3, 5, 7), seed=0):
    return np.random.default_rng(seed).poisson(0.8, size=shape).astype(dtype)


def assert_same(arrays, expected):
    for found, wanted in zip(arrays, expected, strict=True):
        assert found.tolist() == wanted


def swap_memory(cube, layout, tmp_path):
    if layout == "fortran":
        return np.asfortranarray(cube)
    if layout == "read-only":
        cube = cube.copy()
        cube.flags.writeable = False
        return cube
    if layout == "memory-mapped":
        np.save(tmp_path / "cube.npy", cube)
        return np.load(tmp_path / "cube.npy", mmap_mode="r")
    if layout == "channels first":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(cube, -1, 0)), 0, -1)
    wide = np.zeros((cube.shape[0], 2 * cube.shape[1], cube.shape[2]), cube.dtype)
    wide[:, ::2] = cube[:, :, ::-1]
    return wide[:, ::2, ::-1]


@pytest.mark.slow
@pytest.mark.crossed("dtype", "n_jobs")
@pytest.mark.parametrize("n_jobs", [1, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_csr_arrays__every_real_type_is_read(dtype, n_jobs, many_blocks):
    cube = make_cube(dtype)
    data, indices, indptr = csr_arrays(cube, n_jobs=n_jobs)
    assert_same((data, indices, indptr), naive.csr_lists(cube))
    assert data.dtype.isnative
    assert data.dtype.kind == ("f" if cube.dtype.kind == "f" else "u")


@pytest.mark.slow
@pytest.mark.parametrize(
    "layout", ["fortran", "read-only", "memory-mapped", "channels first", "strided"]
)
@pytest.mark.parametrize("dtype", ["u1", ">u2", "f8"])
def test_csr_arrays__every_memory_layout_is_read(layout, dtype, tmp_path, many_blocks):
    cube = make_cube(dtype, seed=1)
    assert_same(csr_arrays(swap_memory(cube, layout, tmp_path), n_jobs=4), naive.csr_lists(cube))


@pytest.mark.parametrize("shape", [(11,), (4, 11), (2, 3, 11), (2, 3, 4, 11), (1, 1), (1, 6, 1)])
def test_csr_arrays__maps_of_any_number_of_axes_are_read(shape, many_blocks):
    cube = make_cube(shape=shape, seed=2)
    assert_same(csr_arrays(cube, n_jobs=4), naive.csr_lists(cube))


@pytest.mark.slow
@pytest.mark.crossed("n_channels", "dtype")
@pytest.mark.parametrize("n_channels", [8, 24, 25])
@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "f4", "f8"])
@pytest.mark.parametrize("offset", [0, 1], ids=["aligned", "not aligned"])
def test_csr_arrays__rows_of_whole_words_of_memory_are_read(n_channels, dtype, offset, many_blocks):
    """Also where such words do not begin at multiples of their size, and minus zero is zero."""
    cube = make_cube(dtype, shape=(3, 5, n_channels), seed=9)
    cube[1] *= -0.0 if cube.dtype.kind == "f" else 0
    cube[2, 2, -1] = 3
    memory = np.zeros(cube.nbytes + 1, np.uint8)
    moved = memory[offset : offset + cube.nbytes].view(dtype).reshape(cube.shape)
    moved[:] = cube
    assert_same(csr_arrays(moved, n_jobs=4), naive.csr_lists(cube))


@pytest.mark.parametrize("kept", [range(0, 9), range(2, 7), [0, 2, 3, 8], [4]])
def test_csr_arrays__channels_are_kept_with_and_without_gaps(kept, many_blocks):
    cube, keep = make_cube("u2", shape=(4, 5, 9)), np.isin(np.arange(9), kept)
    found = csr_arrays(cube, keep_channels=keep, n_jobs=4)
    assert_same(found, naive.csr_lists(cube, None, keep))


def test_csr_arrays__the_cube_is_not_changed():
    cube = make_cube()
    before = cube.copy()
    csr_arrays(cube)
    np.testing.assert_array_equal(cube, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("largest", "dtype"),
    [
        (0, "u1"),
        (255, "u1"),
        (256, "u2"),
        (65_535, "u2"),
        (65_536, "u4"),
        (2**32 - 1, "u4"),
        (2**32, "u8"),
        (2**63 - 1, "u8"),
    ],
)
def test_csr_arrays__integers_take_the_smallest_type_that_has_them(largest, dtype, many_blocks):
    cube = np.zeros((5, 3), np.int64)
    cube[3, 1] = largest
    data, _, _ = csr_arrays(cube)
    assert data.dtype == dtype
    assert data.tolist() == [largest] * (largest > 0)


@pytest.mark.slow
def test_csr_arrays__the_largest_unsigned_integer_is_kept():
    data, _, _ = csr_arrays(np.array([[0, 2**64 - 1]], np.uint64))
    assert data.tolist() == [2**64 - 1]


@pytest.mark.parametrize(
    ("dtype", "expected"), [("f2", "f4"), ("f4", "f4"), (">f4", "f4"), ("f8", "f8"), (">f8", "f8")]
)
def test_csr_arrays__floats_keep_their_precision_and_take_no_more(dtype, expected):
    assert csr_arrays(make_cube(dtype))[0].dtype == np.dtype(expected)


@pytest.mark.parametrize("scale", [1e-300, 0.25, 1e300])
def test_csr_arrays__float_counts_are_not_rounded(scale):
    cube = make_cube("f8") * scale
    assert_same(csr_arrays(cube), naive.csr_lists(cube))


@pytest.mark.parametrize("n_jobs", [1, 4])
@pytest.mark.parametrize(
    ("dtype", "bad"),
    [
        ("i1", -1),
        ("i1", -128),
        ("i8", -(2**63)),
        (">i2", -3),
        *((d, b) for d in ("f2", "f4", "f8", ">f8") for b in (-0.5, np.nan, np.inf, -np.inf)),
    ],
)
def test_csr_arrays__a_single_bad_value_is_an_error(dtype, bad, n_jobs, many_blocks):
    cube = make_cube(dtype, shape=(4, 3, 5))
    cube[2, 1, 3] = bad
    with pytest.raises(ValueError, match="counts must be finite and not negative"):
        csr_arrays(cube, n_jobs=n_jobs)


def test_csr_arrays__a_later_nan_does_not_hide_an_infinity():
    with pytest.raises(ValueError, match="finite"):
        csr_arrays(np.array([[np.inf, np.nan, 1.0]]))


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_csr_arrays__what_is_left_out_does_not_matter(n_jobs, many_blocks):
    rng = np.random.default_rng(3)
    cube = make_cube("f4", shape=(4, 5, 9))
    keep_rows, keep_channels = rng.random(20) < 0.6, rng.random(9) < 0.6
    expected = naive.csr_lists(cube, keep_rows, keep_channels)
    cube.reshape(20, 9)[~keep_rows] = np.nan
    cube[..., ~keep_channels] = -1
    found = csr_arrays(cube, keep_rows=keep_rows, keep_channels=keep_channels, n_jobs=n_jobs)
    assert_same(found, expected)


@pytest.mark.parametrize("left_out", ["rows", "channels"])
def test_csr_arrays__with_everything_left_out_there_are_no_counts(left_out):
    cube = make_cube()
    keep = {"rows": {"keep_rows": np.zeros(15, bool)}, "channels": {"keep_channels": [False] * 7}}
    data, indices, indptr = csr_arrays(cube, **keep[left_out])
    assert data.size == indices.size == 0
    assert indptr.tolist() == [0] * 16


def test_csr_arrays__threads_change_nothing(many_blocks):
    cube = make_cube("u2", shape=(6, 7, 8), seed=4)
    both = (csr_arrays(cube, n_jobs=n_jobs) for n_jobs in (1, 4))
    for serial, parallel in zip(*both, strict=True):
        assert serial.dtype == parallel.dtype
        np.testing.assert_array_equal(serial, parallel)


@pytest.mark.slow
@SETTINGS
@hypothesis.given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.float32]),
        hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=5),
        elements=st.integers(0, 100),
    )
)
def test_csr_arrays__csr_has_the_cube(cube):
    data, indices, indptr = csr_arrays(cube)
    rows = cube.reshape(-1, cube.shape[-1])
    np.testing.assert_array_equal(
        sp.csr_array((data, indices, indptr), shape=rows.shape).toarray(), rows
    )


@pytest.mark.parametrize(
    ("n_channels", "piece_bytes", "expected"),
    [(30, 100, [3, 3, 1]), (30, 29, [1] * 7), (1, 4, [4, 3]), (30, 10**6, [7])],
)
def test_csr__pieces_are_as_large_as_they_may_be(n_channels, piece_bytes, expected, monkeypatch):
    monkeypatch.setattr(csr, "PIECE_BYTES", piece_bytes)
    cube = make_cube("u1", shape=(7, n_channels))
    assert [len(piece.part) for piece in csr._split(cube, None, None)] == expected


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 4])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u8", "f4", "f8"])
def test_sum_bins__binning_equals_the_loops(dtype, n_jobs, many_blocks):
    rng = np.random.default_rng(6)
    X = make_cube(dtype, shape=(23, 11))
    row_bin, column_bin = rng.integers(-1, 5, size=23), rng.integers(0, 4, size=11)
    found = sum_bins(sp.csr_array(X), row_bin, 5, column_bin, 4, n_jobs=n_jobs)
    np.testing.assert_array_equal(found, naive.sum_bins(X, row_bin, 5, column_bin, 4))


def test_sum_bins__sums_of_uint8_do_not_overflow():
    X = sp.csr_array(np.full((37, 6), 255, np.uint8))
    found = sum_bins(X, np.zeros(37, int), 1, np.zeros(6, int), 1)
    assert found.dtype == np.float64
    assert found.item() == 37 * 6 * 255


def test_sum_bins__sums_are_exact_up_to_2_to_the_53():
    X = sp.csr_array(np.array([[2**52], [2**52 - 1], [1]], np.uint64))
    assert sum_bins(X, np.zeros(3, int), 1, np.zeros(1, int), 1).item() == 2**53


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["u1", "u8", "f4"])
def test_csr_arrays__rows_and_columns_are_summed_at_once(dtype):
    cube = make_cube(dtype, shape=(23, 11)) * np.array(255, dtype)
    data, indices, indptr = csr_arrays(cube)
    rows, columns = sum_rows_and_columns(indptr, indices.astype("u2"), data, 11)
    np.testing.assert_array_equal(rows, cube.sum(axis=1, dtype=float))
    np.testing.assert_array_equal(columns, cube.sum(axis=0, dtype=float))


def test_sum_bins__bins_without_rows_are_empty():
    found = sum_bins(sp.csr_array(np.ones((3, 2))), np.array([1, 4, 1]), 7, np.array([0, 0]), 2)
    expected = np.zeros((7, 2))
    expected[1, 0], expected[4, 0] = 4, 2
    np.testing.assert_array_equal(found, expected)


@SETTINGS
@hypothesis.given(st.data())
def test_sum_bins__every_count_is_in_one_bin(data):
    n_rows, n_columns = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 6))
    X = data.draw(hnp.arrays(np.uint16, (n_rows, n_columns), elements=st.integers(0, 9)))
    row_bin = data.draw(hnp.arrays(np.int64, n_rows, elements=st.integers(0, 3)))
    column_bin = data.draw(hnp.arrays(np.int64, n_columns, elements=st.integers(0, 2)))
    found = sum_bins(sp.csr_array(X), row_bin, 4, column_bin, 3)
    assert found.sum() == X.sum()
    np.testing.assert_array_equal(found, naive.sum_bins(X, row_bin, 4, column_bin, 3))
