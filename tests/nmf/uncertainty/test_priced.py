# SPDX-License-Identifier: GPL-3.0-or-later
"""The divergence with a linear cost of loadings, with free spectra and with those of templates."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2

from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.lines.weights import LineSpectra
from hyperspy_psnmf.nmf.uncertainty import priced
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import Solution
from hyperspy_psnmf.nmf.uncertainty.priced import FreeSpectra, SpectraOfLines
from tests.nmf.lines.line_problems import make_counts

KINDS = ["free", "lines"]


def make_problem(kind, **given):
    """Return a problem of 60 rows, 47 channels and two phases, and the true solution."""
    X, W, spectra = make_counts(**given)
    if kind == "lines":
        problem = SpectraOfLines(X, spectra)
        return problem, problem.solution(W, spectra)
    problem = FreeSpectra(X)
    return problem, problem.solution(W, spectra.H)


def make_prices(problem, of=0, per_count=3.0):
    """Return the prices of the loadings of one phase, more of them in later rows."""
    prices = np.zeros((len(problem.row_counts), 2))
    prices[:, of] = per_count * np.linspace(0.0, 1.0, len(prices))
    return prices


@pytest.mark.parametrize("kind", KINDS)
def test_objective__that_of_the_best_scale(kind):
    problem, truth = make_problem(kind)
    prices = make_prices(problem)
    problem = problem.with_prices(prices)

    def naive(W):
        mu = W @ truth.H
        D = (mu - problem.X + problem.X * np.log(np.maximum(problem.X, 1) / mu)).sum()
        return D + (prices * W).sum()

    def best(W):
        return minimize(lambda s: naive(np.exp(s[0]) * W), [0.0], method="Nelder-Mead").fun

    other = truth.W * np.linspace(0.5, 1.5, len(truth.W))[:, None]
    B = truth.H.T.copy()
    difference = problem.objective(other, B) - problem.objective(truth.W, B)
    assert difference == pytest.approx(best(other) - best(truth.W), rel=1e-4)
    assert problem.objective(3.0 * other, B) == pytest.approx(problem.objective(other, B))


@pytest.mark.parametrize("kind", KINDS)
def test_run__the_objective_never_rises(kind):
    problem, truth = make_problem(kind)
    problem = problem.with_prices(make_prices(problem))
    start = problem.at_solution(truth)
    losses = [start.loss, *(found.loss for found, _ in islice(problem.run(start), 30))]
    assert losses[-1] < losses[0] - 1
    assert all(after <= before + 1e-6 for before, after in pairwise(losses))


def test_minimise__optimum_of_a_general_solver():
    """Spectra of three templates, of which there are six channels; five rows."""
    rng = np.random.default_rng(3)
    G = rng.dirichlet(np.full(6, 0.7), size=3)
    templates = Templates(G[:2], G[2:], np.array([0, 1]))
    W, P = rng.gamma(2.0, 200.0, size=(5, 2)), np.array([[0.7, 0.1, 0.2], [0.2, 0.6, 0.2]])
    X = rng.poisson(W @ P @ G).astype(float)
    spectra = LineSpectra(templates, P, np.ones((2, 3), bool), np.empty((0, 6)))
    prices = np.outer(np.linspace(0.0, 0.1, 5), (1.0, 0.0))
    problem = SpectraOfLines(X, spectra).with_prices(prices)

    def naive(v):
        W, P = np.exp(v[:10].reshape(5, 2)), np.exp(v[10:].reshape(2, 3))
        mu = W @ P @ G
        return (mu - X * np.log(mu)).sum() + (prices * W * P.sum(axis=1)).sum()

    start = np.log(np.concatenate([W.ravel(), P.ravel()]))
    expected = np.exp(minimize(naive, start, method="BFGS").x)
    P, W_expected = expected[10:].reshape(2, 3), expected[:10].reshape(5, 2)
    scale = P.sum(axis=1, keepdims=True)
    expected_loss = problem.objective(W_expected * scale.T, (P / scale @ G).T.copy())
    assert expected_loss < problem.objective(W, spectra.B) - 1
    point = problem.at_solution(problem.solution(W, spectra))
    for found, _ in islice(problem.run(point), 500):
        point = found
    # The general solver does not reach zeros.
    assert expected_loss - 0.1 < point.loss < expected_loss + 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_minimise__higher_prices_fewer_counts_and_a_higher_divergence(kind, monkeypatch):
    monkeypatch.setattr(priced, "SMALL_DECREASE", 1e-4)
    problem, found = make_problem(kind)
    weights = make_prices(problem, per_count=1.0)
    counts, divergences = [], []
    for price in (0.0, 1e-2, 1e-1, 1.0):
        found = problem.with_prices(price * weights).minimise(found)
        counts.append((weights * found.W).sum())
        divergences.append(found.divergence)
    assert (np.diff(counts) < 1e-3 * counts[0]).all()
    assert counts[-1] < 0.9 * counts[0]
    assert (np.diff(divergences) > -0.01).all()


@pytest.mark.parametrize("kind", KINDS)
def test_minimise__a_price_of_all_loadings_changes_nothing(kind):
    problem, start = make_problem(kind)
    nothing = np.zeros(start.W.shape)
    expected = problem.with_prices(nothing).minimise(start)
    found = problem.with_prices(nothing + 5.0).minimise(start)
    assert found.divergence == pytest.approx(expected.divergence, abs=0.1)
    np.testing.assert_allclose(found.W.sum(axis=0), expected.W.sum(axis=0), rtol=1e-2)


def test_minimise__forbidden_weights_and_fixed_spectra_stay():
    X, W, spectra = make_counts()
    allowed = np.array([[True, True, False, True, True, True, True]])
    free = replace(spectra, weights=spectra.weights[1:], allowed=allowed, fixed=spectra.H[:1])
    problem = SpectraOfLines(X, free)
    problem = problem.with_prices(make_prices(problem, of=1))
    found = problem.minimise(problem.solution(W, free))
    np.testing.assert_array_equal(found.H[0], spectra.H[0])
    assert found.spectra.weights[0, 2] == 0
    np.testing.assert_allclose(found.H[1], found.spectra.weights[0] @ spectra.templates.spectra)


@pytest.mark.parametrize("kind", KINDS)
def test_solution__rows_have_their_counts_and_the_divergence_is_of_them(kind):
    problem, truth = make_problem(kind)
    np.testing.assert_allclose(truth.W.sum(axis=1), problem.row_counts)
    assert truth.divergence == pytest.approx(divergence(problem.X, truth.W, truth.H.T))
    n_in_W = np.count_nonzero(truth.W)
    if kind == "lines":
        assert truth.n_free == n_in_W + np.count_nonzero(truth.spectra.weights)
    else:
        assert n_in_W < truth.n_free <= n_in_W + truth.H.size


def test_compare__entries_that_became_zero_count_as_degrees_of_freedom():
    best = Solution(np.ones((1, 1)), np.ones((1, 1)), 100.0, 50)

    def at(rise, n_free):
        return Solution(best.W, best.H, best.divergence + rise, n_free)

    for n_free, degrees in ((50, 1), (60, 1), (40, 11)):
        limit = chi2.ppf(0.95, degrees) / 2
        ratio = at(0.99 * limit, n_free).compare(best, 0.95)
        assert (ratio.excess, ratio.limit) == pytest.approx((0.99 * limit, limit))
        assert ratio.is_as_likely
        assert not at(1.01 * limit, n_free).is_as_likely(best, 0.95)
