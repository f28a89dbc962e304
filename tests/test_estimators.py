# SPDX-License-Identifier: GPL-3.0-or-later
import doctest
import importlib
import pickle
import pkgutil

import numpy as np
import pytest
import scipy.sparse as sp
from problems import angles, planted
from scipy.special import kl_div
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import hyperspy_psnmf
from hyperspy_psnmf import PSNMF, PoissonNMF, estimators
from hyperspy_psnmf.nmf.bins import PixelBins
from hyperspy_psnmf.nmf.convex import solve_loadings
from hyperspy_psnmf.nmf.counts import count_matrix
from hyperspy_psnmf.nmf.initialise import initial_spectra
from hyperspy_psnmf.nmf.psnmf import psnmf
from hyperspy_psnmf.nmf.solve import poisson_nmf

SHAPE = (8, 9)


def make_cube(seed=0, counts=80.0):
    """Return counts (8, 9, 31) and the true spectra (3, 31)."""
    cube, _, H = planted(SHAPE, n_channels=31, counts=counts, seed=seed)
    return cube, H


def make_matrix(seed=0):
    return make_cube(seed)[0].reshape(72, 31)


def differs_by_neighbours(estimator):
    """Neighbours take part in `fit_transform`, but not in `transform`, which knows of no map."""
    if getattr(estimator, "spatial_prior", 0) == 0:
        return {}
    return dict.fromkeys(
        ["check_transformer_general", "check_transformer_data_not_an_array"],
        differs_by_neighbours.__doc__,
    )


@parametrize_with_checks(
    [PoissonNMF(2), PSNMF(2), PSNMF(2, volume=0, spatial_prior=0)],
    expected_failed_checks=differs_by_neighbours,
)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


WITHOUT_NEIGHBOURS = PSNMF(3, binning=2, navigation_shape=SHAPE, spatial_prior=0)


def names_of_modules():
    found = pkgutil.walk_packages(getattr(estimators, "__path__", []), "hyperspy_psnmf.estimators.")
    return ["hyperspy_psnmf.estimators", *(module.name for module in found)]


def test_the_examples_in_the_docstrings_hold():
    results = [doctest.testmod(importlib.import_module(name)) for name in names_of_modules()]
    assert sum(r.attempted for r in results) >= 10
    assert not any(r.failed for r in results)


def test_the_names_are_public():
    assert hyperspy_psnmf.PSNMF is estimators.PSNMF
    assert hyperspy_psnmf.PoissonNMF is estimators.PoissonNMF


# What the estimators return


def test_poisson_nmf_is_the_function():
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
def test_psnmf_is_the_function(refinement):
    cube, H = make_cube()
    options = {"energy_binning": 2, "fixed_spectra": H[:1], "refinement": refinement}
    model = PSNMF(3, binning=(2, 3), random_state=5, **options)
    W = model.fit_transform(cube)
    options["fixed_spectra"] = H[:1] / H[:1].sum()
    found = psnmf(
        count_matrix(cube),
        3,
        PixelBins(SHAPE, (2, 3)),
        prior="auto",
        rng=np.random.default_rng(5),
        **options,
    )
    np.testing.assert_array_equal(model.components_, found.H)
    np.testing.assert_array_equal(W, found.W)
    np.testing.assert_array_equal(model.binned_loadings_, found.binned_W.reshape(4, 3, 3))
    assert model.binning_ == (2, 3)
    assert model.n_iter_ == found.binned_fit.n_iter


@pytest.mark.parametrize("model", [PoissonNMF(3), WITHOUT_NEIGHBOURS])
def test_phases_are_found_in_order_and_every_count_is_kept(model):
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
def test_transforming_the_training_data_gives_what_fitting_gave(model):
    X = make_matrix(seed=1)
    W = model.fit_transform(X)
    np.testing.assert_allclose(model.transform(X), W, atol=0.1)
    np.testing.assert_allclose(model.transform(sp.csr_array(X)), W, atol=0.1)


@pytest.mark.parametrize(
    "convert", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix, sp.csc_matrix]
)
@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2, navigation_shape=SHAPE)])
def test_sparse_input_gives_what_dense_input_gives(model, convert):
    X = make_matrix(seed=2)
    dense, sparse = clone(model).set_params(tol=1e-7), clone(model).set_params(tol=1e-7)
    W = dense.fit_transform(X)
    np.testing.assert_allclose(sparse.fit_transform(convert(X)), W, atol=0.1)
    np.testing.assert_allclose(sparse.components_, dense.components_, atol=1e-4)


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">i4", "u8", "f2", "f4", ">f8"])
@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2, navigation_shape=SHAPE)])
def test_counts_may_have_any_real_type(model, dtype):
    X = make_matrix(seed=3).astype(dtype)
    expected = clone(model).fit_transform(X.astype(float))
    np.testing.assert_allclose(clone(model).fit_transform(X), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["?", "u1", ">i4", "f2", "f4", ">f8", ">f2"])
def test_a_map_may_have_any_real_type_and_memory_order(dtype):
    cube = make_cube(seed=3)[0].astype(dtype)
    model = PSNMF(3, binning=2)
    expected = clone(model).fit_transform(cube.astype(float))
    for same in (cube, np.asfortranarray(cube), cube.tolist()):
        np.testing.assert_allclose(clone(model).fit_transform(same), expected, rtol=1e-6, atol=1e-6)


def test_sparse_duplicates_of_small_integers_do_not_overflow():
    X = make_matrix(seed=4).astype(np.uint8) + np.uint8(10)
    twice = sp.csr_array(
        (
            np.full(2 * X.size, 127, np.uint8),
            np.repeat(np.tile(np.arange(31), 72), 2),
            np.arange(0, 2 * X.size + 1, 62),
        ),
        shape=X.shape,
    )
    twice.data[:2] = 200
    W = PoissonNMF(1).fit_transform(twice)
    np.testing.assert_allclose(W[:, 0], np.r_[400 + 30 * 254, np.full(71, 31 * 254)])


@pytest.mark.parametrize("navigation_shape", [SHAPE, list(SHAPE), np.array(SHAPE)])
def test_a_map_equals_a_matrix_with_its_shape(navigation_shape):
    cube, _ = make_cube(seed=5)
    X = cube.reshape(72, 31)
    expected = PSNMF(3, binning=(2, 3)).fit_transform(cube)
    by_parameter = PSNMF(3, binning=(2, 3), navigation_shape=navigation_shape)
    np.testing.assert_array_equal(by_parameter.fit_transform(X), expected)
    np.testing.assert_array_equal(by_parameter.fit_transform(sp.csr_array(X)), expected)
    by_argument = PSNMF(3, binning=(2, 3), navigation_shape=(1, 1))
    found = by_argument.fit_transform(X, navigation_shape=navigation_shape)
    np.testing.assert_array_equal(found, expected)


def test_a_matrix_without_a_shape_is_a_line():
    model = PSNMF(3, binning=4).fit(make_matrix())
    assert model.binning_ == (4,)
    assert model.binned_loadings_.shape == (18, 3)


def test_an_int_bins_the_last_two_axes_of_a_map():
    cube = np.random.default_rng(6).poisson(2.0, size=(3, 4, 5, 7))
    model = PSNMF(2, binning=2).fit(cube)
    assert model.binning_ == (1, 2, 2)
    assert model.binned_loadings_.shape == (3, 2, 3, 2)
    assert model.transform(cube).shape == (60, 2)


@pytest.mark.parametrize("energy_binning", [1, 3])
@pytest.mark.parametrize("n_fixed", [0, 1])
def test_a_search_may_start_from_given_components(energy_binning, n_fixed):
    cube, H = make_cube(seed=7)
    fixed = H[:n_fixed] if n_fixed else None
    model = PSNMF(3, binning=2, init=H, fixed_spectra=fixed, energy_binning=energy_binning)
    assert angles(model.fit(cube).components_, H).max() < 8


def test_components_to_start_from_may_have_any_scale_and_are_not_changed():
    X, H = make_matrix(seed=8), make_cube(seed=8)[1]
    scaled = H * np.array([[3.0], [50.0], [1e4]])
    before = scaled.copy()
    one, other = PoissonNMF(3, init=H).fit(X), PoissonNMF(3, init=scaled).fit(X)
    np.testing.assert_array_equal(scaled, before)
    np.testing.assert_allclose(one.components_, other.components_, atol=1e-4)


@pytest.mark.parametrize("init", ["auto", "vertex"])
def test_every_way_to_start_finds_the_phases(init):
    cube, H = make_cube(seed=14)
    assert angles(PSNMF(3, binning=2, init=init).fit(cube).components_, H).max() < 8


def test_a_weight_draws_the_components_together():
    X = make_matrix(seed=15)
    dets = []
    for volume in (0, 0.5, 5.0):
        H = PoissonNMF(3, volume=volume).fit(X).components_
        dets.append(np.linalg.det(H @ H.T))
    assert (np.diff(dets) < 0).all()


def test_what_parsimony_decided_is_told_and_without_it_is_zero():
    cube, _ = make_cube(seed=16)
    for volume in (0, 0.5, "auto"):
        model = PSNMF(3, binning=2, volume=volume).fit(cube)
        assert model.added_.shape == model.removed_.shape == (3, 3)
        if volume != "auto":
            assert not model.added_.any()
            assert not model.removed_.any()


# How they behave


@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2)])
@pytest.mark.parametrize("init", ["nndsvdar", "random"])
def test_the_same_seed_gives_the_same_result(model, init):
    X = make_matrix(seed=9)
    one, two = (clone(model).set_params(init=init, random_state=3).fit(X) for _ in range(2))
    np.testing.assert_array_equal(one.components_, two.components_)
    again = one.components_.copy()
    np.testing.assert_array_equal(one.fit(X).components_, again)


SEEDS = [None, 7, np.random.default_rng(0), np.random.RandomState(0)]


@pytest.mark.parametrize("random_state", SEEDS)
def test_a_seed_may_be_of_any_usual_kind(random_state):
    PoissonNMF(2, init="random", random_state=random_state).fit(make_matrix())


@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2)])
def test_the_number_of_threads_changes_no_bit(model, many_blocks):
    X = make_matrix(seed=10)
    results = [clone(model).set_params(n_jobs=n).fit_transform(X) for n in (1, 4, None, -1)]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


PARAMETERS = {
    "n_components": 4,
    "navigation_shape": SHAPE,
    "binning": (2, 3),
    "energy_binning": 2,
    "init": "random",
    "fixed_spectra": np.ones((1, 31)),
    "volume": 0.5,
    "line_width": 5,
    "absent": np.zeros((4, 31), bool),
    "refinement": "joint",
    "spatial_prior": 0.5,
    "max_iter": 7,
    "tol": 0.1,
    "random_state": 3,
    "n_jobs": 2,
}


@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_parameters_are_kept_as_given_and_cloned(cls):
    given = {n: v for n, v in PARAMETERS.items() if n in cls(2).get_params()}
    model = cls(**given)
    for found in (model, clone(model), cls(2).set_params(**given)):
        for name, value in found.get_params().items():
            np.testing.assert_array_equal(value, given[name])


@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_every_parameter_but_the_first_must_be_named(cls):
    with pytest.raises(TypeError):
        cls(2, "random")


@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2, navigation_shape=SHAPE)])
def test_a_fitted_model_survives_pickling(model):
    X = make_matrix(seed=11)
    model = clone(model).fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert again.converged_ is model.converged_


def test_it_works_in_a_pipeline_and_names_its_outputs():
    pipeline = make_pipeline(FunctionTransformer(), PoissonNMF(3))
    assert pipeline.fit_transform(make_matrix()).shape == (72, 3)
    names = pipeline[-1].get_feature_names_out()
    assert names.tolist() == ["poissonnmf0", "poissonnmf1", "poissonnmf2"]


@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_stopping_early_warns(cls):
    model = cls(3, volume=0, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="did not converge in max_iter=1") as record:
        model.fit_transform(make_matrix())
    assert record[0].filename == __file__
    assert model.n_iter_ == 1
    assert not model.converged_


@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_before_fitting_there_is_nothing_to_transform_with(cls, method):
    with pytest.raises(NotFittedError):
        getattr(cls(3), method)(make_matrix())


@pytest.mark.parametrize("shape", [(4, 30), (2, 2, 30)])
def test_other_channels_than_in_fit_are_an_error(shape):
    model = PSNMF(3).fit(make_matrix())
    with pytest.raises(ValueError, match=r"30 .*expect.* 31"):
        model.transform(np.ones(shape))


def test_an_empty_pixel_is_transformed_to_zeros():
    model = PSNMF(3).fit(make_matrix())
    X = np.zeros((5, 31))
    assert not model.transform(X).any()
    X[2, 7] = 3
    assert model.transform(X).sum(axis=1).tolist() == pytest.approx([0, 0, 3, 0, 0])


def test_the_callback_is_told_the_step():
    for model, steps in [(PoissonNMF(3), {"factorise"}), (PSNMF(3), {"bin", "binned map"})]:
        seen = set()
        model.fit(make_matrix(), callback=lambda step, n, residual, seen=seen: seen.add(step))
        assert steps <= seen


def test_with_all_components_known_it_has_converged_at_once():
    cube, H = make_cube(seed=12)
    model = PSNMF(3, fixed_spectra=5 * H, binning=2).fit(cube)
    assert (model.n_iter_, model.kkt_residual_, model.converged_) == (0, 0.0, True)
    np.testing.assert_allclose(model.components_, H, rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 9), (3, 9), (1, 2, 9), (2, 1, 9), (2, 1, 2, 9)])
def test_tiny_maps_are_fitted(shape):
    cube = np.random.default_rng(13).poisson(4.0, size=shape)
    assert PSNMF(2).fit_transform(cube).sum() == pytest.approx(cube.sum(), rel=1e-12)
    W = PSNMF(2, spatial_prior=0).fit_transform(cube)
    np.testing.assert_allclose(W.sum(axis=1), cube.reshape(-1, 9).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        PoissonNMF(3),
        PoissonNMF(3, volume=0.5),
        PSNMF(3, spatial_prior=0),
        PSNMF(3, spatial_prior=0, refinement="joint"),
    ],
)
def test_more_components_than_the_data_have_do_no_harm(model):
    X = np.outer(np.arange(1, 13), np.arange(7))
    W = model.fit_transform(X)
    np.testing.assert_allclose(W @ model.components_, X, atol=0.5)
    np.testing.assert_allclose(model.components_.sum(axis=1), 1)


# What is refused: (argument, value, error)

BAD_COMMON = [
    ("n_components", 2.0, TypeError),
    ("n_components", "2", TypeError),
    ("n_components", True, TypeError),
    ("n_components", None, TypeError),
    ("n_components", 0, ValueError),
    ("n_components", -1, ValueError),
    ("n_components", 32, ValueError),
    ("init", "nndsvd", ValueError),
    ("init", "Vertex", ValueError),
    ("init", None, ValueError),
    ("init", 3.0, ValueError),
    ("init", [["a"] * 31] * 3, TypeError),
    ("init", np.full((3, 31), 1 + 2j), TypeError),
    ("init", np.ones((3, 30)), ValueError),
    ("init", np.ones((2, 31)), ValueError),
    ("init", np.ones(31), ValueError),
    ("init", np.full((3, 31), -1.0), ValueError),
    ("init", np.full((3, 31), np.nan), ValueError),
    ("init", np.full((3, 31), np.inf), ValueError),
    ("init", np.zeros((3, 31)), ValueError),
    ("max_iter", 2.0, TypeError),
    ("max_iter", None, TypeError),
    ("max_iter", 0, ValueError),
    ("tol", "small", (TypeError, ValueError)),
    ("tol", None, (TypeError, ValueError)),
    ("tol", True, (TypeError, ValueError)),
    ("tol", -1e-9, ValueError),
    ("tol", np.nan, ValueError),
    ("random_state", "seed", (TypeError, ValueError)),
    ("random_state", -1, ValueError),
    ("random_state", 0.5, (TypeError, ValueError)),
    ("volume", -1, ValueError),
    ("volume", -1e-9, ValueError),
    ("volume", np.nan, ValueError),
    ("volume", np.inf, ValueError),
    ("volume", "x", ValueError),
    ("volume", None, TypeError),
    ("volume", True, TypeError),
    ("volume", [0.5], TypeError),
    ("n_jobs", 0, ValueError),
    ("n_jobs", 1.0, TypeError),
    ("n_jobs", "2", TypeError),
    ("n_jobs", True, TypeError),
]
BAD_PSNMF = [
    ("navigation_shape", "map", TypeError),
    ("navigation_shape", 8.5, TypeError),
    ("navigation_shape", (8.0, 9.0), TypeError),
    ("navigation_shape", 0, ValueError),
    ("navigation_shape", (), ValueError),
    ("navigation_shape", (8, -9), ValueError),
    ("navigation_shape", (8, 8), ValueError),
    ("navigation_shape", ((8, 9),), (TypeError, ValueError)),
    ("binning", "automatic", ValueError),
    ("binning", None, TypeError),
    ("binning", 2.0, TypeError),
    ("binning", True, TypeError),
    ("binning", 0, ValueError),
    ("binning", (2, -1), ValueError),
    ("binning", (2, 2.0), TypeError),
    ("binning", (2,), ValueError),
    ("binning", (2, 2, 2), ValueError),
    ("binning", (9, 1), ValueError),
    ("binning", (8, 9), ValueError),
    ("energy_binning", "auto", TypeError),
    ("energy_binning", 2.0, TypeError),
    ("energy_binning", 0, ValueError),
    ("energy_binning", 16, ValueError),
    ("fixed_spectra", "carbon", (TypeError, ValueError)),
    ("fixed_spectra", 1.0, ValueError),
    ("fixed_spectra", np.ones(31), ValueError),
    ("fixed_spectra", np.ones((1, 30)), ValueError),
    ("fixed_spectra", np.ones((0, 31)), ValueError),
    ("fixed_spectra", np.ones((4, 31)), ValueError),
    ("fixed_spectra", -np.ones((1, 31)), ValueError),
    ("fixed_spectra", np.full((1, 31), np.nan), ValueError),
    ("fixed_spectra", np.zeros((1, 31)), ValueError),
    ("fixed_spectra", np.full((1, 31), 1 + 2j), TypeError),
    ("line_width", 0, ValueError),
    ("line_width", -3, ValueError),
    ("line_width", 2.5, TypeError),
    ("line_width", "auto", TypeError),
    ("line_width", None, TypeError),
    ("line_width", True, TypeError),
    ("refinement", "none", ValueError),
    ("refinement", None, (TypeError, ValueError)),
    ("refinement", 1, (TypeError, ValueError)),
]
BAD = [(PoissonNMF, *bad) for bad in BAD_COMMON] + [(PSNMF, *bad) for bad in BAD_COMMON + BAD_PSNMF]


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize(("cls", "name", "value", "error"), BAD)
def test_an_argument_that_makes_no_sense_is_an_error_naming_it(cls, name, value, error):
    cube, _ = make_cube()
    cube = cube if cls is PSNMF else cube.reshape(72, 31)
    model = cls(3).set_params(**{name: value})
    with pytest.raises(error, match=name):
        model.fit(cube)


@pytest.mark.parametrize(("name", "value"), [("init", "auto"), ("volume", "auto")])
def test_a_matrix_has_no_automatic_start_or_volume(name, value):
    with pytest.raises(ValueError, match=name):
        PoissonNMF(3, **{name: value}).fit(make_matrix())


@pytest.mark.parametrize("value", ["map", 8.5, 0, (), (8, 8), (8.0, 9.0)])
def test_a_wrong_shape_given_to_fit_is_an_error_naming_it(value):
    with pytest.raises((TypeError, ValueError), match="navigation_shape"):
        PSNMF(3).fit(make_matrix(), navigation_shape=value)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
@pytest.mark.parametrize("bad", [-1, np.nan, np.inf])
def test_counts_that_are_none_are_an_error(cls, convert, bad):
    X = make_matrix().astype(float)
    X[40, 17] = bad
    with pytest.raises(ValueError, match=r"[Nn]egative|NaN|infinity|finite"):
        cls(3).fit(convert(X))


@pytest.mark.parametrize("bad", [-1, np.nan, np.inf])
def test_a_map_of_counts_that_are_none_is_an_error(bad):
    cube = make_cube()[0].astype(float)
    cube[5, 7, 17] = bad
    with pytest.raises(ValueError, match="X: counts must be finite and not negative"):
        PSNMF(3).fit(cube)
    with pytest.raises(ValueError, match="X: counts must be finite and not negative"):
        PSNMF(3).fit(make_matrix()).transform(cube)


@pytest.mark.parametrize("shape", [(72, 31), (*SHAPE, 31)])
def test_data_without_counts_are_an_error(shape):
    with pytest.raises(ValueError, match="X must have counts"):
        PSNMF(3).fit(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="X must have counts"):
        PoissonNMF(3).fit(np.zeros((72, 31), np.uint8))


@pytest.mark.parametrize("X", [np.ones((3, 4, 5)) * 1j, np.full((3, 4, 5), "a")])
def test_a_map_of_something_else_than_numbers_is_an_error(X):
    with pytest.raises(TypeError, match="X"):
        PSNMF(2).fit(X)
