# SPDX-License-Identifier: GPL-3.0-or-later
"""Factorisations with spectra made of templates: 60 rows, 47 channels, 4 elements."""

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.counts.blocks import divergence
from hyperspy_psnmf.nmf.lines.costs import Costs, default_costs
from hyperspy_psnmf.nmf.lines.factorise import factorise_lines
from tests.helpers.problems import angles
from tests.nmf.lines.line_problems import (
    make_counts,
    make_loadings,
    make_spectra,
    rough_start,
)


def starts(k=2, seeds=(0, 1, 2)):
    return [rough_start(k, seed) for seed in seeds]


@pytest.mark.parametrize("counts", [150.0, 5000.0])
def test_factorise_lines__planted_phases_from_several_starts(counts):
    X, _, truth = make_counts(counts=counts, seed=3)
    fit = factorise_lines(X, starts())
    assert angles(fit.spectra.H, truth.H).max() < 60 / np.sqrt(counts)
    order = np.argmax(fit.spectra.H @ truth.H.T, axis=0)
    np.testing.assert_array_equal(fit.spectra.has_element[order], truth.has_element)
    np.testing.assert_allclose(fit.spectra.weights.sum(axis=1), 1.0)
    assert fit.kkt_residual < 1e-3


def test_factorise_lines__reports_its_divergence_and_criterion():
    X, _, _ = make_counts()
    fit = factorise_lines(X, starts(seeds=[0]))
    assert fit.divergence == pytest.approx(divergence(X, fit.W, fit.spectra.B))
    costs = default_costs(X.sum())
    assert fit.criterion == pytest.approx(fit.divergence + costs.of(fit.W, fit.spectra))


def test_factorise_lines__more_starts_are_not_worse():
    X, _, _ = make_counts(3, counts=300.0)
    one, three = (factorise_lines(X, starts(3, seeds)) for seeds in ([2], [2, 0, 1]))
    assert three.criterion <= one.criterion + 0.5
    assert three.n_iter > one.n_iter


def test_factorise_lines__simpler_than_the_truth_is_likely():
    """Of the criterion, at the truth with its zeros, and found."""
    X, W, truth = make_counts(counts=500.0)
    costs = default_costs(X.sum())
    of_truth = divergence(X, W, truth.B) + costs.of(W, truth)
    assert factorise_lines(X, starts()).criterion < of_truth


def test_factorise_lines__the_same_twice_and_dense_as_sparse():
    X, _, _ = make_counts(counts=300.0)
    one, two = (factorise_lines(X, starts(seeds=[0])) for _ in range(2))
    np.testing.assert_array_equal(one.W, two.W)
    np.testing.assert_array_equal(one.spectra.weights, two.spectra.weights)
    sparse = factorise_lines(sp.csr_array(X), starts(seeds=[0]))
    # Rounding decides where iterations end; the standard errors are some 15 counts.
    np.testing.assert_allclose(sparse.W, one.W, atol=0.1)


def test_factorise_lines__fixed_spectra_stay():
    X, W, truth = make_counts(3)
    W, spectra = W + 100.0, make_spectra(weights=rough_start(2)[1].weights, fixed=truth.H[1:2])
    fit = factorise_lines(X, [(W, spectra)])
    np.testing.assert_array_equal(fit.spectra.H[0], truth.H[1])
    assert angles(fit.spectra.H, truth.H).max() < 3


def test_factorise_lines__max_iter_ends_every_fit():
    X, _, _ = make_counts()
    losses = []
    fit = factorise_lines(X, starts(seeds=[0]), max_iter=1, tol=1e-12, callback=losses.append)
    assert not fit.converged
    assert fit.n_iter == len(losses)
    assert len(losses) < len(_losses(X))
    assert factorise_lines(X, starts(seeds=[0]), max_iter=1, tol=np.inf).converged


def _losses(X):
    losses = []
    factorise_lines(X, starts(seeds=[0]), callback=losses.append)
    return losses


def test_factorise_lines__costs_are_those_given():
    """Loadings that cost more than all their counts: the largest of a row stays."""
    X, _, _ = make_counts()
    fit = factorise_lines(X, starts(seeds=[0]), costs=Costs(1e6, 0.0))
    np.testing.assert_array_equal((fit.W > 0).sum(axis=1), 1)
    free = factorise_lines(X, starts(seeds=[0]), costs=Costs(0.0, 0.0, 0.0))
    assert free.divergence < fit.divergence
    assert free.criterion == free.divergence


def test_factorise_lines__forbidden_weights_stay_zero():
    X, W, truth = make_counts()
    truth.allowed[0, 2] = False
    fit = factorise_lines(X, [(W + 1.0, truth.with_weights(truth.weights))])
    assert fit.spectra.weights[0, 2] == 0
    assert not fit.spectra.allowed[0, 2]


def test_factorise_lines__a_common_deviation_of_the_detector_is_taken_up():
    """Channels count up to 15 % more or less than the templates say, in all phases alike."""
    W, truth = make_loadings(counts=5e4), make_spectra()
    response = 1 + 0.15 * np.sin(np.arange(truth.H.shape[1]) / 1.5)
    X = np.random.default_rng(0).poisson(W @ (truth.H * response)).astype(float)
    fit = factorise_lines(X, starts())
    assert angles(fit.spectra.H, truth.H * response).max() < 1.0
    found = fit.spectra.templates.lines[3] / truth.templates.lines[3]
    middle = truth.templates.lines[3] > 0.05
    ratio = found[middle] / response[middle]
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.03)


def test_factorise_lines__one_component_too_many_does_no_harm():
    """Alike spectra make all loadings uncertain: zeros of many would cost thousands of nats."""
    X, W, truth = make_counts(counts=5000.0)
    right = factorise_lines(X, starts())
    one_more = factorise_lines(X, starts(3))
    assert one_more.criterion < right.criterion + 20
    assert angles(one_more.spectra.H, truth.H).max() < 2
    assert one_more.divergence < divergence(X, W, truth.B) + 20


def test_factorise_lines__the_result_is_converged_to_the_tolerance():
    """Shells around cores, alike in their maps, take more alternations than one round has."""
    X, _, _ = make_counts(3, counts=300.0)
    fit = factorise_lines(X, starts(3, [1]), tol=1e-8)
    assert fit.converged
    assert fit.kkt_residual <= 1e-8
    again = factorise_lines(X, [(fit.W, fit.spectra)], tol=1e-8)
    assert again.criterion <= fit.criterion + 0.05
