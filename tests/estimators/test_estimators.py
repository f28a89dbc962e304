# SPDX-License-Identifier: GPL-3.0-or-later
"""What the estimators return."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import kl_div
from sklearn.base import clone

import hyperspy_psnmf
from hyperspy_psnmf import PSNMF, PoissonNMF, estimators
from hyperspy_psnmf.nmf.binning.bins import PixelBins
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from tests.helpers.problems import MAP_SHAPE as SHAPE
from tests.helpers.problems import angles, make_cube, make_matrix, planted
from tests.nmf.method.run_psnmf import run_psnmf

WITHOUT_NEIGHBOURS = PSNMF(3, binning=2, navigation_shape=SHAPE, smoothing=0)


def test_PoissonNMF__the_names_are_public():
    assert hyperspy_psnmf.PSNMF is estimators.PSNMF
    assert hyperspy_psnmf.PoissonNMF is estimators.PoissonNMF


def test_poisson_nmf__is_the_function():
    X = make_matrix()
    model = PoissonNMF(3, random_state=5)
    W = model.fit_transform(X)
    counts = X.astype(float) if np.mean(X > 0) > 0.25 else count_matrix(X)
    H = initial_spectra(counts, 3, "nndsvdar", np.random.default_rng(5))
    fit = poisson_nmf(counts, H)
    loadings = solve_loadings(counts, fit.H, fit.W)
    order = np.argsort(-loadings.sum(axis=0))
    np.testing.assert_array_equal(model.components_, fit.H[order])
    np.testing.assert_array_equal(W, loadings[:, order])
    assert (model.n_iter_, model.converged_) == (fit.n_iter, True)
    assert model.kkt_residual_ == fit.kkt_residual


@pytest.mark.parametrize("refinement", ["fixed", "joint"])
def test_psnmf__is_the_function(refinement):
    cube, H = make_cube()
    options = {"energy_binning": 2, "fixed_spectra": H[:1], "refinement": refinement}
    model = PSNMF(3, binning=(2, 3), random_state=5, **options)
    W = model.fit_transform(cube)
    options["fixed_spectra"] = H[:1] / H[:1].sum()
    found = run_psnmf(
        count_matrix(cube), 3, PixelBins(SHAPE, (2, 3)), smoothing=1.0, seed=5, **options
    )
    np.testing.assert_array_equal(model.components_, found.H)
    np.testing.assert_array_equal(W, found.W)
    np.testing.assert_array_equal(model.binned_loadings_, found.binned_W.reshape(4, 3, 3))
    assert model.binning_ == (2, 3)
    assert model.n_iter_ == found.binned_fit.n_iter


@pytest.mark.parametrize("model", [PoissonNMF(3), WITHOUT_NEIGHBOURS])
def test_estimators__phases_are_found_in_order_and_every_count_is_kept(model):
    X, H = make_matrix(), make_cube()[1]
    W = clone(model).fit_transform(X)
    model = clone(model).fit(X)
    assert angles(model.components_, H).max() < 8
    assert (np.diff(W.sum(axis=0)) <= 0).all()
    np.testing.assert_allclose(W.sum(axis=1), X.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(model.components_.sum(axis=1), 1)
    expected = kl_div(X, model.inverse_transform(W)).sum()
    assert model.reconstruction_err_ == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("model", [PoissonNMF(3), WITHOUT_NEIGHBOURS])
def test_estimators__transforming_the_training_data_gives_what_fitting_gave(model):
    X = make_matrix(seed=1)
    W = model.fit_transform(X)
    np.testing.assert_allclose(model.transform(X), W, atol=0.1)
    np.testing.assert_allclose(model.transform(sp.csr_array(X)), W, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "convert", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix, sp.csc_matrix]
)
@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2, navigation_shape=SHAPE)])
def test_estimators__sparse_input_gives_what_dense_input_gives(model, convert):
    X = make_matrix(seed=2)
    dense, sparse = clone(model).set_params(tol=1e-7), clone(model).set_params(tol=1e-7)
    W = dense.fit_transform(X)
    np.testing.assert_allclose(sparse.fit_transform(convert(X)), W, atol=0.1)
    np.testing.assert_allclose(sparse.components_, dense.components_, atol=1e-4)


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">i4", "u8", "f2", "f4", ">f8"])
@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2, navigation_shape=SHAPE)])
def test_estimators__counts_may_have_any_real_type(model, dtype):
    X = make_matrix(seed=3).astype(dtype)
    expected = clone(model).fit_transform(X.astype(float))
    np.testing.assert_allclose(clone(model).fit_transform(X), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["?", "u1", ">i4", "f2", "f4", ">f8", ">f2"])
def test_estimators__a_map_may_have_any_real_type_and_memory_order(dtype):
    cube = make_cube(seed=3)[0].astype(dtype)
    model = PSNMF(3, binning=2)
    expected = clone(model).fit_transform(cube.astype(float))
    for same in (cube, np.asfortranarray(cube), cube.tolist()):
        np.testing.assert_allclose(clone(model).fit_transform(same), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.thorough  # compiles kernels; entries given twice are in tests/trust too
def test_PoissonNMF__sparse_duplicates_of_small_integers_do_not_overflow():
    X = make_matrix(seed=4).astype(np.uint8) + np.uint8(10)
    twice = sp.csr_array(
        (
            np.full(2 * X.size, 127, np.uint8),
            np.repeat(np.tile(np.arange(31, dtype="i4"), 72), 2),
            np.arange(0, 2 * X.size + 1, 62, dtype="i4"),
        ),
        shape=X.shape,
    )
    twice.data[:2] = 200
    W = PoissonNMF(1).fit_transform(twice)
    np.testing.assert_allclose(W[:, 0], np.r_[400 + 30 * 254, np.full(71, 31 * 254)])


@pytest.mark.parametrize("navigation_shape", [SHAPE, list(SHAPE), np.array(SHAPE)])
def test_estimators__a_map_equals_a_matrix_with_its_shape(navigation_shape):
    cube, _ = make_cube(seed=5)
    X = cube.reshape(72, 31)
    expected = PSNMF(3, binning=(2, 3)).fit_transform(cube)
    by_parameter = PSNMF(3, binning=(2, 3), navigation_shape=navigation_shape)
    np.testing.assert_array_equal(by_parameter.fit_transform(X), expected)
    np.testing.assert_array_equal(by_parameter.fit_transform(sp.csr_array(X)), expected)
    by_argument = PSNMF(3, binning=(2, 3), navigation_shape=(1, 1))
    found = by_argument.fit_transform(X, navigation_shape=navigation_shape)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(72,), SHAPE])
def test_estimators__pixels_left_out_are_no_measurements(shape):
    cube, _ = make_cube(seed=5)
    used = np.ones(SHAPE, bool)
    used[2:4, 3:6] = False
    cube[~used] = 0
    model = PSNMF(3, binning=2)
    W = model.fit_transform(cube, used_pixels=used.reshape(shape)).reshape(*SHAPE, 3)
    assert (W[~used] == 0).all()
    np.testing.assert_array_equal(model.n_averaged_.reshape(SHAPE) > 0, used)
    assert (PSNMF(3, binning=2).fit(cube).n_averaged_ > 0).all()


def test_estimators__a_matrix_without_a_shape_is_a_line():
    model = PSNMF(3, binning=4).fit(make_matrix())
    assert model.binning_ == (4,)
    assert model.binned_loadings_.shape == (18, 3)


@pytest.mark.parametrize("shape", [(240, 1), (1, 240)])
@pytest.mark.parametrize("binning", ["auto", 4])
def test_estimators__a_map_of_one_row_or_column_is_a_line(shape, binning):
    cube, _, _ = planted((15, 16), counts=1500.0, seed=2)
    X = cube.reshape(240, -1)
    options = {"binning": binning, "guide": X.sum(axis=1)}
    line = PSNMF(3, **options)
    expected = line.fit_transform(X)
    model = PSNMF(3, **{**options, "guide": options["guide"].reshape(shape)})
    np.testing.assert_array_equal(model.fit_transform(X.reshape(*shape, -1)), expected)
    np.testing.assert_array_equal(model.components_, line.components_)
    assert max(model.binning_) == line.binning_[0] > 1


def test_estimators__an_int_bins_the_last_two_axes_of_a_map():
    cube = np.random.default_rng(6).poisson(2.0, size=(3, 4, 5, 7))
    model = PSNMF(2, binning=2).fit(cube)
    assert model.binning_ == (1, 2, 2)
    assert model.binned_loadings_.shape == (3, 2, 3, 2)
    assert model.transform(cube).shape == (60, 2)


@pytest.mark.parametrize("energy_binning", [1, 3])
@pytest.mark.parametrize("n_fixed", [0, 1])
def test_estimators__a_search_may_start_from_given_components(energy_binning, n_fixed):
    cube, H = make_cube(seed=7)
    fixed = H[:n_fixed] if n_fixed else None
    model = PSNMF(3, binning=2, init=H, fixed_spectra=fixed, energy_binning=energy_binning)
    assert angles(model.fit(cube).components_, H).max() < 8


def test_PoissonNMF__components_to_start_from_may_have_any_scale_and_are_not_changed():
    X, H = make_matrix(seed=8), make_cube(seed=8)[1]
    scaled = H * np.array([[3.0], [50.0], [1e4]])
    before = scaled.copy()
    one, other = PoissonNMF(3, init=H).fit(X), PoissonNMF(3, init=scaled).fit(X)
    np.testing.assert_array_equal(scaled, before)
    np.testing.assert_allclose(one.components_, other.components_, atol=1e-4)


@pytest.mark.parametrize("init", ["auto", "vertex"])
def test_estimators__every_way_to_start_finds_the_phases(init):
    cube, H = make_cube(seed=14)
    assert angles(PSNMF(3, binning=2, init=init).fit(cube).components_, H).max() < 8


def test_PoissonNMF__a_weight_draws_the_components_together():
    X = make_matrix(seed=15)
    dets = []
    for volume in (0, 0.5, 5.0):
        H = PoissonNMF(3, volume=volume).fit(X).components_
        dets.append(np.linalg.det(H @ H.T))
    assert (np.diff(dets) < 0).all()


def test_estimators__what_parsimony_decided_is_reported_and_without_it_is_zero():
    cube, _ = make_cube(seed=16)
    for volume in (0, 0.5, None):
        model = PSNMF(3, binning=2, volume=volume).fit(cube)
        assert model.added_.shape == model.removed_.shape == (3, 3)
        if volume is not None:
            assert not model.added_.any()
            assert not model.removed_.any()
