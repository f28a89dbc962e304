# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimators given what is no matrix of counts.

Of a matrix scikit-learn says what is wrong, in its own words; what it lets pass, and maps,
are for this package to name.
"""

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf import PSNMF, PoissonNMF

X = np.random.default_rng(0).poisson(2.0, size=(72, 31))
CUBE = X.reshape(8, 9, 31)
RECORD = [("a", "i4")]


# name: (X, exception, what the message must hold)
NO_MATRIX = {
    "None": (None, ValueError, "2D array"),
    "a word": ("X", ValueError, "2D array"),
    "a number": (3.0, ValueError, "2D array"),
    "a vector": (X[0], ValueError, "2D array"),
    "complex": (X * 1j, ValueError, "Complex data"),
    "sparse complex": (sp.csr_array(X * 1j), ValueError, "Complex data"),
    "words": (np.full((4, 5), "a", object), ValueError, "could not convert"),
    "dates": (X.astype("M8[s]"), TypeError, "X must hold real counts"),
    "durations": (X.astype("m8[s]"), TypeError, "X must hold real counts"),
    "records": (np.zeros((4, 5), RECORD), TypeError, "X must hold real counts"),
    "masked": (np.ma.masked_equal(X, 3), TypeError, "X must not be a masked array"),
    "quadruple precision": (X.astype("g"), TypeError, "X must hold real counts"),
    "no rows": (np.zeros((0, 5)), ValueError, "0 sample"),
    "no channels": (np.zeros((5, 0)), ValueError, "0 feature"),
    "sparse negative": (sp.csr_array(-X), ValueError, "Negative values"),
    "huge": (np.full((20, 6), 1e300), ValueError, "X must add up to"),
    "tiny": (np.full((20, 6), 1e-300), ValueError, "X must add up to"),
}
NO_MAP = {
    "complex": (CUBE * 1j, TypeError, "X must hold real counts"),
    "objects": (CUBE.astype(object), TypeError, "X must hold real counts"),
    "dates": (CUBE.astype("M8[s]"), TypeError, "X must hold real counts"),
    "records": (np.zeros((3, 4, 5), RECORD), TypeError, "X must hold real counts"),
    "masked": (np.ma.masked_equal(CUBE, 3), TypeError, "X must not be a masked array"),
    "ragged": ([[[1, 2], [3]]], TypeError, "X must be an array"),
    "four axes": (np.ones((2, 3, 4, 5, 6)), ValueError, "navigation_shape=.* one to 3 axes"),
    "no pixels": (np.zeros((0, 5, 6)), ValueError, "n_samples=0"),
    "no channels": (np.zeros((4, 5, 0)), ValueError, "n_features=0"),
    "huge": (np.full((4, 5, 6), 1e300), ValueError, "X must add up to"),
    "tiny": (np.full((4, 5, 6), 1e-300), ValueError, "X must add up to"),
}


@pytest.fixture(scope="module")
def fitted():
    return {cls: cls(2, max_iter=20, volume=0).fit(X) for cls in (PoissonNMF, PSNMF)}


@pytest.mark.crossed("given", "cls", "method")
@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
@pytest.mark.parametrize(("given", "error", "match"), NO_MATRIX.values(), ids=NO_MATRIX)
def test_PoissonNMF__no_matrix_of_counts(fitted, cls, method, given, error, match):
    if method == "fit":
        with pytest.raises(error, match=match):
            cls(1).fit(given)
    elif "add up" not in match:  # to transform, no sum is too small
        with pytest.raises((error, ValueError)):
            fitted[cls].transform(given)


@pytest.mark.parametrize(("given", "error", "match"), NO_MAP.values(), ids=NO_MAP)
def test_bad_estimator_input__no_map_of_counts(given, error, match):
    with pytest.raises(error, match=match):
        PSNMF(1).fit(given)


def test_PoissonNMF__a_matrix_wants_no_map():
    with pytest.raises(ValueError, match="dim 3"):
        PoissonNMF(2).fit(CUBE)


@pytest.mark.parametrize("given", [CUBE * 1j, np.full((2, 2, 31), None), np.zeros((0, 2, 31))])
def test_PoissonNMF__no_map_to_transform(fitted, given):
    with pytest.raises((TypeError, ValueError), match=r"^X "):
        fitted[PSNMF].transform(given)


NO_LOADINGS = {
    "None": (None, ValueError),
    "a word": ("x", TypeError),
    "other components": (np.ones((3, 5)), ValueError),
    "a vector": (np.ones(2), ValueError),
    "complex": (np.ones((1, 2)) * 1j, TypeError),
    "objects": (np.full((1, 2), "a"), TypeError),
    "ragged": ([[1], [1, 2]], TypeError),
}


@pytest.mark.crossed("given", "cls")
@pytest.mark.parametrize(("given", "error"), NO_LOADINGS.values(), ids=NO_LOADINGS)
@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_PoissonNMF__no_loadings_to_go_back_from(fitted, cls, given, error):
    with pytest.raises(error, match=r"^X must"):
        fitted[cls].inverse_transform(given)


def test_PoissonNMF__loadings_that_are_undetermined_give_counts_that_are_undetermined(fitted):
    assert np.isnan(fitted[PSNMF].inverse_transform([[np.nan, 1.0]])).all()


def test_bad_estimator_input__the_wrong_type_of_absent_is_named():
    with pytest.raises(ValueError, match=r"bool and of shape \(2, 31\), not of int64 and \(2, 31"):
        PSNMF(2, absent=np.zeros((2, 31), np.int64)).fit(CUBE)


BAD_PARAMETERS = [
    ("spatial_prior", -1, ValueError),
    ("spatial_prior", "much", ValueError),
    ("spatial_prior", None, TypeError),
    ("smoothing", -1, ValueError),
    ("smoothing", "x", ValueError),
    ("smoothing", None, TypeError),
    ("smoothing", np.nan, ValueError),
    ("guide", "x", TypeError),
    ("guide", np.ones((3, 4)), ValueError),
    ("guide", [[]], ValueError),
    ("assign_absent", None, TypeError),
    ("assign_absent", 1, TypeError),
    ("assign_absent", "x", TypeError),
    ("assign_absent", np.ones((2, 30)), ValueError),
    ("assign_absent", np.full((2, 31), np.nan), ValueError),
    ("assign_absent", [[1.0], [1.0, 2.0]], TypeError),
    ("absent", [1, 2], ValueError),
    ("absent", "Fe", ValueError),
    ("absent", np.zeros((2, 31), int), ValueError),
    ("absent", np.ones((2, 31), bool), ValueError),
    ("absent", [[True], [True, False]], TypeError),
    ("binning", {2: 3}, (TypeError, ValueError)),
    ("binning", np.nan, TypeError),
    ("binning", np.ones((2, 2), int), TypeError),
    ("navigation_shape", np.nan, TypeError),
    ("navigation_shape", (8, None), TypeError),
    ("n_components", np.array([2]), TypeError),
    ("n_components", np.nan, TypeError),
    ("tol", np.array([1e-3]), ValueError),
    ("init", np.full((2, 31), None), ValueError),
    ("random_state", np.array([0.5]), ValueError),
]


@pytest.mark.spot_checks("name")
@pytest.mark.parametrize(("name", "value", "error"), BAD_PARAMETERS)
def test_bad_estimator_input__a_parameter_that_makes_no_sense_is_named(name, value, error):
    model = PSNMF(2).set_params(**{name: value})
    with pytest.raises(error, match=name):
        model.fit(CUBE)
    assert not hasattr(model, "components_")


@pytest.mark.parametrize("callback", [3, 0, "print", []])
@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_bad_estimator_input__callback_that_cannot_be_called_is_named_before_any_work(
    cls, callback
):
    with pytest.raises(TypeError, match="callback"):
        cls(2).fit(X, callback=callback)


@pytest.mark.crossed("cls", "dtype", "format")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("format", ["coo", "csr", "csc", "bsr", "dia", "dok", "lil"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u8", "?", "f4"])
@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_bad_estimator_input__sparse_matrix_of_any_format_and_type_keeps_its_counts(
    cls, dtype, format
):
    given = sp.coo_array(X.astype(dtype)).asformat(format)
    before = given.toarray()
    found = cls(2, max_iter=3, tol=1.0).fit_transform(given)
    np.testing.assert_allclose(found.sum(), before.sum(dtype=float), rtol=1e-9)
    np.testing.assert_array_equal(given.toarray(), before)
    assert given.dtype == dtype


@pytest.mark.crossed("cls", "dtype", "make")
@pytest.mark.thorough_cases("u8", "f4")  # each is compiled for itself
@pytest.mark.parametrize("make", [sp.coo_array, sp.csr_array, sp.csc_array, sp.coo_matrix])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u8", "f4"])
@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_bad_estimator_input__entries_given_twice_are_added_and_do_not_overflow(cls, dtype, make):
    rows = np.repeat(np.arange(6), 40)
    given = sp.coo_array((np.full(240, 100, dtype), (rows, rows % 5)), shape=(6, 5))
    if make is sp.csr_array:
        given = sp.csr_array((given.data, rows % 5, np.arange(0, 241, 40)), shape=(6, 5))
    elif make is sp.csc_array:
        at = np.argsort(rows % 5, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(rows % 5))])
        given = sp.csc_array((given.data, rows[at], ends), shape=(6, 5))
    assert given.nnz == 240
    found = cls(1).fit_transform(make(given) if make is sp.coo_matrix else given)
    np.testing.assert_allclose(found[:, 0], np.full(6, 4000.0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 31), (72, 1)])
@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
def test_bad_estimator_input__one_row_or_one_channel_is_one_component(cls, shape):
    counts = X[: shape[0], : shape[1]] + 1
    model = cls(1)
    np.testing.assert_allclose(model.fit_transform(counts).sum(), counts.sum())
    np.testing.assert_allclose(model.components_.sum(), 1)
    with pytest.raises(ValueError, match="n_components=2"):
        cls(2).fit(counts)
