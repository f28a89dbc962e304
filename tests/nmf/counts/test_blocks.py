# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found block by block is what is found at once."""

import sys
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf.kernels import em
from hyperspy_psnmf.kernels import likelihood as scores
from hyperspy_psnmf.kernels.newton import rows as newton
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts
from hyperspy_psnmf.nmf.binning.tiles import take_tiles
from hyperspy_psnmf.nmf.counts import blocks
from hyperspy_psnmf.nmf.counts.csr_part import Part, join
from hyperspy_psnmf.nmf.counts.matrix import count_matrix, total_counts
from hyperspy_psnmf.nmf.counts.on_disk import StoredBlocks
from hyperspy_psnmf.nmf.held_out.count_splitting import check_whole
from hyperspy_psnmf.nmf.method.smoothing import smooth_loadings
from hyperspy_psnmf.nmf.selection.binning import BinningChoice
from hyperspy_psnmf.nmf.solver.convex import transpose
from tests.helpers.problems import planted, rows

SHAPE = (12, 14)


def as_part(X, these_rows):
    X = sp.csr_array(X)
    return Part(these_rows, X.indptr.astype(np.int64), X.indices.astype(np.uint16), X.data)


def stored(X, folder, *, cut_channels=False, block_bytes=900):
    """Return X in two groups of rows, every other one in a file, in no simple order."""
    X = count_matrix(X.reshape(-1, X.shape[-1]))
    n, n_channels = X.shape
    groups = []
    for g, these in enumerate((np.arange(n) % 3 == 1, np.arange(n) % 3 != 1)):
        limits = [0, n_channels // 3, n_channels] if cut_channels else [0, n_channels]
        parts = []
        for first, last in pairwise(limits):
            inside = (np.arange(n_channels) >= first) & (np.arange(n_channels) < last)
            part = as_part(X[these] * inside.astype(X.dtype), np.flatnonzero(these))
            parts.append(part if g else part.write(str(folder / f"part-{len(parts)}")))
        groups.append(parts)
    return StoredBlocks(
        groups,
        folder=str(folder),
        block_bytes=block_bytes,
        shape=X.shape,
        dtype=X.dtype,
        nnz=X.nnz,
        row_counts=total_counts(X, axis=1),
        channel_counts=total_counts(X, axis=0),
        is_whole=X.dtype.kind != "f",
    ), X


@pytest.fixture(params=[False, True], ids=["all channels", "channels cut"])
def problem(request, tmp_path):
    cube, W, H = planted(SHAPE, counts=40.0)
    found, X = stored(cube, tmp_path, cut_channels=request.param)
    return found, X, W * np.random.default_rng(1).uniform(0.5, 2, W.shape), H.T.copy()


def test_total_counts__blocks_are_small_and_have_everything(problem):
    found, X, _, _ = problem
    assert len(found.blocks) > 5
    np.testing.assert_array_equal(found.gather().toarray(), X.toarray())
    assert found.gather().dtype == X.dtype


def test_total_counts__rows_are_taken_in_any_order(problem):
    found, X, _, _ = problem
    wanted = np.array([31, 2, 167, 90])
    np.testing.assert_array_equal(found.take(wanted).toarray(), X.toarray()[wanted])


def test_transpose__channels_can_be_blocks(problem, tmp_path):
    found, X, _, _ = problem
    columns = transpose(found)
    assert len(columns.blocks) > 2
    np.testing.assert_array_equal(columns.gather().toarray(), X.toarray().T)
    np.testing.assert_array_equal(columns.row_counts, found.channel_counts)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_total_counts__totals_are_the_same(problem, axis):
    found, X, _, _ = problem
    np.testing.assert_array_equal(total_counts(found, axis), total_counts(X, axis))


@pytest.mark.parametrize("energy_binning", [1, 3])
def test_bin_counts__bins_are_the_same(problem, energy_binning):
    found, X, _, _ = problem
    bins = PixelBins(SHAPE, (5, 4))
    options = {"energy_binning": energy_binning}
    np.testing.assert_array_equal(
        bin_counts(found, bins, **options), bin_counts(X, bins, **options)
    )


def test_bin_counts__large_bins_are_the_same(problem, monkeypatch):
    found, X, _, _ = problem
    bins = PixelBins(SHAPE, (5, 4))
    expected = bin_counts(X, bins, energy_binning=7)
    monkeypatch.setattr("hyperspy_psnmf.nmf.binning.bins.DENSE_BYTES", 1)
    dense = bin_counts(found, bins, energy_binning=7)
    assert dense.dtype == np.float32
    np.testing.assert_array_equal(dense, expected)
    monkeypatch.setattr("hyperspy_psnmf.nmf.binning.bins.DENSE_DENSITY", 1e3)
    sparse = bin_counts(found, bins, energy_binning=7)
    np.testing.assert_array_equal(sparse.toarray(), expected)


def test_divergence__kernels_are_the_same(problem):
    found, X, W, B = problem
    for mine, known in zip(
        (*blocks.solve_rows(found, B, W), *blocks.score(found, W, B)),
        (*newton.solve_rows(X, B, W), *scores.score(X, W, B)),
        strict=True,
    ):
        # How loops vectorise depends on where arrays lie.
        np.testing.assert_allclose(mine, known, rtol=1e-9, atol=1e-9)
    assert blocks.divergence(found, W, B) == pytest.approx(scores.divergence(X, W, B), rel=1e-12)
    for mine, known in zip(blocks.em_sweep(found, W, B), em.em_sweep(X, W, B), strict=True):
        np.testing.assert_allclose(mine, known, rtol=1e-12)


def test_rows__terms_of_rows_stay_with_their_rows(tmp_path):
    counts, V, B = rows(n_rows=23)
    found, X = stored(counts, tmp_path, block_bytes=200)
    rng = np.random.default_rng(0)
    terms = newton.RowTerms(
        rng.uniform(size=V.shape),
        rng.uniform(size=V.shape),
        rng.uniform(size=len(V)),
        np.eye(V.shape[1]),
        rng.uniform(size=V.shape),
    )
    mine, known = (
        blocks.solve_rows(found, B, V, terms=terms),
        newton.solve_rows(X, B, V, terms=terms),
    )
    np.testing.assert_allclose(mine[0], known[0], rtol=1e-9)


@pytest.mark.parametrize("shape", [(168,), (12, 14), (3, 7, 8)])
def test_smooth_loadings__neighbours_in_bands_are_the_same(tmp_path, monkeypatch, shape):
    monkeypatch.setattr("hyperspy_psnmf.nmf.method.smoothing.TILE_BYTES", 1)
    cube, W, H = planted((168,), counts=40.0)
    found, X = stored(cube, tmp_path)
    mine = smooth_loadings(found, H, W, shape)
    known = smooth_loadings(X, H, W, shape)
    np.testing.assert_allclose(mine.W, known.W, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(mine.n_averaged, known.n_averaged, rtol=1e-5)


def test_smooth_loadings__bands_reach_as_far_as_windows_do(tmp_path, monkeypatch):
    """A map of many more rows than two overlaps, in tiles of few rows."""
    monkeypatch.setattr("hyperspy_psnmf.nmf.method.smoothing.TILE_BYTES", 1)
    cube, W, H = planted((190, 7), counts=30.0)
    found, X = stored(cube, tmp_path, block_bytes=10_000)
    mine = smooth_loadings(found, H, W, (190, 7))
    known = smooth_loadings(X, H, W, (190, 7))
    np.testing.assert_allclose(mine.W, known.W, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"binning": 3, "refinement": "joint"}, {"binning": 2, "smoothing": 0}],
    ids=["default", "joint", "no prior"],
)
def test_total_counts__psnmf_is_the_same(problem, options):
    found, X, _, _ = problem
    mine, known = PSNMF(3, **options), PSNMF(3, **options)
    W = mine.fit_transform(found, navigation_shape=SHAPE)
    np.testing.assert_allclose(W, known.fit_transform(X, navigation_shape=SHAPE), rtol=1e-6)
    np.testing.assert_allclose(mine.components_, known.components_, rtol=1e-6)
    assert mine.binning_ == known.binning_


@pytest.mark.slow
def test_PoissonNMF__is_the_same(problem):
    found, X, _, _ = problem
    W = PoissonNMF(3, volume=0.1).fit_transform(found)
    np.testing.assert_allclose(W, PoissonNMF(3, volume=0.1).fit_transform(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((400, 330), (16, 64, 64)), ((5, 200, 130), (16, 64, 64)), ((90_000,), (65_536,))],
)
def test_take_tiles__of_large_maps(tmp_path, shape, expected):
    rng = np.random.default_rng(0)
    X = rng.poisson(2.0, size=(int(np.prod(shape)), 3)).astype(np.uint8)
    X[:1000] = 0
    found, X = stored(X * 100, tmp_path, block_bytes=100_000)
    tiles = take_tiles(found, shape, 2)
    assert tiles.shape == expected
    assert tiles.X.shape == (np.prod(expected), 3)


def test_take_tiles__without_empty_ones(tmp_path):
    X = np.full((400, 330, 2), 200, np.uint8)
    X[:, 70:] = 0
    found, X = stored(X, tmp_path, block_bytes=100_000)
    assert total_counts(take_tiles(found, (400, 330), 2).X, axis=1).all()


def test_BinningChoice__bins_grow_until_they_fit_into_memory():
    choice = BinningChoice((1, 4, 4), n_pixels=65_536)
    assert choice.fitting((3, 500, 400), 2048).binning == (1, 4, 4)
    found = choice.fitting((3, 5000, 4000), 2048)
    assert (found.binning, found.n_doubled) == ((1, 32, 32), 3)


def test_check_whole__parts_of_no_whole_numbers_are_reported(tmp_path):
    found, X = stored(np.full((6, 4), 1.5), tmp_path)
    for counts in (found, X):
        with pytest.raises(ValueError, match="whole numbers"):
            check_whole(counts)


def test_divergence__progress_is_reported(problem):
    found, _, W, B = problem
    told = []
    found.notify = lambda n, n_blocks: told.append((n, n_blocks))
    blocks.divergence(found, W, B)
    assert told == sorted(set(told))
    assert told[-1] == (len(found.blocks), len(found.blocks))
    assert len(told) > 1


def test_Part__rows_that_no_part_has_are_empty():
    part = as_part(np.array([[0, 3], [4, 0]]), np.array([4, 1]))
    expected = np.zeros((6, 2))
    expected[4, 1], expected[1, 0] = 3, 4
    np.testing.assert_array_equal(join([part], 6, 2, np.uint8).toarray(), expected)


def test_Part__size_in_memory(tmp_path):
    """What a cluster decides by whether to send it."""
    X = sp.random_array((30, 50), density=0.3, rng=np.random.default_rng(0), format="csr")
    part = Part(np.arange(30), X.indptr.astype(np.int64), X.indices, X.data)
    size = sys.getsizeof(part)
    assert part.nbytes < size < part.nbytes + 1000
    assert sys.getsizeof(part.write(tmp_path / "part")) < size - part.nbytes + 100


def test_take_tiles__of_counts_in_memory_as_of_blocks(tmp_path):
    rng = np.random.default_rng(4)
    cube = rng.poisson(1.5, (310, 330, 4)).astype(np.uint8)
    found, X = stored(cube, tmp_path, block_bytes=200_000)
    tiles, same = take_tiles(found, (310, 330), 2), take_tiles(X, (310, 330), 2)
    assert tiles.shape == same.shape != (310, 330)
    assert (tiles.X != same.X).nnz == 0
