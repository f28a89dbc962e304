# SPDX-License-Identifier: GPL-3.0-or-later
"""Combinations of components that leave the likelihood as it is: 60 rows, 47 channels."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_psnmf.nmf.counts.blocks import divergence
from hyperspy_psnmf.nmf.lines import criterion
from hyperspy_psnmf.nmf.lines.alternating import LineAlternation
from hyperspy_psnmf.nmf.lines.costs import Costs, default_costs
from hyperspy_psnmf.nmf.lines.criterion import simplest
from hyperspy_psnmf.nmf.lines.weights import normalise_weights
from tests.nmf.lines.line_problems import (
    N_ROWS,
    WEIGHTS,
    make_counts,
    make_loadings,
    make_spectra,
)

COSTS = default_costs(1e5)


def mixed(W, spectra, a, b, multiple):
    """Return loadings and spectra with b added to a, the product unchanged."""
    weights, W = spectra.weights.copy(), W.copy()
    weights[a] += multiple * weights[b]
    W[:, b] -= multiple * W[:, a]
    return normalise_weights(W, replace(spectra, weights=weights))


def covariances(estimates):
    """Return those of each template between components, (n_templates, k, k)."""
    k = range(len(estimates.P))
    return np.array([[estimates.of_weights(a, b) for b in k] for a in k]).transpose(2, 0, 1)


def matrix_everywhere(k=2):
    """Return loadings of a matrix in all rows, and of inclusions in the last of them."""
    W = np.zeros((N_ROWS, k))
    W[:, 0] = 3000.0
    W[40:, 1:] = np.random.default_rng(0).uniform(300.0, 900.0, size=(20, k - 1))
    return W


def test_default_costs__element_of_schwarz():
    assert default_costs(np.exp(8.0)).element == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("counts_per_region", "expected"), [(10.0, 1.5), (2000.0, 1.5), (110 * np.e**5, 2.5)]
)
def test_default_costs__loading_of_kullback_and_in_regions_of_many_counts_of_schwarz(
    counts_per_region, expected
):
    n_counts = 7 * counts_per_region
    assert default_costs(n_counts, 7).loading == pytest.approx(expected)
    assert default_costs(n_counts).loading == 1.5


def test_Costs__count_loadings_their_patterns_and_elements():
    W, spectra = np.array([[3.0, 0.0], [1.0, 2.0], [2.0, 0.0], [0.0, 0.0]]), make_spectra()
    # Elements 0 and 1, the former in two lines, and 2 and 3. The last pixel is empty: the first
    # component is everywhere, the second in one of three.
    expected = 1.5 * 4 + 0.5 * np.log(3) + 10.0 * 4
    assert Costs(1.5, 10.0, 0.5).of(W, spectra) == pytest.approx(expected)


def test_simplest__a_matrix_added_to_a_phase_is_subtracted():
    W, truth = matrix_everywhere(), make_spectra()
    found_W, weights = simplest(*mixed(W, truth, 1, 0, 0.25), COSTS)
    has = replace(truth, weights=weights).has_element
    np.testing.assert_array_equal(has, truth.has_element)
    weights = weights / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(weights, WEIGHTS[:2], atol=0.01)
    np.testing.assert_array_equal(found_W > 0, W > 0)


def test_simplest__no_more_combinations_than_allowed():
    W, spectra = mixed(matrix_everywhere(), make_spectra(), 1, 0, 0.25)
    _, weights = simplest(W, spectra, COSTS, max_moves=0)
    np.testing.assert_allclose(weights, spectra.weights)
    _, weights = simplest(W, spectra, COSTS, max_moves=1)
    assert weights[1, 0] == 0


def test_simplest__a_constant_companion_is_merged():
    """An inclusion's spectrum in two parts, in the same proportion in all its rows."""
    W, truth = matrix_everywhere(3), make_spectra(3)
    W[:, 1:] *= 4
    W[:, 1] = 0.7 * W[:, 2]
    X = np.random.default_rng(0).poisson(W @ truth.H).astype(float)
    problem = LineAlternation(X, truth)
    fit, _ = problem.converge(problem.at(W, truth), 5)
    assert (fit.W[40:].min(axis=0) > 50).all()
    found_W, weights = simplest(fit.W, fit.spectra, COSTS)
    counts = (found_W * weights.sum(axis=1)).sum(axis=0)[1:]
    assert counts.min() < 0.04 * counts.max()  # 0.7 before
    merged = weights[1:][counts.argmax()]
    expected = WEIGHTS[2] + 0.7 * WEIGHTS[1]
    np.testing.assert_allclose(merged / merged.sum(), expected / expected.sum(), atol=0.02)


def test_simplest__what_is_as_simple_as_can_be_stays():
    W, truth = make_loadings(), make_spectra()
    found_W, weights = simplest(W, truth, COSTS)
    # What a loading of zero leaves unexplained goes to the other.
    np.testing.assert_allclose(found_W, np.where(W < 50, 0.0, W), atol=50)  # of some 2000
    assert (found_W[W > 50] > 0).all()
    np.testing.assert_allclose(weights, truth.weights, atol=0.005)


def test_simplest__without_costs_nothing_vanishes():
    W, truth = mixed(matrix_everywhere(), make_spectra(), 1, 0, 0.25)
    found_W, weights = simplest(W, truth, Costs(0.0, 0.0, 0.0))
    np.testing.assert_allclose(found_W, W)
    np.testing.assert_allclose(weights, truth.weights)


@pytest.mark.parametrize(("a", "b", "multiple"), [(1, 0, 0.3), (0, 1, -0.8), (2, 1, 0.05)])
def test_subtract__divergence_costs_and_covariances_are_those_of_the_combination(a, b, multiple):
    X, W, spectra = make_counts(3)
    estimates = criterion.estimate(W, spectra, COSTS)
    expected_cost = estimates.cost(a, b, np.array([multiple]))[0]
    of_product = np.einsum("scd,ic,id->is", covariances(estimates), W, W)
    estimates.subtract(a, b, multiple)
    before = divergence(X, W, spectra.B)
    B = (estimates.P @ spectra.templates.spectra).T.copy()
    assert divergence(X, estimates.W, B) == pytest.approx(before, rel=1e-9)
    assert estimates.cost(a, b, np.zeros(1))[0] == pytest.approx(expected_cost, rel=1e-9)
    again = np.einsum("scd,ic,id->is", covariances(estimates), estimates.W, estimates.W)
    np.testing.assert_allclose(again, of_product)


def test_cost__of_loadings_and_elements_that_a_combination_has():
    """Written out: z^2 / 2 or the cost, whichever is less; negative ones have no choice."""
    W, spectra = matrix_everywhere(3), make_spectra(3)
    estimates, t = criterion.estimate(W, spectra, COSTS), 0.4
    loadings = W[:, 2] + t * W[:, 1]
    variances = np.array([[1.0, t] @ V[[2, 1]][:, [2, 1]] @ [1.0, t] for V in estimates.of_W])
    z = loadings**2 / variances / 2
    gains = np.sort((loadings > 0) * z)[::-1]  # the least ones become zero
    lost = gains.sum() - np.append(0.0, gains.cumsum())
    expected = ((loadings < 0) * z).sum() + (lost + COSTS.of_numbers(W)).min()
    weights = spectra.weights[1] - t * spectra.weights[2]
    of_weights = covariances(estimates)[:, [[1], [2]], [1, 2]]
    variances = np.array([[1.0, -t] @ V @ [1.0, -t] for V in of_weights])
    z = weights**2 / variances / 2
    negative = (weights < 0) * z
    for lines in ([0, 1], [2], [3], [4]):
        expected += min(z[lines].sum(), negative[lines].sum() + COSTS.element)
    expected += negative[5:].sum()
    assert estimates.cost(1, 2, np.array([t]))[0] == pytest.approx(expected, rel=1e-2)


def test_simplest__a_matrix_is_not_merged_with_the_particles_in_it():
    """In few rows there are particles, and hardly any of the matrix alone in the others."""
    W, truth = matrix_everywhere(), make_spectra()
    W_merged, merged = mixed(W, truth, 1, 0, W[40:, 0].min() / W[40:, 1].max())
    found_W, weights = simplest(W_merged, merged, COSTS)
    np.testing.assert_array_equal(found_W > 0, W > 0)
    np.testing.assert_allclose(weights / weights.sum(axis=1, keepdims=True), WEIGHTS[:2], atol=0.02)


def test_simplest__fixed_components_are_not_changed_but_may_be_subtracted():
    """The first is fixed: the matrix, or what would become simpler without the matrix."""
    W, truth = matrix_everywhere(), make_spectra()
    W_mixed, both = mixed(W, truth, 1, 0, 0.25)
    fixed = make_spectra(weights=both.weights[1:], fixed=truth.H[:1])
    found_W, weights = simplest(W_mixed, fixed, COSTS)
    assert weights.shape == (1, 7)
    np.testing.assert_allclose(weights[0] / weights.sum(), WEIGHTS[1], atol=0.01)
    np.testing.assert_array_equal(found_W > 0, W > 0)

    inclusion = make_spectra(weights=both.weights[:1], fixed=both.H[1:])
    found_W, weights = simplest(W_mixed[:, ::-1].copy(), inclusion, COSTS)
    np.testing.assert_allclose(weights, WEIGHTS[:1], atol=1e-6)
    np.testing.assert_allclose(found_W, W_mixed[:, ::-1], atol=1e-6)


def test_simplest__forbidden_elements_do_not_come_back():
    W, truth = mixed(matrix_everywhere(), make_spectra(), 1, 0, 0.25)
    allowed = np.ones((2, 7), bool)
    allowed[0, 3] = False  # the matrix may not have element 2, which adding the other would give
    _, weights = simplest(W, replace(truth, allowed=allowed), COSTS)
    assert weights[0, 3] == 0
    np.testing.assert_allclose(weights[1] / weights[1].sum(), WEIGHTS[1], atol=0.01)


def test_significant_loadings__each_row_has_its_largest():
    W, truth = np.full((N_ROWS, 2), 2e-3), make_spectra()
    W[:, 1] *= 2
    found_W, _ = simplest(W, truth, Costs(1.0, 0.0))
    np.testing.assert_array_equal((found_W > 0).sum(axis=1), 1)


def test_simplest__one_component_keeps_its_elements():
    W, truth = make_loadings(1), make_spectra(1)
    found_W, weights = simplest(W, truth, COSTS)
    np.testing.assert_allclose(weights, WEIGHTS[:1])
    np.testing.assert_allclose(found_W, W)


def test_estimate__elements_are_forbidden_to_free_components_only():
    truth = make_spectra(3)
    spectra = make_spectra(weights=WEIGHTS[1:], fixed=truth.H[:1])
    spectra.allowed[1, 2] = False  # of the third component
    limits = criterion.estimate(matrix_everywhere(3), spectra, COSTS).limits
    np.testing.assert_array_equal(np.argwhere(np.isinf(limits)), [[2, 1]])
    np.testing.assert_array_equal(limits[:, 4:], 0.0)


def test_simplest__loadings_that_have_become_significant_are_free_again():
    X, W, truth = make_counts(counts=4000.0)
    problem, both = LineAlternation(X, truth), np.flatnonzero(W.min(axis=1) > 400.0)[::3]
    pattern = np.ones(W.shape, dtype=bool)
    pattern[both, 1] = False
    problem.restrict(pattern)
    point, _ = problem.converge(problem.at(W, truth), 40)
    assert not point.W[both, 1].any()
    found_W, _ = simplest(point.W, point.spectra, COSTS, gradient=problem.gradient(point))
    np.testing.assert_allclose(found_W[both, 1], W[both, 1], rtol=0.3)
    found_W, _ = simplest(point.W, point.spectra, COSTS)
    assert not found_W[both, 1].any()
