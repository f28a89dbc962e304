# SPDX-License-Identifier: GPL-3.0-or-later
import hypothesis
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st

from hyperspy_psnmf.nmf.binning import bins
from hyperspy_psnmf.nmf.binning.bins import (
    PixelBins,
    bin_counts,
    bin_spectra,
    choose_binning,
    merge_channels,
    number_of_regions,
    regions_of_bins,
    spatial_axes,
    spread_spectra,
    sum_groups,
)

SETTINGS = hypothesis.settings(max_examples=40, deadline=None, derandomize=True)
MAPS = [((12,), (5,)), ((6, 8), (2, 4)), ((7, 9), (3, 2)), ((2, 7, 9), (1, 3, 2)), ((4, 5), (1, 1))]


def naive_binned(cube, binning, energy_binning=1):
    """Sum a cube over bins by adding up slices."""
    binning = (*binning, energy_binning)
    for axis, b in enumerate(binning):
        cube = np.stack(
            [
                cube.take(range(first, min(first + b, cube.shape[axis])), axis).sum(axis)
                for first in range(0, cube.shape[axis], b)
            ],
            axis,
        )
    return cube


@pytest.mark.parametrize("dense_bytes", [0, 10**9])
@pytest.mark.parametrize("energy_binning", [1, 3, 11, 40])
@pytest.mark.parametrize(("shape", "binning"), MAPS)
def test_bins__have_sums_of_their_pixels_and_channels(
    shape, binning, energy_binning, dense_bytes, monkeypatch
):
    monkeypatch.setattr(bins, "DENSE_BYTES", dense_bytes)
    monkeypatch.setattr(bins, "DENSE_DENSITY", np.inf)
    cube = np.random.default_rng(0).poisson(0.5, size=(*shape, 11))
    pixel_bins = PixelBins(shape, binning)
    X = sp.csr_array(cube.reshape(-1, 11).astype(np.uint8))
    found = bin_counts(X, pixel_bins, energy_binning=energy_binning)
    assert sp.issparse(found) == (dense_bytes == 0)
    expected = naive_binned(cube, binning, energy_binning)
    assert pixel_bins.binned_shape == expected.shape[:-1]
    found = found.toarray() if sp.issparse(found) else found
    np.testing.assert_array_equal(found, expected.reshape(pixel_bins.n_bins, -1))


@pytest.mark.parametrize(
    ("dense_bytes", "density", "is_sparse"),
    [(119, 0.61, True), (120, 0.61, False), (119, 0.60, False), (0, 1e-9, False)],
)
def test_bin_counts__sums_are_sparse_where_they_were_large_and_mostly_zeros(
    dense_bytes, density, is_sparse, monkeypatch
):
    # Three bins of five channels, 120 bytes, from nine entries that are not zero.
    monkeypatch.setattr(bins, "DENSE_BYTES", dense_bytes)
    monkeypatch.setattr(bins, "DENSE_DENSITY", density)
    X = np.zeros((6, 5), np.uint8)
    X.flat[:9] = 3
    found = bin_counts(sp.csr_array(X), PixelBins((6,), (2,)))
    assert sp.issparse(found) == is_sparse
    np.testing.assert_array_equal(
        found.toarray() if is_sparse else found, naive_binned(X.astype(float), (2,))
    )


@pytest.mark.slow
@SETTINGS
@hypothesis.given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 9)), min_size=1, max_size=4))
def test_PixelBins__every_pixel_is_in_one_bin_of_the_right_size(axes):
    shape, binning = zip(*axes, strict=True)
    pixel_bins = PixelBins(shape, binning)
    sizes = np.bincount(pixel_bins.index, minlength=pixel_bins.n_bins)
    assert pixel_bins.index.shape == (np.prod(shape),)
    assert sizes.size == pixel_bins.n_bins
    assert sizes.sum() == np.prod(shape)
    assert sizes.min() >= 1
    assert sizes.max() == np.prod([min(n, b) for n, b in axes])


def test_PixelBins__bins_at_the_edge_are_smaller():
    sizes = np.bincount(PixelBins((5, 7), (2, 3)).index).reshape(3, 3)
    np.testing.assert_array_equal(sizes, [[6, 6, 2], [6, 6, 2], [3, 3, 1]])


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_bin_counts__uint8_counts_do_not_overflow(n_jobs):
    X = sp.csr_array(np.full((20, 5), 255, np.uint8))
    found = bin_counts(X, PixelBins((4, 5), (4, 5)), n_jobs=n_jobs)
    np.testing.assert_array_equal(found, np.full((1, 5), 20 * 255))


@pytest.mark.parametrize("energy_binning", [1, 2, 5, 13, 50])
def test_spread_spectra__have_the_sums_of_the_binned_ones(energy_binning):
    H = np.random.default_rng(1).random((3, 13))
    binned = bin_spectra(H, energy_binning)
    np.testing.assert_allclose(binned.sum(axis=1), H.sum(axis=1))
    spread = spread_spectra(binned, energy_binning, 13)
    assert spread.shape == H.shape
    np.testing.assert_allclose(bin_spectra(spread, energy_binning), binned)


def test_bin_counts__a_spectrum_is_binned_as_counts_are():
    H = np.random.default_rng(2).random((3, 13))
    found = bin_counts(sp.csr_array(H), PixelBins((3,), (1,)), energy_binning=4)
    np.testing.assert_allclose(bin_spectra(H, 4), found)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
@pytest.mark.parametrize("energy_binning", [1, 3, 20])
def test_merge_channels__merged_channels_are_the_sums_of_the_single_ones(dtype, energy_binning):
    X = np.random.default_rng(4).poisson(1.5, size=(7, 16))
    X = (X * 40).astype(dtype)
    if X.dtype.kind == "f":
        X /= 32  # no whole numbers
    given = sp.csr_array(X)
    before = given.copy()
    found = merge_channels(given, energy_binning)
    np.testing.assert_array_equal(found.toarray(), bin_spectra(X.astype(float), energy_binning))
    assert found.dtype == (np.float64 if X.dtype.kind == "f" else np.int64)
    assert (found.data > 0).all()
    assert found.has_canonical_format
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(given, part), getattr(before, part))


@pytest.mark.parametrize(
    ("n_axes", "expected"),
    [(0, ()), (1, (True,)), (2, (True, True)), (3, (False, True, True))],
)
def test_spatial_axes__the_last_two_axes_are_spatial(n_axes, expected):
    assert spatial_axes(n_axes) == expected


@pytest.mark.parametrize(
    ("counts", "shape", "k", "expected"),
    [
        (216, (64, 64), 3, (4, 4)),
        (380, (50, 50), 3, (4, 4)),
        (6, (64, 64), 3, (8, 8)),  # 32 for 4000 counts, but 64 bins must remain
        (6, (64, 64), 5, (4, 4)),  # 80 bins must remain
        (6, (64, 80), 5, (8, 8)),  # exactly 80 remain
        (6, (256, 512), 3, (32, 32)),
        (2000, (64, 96), 3, (1, 1)),  # halfway between two binnings, the finer one
        (20_000, (64, 96), 3, (1, 1)),
        (20_000, (2000,), 3, (1,)),
        (4e3 / 4**1.49, (200, 300), 3, (2, 2)),
        (4e3 / 4**1.51, (200, 300), 3, (4, 4)),
        (5, (7, 9), 3, (1, 1)),  # too small a map to be binned
        (5, (4, 1000), 3, (4, 8)),  # a bin is no wider than the map
        (39, (2000, 1), 3, (16, 1)),  # a map of one column is a line
        (39, (1, 2000), 3, (1, 16)),
        (39, (4, 1, 2000), 3, (1, 1, 128)),
        (39, (2000,), 3, (16,)),  # a line: one axis gathers all counts
        (1, (9, 64, 96), 3, (1, 16, 16)),  # 16 x 6 x 9 is enough; the first axis is left alone
    ],
)
def test_choose_binning__binning_brings_bins_to_four_thousand_counts(counts, shape, k, expected):
    found = choose_binning(np.full(np.prod(shape), counts), shape, spatial_axes(len(shape)), k)
    assert found == expected


@pytest.mark.parametrize(
    ("counts", "shape", "expected"),
    [
        (15, (128, 136), (4, 4)),  # 64 bins of 4000 counts otherwise
        (10, (128, 136), (8, 8)),  # no fewer than 220 counts per bin
        (300, (20, 26), (2, 2)),  # 520 pixels are too few to be merged
        (240, (20, 26), (1, 1)),
        (50, (128, 136), (4, 4)),
        (300, (48, 56), (2, 2)),  # finer ones would be many, but noisy
        (300, (128, 136), (4, 4)),  # there are enough bins
        (600, (8, 9), (1, 1)),
    ],
)
def test_choose_binning__more_bins_for_spectra_of_lines(counts, shape, expected):
    pixel_counts = np.full(np.prod(shape), counts)
    assert choose_binning(pixel_counts, shape, (True, True), 3, of_lines=True) == expected


def test_choose_binning__empty_pixels_do_not_matter_for_the_binning():
    counts = np.zeros((64, 80))
    counts[:16] = 216
    assert choose_binning(counts.ravel(), (64, 80), (True, True), 3) == (4, 4)
    assert choose_binning(np.zeros(5120), (64, 80), (True, True), 3) == (1, 1)


@SETTINGS
@hypothesis.given(st.floats(0.1, 1e6), st.integers(1, 40), st.integers(1, 90), st.integers(1, 9))
def test_choose_binning__enough_bins_remain_whatever_the_map(counts, ny, nx, k):
    binning = choose_binning(np.full(ny * nx, counts), (ny, nx), (True, True), k)
    assert binning == (min(max(binning), ny), min(max(binning), nx))
    assert binning == (1, 1) or PixelBins((ny, nx), binning).n_bins >= max(64, 16 * k)


def test_sum_groups__dense_and_sparse_agree():
    X = np.random.default_rng(0).poisson(0.4, size=(5, 13)).astype(float)
    first = np.array([0, 1, 2, 7, 12])
    expected = np.stack([X[:, a:b].sum(1) for a, b in [(0, 1), (1, 2), (2, 7), (7, 12), (12, 13)]])
    np.testing.assert_array_equal(sum_groups(X, first), expected.T)
    sparse = sum_groups(sp.csr_array(X), first)
    assert sparse.format == "csr"
    np.testing.assert_array_equal(sparse.toarray(), expected.T)


@pytest.mark.parametrize(
    ("n_counts", "k", "expected"), [(0.0, 2, 128), (0.0, 9, 144), (2e5, 2, 200), (1e9, 2, 256)]
)
def test_number_of_regions__follows_counts_within_limits(n_counts, k, expected):
    assert number_of_regions(n_counts, k) == expected


@pytest.mark.parametrize(("n_bins", "expected"), [(511, None), (512, 128), (5000, 128)])
def test_regions_of_bins__only_where_there_are_many_bins(n_bins, expected):
    assert regions_of_bins(n_bins, 1e4, 3) == expected


def test_regions_of_bins__none_of_bins_that_have_enough_counts():
    assert regions_of_bins(2000, 1.9e6, 3) == 256
    assert regions_of_bins(2000, 2.0e6, 3) is None
