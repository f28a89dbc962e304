# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from hyperspy_psnmf.nmf.solver.volume import VolumeTerm
from tests.helpers.problems import both, planted

K = 3


def problem(seed=0, counts=150.0):
    """Return counts (42, 29), spectra to start from and the true ones."""
    cube, _, H = planted((6, 7), 29, counts=counts, seed=seed)
    X = cube.reshape(42, 29)
    return X, initial_spectra(X, K, "nndsvdar", np.random.default_rng(seed)), H


def random_spectra(seed, scale=1.0):
    """Return spectra (29, 3) as columns, of unit sum before they are scaled."""
    B = np.random.default_rng(seed).gamma(0.7, size=(29, K))
    return scale * B / B.sum(axis=0)


def naive_value(X, B, weight):
    counts = X.sum(axis=0)
    G = np.zeros((B.shape[1], B.shape[1]))
    for j in np.flatnonzero(counts):
        G += np.outer(B[j], B[j]) * counts.sum() / counts[j]
    delta = B.shape[1] / (counts.sum() / len(X))
    return weight * len(X) / 2 * np.log(np.linalg.det(G + delta * np.eye(B.shape[1])))


def value_of_bound(terms, B):
    """Return the convex bound at B, up to a constant."""
    total = 0.0
    for i, h in enumerate(B):
        total += terms.linear[i] @ h + terms.scale[i] / 2 * h @ terms.matrix @ h
        total += terms.diagonal[i] @ h**2 / 2
        used = terms.pseudo_counts[i] > 0
        total -= terms.pseudo_counts[i][used] @ np.log(h[used])
    return total


def normalised(B, n_fixed):
    scale = np.where(np.arange(B.shape[1]) < n_fixed, 1.0, B.sum(axis=0))
    return B / scale


@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_VolumeTerm__the_value_is_half_the_rows_times_the_logarithm_of_the_determinant(weight):
    X, _, _ = problem()
    X[:, 7], X[:, 8] = 0, np.eye(len(X))[5]  # no count, and a single one
    B = random_spectra(1)
    for counts in both(X):
        assert VolumeTerm(counts, K, weight).value(B) == pytest.approx(naive_value(X, B, weight))


def test_VolumeTerm__a_map_of_one_count_has_a_volume():
    X = np.zeros((4, 29), int)
    X[2, 5] = 1
    B = random_spectra(2)
    assert VolumeTerm(X, K, 1.0).value(B) == pytest.approx(naive_value(X, B, 1.0))


def test_bound__no_terms_for_fixed_spectra():
    X, _, _ = problem()
    bound = VolumeTerm(X, K, 1.0, n_fixed=2).bound(random_spectra(3))
    for part in (bound.pseudo_counts, bound.diagonal):
        assert not part[:, :2].any()
        assert (part[:, 2] > 0).all()


def test_VolumeTerm__without_a_weight_or_counts_there_is_no_term():
    X, _, _ = problem()
    for term in (VolumeTerm(X, K, 0.0), VolumeTerm(np.zeros_like(X), K, 1.0)):
        assert not term
        assert term.value(random_spectra(1)) == 0
        assert not term.bound(random_spectra(1)).linear.size


def test_VolumeTerm__spectra_that_are_alike_have_the_smallest_volume():
    X, _, _ = problem()
    term, B = VolumeTerm(X, K, 1.0), random_spectra(1)
    values = [term.value((1 - t) * B + t * B.mean(axis=1, keepdims=True)) for t in (0, 0.5, 0.9, 1)]
    assert (np.diff(values) < 0).all()
    assert np.isfinite(values[-1])


@pytest.mark.parametrize("n_fixed", [0, 1, 2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_VolumeTerm__the_bound_touches_the_penalty_and_is_nowhere_below_it(seed, n_fixed):
    X, _, _ = problem()
    X[:, 7] = 0
    term, at = VolumeTerm(X, K, 0.7, n_fixed), random_spectra(seed)
    bound = term.bound(at)
    rng = np.random.default_rng(seed + 100)
    for spread in (1e-3, 0.1, 1.0, 3.0):
        B = at * np.exp(spread * rng.normal(size=at.shape))
        B[:, :n_fixed] = at[:, :n_fixed]
        rise = term.value(normalised(B, n_fixed)) - term.value(at)
        assert rise <= value_of_bound(bound, B) - value_of_bound(bound, at) + 1e-9


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_VolumeTerm__the_bound_has_the_slope_of_the_penalty_where_it_touches(n_fixed):
    X, _, _ = problem()
    term, at = VolumeTerm(X, K, 0.7, n_fixed), random_spectra(3)
    bound, step = term.bound(at), 1e-6
    for j, k in [(0, n_fixed), (5, 2), (11, 1), (28, 2)]:
        up, down = at.copy(), at.copy()
        up[j, k] += step * at[j, k]
        down[j, k] -= step * at[j, k]
        slope = term.value(normalised(up, n_fixed)) - term.value(normalised(down, n_fixed))
        expected = value_of_bound(bound, up) - value_of_bound(bound, down)
        assert slope == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_VolumeTerm__the_bound_is_convex():
    X, _, _ = problem()
    bound = VolumeTerm(X, K, 1.0).bound(random_spectra(4))
    assert np.linalg.eigvalsh(bound.matrix).min() > 0
    for part in (bound.scale, bound.diagonal, bound.pseudo_counts):
        assert (part >= 0).all()


@pytest.mark.parametrize("volume", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("n_fixed", [0, 1])
def test_poisson_nmf__the_objective_never_rises_and_converges(n_fixed, volume):
    X, H, truth = problem(seed=2)
    H[:n_fixed] = truth[:n_fixed]
    fit = poisson_nmf(X, H, n_fixed=n_fixed, volume=volume)
    assert fit.converged
    assert (np.diff(fit.history) <= 0).all()
    penalty = naive_value(X, fit.H.T, volume)
    assert fit.divergence + penalty == pytest.approx(fit.history[-1], abs=1e-6)
    np.testing.assert_allclose(fit.H.sum(axis=1), 1)
    np.testing.assert_array_equal(fit.H[:n_fixed], H[:n_fixed])


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_VolumeTerm__the_heavier_the_weight_the_smaller_the_volume_and_the_worse_the_fit(n_fixed):
    X, H, _ = problem(seed=1)
    fits = [poisson_nmf(X, H, n_fixed=n_fixed, volume=v, tol=1e-7) for v in (0, 0.1, 1, 10)]
    volumes = [VolumeTerm(X, K, 1.0).value(fit.H.T) for fit in fits]
    assert (np.diff(volumes) < 0).all()
    assert (np.diff([fit.divergence for fit in fits]) > 0).all()


def test_poisson_nmf__weight_zero_is_plain_maximum_likelihood():
    X, H, _ = problem(seed=3)
    plain, zero = poisson_nmf(X, H), poisson_nmf(X, H, volume=0.0)
    np.testing.assert_array_equal(zero.H, plain.H)
    assert zero.history == plain.history


def test_poisson_nmf__no_start_is_better_than_where_it_converges():
    X, H, _ = problem(seed=4)
    fit = poisson_nmf(X, H, volume=0.5, tol=1e-7)
    rng = np.random.default_rng(0)
    for _ in range(5):
        H = fit.H * np.exp(0.02 * rng.normal(size=fit.H.shape))
        again = poisson_nmf(X, H / H.sum(axis=1, keepdims=True), volume=0.5, tol=1e-7)
        assert again.history[-1] > fit.history[-1] - 0.05


def test_poisson_nmf__a_sparse_matrix_gives_what_a_dense_one_gives():
    X, H, _ = problem(seed=5)
    dense, sparse = (poisson_nmf(x, H, volume=0.5, tol=1e-7) for x in both(X.astype(float)))
    np.testing.assert_allclose(sparse.H, dense.H, atol=1e-6)


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_poisson_nmf__zeros_in_the_start_and_empty_channels_do_no_harm(n_fixed):
    X, H, _ = problem(seed=6)
    X[:, 7] = X[11] = 0
    H = np.where(H > 0.02, H, 0.0)
    fit = poisson_nmf(X, H / H.sum(axis=1, keepdims=True), volume=0.5, n_fixed=n_fixed)
    assert fit.converged
    assert np.isfinite(fit.divergence)
    assert not fit.W[11].any()


def test_initial_spectra__components_that_vanish_do_no_harm():
    X = np.outer(np.arange(1, 12), np.arange(7))
    H = initial_spectra(X, K, "random", np.random.default_rng(0))
    fit = poisson_nmf(X, H, volume=1.0)
    assert fit.converged
    assert np.isfinite(fit.H).all()
    # One spectrum will do, and no volume is smaller than that of three that are the same.
    np.testing.assert_allclose(fit.W @ fit.H, X, atol=0.5)
