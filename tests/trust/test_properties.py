# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for any counts: sums are kept, and no order, unit or emptiness matters.

That folds of counts add up is in tests/nmf/selection/test_count_splitting.py, that kernels agree
with their slow twins in tests/kernels.
"""

import hypothesis
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import split_counts

# Five alternations warn that they are not enough, and are for this.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SETTINGS = hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
K = 3


@st.composite
def maps(draw):
    """Return counts (ny, nx, n_channels) of mixed phases, and spectra of unit sum."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.tuples(st.integers(2, 6), st.integers(2, 7)))
    n_channels = draw(st.integers(5, 13))
    spectra = rng.gamma(0.5, size=(K, n_channels)) + 1e-3
    spectra /= spectra.sum(axis=1, keepdims=True)
    loadings = rng.gamma(0.5, size=(*shape, K)) * draw(st.sampled_from([2.0, 40.0, 3000.0]))
    return rng.poisson(loadings @ spectra), spectra


def step_3(cube, spectra):
    """Return the maps (ny, nx, k) at full resolution, with the spectra held."""
    model = PSNMF(K, fixed_spectra=spectra, binning=1, smoothing=0, volume=0)
    return model.fit_transform(cube).reshape(*cube.shape[:-1], K)


def expected_counts(X, spectra):
    """Return W H at convergence from given spectra: before, it depends on when rows were solved."""
    model = PoissonNMF(K, init=spectra, max_iter=2000, tol=1e-7)
    return model.fit_transform(X) @ model.components_


def assert_near(found, expected):
    # Rows are solved to within 1e-3 nats, so digits differ: by less than noise of the counts.
    assert (np.abs(found - expected) <= 0.25 * np.sqrt(expected + 1)).all()
    np.testing.assert_allclose(found.sum(), expected.sum())


def with_counts(cube):
    hypothesis.assume(cube.any())
    return cube


@SETTINGS
@hypothesis.given(maps(), st.integers(1, 4), st.integers(1, 9), st.integers(1, 20))
def test_bin_counts__binning_keeps_every_count(drawn, by, bx, energy_binning):
    cube, _ = drawn
    bins = PixelBins(cube.shape[:2], (by, bx))
    X = sp.csr_array(cube.reshape(-1, cube.shape[-1]))
    found = bin_counts(X, bins, energy_binning=energy_binning)
    assert found.sum() == cube.sum()


@SETTINGS
@hypothesis.given(maps(), st.integers(2, 7), st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_bin_counts__splitting_keeps_every_count_and_commutes_with_binning(drawn, n_folds, binning):
    cube, _ = drawn
    X = cube.reshape(-1, cube.shape[-1])
    folds = split_counts(X, n_folds, np.random.default_rng(0))
    assert sum(fold.sum() for fold in folds) == cube.sum()
    bins = PixelBins(cube.shape[:2], binning)
    of_folds = sum(bin_counts(sp.csr_array(fold), bins) for fold in folds)
    np.testing.assert_array_equal(of_folds, bin_counts(sp.csr_array(X), bins))


@SETTINGS
@hypothesis.given(maps(), st.sampled_from([2, 10, 1000]))
def test_properties__scaling_counts_scales_loadings(drawn, scale):
    cube, spectra = drawn
    one, other = step_3(with_counts(cube), spectra), step_3(scale * cube, spectra)
    # A gap of 1e-3 nats leaves about this of a loading open.
    atol = 0.1 * np.sqrt(cube.sum(axis=-1, keepdims=True) + 1)
    assert (np.abs(other / scale - one) <= atol).all()
    np.testing.assert_allclose(other.sum(), scale * one.sum())


@SETTINGS
@hypothesis.given(maps(), st.randoms(use_true_random=False))
def test_properties__permuting_pixels_permutes_loadings(drawn, random):
    cube, spectra = drawn
    X = with_counts(cube).reshape(-1, 1, cube.shape[-1])
    order = np.array(random.sample(range(len(X)), len(X)))
    np.testing.assert_array_equal(step_3(X[order], spectra), step_3(X, spectra)[order])


@SETTINGS
@hypothesis.given(maps(), st.randoms(use_true_random=False))
def test_PoissonNMF__permuting_channels_permutes_spectra(drawn, random):
    cube, spectra = drawn
    X = with_counts(cube).reshape(-1, cube.shape[-1])
    order = np.array(random.sample(range(X.shape[1]), X.shape[1]))
    found = expected_counts(X[:, order], spectra[:, order])
    assert_near(found, expected_counts(X, spectra)[:, order])


@SETTINGS
@hypothesis.given(maps(), st.integers(0, 10))
def test_PoissonNMF__an_empty_pixel_changes_nothing(drawn, where):
    cube, spectra = drawn
    X = with_counts(cube).reshape(-1, cube.shape[-1])
    where = min(where, len(X))
    found = expected_counts(np.insert(X, where, 0, axis=0), spectra)
    np.testing.assert_array_equal(found[where], 0)
    assert_near(np.delete(found, where, axis=0), expected_counts(X, spectra))


@SETTINGS
@hypothesis.given(maps(), st.integers(0, 4))
def test_PoissonNMF__an_empty_channel_changes_nothing(drawn, where):
    cube, spectra = drawn
    X = with_counts(cube).reshape(-1, cube.shape[-1])
    begin = np.insert(spectra, where, 0, axis=1)
    found = expected_counts(np.insert(X, where, 0, axis=1), begin)
    np.testing.assert_array_equal(found[:, where], 0)
    assert_near(np.delete(found, where, axis=1), expected_counts(X, spectra))


@SETTINGS
@hypothesis.given(maps(), st.integers(0, 4))
def test_PoissonNMF__an_empty_channel_stays_empty_whatever_the_start_says_of_it(drawn, where):
    cube, spectra = drawn
    X = with_counts(cube).reshape(-1, cube.shape[-1])
    begin = np.insert(spectra, where, 0.1, axis=1)
    found = expected_counts(np.insert(X, where, 0, axis=1), begin)
    np.testing.assert_array_equal(found[:, where], 0)
    np.testing.assert_allclose(found.sum(), X.sum())


@pytest.mark.slow
@SETTINGS
@hypothesis.given(maps(), st.integers(1, 5))
def test_properties__the_number_of_threads_changes_no_bit(drawn, n_jobs):
    cube, _ = drawn
    hypothesis.assume((cube.sum(axis=-1) > 0).sum() >= K)
    models = [PSNMF(K, binning=1, max_iter=5, tol=1.0, n_jobs=n) for n in (1, n_jobs)]
    one, other = (model.fit_transform(cube) for model in models)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(models[0].components_, models[1].components_)
