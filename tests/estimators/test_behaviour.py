# SPDX-License-Identifier: GPL-3.0-or-later
"""How the estimators behave: as scikit-learn's, and at the borders of what is possible."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from hyperspy_psnmf import PSNMF, PoissonNMF
from tests.helpers.problems import MAP_SHAPE as SHAPE
from tests.helpers.problems import make_cube, make_matrix


def differs_by_neighbours(estimator):
    """Neighbours take part in `fit_transform`, but not in `transform`, which knows of no map."""
    if getattr(estimator, "smoothing", 0) == 0:
        return {}
    return dict.fromkeys(
        ["check_transformer_general", "check_transformer_data_not_an_array"],
        differs_by_neighbours.__doc__,
    )


# Kernels are compiled anew for memory that is read only and for long indices.
@pytest.mark.slow("each case")
@pytest.mark.thorough_cases("pickle(readonly_memmap=True)", "check_estimator_sparse_array")
@parametrize_with_checks(
    [PoissonNMF(2), PSNMF(2), PSNMF(2, volume=0, smoothing=0)],
    expected_failed_checks=differs_by_neighbours,
)
def test_estimators__scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2)])
@pytest.mark.parametrize("init", ["nndsvdar", "random"])
def test_estimators__the_same_seed_gives_the_same_result(model, init):
    X = make_matrix(seed=9)
    one, two = (clone(model).set_params(init=init, random_state=3).fit(X) for _ in range(2))
    np.testing.assert_array_equal(one.components_, two.components_)
    again = one.components_.copy()
    np.testing.assert_array_equal(one.fit(X).components_, again)


SEEDS = [None, 7, np.random.default_rng(0), np.random.RandomState(0)]


@pytest.mark.parametrize("model", [PoissonNMF(2), PSNMF(2)])
def test_estimators__a_RandomState_is_drawn_from_once_and_not_to_check_parameters(model):
    given, expected = np.random.RandomState(0), np.random.RandomState(0)
    with pytest.raises(ValueError, match="tol"):
        clone(model).set_params(random_state=given, tol=-1.0).fit(make_matrix())
    model = clone(model)
    model.random_state = given  # not cloned
    model.fit(make_matrix())
    expected.randint(2**31)
    assert given.randint(2**31) == expected.randint(2**31)


@pytest.mark.parametrize("random_state", SEEDS)
def test_PoissonNMF__a_seed_may_be_of_any_usual_kind(random_state):
    PoissonNMF(2, init="random", random_state=random_state).fit(make_matrix())


@pytest.mark.slow
@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2)])
def test_parallel__the_number_of_threads_changes_no_bit(model, many_blocks):
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
    "parsimony": False,
    "volume": 0.5,
    "line_width": 5,
    "absent": np.zeros((4, 31), bool),
    "assign_absent": True,
    "templates": np.eye(31)[:4],
    "refinement": "joint",
    "smoothing": 0.5,
    "guide": np.ones(SHAPE),
    "max_iter": 7,
    "tol": 0.1,
    "random_state": 3,
    "n_jobs": 2,
    "spatial_prior": 0.5,
}


@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_estimators__parameters_are_kept_as_given_and_cloned(cls):
    given = {n: v for n, v in PARAMETERS.items() if n in cls(2).get_params()}
    model = cls(**given)
    for found in (model, clone(model), cls(2).set_params(**given)):
        for name, value in found.get_params().items():
            np.testing.assert_array_equal(value, given[name])


@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_estimators__every_parameter_but_the_first_must_be_named(cls):
    with pytest.raises(TypeError):
        cls(2, "random")


@pytest.mark.parametrize("model", [PoissonNMF(3), PSNMF(3, binning=2, navigation_shape=SHAPE)])
def test_estimators__a_fitted_model_survives_pickling(model):
    X = make_matrix(seed=11)
    model = clone(model).fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert again.converged_ is model.converged_


def test_PoissonNMF__it_works_in_a_pipeline_and_names_its_outputs():
    pipeline = make_pipeline(FunctionTransformer(), PoissonNMF(3))
    assert pipeline.fit_transform(make_matrix()).shape == (72, 3)
    names = pipeline[-1].get_feature_names_out()
    assert names.tolist() == ["poissonnmf0", "poissonnmf1", "poissonnmf2"]


@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_estimators__stopping_early_warns(cls):
    model = cls(3, volume=0, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="did not converge in max_iter=1") as record:
        model.fit_transform(make_matrix())
    assert record[0].filename == __file__
    assert model.n_iter_ == 1
    assert not model.converged_


@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_estimators__before_fitting_there_is_nothing_to_transform_with(cls, method):
    with pytest.raises(NotFittedError):
        getattr(cls(3), method)(make_matrix())


@pytest.mark.parametrize("shape", [(4, 30), (2, 2, 30)])
def test_estimators__other_channels_than_in_fit_are_an_error(shape):
    model = PSNMF(3).fit(make_matrix())
    with pytest.raises(ValueError, match=r"30 .*expect.* 31"):
        model.transform(np.ones(shape))


def test_estimators__an_empty_pixel_is_transformed_to_zeros():
    model = PSNMF(3).fit(make_matrix())
    X = np.zeros((5, 31))
    assert not model.transform(X).any()
    X[2, 7] = 3
    assert model.transform(X).sum(axis=1).tolist() == pytest.approx([0, 0, 3, 0, 0])


def test_PoissonNMF__the_callback_gets_the_step():
    for model, steps in [(PoissonNMF(3), {"factorise"}), (PSNMF(3), {"bin", "binned map"})]:
        seen = set()
        model.fit(make_matrix(), callback=lambda step, n, residual, seen=seen: seen.add(step))
        assert steps <= seen


def test_estimators__with_all_components_fixed_it_has_converged_at_once():
    cube, H = make_cube(seed=12)
    model = PSNMF(3, fixed_spectra=5 * H, binning=2).fit(cube)
    assert (model.n_iter_, model.kkt_residual_, model.converged_) == (0, 0.0, True)
    np.testing.assert_allclose(model.components_, H, rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 9), (3, 9), (1, 2, 9), (2, 1, 9), (2, 1, 2, 9)])
def test_estimators__tiny_maps_are_fitted(shape):
    cube = np.random.default_rng(13).poisson(4.0, size=shape)
    assert PSNMF(2).fit_transform(cube).sum() == pytest.approx(cube.sum(), rel=1e-12)
    W = PSNMF(2, smoothing=0).fit_transform(cube)
    np.testing.assert_allclose(W.sum(axis=1), cube.reshape(-1, 9).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        PoissonNMF(3),
        PoissonNMF(3, volume=0.5),
        PSNMF(3, smoothing=0),
        PSNMF(3, smoothing=0, refinement="joint"),
    ],
)
def test_estimators__more_components_than_the_data_have_do_no_harm(model):
    X = np.outer(np.arange(1, 13), np.arange(7))
    W = model.fit_transform(X)
    np.testing.assert_allclose(W @ model.components_, X, atol=0.5)
    np.testing.assert_allclose(model.components_.sum(axis=1), 1)
