# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of lines that a model misses are found where they are significant, and nowhere else."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.ndimage import binary_dilation

from hyperspy_psnmf.nmf.diagnostics import missed_counts as module
from hyperspy_psnmf.nmf.diagnostics.missed_counts import SIGNIFICANT, find_missed_counts

SHAPE = (36, 42)
H = np.array([[0.5, 0.3, 0.1, 0.1], [0.1, 0.2, 0.6, 0.1]])
LINE = np.array([0.0, 0.0, 0.0, 1.0])  # of the phase that the model does not have
# Channel 3 less the mean of its neighbours, and channel 0 alone.
OPERATOR = np.array([[0, 0, -0.5, 1], [1.0, 0, 0, 0]]).T


def scene(missed, seed=0, per_pixel=20.0):
    """Return counts, loadings and the missed counts of each pixel."""
    rng = np.random.default_rng(seed)
    W = per_pixel * rng.dirichlet([2, 2], SHAPE[0] * SHAPE[1])
    lost = np.zeros(SHAPE)
    for rows, columns, counts in missed:
        lost[rows, columns] = counts
    X = rng.poisson(W @ H + lost.reshape(-1, 1) * LINE)
    return X, W, lost.ravel()


def find(X, W, *, used=None, shape=SHAPE, **options):
    used = np.ones(len(W), bool) if used is None else used
    return find_missed_counts(X, W, H, OPERATOR, used, shape, **options)


# Rows, columns and counts per pixel.
BLOB = ((slice(8, 13), slice(10, 16), 12.0), (slice(20, 34), slice(20, 40), 3.0))


def test_find_missed_counts__a_bright_particle_and_a_weak_area():
    X, W, lost = scene(BLOB)
    found, variance = find(X, W)
    residuals = (X - W @ H) @ OPERATOR[:, 0]
    error = np.linalg.norm(found[:, 0] - lost)
    assert error < 0.6 * np.linalg.norm(lost)
    assert error < 0.6 * np.linalg.norm(residuals - lost)
    beside = binary_dilation((lost > 0).reshape(SHAPE), iterations=6).ravel() & (lost == 0)
    assert abs(found[beside, 0].mean()) < 0.1  # no halo
    # Shrunk, never exaggerated.
    for counts in (12, 3):
        assert 0.5 * counts < found[lost == counts, 0].mean() < counts
    assert (found[:, 1] != 0).mean() < 0.01  # the other line is as the model has it
    assert (variance[found != 0] > 0).all()
    np.testing.assert_array_equal(variance[found == 0], 0)


def test_find_missed_counts__a_line_that_is_not_there_is_subtracted():
    X, W, lost = scene(BLOB)
    X[lost > 0, 0] = 0
    found, _ = find(X, W)
    surplus = np.where(lost > 0, -(W @ H)[:, 0], 0)
    assert np.linalg.norm(found[:, 1] - surplus) < 0.5 * np.linalg.norm(surplus)


@pytest.mark.parametrize("per_pixel", [0.3, 4.0, 60.0, 900.0])
def test_find_missed_counts__nearly_none_where_the_model_is_right(per_pixel):
    share = []
    for seed in range(5):
        X, W, _ = scene((), seed, per_pixel)
        share.append(np.mean(find(X, W)[0] != 0))
    assert np.mean(share) < 1e-3


def test_find_missed_counts__of_one_pixel_as_the_formula_has_it(monkeypatch):
    monkeypatch.setattr(module, "SIZES", (3,))
    X, W, _ = scene(BLOB)
    found, variances = find(X, W)
    # As precise as the mean of 3 x 3 pixels: the sum of squared weights is 1 / 9.
    y, x = np.ogrid[-3:4, -3:4]
    weights = np.exp(-(y**2 + x**2) * 2 * np.pi / 9)
    weights /= weights.sum()
    assert (weights**2).sum() == pytest.approx(1 / 9, rel=5e-3)

    def mean(values, weights):
        return (values.reshape(SHAPE)[7:14, 9:16] * weights).sum()

    residual = mean((X - W @ H) @ OPERATOR[:, 0], weights)
    observed, expected = (of @ OPERATOR[:, 0] ** 2 for of in (X, W @ H))
    variance = mean(np.maximum(observed, expected), weights**2)
    gain = 1 - (SIGNIFICANT**2 * variance / residual**2) ** 2
    pixel = 10 * SHAPE[1] + 12
    assert gain > 0.5
    assert found[pixel, 0] == pytest.approx(gain * residual, rel=2e-3)
    assert variances[pixel, 0] == pytest.approx(gain**2 * variance, rel=5e-3)


def test_find_missed_counts__a_single_count_where_none_is_expected_is_no_line():
    X = np.zeros((SHAPE[0] * SHAPE[1], 4), int)
    W = np.full((len(X), 2), 1e-4)
    X[500, 3] = 3
    np.testing.assert_array_equal(find(X, W)[0], 0)
    X[500, 3] = 60
    assert find(X, W)[0][500, 0] > 40


@pytest.mark.parametrize("n_jobs", [1, 2, None])
def test_find_missed_counts__the_same_from_sparse_counts_and_in_threads(n_jobs, monkeypatch):
    X, W, _ = scene(BLOB)
    monkeypatch.setattr(module, "TILE_BYTES", 1)  # tiles as small as the overlap
    in_bands = find(X, W, n_jobs=1)
    monkeypatch.undo()
    for matrix in (X, sp.csr_array(X)):
        for once, again in zip(in_bands, find(matrix, W, n_jobs=n_jobs), strict=True):
            np.testing.assert_allclose(again, once, atol=1e-9)


def test_find_missed_counts__pixels_left_out_have_none_and_give_none():
    X, W, lost = scene(BLOB)
    used = np.ones(SHAPE, bool)
    used[8:13, 13:] = False
    used = used.ravel()
    X[~used], W[~used] = 0, 0
    found, _ = find(X, W, used=used)
    np.testing.assert_array_equal(found[~used], 0)
    inside = used & (lost == 12)
    whole, _ = find(*scene(BLOB)[:2])
    # Not halved, as by a mean over pixels left out.
    assert found[inside, 0].mean() > 0.8 * whole[inside, 0].mean()


def test_find_missed_counts__slices_of_a_series_and_line_scans():
    X, W, lost = scene(BLOB)
    both = find(np.vstack([X, X]), np.vstack([W, W]), shape=(2, *SHAPE))[0]
    np.testing.assert_allclose(both[: len(X)], both[len(X) :], atol=1e-9)
    np.testing.assert_allclose(both[: len(X)], find(X, W)[0], atol=1e-9)
    line = find(X, W, shape=(len(X),))[0]
    assert line[lost == 12, 0].mean() > 5 * abs(line[lost == 0, 0].mean())
