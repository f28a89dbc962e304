# SPDX-License-Identifier: GPL-3.0-or-later
"""What the spatial prior does to maps of known truth, with the true spectra given.

Run with ``pytest -m statistical -s tests/statistical/test_prior.py``.
"""

from functools import cache

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.held_out.count_splitting import compare
from hyperspy_psnmf.nmf.method.smoothing import smooth_loadings
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from tests.benchmarks.fidelity_figures import (
    Unmixed,
    map_figures,
    reconstruction_error,
    true_phases,
)
from tests.benchmarks.fidelity_methods import weighted_pca
from tests.statistical.seeds import N_SEEDS

pytestmark = pytest.mark.statistical

SHAPE, SEEDS = (128, 128), range(min(3, N_SEEDS))
GRADED = ("embedded_spheres", "mineral_grains")


@cache
def problem(name, counts, seed):
    """Return a phantom, its counts, the true spectra and loadings pixel by pixel."""
    signal = getattr(data, name)(shape=SHAPE, counts=counts, seed=seed)
    X = count_matrix(signal.data)
    H = np.ascontiguousarray(true_phases(signal.metadata.Truth)[1].factors.T)
    return signal, X, H, solve_loadings(X, H)


def errors(name, counts):
    """Return the median error with the prior, without and of weighted PCA."""
    found = []
    for seed in SEEDS:
        signal, X, H, W = problem(name, counts, seed)
        maps = (Unmixed(H.T, smooth_loadings(X, H, W, SHAPE).W), Unmixed(H.T, W))
        methods = (*maps, weighted_pca(signal, X, len(H)))
        found.append([reconstruction_error(m, signal.metadata.Truth) for m in methods])
    median = np.median(found, axis=0)
    print(f"\n{name}, {counts} counts: {median.round(4)} (prior, none, weighted PCA)")  # noqa: T201
    return median


@pytest.mark.parametrize("name", GRADED)
def test_smooth_loadings__the_error_is_a_third_of_that_of_weighted_pca(name):
    error, _, pca = errors(name, 300)
    assert error <= pca / 3


@pytest.mark.parametrize("name", GRADED)
def test_smooth_loadings__at_few_counts_the_error_is_half_of_that_without(name):
    error, without, _ = errors(name, 20)
    assert error <= without / 2


def figure(name, counts, key):
    values = []
    for seed in SEEDS:
        signal, X, H, W = problem(name, counts, seed)
        true = true_phases(signal.metadata.Truth)[1].loadings
        after = smooth_loadings(X, H, W, SHAPE).W
        values.append([map_figures(signal, true, w)[key] for w in (after, W)])
    after, before = np.median(values, axis=0)
    print(f"\n{name}, {counts} counts: {key} {before:.3f} -> {after:.3f}")  # noqa: T201
    return after, before


@pytest.mark.parametrize("counts", [20, 300])
def test_count_matrix__an_interface_stays_as_sharp_as_it_is(counts):
    after, before = figure("sharp_interface", counts, "edge_width")
    truth = problem("sharp_interface", counts, 0)[0].metadata.Truth.edge_width
    assert after <= 1.05 * max(before, truth)
    assert after >= 0.95 * min(before, truth)


@pytest.mark.parametrize("counts", [20, 300])
def test_smooth_loadings__particles_of_three_pixels_keep_their_counts(counts):
    after, _ = figure("isolated_particles", counts, "kept")
    assert 0.9 <= after <= 1.1


@pytest.mark.parametrize("counts", [5, 20, 100, 1000])
def test_count_matrix__where_all_is_alike_few_neighbours_are_turned_away(counts):
    _, _, H, _ = problem("mineral_grains", 300, 0)
    shape = (60, 70)
    W = np.tile(counts * np.array([0.7, 0.2, 0.1]), (np.prod(shape), 1))
    X = count_matrix(np.random.default_rng(counts).poisson(W @ H).astype(np.uint16))
    found = smooth_loadings(X, H, solve_loadings(X, H), shape).support.reshape(shape)
    inner = found[7:-7, 7:-7]
    assert np.median(inner) > 0.97 * inner.max()
    assert np.mean(inner < 0.5 * inner.max()) < 0.03


@pytest.mark.parametrize("name", ["isolated_particles", "mineral_grains", "sharp_interface"])
def test_compare__counts_left_out_find_no_better_weight(name):
    _, X, H, _ = problem(name, 100, 0)

    def fit(weight):
        def loadings(train):
            W = solve_loadings(train, H)
            return smooth_loadings(train, H, W, SHAPE, weight=weight).W, H

        return loadings

    found = compare(X, {w: fit(w) for w in (0, 0.25, 1, 4)}, rng=np.random.default_rng(0))
    none, _, auto, _ = found.mean
    assert none - auto > 0.95 * (none - found.mean.min())
