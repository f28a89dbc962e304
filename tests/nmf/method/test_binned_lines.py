# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2 with templates: 60 rows, 47 channels, 4 elements in 5 lines."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.binning.bins import bin_energy
from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.lines.weights import LineSpectra
from hyperspy_psnmf.nmf.method import binned_lines, many_bins
from hyperspy_psnmf.nmf.method.binned import BinnedSettings, start_spectra
from hyperspy_psnmf.nmf.method.binned_lines import STARTS, factorise_binned_lines
from hyperspy_psnmf.nmf.method.many_bins import factorise_map
from tests.helpers.problems import angles
from tests.nmf.lines.line_problems import (
    N_CHANNELS,
    make_counts,
    make_loadings,
    make_spectra,
    make_templates,
)

OPTIONS = {"max_iter": 200, "tol": 1e-5, "n_jobs": 1}


def factorise(X, k=2, function=factorise_binned_lines, options=OPTIONS, notify=None, **settings):
    given = {"fixed": np.empty((0, X.shape[1])), "templates": make_templates(), **settings}
    notify = notify or (lambda *_: None)
    return function(X, BinnedSettings(k, **given), np.random.default_rng(0), options, notify)


@pytest.mark.parametrize("init", ["auto", "nndsvdar", "vertex", "random", "given"])
def test_factorise_binned_lines__planted_phases_in_order_of_counts(init):
    X, _, truth = make_counts(counts=3000.0)
    X[40:] = 0.0  # the first phase is the larger one
    init = truth.H[::-1].copy() if init == "given" else init
    found = factorise(X, init=init)
    np.testing.assert_array_equal(angles(found.H, truth.H) < 2, True)
    assert found.H[0] @ truth.H[0] > found.H[0] @ truth.H[1]
    assert found.W[:, 0].sum() > found.W[:, 1].sum()
    np.testing.assert_allclose(found.H.sum(axis=1), 1.0)
    np.testing.assert_array_equal(found.fit.spectra.has_element, truth.has_element)
    assert found.simplification is None


@pytest.mark.parametrize("energy_binning", [1, 2, 3])
def test_factorise_binned_lines__channels_are_summed_for_loadings_only(energy_binning):
    X, _, truth = make_counts(counts=3000.0)
    found = factorise(X, energy_binning=energy_binning)
    assert found.H.shape == truth.H.shape
    assert angles(found.H, truth.H).max() < 2
    assert 7 < found.fit.spectra.templates.spectra.shape[1] <= -(-N_CHANNELS // energy_binning)
    coarse = bin_energy(X, energy_binning, n_jobs=1)
    again = factorise(coarse, templates=make_templates().binned(energy_binning))
    np.testing.assert_allclose(found.W, again.W, rtol=0.05, atol=60)


def test_factorise_binned_lines__the_same_twice_and_dense_as_sparse():
    X, _, _ = make_counts(counts=300.0)
    one, two, sparse = factorise(X), factorise(X), factorise(sp.csr_array(X))
    np.testing.assert_array_equal(one.H, two.H)
    np.testing.assert_allclose(sparse.W, one.W, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(sparse.fit.spectra.weights, one.fit.spectra.weights, atol=1e-4)


def test_factorise_binned_lines__fixed_spectra_come_first_and_stay():
    X, _, truth = make_counts(3, counts=3000.0)
    found = factorise(X, 3, fixed=truth.H[1:2], energy_binning=2)
    np.testing.assert_array_equal(found.H[0], truth.H[1])
    assert angles(found.H, truth.H).max() < 3
    assert found.fit.spectra.weights.shape == (2, 7)


def test_factorise_binned_lines__an_absent_line_is_no_part_and_the_order_stays():
    X, _, _ = make_counts(counts=3000.0)
    first = factorise(X)
    matrix = int(first.fit.spectra.weights[1, 0] > 0.2)  # where element 0 is
    absent = np.zeros((2, N_CHANNELS), bool)
    absent[1 - matrix, 17:24] = True  # element 2
    found = factorise(X, absent=absent)
    assert found.fit.spectra.weights[1 - matrix, 3] == 0
    assert found.fit.spectra.weights[matrix, 0] > 0.15
    # The same without saying of which component, which is the one without that line.
    swapped = np.zeros_like(absent)
    swapped[0] = absent[1 - matrix]
    assigned = factorise(X, absent=swapped, assigns_absent=True)
    lost = first.fit.spectra.weights[:, 3]
    assert np.flatnonzero(assigned.absent_rows == 0).tolist() == [int(lost.argmin())]
    # In part of a line's channels it is not excluded.
    absent[:] = False
    absent[1 - matrix, 20:22] = True
    assert factorise(X, absent=absent).fit.spectra.weights[1 - matrix, 3] > 0.2


def test_factorise_binned_lines__right_templates_are_kept_and_wrong_ones_are_not():
    X, _, _ = make_counts(counts=100.0)
    assert np.isinf(factorise(X).prior_weights).mean() > 0.8
    # A line that only the inclusions have and that no template includes.
    W, H = make_loadings(counts=1e4), make_spectra().H.copy()
    H[1, 42:45] += 0.04
    H[1] /= H[1].sum()
    found = factorise(np.random.default_rng(0).poisson(W @ H).astype(float))
    assert (found.prior_weights[42:45] <= 1).all()
    assert angles(found.H, H).max() < 2


def test_factorise_binned_lines__counts_that_no_template_explains_have_spectra():
    X, _, truth = make_counts()
    lines, continuum = truth.templates.lines.copy(), truth.templates.continuum.copy()
    lines[:, 44:], continuum[:, 44:] = 0.0, 0.0
    assert X[:, 44:].sum() > 50
    found = factorise(X, templates=Templates(lines, continuum, truth.templates.elements))
    assert found.H[:, 44:].sum(axis=1).max() > 0
    expected = (found.W @ found.H)[:, 44:]
    assert expected.sum() == pytest.approx(X[:, 44:].sum(), rel=0.3)
    assert (expected[X[:, 44:] > 0] > 0).all()


def test_factorise_binned_lines__without_continuum():
    weights = np.array([[0.5, 0.2, 0.3, 0.0, 0.0], [0.0, 0.0, 0.0, 0.6, 0.4]])
    templates = replace(make_templates(), continuum=np.empty((0, N_CHANNELS)))
    truth = LineSpectra(templates, weights, weights >= 0, np.empty((0, N_CHANNELS)))
    X = np.random.default_rng(0).poisson(make_loadings() @ truth.H).astype(float)
    found = factorise(X, 3, templates=templates)
    assert np.isfinite(found.H).all()
    assert np.isfinite(found.W).all()
    assert angles(found.H, truth.H).max() < 2


def test_factorise_binned_lines__steps_are_named():
    X, _, _ = make_counts()
    steps = []
    factorise(X, init="random", notify=lambda *step: steps.append(step))
    assert {step for step, _, _ in steps} == {"binned map", "channels"}


def test_factorise_map__spectra_of_some_bins_and_loadings_of_all(monkeypatch):
    monkeypatch.setattr(many_bins, "MAX_BINS", 100)
    monkeypatch.setattr(many_bins, "SUBSET_BINS", 60)
    W, truth = np.repeat(make_loadings(), 3, axis=0), make_spectra()
    X = np.random.default_rng(0).poisson(W @ truth.H).astype(float)
    some = factorise(X, function=factorise_map, init="nndsvdar", energy_binning=2)
    every = factorise(X, init="nndsvdar", energy_binning=2)
    assert (some.fit.W.shape, some.W.shape) == ((60, 2), W.shape)
    assert angles(some.H, every.H).max() < 1
    np.testing.assert_allclose(some.W.sum(axis=0), every.W.sum(axis=0), rtol=0.03)
    assert (some.W == 0).any()


def test_factorise_map__few_bins_are_all_taken():
    X, _, _ = make_counts()
    some, every = (factorise(X, function=f) for f in (factorise_map, factorise_binned_lines))
    np.testing.assert_array_equal(some.H, every.H)


def test_factorise_binned_lines__excluded_channels_stay_as_the_templates_have_them():
    X, _, truth = make_counts(counts=1e4)
    absent = np.zeros((2, N_CHANNELS), dtype=bool)
    absent[1, 15:26] = True  # a line of the second phase
    assert truth.H[1, 20] > 10 * truth.H[1, [14, 26]].max()
    found = factorise(X, absent=absent)
    assert found.H[1, 20] < 1.3 * found.H[1, [16, 25]].max()  # no peak among them


def test_one_by_one__finds_a_phase_that_is_pure_nowhere():
    spectra, rng = make_spectra(), np.random.default_rng(3)
    W = np.zeros((400, 2))
    W[:, 0] = 600.0
    W[::40, 1] = 150.0  # a fifth of the counts of ten bins
    X = rng.poisson(W @ spectra.H).astype(float)
    fixed, others = np.empty((0, N_CHANNELS)), [i for i in STARTS if i != "residual"]
    settings = BinnedSettings(2, fixed=fixed, templates=make_templates())
    rare, start = spectra.H[1:], binned_lines._one_by_one(X, fixed, 2, rng, 1)
    of_others = [angles(start_spectra(X, settings, init, rng), rare).min() for init in others]
    assert angles(start, rare).min() < 30 < 45 < min(of_others)
    given = binned_lines._one_by_one(X, spectra.H[:1], 2, rng, 1)
    np.testing.assert_array_equal(given[0], spectra.H[0])
    assert angles(given[1:], rare).min() < 30
