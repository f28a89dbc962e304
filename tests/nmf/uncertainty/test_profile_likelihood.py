# SPDX-License-Identifier: GPL-3.0-or-later
from dataclasses import replace

import numpy as np
import pytest

from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.uncertainty.bands import alternatives, sampling_errors
from tests.helpers.problems import both
from tests.nmf.uncertainty.ambiguous import (
    ambiguous,
    band,
    likely,
    likely_of_lines,
    never_pure,
    separate,
)


@pytest.mark.slow
def test_equally_likely__every_solution_is_a_factorisation_as_likely_as_the_best():
    X, _, H = ambiguous(k=3)
    solutions = likely(X, H, confidence=0.9)
    best = solutions[0]
    assert len(solutions) > 10
    for s in solutions:
        np.testing.assert_allclose(s.H.sum(axis=1), 1)
        np.testing.assert_allclose(s.W.sum(axis=1), X.sum(axis=1))
        assert (s.W >= 0).all()
        assert (s.H >= 0).all()
        assert s.divergence == pytest.approx(divergence(X, s.W, s.H.T))
        assert s.divergence >= best.divergence
        assert s.is_as_likely(best, 0.9)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "k"), [(0, 2), (1, 2), (0, 3)])
def test_equally_likely__never_pure_phases_have_wide_bands_with_the_truth_inside(seed, k):
    X, W, H = ambiguous(seed, k)
    low, high = band(likely(X, H))
    noise = 2 * np.sqrt(W.sum(axis=0))
    assert (low - noise < W.sum(axis=0)).all()
    assert (W.sum(axis=0) < high + noise).all()
    assert ((high - low) / W.sum(axis=0) > 0.1).all()


@pytest.mark.slow
def test_equally_likely__separate_phases_have_narrow_bands():
    X, W, H = separate()
    low, high = band(likely(X, H))
    assert (high - low).mean() < 0.05 * W.sum()
    assert (np.abs(W.sum(axis=0) - (low + high) / 2) < 0.03 * W.sum()).all()


def test_equally_likely__a_rotated_start_has_the_same_bands():
    X, _, H = ambiguous(seed=3)
    rotated = H.copy()
    rotated[1] = 0.6 * H[1] + 0.4 * H[0]
    one, other = (np.array(band(likely(X, start))) for start in (H, rotated))
    np.testing.assert_allclose(other, one, rtol=0.08)


def test_equally_likely__more_confidence_has_wider_bands():
    X, _, H = ambiguous(seed=4)
    widths = [np.ptp(band(likely(X, H, confidence=c)), axis=0).sum() for c in (0.5, 0.99)]
    assert widths[1] > widths[0]


@pytest.mark.parametrize("n_fixed", [1, 2])
def test_equally_likely__fixed_spectra_unchanged_and_bands_narrower(n_fixed):
    X, _, H = ambiguous(seed=5)
    solutions = likely(X, H, n_fixed=n_fixed)
    for s in solutions:
        np.testing.assert_array_equal(s.H[:n_fixed], H[:n_fixed])
    free = np.ptp(band(likely(X, H)), axis=0)
    assert (np.ptp(band(solutions), axis=0) <= 1.01 * free).all()
    if n_fixed == 2:
        assert len(solutions) == 1


def test_equally_likely__one_component_leaves_nothing_to_choose():
    X, _, _ = ambiguous(seed=6)
    solutions = likely(X, np.full((1, 36), 1 / 36))
    assert band(solutions)[0] == pytest.approx(band(solutions)[1], rel=1e-6)


@pytest.mark.slow
def test_equally_likely__sparse_gives_what_dense_gives_in_any_number_of_threads():
    X, _, H = ambiguous(seed=7)
    expected, *others = (band(likely(counts, H, n_jobs=n)) for counts in both(X) for n in (1, 2))
    for other in others:
        np.testing.assert_allclose(other, expected, rtol=1e-3)


@pytest.mark.slow
def test_equally_likely__empty_rows_channels_and_components_do_no_harm():
    X, _, H = ambiguous(seed=8, n_rows=21)
    X[3] = 0
    X[:, 11] = 0
    H = np.vstack([H, np.eye(36)[11]])
    solutions = likely(X, H)
    assert all(np.isfinite(s.W).all() and np.isfinite(s.H).all() for s in solutions)
    assert np.isfinite(sampling_errors(solutions[0].W, solutions[0].H)).all()


def test_equally_likely__nothing_that_was_given_is_changed():
    X, _, H = ambiguous(seed=9)
    copies = X.copy(), H.copy()
    alternatives(X, H, likely(X, H), 1)
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(H, copies[1])


def test_equally_likely__elements_change_places_with_the_truth_inside():
    X, W, spectra = never_pure()
    solutions = likely_of_lines(X, spectra)
    weights = np.array([s.spectra.weights for s in solutions])
    low, high = weights.min(axis=0), weights.max(axis=0)
    assert (low - 0.01 < spectra.weights).all()
    assert (spectra.weights < high + 0.01).all()
    # The matrix may have the rim's element, and the rim the matrix's, and each less of its own.
    assert high[0, 4] > 0.05
    assert high[1, 0] > 0.05
    assert weights[:, :, 3].max() < 0.01  # in no spectrum
    low, high = band(solutions)
    assert ((low < W.sum(axis=0)) & (W.sum(axis=0) < high)).all()


@pytest.mark.slow
def test_equally_likely__of_templates_have_narrower_bands_than_free_channels():
    X, _, spectra = never_pure(seed=1)
    of_lines = np.array([s.H for s in likely_of_lines(X, spectra)])
    free = np.array([s.H for s in likely(X, spectra.H)])
    assert np.ptp(of_lines, axis=0).sum() < 0.9 * np.ptp(free, axis=0).sum()


def test_equally_likely__every_solution_is_a_sum_of_templates_without_what_is_forbidden():
    X, _, spectra = never_pure(seed=2)
    allowed = np.ones((2, 7), dtype=bool)
    allowed[0, 4] = False
    solutions = likely_of_lines(X, replace(spectra, allowed=allowed))
    assert len(solutions) > 5
    for s in solutions:
        np.testing.assert_allclose(s.H, s.spectra.weights @ spectra.templates.spectra)
        np.testing.assert_allclose(s.W.sum(axis=1), X.sum(axis=1))
        assert s.spectra.weights[0, 4] == 0
        assert s.is_as_likely(solutions[0], 0.95)


@pytest.mark.slow
def test_equally_likely__of_templates_the_same_in_any_number_of_threads():
    X, _, spectra = never_pure(seed=3)
    expected, *others = (
        band(likely_of_lines(counts, spectra, n_jobs=n)) for counts in both(X) for n in (1, 2)
    )
    for other in others:
        np.testing.assert_allclose(other, expected, rtol=1e-3)
