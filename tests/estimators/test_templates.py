# SPDX-License-Identifier: GPL-3.0-or-later
"""`PSNMF` with templates: a map of 10 x 6 pixels (y, x), 47 channels."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from hyperspy_psnmf import PSNMF
from hyperspy_psnmf.nmf.lines.templates import Templates
from tests.helpers.problems import angles, make_cube
from tests.nmf.lines.line_problems import N_CHANNELS, make_counts, make_templates

SHAPE = (10, 6)
COUNTS, LOADINGS, TRUTH = make_counts(counts=600.0)
CUBE = COUNTS.astype(int).reshape(*SHAPE, N_CHANNELS)
MODEL = PSNMF(2, binning=1, templates=make_templates())


def test_templates__phases_are_found():
    model = clone(MODEL)
    W = model.fit_transform(CUBE)
    assert angles(model.components_, TRUTH.H).max() < 3
    np.testing.assert_allclose(model.components_.sum(axis=1), 1.0)
    np.testing.assert_allclose(W.sum(), CUBE.sum(), rtol=1e-9)
    assert (np.diff(W.sum(axis=0)) <= 0).all()
    assert model.converged_ == (model.kkt_residual_ <= model.tol)


@pytest.mark.parametrize("energy_binning", [1, 3])
def test_templates__weights_are_those_of_the_components_in_their_order(energy_binning):
    model = clone(MODEL).set_params(energy_binning=energy_binning).fit(CUBE)
    weights = model.template_weights_
    assert weights.shape == (2, 7)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (model.prior_weights_ > 0).all()
    from_templates = weights @ make_templates().spectra
    for found, expected in zip(model.components_, from_templates, strict=True):
        assert angles(found[None], expected[None])[0] < 3
    order = np.argmax(TRUTH.H @ model.components_.T, axis=0)
    np.testing.assert_array_equal(weights[:, :5] > 0.03, TRUTH.weights[order, :5] > 0)


def test_templates__an_array_is_of_one_element_each():
    full = make_templates()
    own = Templates(full.spectra, np.empty((0, N_CHANNELS)), np.arange(7))
    given = full.spectra * np.linspace(0.5, 90.0, 7)[:, None]  # of any sum
    one, two = (clone(MODEL).set_params(templates=t).fit(CUBE) for t in (given, own))
    # Rounding of the sums decides where iterations end.
    np.testing.assert_allclose(one.components_, two.components_, rtol=1e-3, atol=1e-6)
    assert angles(one.components_, TRUTH.H).max() < 3
    listed = clone(MODEL).set_params(templates=given.tolist()).fit(CUBE)
    np.testing.assert_array_equal(listed.components_, one.components_)


def test_templates__fixed_spectra_have_no_weights():
    model = clone(MODEL).set_params(fixed_spectra=TRUTH.H[:1]).fit(CUBE)
    np.testing.assert_allclose(model.components_[0], TRUTH.H[0], rtol=1e-12)
    assert model.template_weights_.shape == (1, 7)
    both = clone(MODEL).set_params(fixed_spectra=TRUTH.H).fit(CUBE)
    assert (both.template_weights_, both.prior_weights_) == (None, None)


def test_templates__sparse_maps_and_dense_ones_agree():
    dense = clone(MODEL).fit(CUBE)
    rows = sp.csr_array(CUBE.reshape(-1, N_CHANNELS))
    sparse = clone(MODEL).set_params(navigation_shape=SHAPE).fit(rows)
    np.testing.assert_array_equal(sparse.components_, dense.components_)
    np.testing.assert_array_equal(sparse.prior_weights_, dense.prior_weights_)


def test_templates__same_result_twice_cloned_and_pickled():
    first = clone(MODEL).fit(CUBE)
    for again in (clone(first), pickle.loads(pickle.dumps(MODEL)), clone(clone(MODEL))):
        np.testing.assert_array_equal(again.fit(CUBE).components_, first.components_)
    kept = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(kept.template_weights_, first.template_weights_)
    np.testing.assert_allclose(kept.transform(CUBE), first.transform(CUBE))


@pytest.mark.parametrize("refinement", ["fixed", "joint"])
def test_templates__both_refinements(refinement):
    model = clone(MODEL).set_params(refinement=refinement).fit(CUBE)
    assert angles(model.components_, TRUTH.H).max() < 3


def test_templates__fractions_have_the_default_weight():
    assert (clone(MODEL).fit(0.37 * CUBE).prior_weights_ == 10.0).all()


@pytest.mark.slow
@pytest.mark.parametrize("templates", [None, np.eye(31)])
def test_templates__of_single_channels_are_free_spectra(templates):
    """Templates that can be any spectrum leave what is found to the counts."""
    cube, H = make_cube(counts=400.0)
    model = PSNMF(3, binning=1, templates=templates).fit(cube)
    assert angles(model.components_, H).max() < 6
    assert (model.template_weights_ is None) == (templates is None)
    assert (model.prior_weights_ is None) == (templates is None)


BAD_TEMPLATES = [
    (np.ones((3, 46)), ValueError, "^templates"),
    (np.ones((2, 3, 47)), ValueError, "^templates"),
    (-np.ones((3, 47)), ValueError, "^templates"),
    (np.full((3, 47), np.nan), ValueError, "^templates"),
    (np.zeros((3, 47)), ValueError, "^templates"),
    (np.ones((0, 47)), ValueError, "^templates"),
    (1j * np.ones((3, 47)), TypeError, "^templates"),
    ("Fe", TypeError, "^templates"),
    ([[1, 2], [3]], TypeError, "^templates"),
    (make_templates().binned(2), ValueError, "^templates has 24 channels, and the data 47"),
]


@pytest.mark.parametrize(("templates", "error", "message"), BAD_TEMPLATES, ids=range(10))
def test_templates__bad_ones_are_refused(templates, error, message):
    with pytest.raises(error, match=message):
        PSNMF(2, binning=1, templates=templates).fit(CUBE)


@pytest.mark.parametrize("volume", [0, 0.5])
def test_templates__a_volume_term_is_of_free_spectra(volume):
    with pytest.raises(ValueError, match=f"^volume={volume} needs free spectra"):
        clone(MODEL).set_params(volume=volume).fit(CUBE)


def test_templates__parsimony_decides_for_them():
    with pytest.raises(ValueError, match="parsimony=False needs free spectra"):
        clone(MODEL).set_params(parsimony=False).fit(CUBE)
