# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins are halved where features are small, and only there."""

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.binning.bins import choose_binning
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.selection.binning import choose_finer_binning
from tests.helpers.problems import planted

SHAPE = (72, 88)


def rng(seed=0):
    return np.random.default_rng(seed)


def large_features(counts=45.0):
    cube, _, H = planted(SHAPE, n_channels=40, k=2, counts=counts)
    return sp.csr_array(cube.reshape(-1, 40)), H


@cache
def small_particles():
    """Return counts of particles of 3 x 3 pixels, far apart, and the true spectra."""
    s = data.isolated_particles(shape=SHAPE, n_channels=400, counts=50, seed=0)
    H = s.metadata.Truth.factors.T
    return count_matrix(s.data), H / H.sum(axis=1, keepdims=True)


def choose(X, k=2, shape=SHAPE, **options):
    return choose_finer_binning(X, k, shape, **{"rng": rng(), **options})


def test_choose_finer_binning__large_features_keep_the_rule_of_thumb():
    X, _ = large_features()
    found = choose(X)
    rule = choose_binning(X.sum(axis=1), SHAPE, (True, True), 2)
    assert found.binning == found.tried[0] == rule == (8, 8)
    assert found.tried == ((8, 8), (4, 4))
    ((gain, error),) = found.gains
    assert gain < 0 < error


def test_choose_finer_binning__small_features_get_small_bins():
    X, _ = small_particles()
    found = choose(X)
    assert found.tried[0] == (8, 8)
    assert max(found.binning) < 8
    gain, error = found.gains[0]
    assert gain > 4 * error


@pytest.mark.slow
def test_choose_finer_binning__the_seed_makes_it_reproducible_and_threads_do_not_matter():
    X, _ = small_particles()
    assert choose(X) == choose(X)
    assert choose(X, n_jobs=3).binning == choose(X).binning
    assert choose(X, rng=rng(5)).gains != choose(X).gains


def test_choose_finer_binning__fixed_spectra_used_and_nothing_compared_if_all_are():
    X, H = small_particles()
    assert max(choose(X, fixed_spectra=H[:1]).binning) < 8
    found = choose(X, fixed_spectra=H)
    assert found.binning == (8, 8)
    assert found.tried == found.gains == ()
    assert found.not_tried == "fixed spectra"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.float32, float])
def test_choose_finer_binning__whole_numbers_of_any_type_are_judged(dtype):
    X, _ = small_particles()
    assert choose(X.astype(dtype)).binning == choose(X).binning


def test_choose_finer_binning__data_that_are_no_whole_numbers_fall_back_on_the_rule_of_thumb():
    X, _ = small_particles()
    found = choose(0.9 * X)
    assert found.binning == (8, 8)
    assert found.not_tried == "fractions"


def test_choose_finer_binning__single_pixels_are_not_halved():
    X, _ = large_features(counts=20_000.0)
    found = choose(X)
    assert found.binning == (1, 1)
    assert found.not_tried == "single pixels"


def test_choose_finer_binning__energy_bins_line_scans_series_and_empty_pixels_are_fine():
    X, _ = small_particles()
    X = X.tolil()
    X[:70] = 0
    X = sp.csr_array(X)
    assert choose(X, energy_binning=3).tried[:2] == ((8, 8), (4, 4))
    assert len(choose(X, shape=(72 * 88,)).binning) == 1
    series = choose(X, shape=(3, 24, 88))
    assert series.binning[0] == 1
    assert all(tried[0] == 1 for tried in series.tried)


def test_choose_finer_binning__every_fit_is_announced_and_can_end_the_search():
    X, _ = large_features()
    calls = []
    choose(X, callback=lambda *args: calls.append(args))
    assert calls == [("binning", 0, np.inf)] * 2

    def stop(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose(X, callback=stop)
