# SPDX-License-Identifier: GPL-3.0-or-later
"""Single entries with far more counts than what surrounds them: 9 x 7 pixels, 60 channels."""

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.kernels.sharp_entries import find_sharp_entries
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.diagnostics.hot_voxels import find_hot_voxels

SHAPE, N_CHANNELS, FWHM = (9, 7), 60, 6.0
ROW, CHANNEL = 4 * 7 + 3, 33
WIDTH = np.full(N_CHANNELS, FWHM)


def counts_of(mean=0.5, seed=1):
    return np.random.default_rng(seed).poisson(mean, size=(63, N_CHANNELS)).astype(np.uint16)


def line_at(channel, height):
    """A line of the detector's resolution."""
    return height * np.exp(-4 * np.log(2) * ((np.arange(N_CHANNELS) - channel) / FWHM) ** 2)


def find(counts, width=WIDTH):
    return find_hot_voxels(count_matrix(counts), SHAPE, width)


@pytest.mark.crossed("mean", "pixel", "channel")
@pytest.mark.parametrize("mean", [0.0, 0.01, 0.5, 20.0])
@pytest.mark.parametrize("pixel", [0, 6, ROW, 62])
@pytest.mark.parametrize("channel", [0, CHANNEL, N_CHANNELS - 1])
def test_hot_voxel__is_found_anywhere(mean, pixel, channel):
    counts = counts_of(mean)
    counts[:, 7] += 1  # no pixel is empty
    counts[pixel, channel] = 500
    (found,) = find(counts)
    assert (found.row, found.channel, found.counts) == (pixel, channel, 500)
    assert found.expected < 4 + 2 * mean


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mean", [0.02, 1.0, 30.0])
def test_poisson_counts__none_is_hot(mean, seed):
    assert find(counts_of(mean, seed)) == []


def test_hot_voxels__the_least_probable_first():
    counts = counts_of()
    counts[3, 5], counts[40, 50], counts[ROW, CHANNEL] = 70, 900, 200
    assert [v.counts for v in find(counts)] == [900, 200, 70]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[ROW].__iadd__(np.random.default_rng(2).poisson(line_at(CHANNEL, 400.0))),
        lambda c: c[:, CHANNEL].__iadd__(500),
        lambda c: c[ROW].__iadd__(500),
        lambda c: c[[ROW, ROW + 1, ROW + 7]].__iadd__(0),
    ],
    ids=["a line of a particle of one pixel", "a channel of all", "a bright pixel", "nothing"],
)
def test_what_is_sharp_in_one_way_only__is_not_hot(change):
    counts = counts_of().astype(np.int64)
    change(counts)
    assert find(counts) == []


def test_coarse_channels__a_line_of_one_channel_is_not_hot():
    counts = counts_of()
    counts[ROW, CHANNEL] = 500
    assert len(find(counts, np.full(N_CHANNELS, 1.5))) == 1
    assert find(counts, np.full(N_CHANNELS, 0.6)) == []


@pytest.mark.parametrize("scale", [3, 100])
def test_a_map_times_a_number__has_the_hot_voxels_that_it_had(scale):
    counts = counts_of().astype(np.int64)
    assert find(counts * scale) == []
    counts[ROW, CHANNEL] = 500
    assert [v.counts for v in find(counts * scale)] == [500 * scale]
    assert [v.counts for v in find(counts * float(scale))] == [500 * scale]


@pytest.mark.parametrize("scale", [0.5, 1.1, 1e-3])
def test_no_whole_numbers__nothing_is_said(scale):
    counts = counts_of()
    counts[ROW, CHANNEL] = 501
    assert find(counts * scale) == []


def test_counts__are_left_as_they_are():
    counts = counts_of()
    counts[ROW, CHANNEL] = 500
    X = count_matrix(counts)
    before = X.copy()
    find_hot_voxels(X, SHAPE, WIDTH)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(X, name), getattr(before, name))


def test_one_dimension_and_three__have_their_neighbours():
    counts = counts_of()
    counts[ROW, CHANNEL] = 500
    for shape in ((63,), (3, 7, 3)):
        assert len(find_hot_voxels(count_matrix(counts), shape, WIDTH)) == 1


def naive(counts, reach, n_beside, fewest, factor):
    rows, columns, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    for i, j in zip(*np.nonzero(counts), strict=True):
        x, (first, last) = counts[i, j], (max(0, j - reach[j]), j + reach[j] + 1)
        beside = counts[i, first:last].sum() - x
        independent = (rows[i] - x) * (columns[j] - x) / total
        if x >= fewest and x > factor * independent and x * n_beside[j] > factor * beside:
            yield i, j, beside


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_find_sharp_entries__as_the_naive_loop_does(dtype, many_blocks):
    counts = np.random.default_rng(5).negative_binomial(0.3, 0.1, size=(41, 37)).astype(float)
    reach = np.arange(37) % 4 + 1
    X = sp.csr_array(counts.astype(dtype))
    sums = counts.sum(axis=1), counts.sum(axis=0)
    options = {"fewest": 5.0, "factor": 1.5}
    for n_jobs in (1, 3):
        row, place, beside = find_sharp_entries(X, *sums, reach, 2.0 * reach, n_jobs=n_jobs,
                                                **options)  # fmt: skip
        found = list(zip(row, X.indices[place], beside, strict=True))
        assert found == list(naive(counts, reach, 2.0 * reach, **options))
        assert len(found) > 20
