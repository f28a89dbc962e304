# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
from scipy.stats import chi2

from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.binning.bins import bin_spectra
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_spectra
from hyperspy_psnmf.nmf.uncertainty.bands import Alternatives, alternatives, sampling_errors
from hyperspy_psnmf.nmf.uncertainty.profile_likelihood import Solution, equally_likely
from tests.helpers.problems import both, planted


def ambiguous(seed=0, k=2, n_rows=45, n_channels=36, pure=0.75):
    """Return counts whose phases share lines and are never pure, with W and H.

    No row holds less than a part of each phase, so the last one may lose or gain a
    share of the first at no cost.
    """
    rng = np.random.default_rng(seed)
    fractions = rng.dirichlet(np.full(k, 0.6), size=n_rows) * pure + (1 - pure) / k
    channel = np.arange(n_channels)
    H = np.full((k, n_channels), 0.02)
    for c in range(k):
        H[c] += np.exp(-(((channel - (c + 0.5) * n_channels / k) / 1.5) ** 2) / 2)
        H[c] += 0.6 * np.exp(-(((channel - 4) / 1.5) ** 2) / 2)
    H /= H.sum(axis=1, keepdims=True)
    W = fractions * 3000
    return rng.poisson(W @ H).astype(float), W, H


def separate(seed=0, k=3):
    cube, W, H = planted(shape=(9, 10), n_channels=40, k=k, counts=3000, seed=seed)
    return cube.reshape(90, 40).astype(float), W, H


def band(solutions):
    counts = np.array([s.W.sum(axis=0) for s in solutions])
    return counts.min(axis=0), counts.max(axis=0)


def test_equally_likely__every_solution_is_a_factorisation_as_likely_as_the_best():
    X, _, H = ambiguous(k=3)
    solutions = equally_likely(X, H, confidence=0.9)
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


@pytest.mark.parametrize(("seed", "k"), [(0, 2), (1, 2), (0, 3)])
def test_equally_likely__never_pure_phases_have_wide_bands_with_the_truth_inside(seed, k):
    X, W, H = ambiguous(seed, k)
    low, high = band(equally_likely(X, H))
    noise = 2 * np.sqrt(W.sum(axis=0))
    assert (low - noise < W.sum(axis=0)).all()
    assert (W.sum(axis=0) < high + noise).all()
    assert ((high - low) / W.sum(axis=0) > 0.1).all()


def test_equally_likely__separate_phases_have_narrow_bands():
    X, W, H = separate()
    low, high = band(equally_likely(X, H))
    assert (high - low).mean() < 0.05 * W.sum()
    assert (np.abs(W.sum(axis=0) - (low + high) / 2) < 0.03 * W.sum()).all()


def test_equally_likely__a_rotated_start_has_the_same_bands():
    X, _, H = ambiguous(seed=3)
    rotated = H.copy()
    rotated[1] = 0.6 * H[1] + 0.4 * H[0]
    one, other = (np.array(band(equally_likely(X, start))) for start in (H, rotated))
    np.testing.assert_allclose(other, one, rtol=0.08)


def test_equally_likely__more_confidence_has_wider_bands():
    X, _, H = ambiguous(seed=4)
    widths = [np.ptp(band(equally_likely(X, H, confidence=c)), axis=0).sum() for c in (0.5, 0.99)]
    assert widths[1] > widths[0]


@pytest.mark.parametrize("n_fixed", [1, 2])
def test_equally_likely__fixed_spectra_unchanged_and_bands_narrower(n_fixed):
    X, _, H = ambiguous(seed=5)
    solutions = equally_likely(X, H, n_fixed=n_fixed)
    for s in solutions:
        np.testing.assert_array_equal(s.H[:n_fixed], H[:n_fixed])
    free = np.ptp(band(equally_likely(X, H)), axis=0)
    assert (np.ptp(band(solutions), axis=0) <= 1.01 * free).all()
    if n_fixed == 2:
        assert len(solutions) == 1


def test_equally_likely__one_component_leaves_nothing_to_choose():
    X, _, _ = ambiguous(seed=6)
    solutions = equally_likely(X, np.full((1, 36), 1 / 36))
    assert band(solutions)[0] == pytest.approx(band(solutions)[1], rel=1e-6)


def test_equally_likely__sparse_gives_what_dense_gives_in_any_number_of_threads():
    X, _, H = ambiguous(seed=7)
    expected, *others = (
        band(equally_likely(counts, H, n_jobs=n)) for counts in both(X) for n in (1, 2)
    )
    for other in others:
        np.testing.assert_allclose(other, expected, rtol=1e-3)


def test_Solution__entries_that_became_zero_count_as_degrees_of_freedom():
    best = Solution(np.ones((1, 1)), np.ones((1, 1)), 100.0, 50)
    limit = chi2.ppf(0.95, 1) / 2

    def at(rise, n_free):
        return Solution(best.W, best.H, best.divergence + rise, n_free)

    assert at(0.99 * limit, 50).is_as_likely(best, 0.95)
    assert not at(1.01 * limit, 50).is_as_likely(best, 0.95)
    assert not at(1.01 * limit, 60).is_as_likely(best, 0.95)
    assert at(0.99 * chi2.ppf(0.95, 11) / 2, 40).is_as_likely(best, 0.95)
    assert not at(1.01 * chi2.ppf(0.95, 11) / 2, 40).is_as_likely(best, 0.95)


def test_equally_likely__empty_rows_channels_and_components_do_no_harm():
    X, _, H = ambiguous(seed=8, n_rows=21)
    X[3] = 0
    X[:, 11] = 0
    H = np.vstack([H, np.eye(36)[11]])
    solutions = equally_likely(X, H)
    assert all(np.isfinite(s.W).all() and np.isfinite(s.H).all() for s in solutions)
    assert np.isfinite(sampling_errors(solutions[0].W, solutions[0].H)).all()


def test_equally_likely__nothing_that_was_given_is_changed():
    X, _, H = ambiguous(seed=9)
    copies = X.copy(), H.copy()
    alternatives(X, H, equally_likely(X, H), 1)
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(H, copies[1])


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
    solutions = equally_likely(coarse, bin_spectra(fit.H, 3))
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
