# SPDX-License-Identifier: GPL-3.0-or-later
"""Alternations of loadings and weights: 60 rows, 47 channels, 7 templates."""

from itertools import islice

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.counts.blocks import divergence
from hyperspy_psnmf.nmf.lines.alternating import LineAlternation
from tests.nmf.lines.line_problems import (
    WEIGHTS,
    flat_spectra,
    make_counts,
    make_spectra,
    rough_start,
)


def alternate(X, k=2, n=8, fixed=None):
    """Return the problem and its points, the start first."""
    W, spectra = rough_start(k)
    if fixed is not None:
        spectra = make_spectra(weights=spectra.weights[len(fixed) :], fixed=fixed)
    problem = LineAlternation(X, spectra)
    start = problem.at(W, spectra)
    return problem, [start, *(found for found, _ in islice(problem.run(start), n))]


def test_LineAlternation__monotone_and_normalised():
    X, _, _ = make_counts()
    _, points = alternate(X)
    assert (np.diff([point.loss for point in points]) <= 0).all()
    for point in points:
        assert point.loss == pytest.approx(divergence(X, point.W, point.B))
        np.testing.assert_allclose(point.B.sum(axis=0), 1.0)
        np.testing.assert_array_equal(point.B, point.spectra.B)


def test_LineAlternation__dense_and_sparse_agree():
    X, _, _ = make_counts(counts=80.0)
    (_, dense), (_, sparse) = alternate(X), alternate(sp.csr_array(X))
    np.testing.assert_allclose(sparse[-1].W, dense[-1].W, atol=1e-5)
    np.testing.assert_allclose(sparse[-1].spectra.weights, dense[-1].spectra.weights, atol=1e-7)


def test_LineAlternation__fixed_spectra_stay():
    X, _, truth = make_counts(3)
    _, points = alternate(X, 3, fixed=truth.H[1:2])
    for point in points:
        np.testing.assert_array_equal(point.B[:, 0], truth.H[1])


def test_converge__residual_falls_to_the_optimum():
    X, W, truth = make_counts()
    problem, points = alternate(X, n=1)
    found, n_iter = problem.converge(points[0], 200)
    assert n_iter < 200
    assert problem.residual(found) < 1e-3 * problem.residual(points[0])
    # Of an optimum whose counts are noise there is no less than at the truth.
    assert found.loss < divergence(X, W, truth.B)


def test_converge__stops_at_max_iter_and_says_where_it_is():
    X, _, _ = make_counts()
    problem, points = alternate(X, n=1)
    losses = []
    found, n_iter = problem.converge(points[0], 3, losses.append)
    assert n_iter == len(losses) == 3
    assert found.loss == losses[-1] < losses[0] < points[0].loss


def test_restrict__a_pattern_is_kept_and_lifted():
    X, W, truth = make_counts()
    pattern = W > 0
    assert not pattern.all()
    problem = LineAlternation(X, truth)
    problem.restrict(pattern)
    start = problem.at(np.full(W.shape, 500.0), flat_spectra().with_weights(WEIGHTS[:2] + 0.05))
    np.testing.assert_array_equal(start.W > 0, pattern)
    found, _ = problem.converge(start, 30)
    np.testing.assert_array_equal(found.W[~pattern], 0.0)
    assert problem.residual(found) < 1e-4
    np.testing.assert_allclose(found.spectra.weights, WEIGHTS[:2], atol=0.02)
    problem.restrict(None)
    free = problem.at(found.W + 1.0, found.spectra)
    assert (free.W > 0).all()


def test_gradient__by_loadings_is_the_slope_of_the_divergence():
    X, _, truth = make_counts(3)
    X[7] = 0.0
    problem, points = alternate(X, 3, n=2, fixed=truth.H[1:2])
    point = points[-1]
    gradient = problem.gradient(point)
    for i, c in ((3, 0), (41, 2)):
        losses = []
        for change in (-0.01, 0.01):
            W = point.W.copy()
            W[i, c] += change
            losses.append(divergence(X, W, point.B))
        assert gradient[i, c] == pytest.approx((losses[1] - losses[0]) / 0.02, rel=1e-4, abs=1e-4)
    np.testing.assert_array_equal(gradient[7], 0.0)  # without counts, without information
