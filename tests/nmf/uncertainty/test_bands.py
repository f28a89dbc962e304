# SPDX-License-Identifier: GPL-3.0-or-later
from dataclasses import replace

import numpy as np
import pytest

from hyperspy_psnmf.nmf.binning.bins import bin_spectra
from hyperspy_psnmf.nmf.lines.weights import solve_weights
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings, solve_spectra
from hyperspy_psnmf.nmf.uncertainty.bands import (
    Alternatives,
    alternatives,
    alternatives_of_lines,
    errors_of_lines,
    sampling_errors,
)
from hyperspy_psnmf.nmf.uncertainty.priced import SpectraOfLines
from hyperspy_psnmf.nmf.uncertainty.profile_likelihood import equally_likely
from tests.nmf.lines.line_problems import WEIGHTS
from tests.nmf.uncertainty.ambiguous import ambiguous, likely, never_pure


def test_sampling_errors__are_those_of_repeated_counts():
    _, W, H = ambiguous(seed=10)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        _, fitted = solve_spectra(rng.poisson(W @ H).astype(float), W, H)
        found.append(fitted)
    expected = np.std(found, axis=0)
    strong = H > 0.01  # far enough from zero not to be cut off there
    ratio = (sampling_errors(W, H) / expected)[strong]
    assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert ratio.min() > 0.7
    assert ratio.max() < 1.5


def test_sampling_errors__zero_for_fixed_spectra():
    _, W, H = ambiguous()
    errors = sampling_errors(W, H, n_fixed=1)
    assert not errors[0].any()
    assert errors[1].all()
    assert not sampling_errors(W, H, n_fixed=2).any()


def test_alternatives__begin_with_what_was_found_and_are_at_full_energy():
    X, _, H = ambiguous(seed=11, n_channels=37)
    fit = poisson_nmf(X, H)
    coarse = bin_spectra(X, 3)
    solutions = likely(coarse, bin_spectra(fit.H, 3))
    found = alternatives(X, fit.H, solutions, 3)
    assert found.spectra.shape == found.errors.shape == (len(found.counts), 2, 37)
    np.testing.assert_array_equal(found.spectra[0], fit.H)
    np.testing.assert_allclose(found.spectra.sum(axis=2), 1)
    np.testing.assert_allclose(found.counts.sum(axis=1), X.sum(), rtol=1e-6)
    # Those left out would not have made the bands wider.
    kept, all_of_them = found.counts, np.array([s.W.sum(axis=0) for s in solutions])
    np.testing.assert_allclose(kept.max(axis=0), all_of_them.max(axis=0), rtol=0.02)


def test_Alternatives__bands_are_envelopes_with_noise():
    counts = np.array([[100.0, 400.0], [225.0, 275.0]])
    spectra = np.array([[[0.5, 0.5, 0.0]] * 2, [[0.2, 0.7, 0.1]] * 2])
    bands = Alternatives(counts, spectra, np.full(spectra.shape, 0.01))
    z = 1.959964
    np.testing.assert_allclose(
        bands.counts_band(0.95),
        [[100 - 10 * z, 225 + 15 * z], [275 - z * 275**0.5, 400 + 20 * z]],
        rtol=1e-6,
    )
    low, high = bands.spectra_band(0.95)[0].T
    np.testing.assert_allclose(low, [0.2 - 0.01 * z, 0.5 - 0.01 * z, 0.0], atol=1e-7)
    np.testing.assert_allclose(high, [0.5 + 0.01 * z, 0.7 + 0.01 * z, 0.1 + 0.01 * z])


def test_errors_of_lines__are_those_of_repeated_counts():
    # All weights are far enough from zero not to be cut off there.
    _, W, spectra = never_pure(weights=(WEIGHTS[[0, 2]] + 0.1) / 1.7)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        Xt = rng.poisson(W @ spectra.H).astype(float).T.copy()
        fitted = solve_weights(Xt, W, spectra, tol=1e-6, max_iter=30)
        found.append(fitted.H)
    ratio = errors_of_lines(W, spectra) / np.std(found, axis=0)
    assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert ratio.min() > 0.7
    assert ratio.max() < 1.5
    assert errors_of_lines(W, spectra).mean() < 0.5 * sampling_errors(W, spectra.H).mean()


def test_errors_of_lines__zero_for_fixed_spectra_and_at_most_one_without_counts():
    _X, W, spectra = never_pure()
    fixed = replace(spectra, weights=spectra.weights[1:], allowed=spectra.allowed[1:],
                    fixed=spectra.H[:1])  # fmt: skip
    errors = errors_of_lines(W, fixed)
    assert not errors[0].any()
    assert errors[1].all()
    without = errors_of_lines(W * (1.0, 0.0), spectra)
    assert np.isfinite(without).all()
    assert without[1].max() == 1


@pytest.mark.slow
def test_alternatives_of_lines__the_result_as_found_and_sums_of_templates_at_full_energy():
    X, _, spectra = never_pure(seed=4)
    coarse = spectra.binned(3)
    problem = SpectraOfLines(bin_spectra(X, 3), coarse)
    result = problem.solution(solve_loadings(X, spectra.H), coarse)
    solutions = equally_likely(problem, result)
    H = 0.9 * spectra.H + 0.1 / 47  # with counts that are of no template
    found = alternatives_of_lines(H, result, solutions, spectra)
    n = len(found.counts)
    assert 3 < n <= 1 + len(solutions)
    assert found.spectra.shape == found.errors.shape == (n, 2, 47)
    np.testing.assert_array_equal(found.spectra[0], H)
    np.testing.assert_allclose(found.spectra.sum(axis=2), 1)
    _, rest, *_ = np.linalg.lstsq(spectra.templates.spectra.T, found.spectra[1:].reshape(-1, 47).T)
    assert rest.max() < 1e-20
    every = np.array([s.W.sum(axis=0) for s in solutions])
    np.testing.assert_allclose(found.counts.max(axis=0), every.max(axis=0), rtol=0.02)
