# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of templates for fixed loadings: 60 rows, 47 channels, 7 templates."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from hyperspy_psnmf.nmf.counts.blocks import divergence
from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.lines.weights import (
    LineSpectra,
    nearest_sums,
    normalise_weights,
    remaining_decrease,
    solve_weights,
    weights_information,
)
from tests.helpers.problems import both
from tests.nmf.lines.line_problems import (
    ELEMENTS,
    N_CHANNELS,
    WEIGHTS,
    flat_spectra,
    make_counts,
    make_spectra,
    make_templates,
)

TO_THE_END = {"tol": 1e-9, "max_iter": 100}


@pytest.mark.parametrize("prices", [0.0, np.array([0.0, 150.0])], ids=["free", "priced"])
def test_solve_weights__optimum_of_a_general_solver(prices):
    rng = np.random.default_rng(1)
    G = rng.dirichlet(np.full(11, 0.7), size=3)
    W = rng.gamma(2.0, 30.0, size=(6, 2))
    X = rng.poisson(W @ rng.dirichlet(np.ones(3), size=2) @ G).astype(float)
    templates = Templates(G[:2], G[2:], np.array([0, 1]))
    start = LineSpectra(templates, np.full((2, 3), 1 / 3), np.ones((2, 3), bool), np.empty((0, 11)))

    def loss(p):
        mu = W @ p.reshape(2, 3) @ G
        return (mu - X * np.log(mu)).sum() + (prices * p.reshape(2, 3).sum(axis=1)).sum()

    expected = minimize(loss, np.full(6, 1 / 3), bounds=[(1e-12, None)] * 6, method="L-BFGS-B")
    found = solve_weights(X.T.copy(), W, start, prices=prices, **TO_THE_END)
    assert loss(np.maximum(found.weights, 1e-12).ravel()) <= expected.fun + 1e-6
    np.testing.assert_allclose(found.weights, expected.x.reshape(2, 3), atol=2e-3)


@pytest.mark.parametrize("counts", [3.0, 2e3, 1e8])
def test_solve_weights__monotone_and_nothing_left_from_a_flat_start(counts):
    X, W, _ = make_counts(counts=counts)
    Xt, spectra = X.T.copy(), flat_spectra()
    losses = [divergence(Xt, spectra.B, W)]
    for _ in range(25):
        spectra = solve_weights(Xt, W, spectra, tol=0.0, max_iter=1)
        losses.append(divergence(Xt, spectra.B, W))
    assert (np.diff(losses) <= 0).all()
    assert remaining_decrease(Xt, W, flat_spectra()) > 1
    assert remaining_decrease(Xt, W, spectra) < 1e-4
    if counts > 1e3:
        np.testing.assert_allclose(spectra.weights, WEIGHTS[:2], atol=5 / np.sqrt(30 * counts))


def test_solve_weights__one_call_is_many_steps():
    X, W, _ = make_counts()
    Xt, spectra = X.T.copy(), flat_spectra()
    for _ in range(4):
        spectra = solve_weights(Xt, W, spectra, tol=0.0, max_iter=1)
    again = solve_weights(Xt, W, flat_spectra(), tol=0.0, max_iter=4)
    np.testing.assert_array_equal(again.weights, spectra.weights)


def test_solve_weights__dense_and_sparse_serial_and_threads_agree(many_blocks):
    X, W, _ = make_counts(counts=50.0)
    found = [
        solve_weights(Xt, W, flat_spectra(), **TO_THE_END, n_jobs=n_jobs).weights
        for Xt in (X.T.copy(), sp.csr_array(X.T))
        for n_jobs in (1, 4)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-7)


def test_remaining_decrease__dense_and_sparse_agree():
    X, W, _ = make_counts(counts=50.0)
    dense, sparse = (remaining_decrease(Xt, W, flat_spectra()) for Xt in both(X.T.copy()))
    assert sparse == pytest.approx(dense, rel=1e-9)


def test_solve_weights__fixed_spectra_stay_and_explain_their_counts():
    X, W, truth = make_counts(3)
    start = flat_spectra(2, fixed=truth.H[:1])
    found = solve_weights(X.T.copy(), W, start, **TO_THE_END)
    np.testing.assert_array_equal(found.H[0], truth.H[0])
    np.testing.assert_allclose(found.weights, WEIGHTS[1:], atol=0.02)


def test_solve_weights__forbidden_weights_stay_zero():
    X, W, _ = make_counts()
    allowed = np.ones((2, 7), bool)
    allowed[0, 2] = allowed[1, [3, 6]] = False
    start = replace(flat_spectra(), allowed=allowed)
    start = start.with_weights(start.weights)
    found = solve_weights(X.T.copy(), W, start, **TO_THE_END)
    np.testing.assert_array_equal(found.weights[~allowed], 0.0)
    assert (found.weights[0, [0, 1]] > 0).all()
    assert remaining_decrease(X.T.copy(), W, found) < 1e-4


def test_weights_information__second_derivative_of_the_divergence():
    """Of counts that are as expected, where expected and observed information are the same."""
    _, W, spectra = make_counts()
    Xt = (W @ spectra.H).T.copy()
    information = weights_information(W, spectra, np.ones((2, 7), bool))
    np.testing.assert_allclose(information, information.T)
    step = 1e-4 * np.random.default_rng(0).normal(size=14)
    moved = replace(spectra, weights=spectra.weights + step.reshape(2, 7))
    rise = divergence(Xt, moved.B, W) - divergence(Xt, spectra.B, W)
    assert rise == pytest.approx(step @ information @ step / 2, rel=0.02)


def test_weights_information__of_some_as_in_that_of_all():
    _, W, truth = make_counts()
    fixed = make_spectra().H[:1]
    spectra = replace(truth, weights=truth.weights[1:], allowed=truth.allowed[1:], fixed=fixed)
    which = np.random.default_rng(0).random((1, 7)) < 0.6
    whole = weights_information(W, spectra, np.ones((1, 7), bool))
    some = weights_information(W, spectra, which)
    np.testing.assert_allclose(some, whole[np.ix_(which[0], which[0])])


def test_normalise_weights__unit_sum_and_the_same_product():
    W, truth = np.random.default_rng(0).gamma(1.0, size=(9, 3)), make_spectra(3)
    fixed = truth.H[:1]
    spectra = make_spectra(weights=WEIGHTS[1:] * [[2.0], [0.3]], fixed=fixed)
    new_W, new = normalise_weights(W, spectra)
    np.testing.assert_allclose(new.weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(new_W @ new.H, W @ spectra.H)
    np.testing.assert_array_equal(new_W[:, 0], W[:, 0])


@pytest.mark.parametrize("n_continuum", [0, 2])
def test_normalise_weights__a_component_without_spectrum_has_no_loadings(n_continuum):
    full = make_templates()
    templates = Templates(full.lines, full.continuum[:n_continuum], ELEMENTS)
    weights = np.zeros((2, len(templates)))
    weights[1, :2] = 0.5, 1.5
    spectra = LineSpectra(templates, weights, weights >= 0, np.empty((0, N_CHANNELS)))
    W, new = normalise_weights(np.ones((9, 2)), spectra)
    np.testing.assert_array_equal(W, [[0.0, 2.0]] * 9)
    np.testing.assert_allclose(new.weights.sum(axis=1), 1.0)
    assert new.has_element[0].any() == (n_continuum == 0)


def test_nearest_sums__sums_of_templates_are_found_again_without_what_is_not_allowed():
    spectra = make_spectra()
    allowed = np.ones(WEIGHTS[:2].shape, dtype=bool)
    found = nearest_sums(spectra.H, spectra.templates, allowed, tol=1e-9)
    np.testing.assert_allclose(found.weights, WEIGHTS[:2], atol=1e-4)
    assert found.fixed.shape == (0, N_CHANNELS)
    allowed[0, 1] = False
    found = nearest_sums(spectra.H, spectra.templates, allowed, tol=1e-9)
    assert found.weights[0, 1] == 0
    np.testing.assert_allclose(found.weights[1], WEIGHTS[1], atol=1e-4)


def test_has_element__any_of_its_lines():
    weights = np.zeros((2, 7))
    weights[0, [1, 4]], weights[1, 5] = 0.3, 1.0
    found = make_spectra(weights=weights).has_element
    np.testing.assert_array_equal(found, [[True, False, False, True], [False] * 4])
