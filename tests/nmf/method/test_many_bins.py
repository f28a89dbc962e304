# SPDX-License-Identifier: GPL-3.0-or-later
"""Where there are many bins, some of them lead to the spectra of all."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from hyperspy_psnmf.nmf.binning import subset
from hyperspy_psnmf.nmf.method import binned, many_bins
from hyperspy_psnmf.nmf.method.binned import BinnedSettings, factorise_binned
from tests.helpers.problems import angles, planted

OPTIONS = {"max_iter": 200, "tol": 1e-5, "n_jobs": 1}


def factorise(function, X, **settings):
    known = {"fixed": np.empty((0, X.shape[1])), "energy_binning": 2, "init": "nndsvdar"}
    known |= {"volume": None, "line_width": 1, **settings}
    rng = np.random.default_rng(0)
    return function(X, BinnedSettings(3, **known), rng, OPTIONS, lambda *_: None)


@pytest.fixture
def few(monkeypatch):
    """What counts as many and as enough, for small maps."""
    monkeypatch.setattr(many_bins, "MAX_BINS", 400)
    monkeypatch.setattr(many_bins, "SUBSET_BINS", 200)
    monkeypatch.setattr(subset, "ROWS_AT_A_TIME", 64)


@pytest.mark.slow
@pytest.mark.parametrize("volume", [None, 0.0])
def test_factorise_map__spectra_are_those_of_all_bins(few, volume):
    cube, W, truth = planted((40, 30), counts=2000.0)
    X = cube.reshape(-1, cube.shape[-1]).astype(float)
    some = factorise(many_bins.factorise_map, X, volume=volume)
    every = factorise(factorise_binned, X, volume=volume)
    assert some.W.shape == W.shape
    assert angles(some.H, every.H).max() < 1
    assert angles(some.H, truth).max() < angles(every.H, truth).max() + 0.2


def test_factorise_map__fixed_spectra_stay(few):
    cube, _, truth = planted((40, 30), counts=2000.0)
    X = cube.reshape(-1, cube.shape[-1]).astype(float)
    found = factorise(many_bins.factorise_map, X, fixed=truth[1:2])
    np.testing.assert_array_equal(found.H[0], truth[1])


def test_factorise_map__few_bins_are_all_taken():
    cube, _, _ = planted((12, 14), counts=500.0)
    X = cube.reshape(-1, cube.shape[-1]).astype(float)
    some, every = (factorise(f, X) for f in (many_bins.factorise_map, factorise_binned))
    np.testing.assert_array_equal(some.H, every.H)


def test_factorise_map__of_bins_with_few_counts_all_are_taken(few):
    cube, _, _ = planted((40, 30), counts=300.0)
    X = cube.reshape(-1, cube.shape[-1]).astype(float)
    some, every = (factorise(f, X) for f in (many_bins.factorise_map, factorise_binned))
    np.testing.assert_array_equal(some.H, every.H)


def test_choose_bins__bins_of_a_rare_phase_are_among_those_chosen(few):
    """Three bins of twelve hundred hold a line that no other has."""
    rng = np.random.default_rng(0)
    spectrum = np.full(30, 1 / 30)
    rare = 0.5 * spectrum
    rare[7] += 0.5
    X = rng.poisson(1000 * spectrum, size=(1200, 30)).astype(float)
    X[[101, 102, 900]] = rng.poisson(1000 * rare, size=(3, 30))
    assert {101, 102, 900} <= set(subset.choose_bins(X, 200).tolist())
    assert {101, 102, 900} <= set(subset.choose_bins(csr_array(X), 200).tolist())


@pytest.mark.slow
def test_binned__starts_are_compared_on_some_bins(monkeypatch):
    cube, _, truth = planted((40, 30), counts=2000.0)
    X = cube.reshape(-1, cube.shape[-1]).astype(float)
    every = factorise(factorise_binned, X, init="auto")
    seen = []

    def note(X, *args, **kwargs):
        seen.append((X.shape[0], kwargs["max_iter"]))
        return original(X, *args, **kwargs)

    original = binned.poisson_nmf
    monkeypatch.setattr(binned, "TRIAL_BINS", 300)
    monkeypatch.setattr(binned, "poisson_nmf", note)
    some = factorise(factorise_binned, X, init="auto")
    assert seen[:3] == [(300, binned.TRIAL_ALTERNATIONS)] * 3
    assert seen[3] == (1200, OPTIONS["max_iter"])
    assert angles(some.H, truth).max() < angles(every.H, truth).max() + 0.2
