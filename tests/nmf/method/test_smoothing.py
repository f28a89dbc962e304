# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.method.alike_channels import _cluster_channels, sum_alike_channels
from hyperspy_psnmf.nmf.method.pixel_grid import RADII
from hyperspy_psnmf.nmf.method.smoothing import (
    smooth_loadings,
)
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from tests.helpers.problems import both, planted

SHAPE, N_CHANNELS = (21, 26), 40


def blobs(shape=SHAPE, counts=60.0, k=3, seed=0):
    """Return counts, spectra, loadings pixel by pixel and the true ones."""
    cube, W, H = planted(shape=shape, n_channels=N_CHANNELS, k=k, counts=counts, seed=seed)
    X = cube.reshape(-1, N_CHANNELS)
    return X, H, solve_loadings(X, H), W


def halves(left, right, counts, shape=SHAPE, seed=0):
    """Return the same of a map of two compositions with a sharp edge in the middle."""
    _, H, _, _ = blobs(shape=(3, 4))
    side = np.arange(shape[1]) >= shape[1] // 2
    W = counts * np.where(side[:, None], right, left)[None].repeat(shape[0], axis=0)
    W = W.reshape(-1, 3)
    X = np.random.default_rng(seed).poisson(W @ H)
    return X, H, solve_loadings(X, H), W


def fractions(W):
    return W / np.maximum(W.sum(axis=1, keepdims=True), 1e-300)


def test_smooth_loadings__loadings_come_closer_to_the_truth():
    X, H, W, truth = blobs()
    found = smooth_loadings(X, H, W, SHAPE).W
    assert (found >= 0).all()
    before, after = (np.linalg.norm(fractions(w) - fractions(truth)) for w in (W, found))
    assert after < 0.75 * before


def test_smooth_loadings__the_total_is_still_that_of_the_map():
    X, H, W, _ = blobs()
    found = smooth_loadings(X, H, W, SHAPE).W
    assert found.sum() == pytest.approx(X.sum(), rel=1e-12)
    assert not np.allclose(found.sum(axis=1), X.sum(axis=1), rtol=1e-2)


def test_smooth_loadings__no_weight_changes_nothing():
    X, H, W, _ = blobs()
    found = smooth_loadings(X, H, W, SHAPE, weight=0)
    np.testing.assert_array_equal(found.W, W)
    np.testing.assert_array_equal(found.n_averaged, 1)


def test_smooth_loadings__the_weight_is_one_and_more_weight_smooths_more():
    X, H, W, _ = blobs(counts=30)
    default = smooth_loadings(X, H, W, SHAPE)
    one, less, more = (smooth_loadings(X, H, W, SHAPE, weight=w) for w in (1, 0.1, 3.0))
    np.testing.assert_array_equal(default.W, one.W)
    assert less.n_averaged.mean() < one.n_averaged.mean() < more.n_averaged.mean()


def test_smooth_loadings__where_all_is_alike_all_neighbours_count():
    X, H, W, truth = halves([0.5, 0.3, 0.2], [0.5, 0.3, 0.2], counts=80)
    found = smooth_loadings(X, H, W, SHAPE)
    inner = found.n_averaged.reshape(SHAPE)[7:-7, 7:-7]
    full = np.pi * RADII[-1] ** 2 / 2
    assert np.median(inner) > 0.95 * full
    before, after = (np.std(fractions(w) - fractions(truth)) for w in (W, found.W))
    assert after < 0.2 * before


def test_smooth_loadings__a_strong_edge_lets_nothing_through():
    X, H, W, _ = halves([0.9, 0.1, 0.0], [0.1, 0.0, 0.9], counts=200)
    found = fractions(smooth_loadings(X, H, W, SHAPE).W).reshape(*SHAPE, 3)
    edge = SHAPE[1] // 2
    assert found[:, edge - 1, 2].max() < 0.02
    assert found[:, edge, 2].min() > 0.85


def test_smooth_loadings__a_pixel_unlike_all_others_is_left_as_it_is():
    X, H, W, _ = halves([0.9, 0.1, 0.0], [0.9, 0.1, 0.0], counts=200)
    odd = 8 * SHAPE[1] + 11
    X[odd] = np.random.default_rng(1).poisson(200 * H[2])
    W = solve_loadings(X, H)
    found = smooth_loadings(X, H, W, SHAPE)
    assert found.n_averaged[odd] == 1
    np.testing.assert_array_equal(found.W[odd], W[odd])
    assert found.W[odd + 1, 2] < 0.02 * 200


@pytest.mark.parametrize(("extra", "is_apart"), [(190.0, True), (90.0, False)])
def test_smooth_loadings__apart_from_a_p_value_of_one_in_five_thousand_on(extra, is_apart):
    # Contrasts of 16.5 and 3.9; one in five thousand is above 13.8, and half of that agrees fully.
    W = np.full((63, 1), 1000.0)
    W[31] += extra
    found = smooth_loadings(W, np.ones((1, 1)), W, (7, 9))
    assert (found.n_averaged[31] == 1) == is_apart


def test_smooth_loadings__an_edge_of_thickness_stays_sharp():
    thick, thin = np.array([0.6, 0.3, 0.1]), np.array([0.06, 0.03, 0.01])
    X, H, W, _ = halves(thick, thin, counts=200)
    found = smooth_loadings(X, H, W, SHAPE).W.sum(axis=1).reshape(SHAPE)
    edge = SHAPE[1] // 2
    assert found[:, edge - 1].min() > 150
    assert found[:, edge].max() < 35


def test_smooth_loadings__pixels_left_out_neither_give_nor_receive():
    X, H, _, _ = halves([0.5, 0.3, 0.2], [0.5, 0.3, 0.2], counts=4)
    gone = np.zeros(SHAPE, bool)
    gone[6:13, 9:20], gone[2, 3] = True, True
    X = np.where(gone.reshape(-1, 1), 0, X)
    found = smooth_loadings(X, H, solve_loadings(X, H), SHAPE, used=~gone.ravel())
    total, n_averaged = found.W.sum(axis=1).reshape(SHAPE), found.n_averaged.reshape(SHAPE)
    np.testing.assert_array_equal(total[gone], 0)
    np.testing.assert_array_equal(n_averaged[gone], 0)
    assert n_averaged[~gone].min() > 5
    assert total[~gone].min() > 2


def test_smooth_loadings__pixels_without_counts_are_measurements_of_zero():
    X, H, _, _ = halves([0.5, 0.3, 0.2], [0.5, 0.3, 0.2], counts=1.5)
    empty = X.sum(axis=1) == 0
    assert empty.sum() > 80
    found = smooth_loadings(X, H, solve_loadings(X, H), SHAPE)
    assert found.n_averaged[empty].min() > 5
    assert found.W[empty].sum(axis=1).mean() == pytest.approx(1.5, rel=0.15)
    assert found.W[~empty].sum(axis=1).mean() == pytest.approx(1.5, rel=0.15)


def test_smooth_loadings__dense_equals_sparse_equals_threads():
    X, H, W, _ = blobs()
    expected, *others = (
        smooth_loadings(counts, H, W, SHAPE, n_jobs=n) for counts in both(X) for n in (1, 4)
    )
    for other in others:
        np.testing.assert_allclose(other.W, expected.W, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(other.n_averaged, expected.n_averaged, rtol=1e-9)


def test_smooth_loadings__a_transposed_map_gives_transposed_maps():
    X, H, W, _ = blobs()
    turn = np.arange(len(X)).reshape(SHAPE).T.ravel()
    expected = smooth_loadings(X, H, W, SHAPE)
    found = smooth_loadings(X[turn], H, W[turn], SHAPE[::-1])
    np.testing.assert_allclose(found.W, expected.W[turn], atol=0.05)
    np.testing.assert_allclose(found.n_averaged, expected.n_averaged[turn], rtol=0.01)


def test_smooth_loadings__slices_of_a_series_are_independent():
    X, H, W, _ = blobs(shape=(2, 9, 13))
    found = smooth_loadings(X, H, W, (2, 9, 13)).n_averaged.reshape(2, -1)
    for part, n_averaged in zip(np.split(np.arange(len(X)), 2), found, strict=True):
        alone = smooth_loadings(X[part], H, W[part], (9, 13)).n_averaged
        np.testing.assert_allclose(n_averaged, alone, rtol=0.05)


@pytest.mark.parametrize("shape", [(150,), (1, 150), (150, 1), (2, 1, 75), (2, 75, 1)])
def test_smooth_loadings__a_line_is_smoothed_along_itself(shape):
    _, H, _, _ = blobs(shape=(3, 4))
    truth = np.tile([30.0, 20.0, 10.0], (150, 1))
    X = sp.csr_array(np.random.default_rng(2).poisson(truth @ H))
    W = solve_loadings(X, H)
    found = smooth_loadings(X, H, W, shape)
    assert np.median(found.n_averaged) > 15
    assert np.std(fractions(found.W) - fractions(truth)) < 0.5 * np.std(
        fractions(W) - fractions(truth)
    )


def test_smooth_loadings__one_component_has_totals_to_smooth():
    _, H, _, _ = blobs(k=1)
    truth = np.full((np.prod(SHAPE), 1), 50.0)
    X = np.random.default_rng(4).poisson(truth @ H[:1])
    W = X.sum(axis=1, keepdims=True).astype(float)
    found = smooth_loadings(X, H[:1], W, SHAPE).W
    assert np.std(found) < 0.3 * np.std(W)


def test_smooth_loadings__what_no_component_explains_does_not_matter():
    X, H, W, _ = blobs()
    H, W = np.vstack([H, np.zeros(N_CHANNELS)]), np.pad(W, ((0, 0), (0, 1)))
    expected = smooth_loadings(X, H, W, SHAPE).W
    np.testing.assert_array_equal(expected[:, 3], 0)
    more = np.hstack([X, np.full((len(X), 1), 50)])
    found = smooth_loadings(more, np.pad(H, ((0, 0), (0, 1))), W, SHAPE).W
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_smooth_loadings__a_map_without_counts_stays_empty():
    _, H, _, _ = blobs(shape=(3, 4))
    found = smooth_loadings(np.zeros((12, N_CHANNELS)), H, np.zeros((12, 3)), (3, 4))
    np.testing.assert_array_equal(found.W, 0)
    assert found.n_averaged.min() > 1


def test_solve_loadings__groups_of_channels_have_what_reports_components_apart():
    X, H, _, truth = blobs()
    H = H.copy()
    H[:, 5] = 0.0
    Y, B = sum_alike_channels(X, H, 1)
    assert Y.shape[1] == B.shape[1] <= 18
    np.testing.assert_allclose(B.sum(axis=1), H.sum(axis=1))
    np.testing.assert_allclose(Y.sum(axis=1), np.delete(X, 5, axis=1).sum(axis=1))

    def variance(H):
        information = np.einsum("aj,ij,bj->iab", H, 1 / (truth @ H), H)
        return np.linalg.inv(information)[:, range(3), range(3)].mean()

    assert variance(B) < 1.05 * variance(H[:, H.any(axis=0)])


def test_smoothing__channels_that_are_few_or_alike_need_few_groups():
    H = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    assert len(np.unique(_cluster_channels(H, 9))) == 4
    assert len(np.unique(_cluster_channels(np.repeat(H[:1], 2, axis=0), 9))) == 1


@pytest.mark.parametrize(
    ("wrong", "error", "name"),
    [
        ({"weight": -1}, ValueError, "weight"),
        ({"weight": np.inf}, ValueError, "weight"),
        ({"weight": "much"}, ValueError, "weight"),
        ({"weight": True}, TypeError, "weight"),
        ({"used": np.ones(7, bool)}, ValueError, "used"),
        ({"used": np.ones(21 * 26)}, ValueError, "used"),
        ({"shape": (20, 26)}, ValueError, "shape"),
        ({"shape": (1, 1, 21, 26)}, ValueError, "shape"),
    ],
)
def test_smooth_loadings__errors_name_the_argument(wrong, error, name):
    X, H, W, _ = blobs()
    with pytest.raises(error, match=name):
        smooth_loadings(X, H, W, **{"shape": SHAPE, **wrong})


def test_smooth_loadings__tiles_of_a_map_in_memory(monkeypatch):
    cube, W, H = planted((60, 47), counts=30.0)
    X = count_matrix(cube, n_jobs=1)
    known = smooth_loadings(X, H, W, (60, 47))
    monkeypatch.setattr("hyperspy_psnmf.nmf.method.smoothing.TILE_BYTES", 1000)
    mine = [smooth_loadings(X, H, W, (60, 47), n_jobs=n_jobs) for n_jobs in (1, 3)]
    np.testing.assert_array_equal(mine[0].W, mine[1].W)
    np.testing.assert_allclose(mine[0].W, known.W, rtol=1e-6, atol=1e-6)
