# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import NMF

from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings, solve_spectra
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from tests.helpers import naive
from tests.helpers.problems import angles, both, start_problem


def kkt_residual(X, W, H):
    """Return the duality gaps of loadings and spectra, in nats per count, by loops."""
    gaps = [naive.gap_of_row(x, w, H.T) for x, w in zip(X, W, strict=True)]
    gaps += [naive.gap_of_row(x, h, W) for x, h in zip(X.T, H.T, strict=True)]
    return sum(gaps) / X.sum()


def assert_same_fit(found, expected, **tolerance):
    np.testing.assert_allclose(found.W, expected.W, **tolerance)
    np.testing.assert_allclose(found.H, expected.H, **tolerance)


@pytest.mark.parametrize("n_fixed", [0, 1, 2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_poisson_nmf__the_divergence_never_rises(seed, n_fixed):
    X, H, _ = start_problem(seed)
    seen = []
    fit = poisson_nmf(X, H, n_fixed=n_fixed, callback=lambda n, loss, r: seen.append(loss))
    assert fit.converged
    assert fit.history[1:] == seen  # the first is the start
    assert len(seen) == fit.n_iter
    assert (np.diff(fit.history) <= 0).all()
    assert fit.divergence == fit.history[-1]
    assert fit.divergence == pytest.approx(naive.divergences(X, fit.W, fit.H.T).sum(), rel=1e-9)


@pytest.mark.parametrize("tol", [1e-4, 1e-6])
def test_poisson_nmf__at_the_solution_the_kkt_conditions_have(tol):
    X, H, _ = start_problem(seed=3)
    fit = poisson_nmf(X, H, tol=tol)
    assert fit.converged
    assert fit.kkt_residual <= tol
    # The spectra's share was measured before rows of H got their unit sum back.
    assert kkt_residual(X, fit.W, fit.H) <= 2 * tol
    assert (fit.W >= 0).all()
    assert (fit.H >= 0).all()
    np.testing.assert_allclose(fit.H.sum(axis=1), 1)


@pytest.mark.parametrize("seed", [64, 104, 205, 588])
def test_poisson_nmf__at_an_exact_solution_the_residual_is_not_an_old_one(seed):
    rng = np.random.default_rng(seed)
    X, H = rng.poisson(0.15, size=(7, 9)), rng.gamma(0.3, size=(2, 9)) + 1e-3
    fit = poisson_nmf(X, H / H.sum(axis=1, keepdims=True), max_iter=100)
    assert kkt_residual(X, fit.W, fit.H) < 1e-5
    assert fit.kkt_residual < 1e-5
    assert fit.converged


@pytest.mark.parametrize("seed", [0, 1])
def test_poisson_nmf__the_divergence_is_no_higher_than_after_200_sweeps_of_scikit_learn(seed):
    X, H, _ = start_problem(seed)
    model = NMF(3, init="custom", solver="mu", beta_loss="kullback-leibler", max_iter=200, tol=0)
    W = model.fit_transform(X.astype(float), W=np.full((42, 3), X.mean()), H=H.copy())
    ours = poisson_nmf(X, H)
    # On a problem as small as this, 200 sweeps have converged too.
    assert ours.divergence < naive.divergences(X, W, model.components_.T).sum() + 1e-3


def test_poisson_nmf__separate_phases_are_found():
    X, H, truth = start_problem(counts=500)
    assert angles(poisson_nmf(X, H).H, truth).max() < 3


def test_poisson_nmf__loadings_sum_to_counts_of_their_row_and_model_to_those_of_its_channel():
    X, H, _ = start_problem(seed=4)
    fit = poisson_nmf(X, H, tol=1e-7)
    W = solve_loadings(X, fit.H, fit.W)
    np.testing.assert_allclose(W.sum(axis=1), X.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose((fit.W @ fit.H).sum(axis=0), X.sum(axis=0), atol=0.05)


def test_poisson_nmf__a_sparse_matrix_gives_what_a_dense_one_gives():
    X, H, _ = start_problem(seed=5)
    dense, sparse = (poisson_nmf(counts, H, tol=1e-7) for counts in both(X.astype(float)))
    assert_same_fit(sparse, dense, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_poisson_nmf__the_number_of_threads_changes_no_bit(convert, many_blocks):
    X, H, _ = start_problem(seed=6)
    one, four = (poisson_nmf(convert(X), H, n_jobs=n_jobs) for n_jobs in (1, 4))
    np.testing.assert_array_equal(one.W, four.W)
    np.testing.assert_array_equal(one.H, four.H)
    assert one.history == four.history


@pytest.mark.parametrize("n_fixed", [1, 2])
def test_poisson_nmf__fixed_spectra_stay_in_every_bit(n_fixed):
    X, H, _ = start_problem(seed=7)
    fit = poisson_nmf(X, H, n_fixed=n_fixed)
    np.testing.assert_array_equal(fit.H[:n_fixed], H[:n_fixed])
    assert not np.allclose(fit.H[n_fixed:], H[n_fixed:])


def test_poisson_nmf__fixed_spectra_that_are_true_help():
    X, H, truth = start_problem(seed=8, counts=60)
    H[0] = truth[0]
    fit = poisson_nmf(X, H, n_fixed=1)
    assert fit.converged
    assert angles(fit.H, truth).max() < 12


@pytest.mark.parametrize("n_fixed", [1, 2])
def test_poisson_nmf__fixed_spectra_may_be_zero_where_there_are_counts(n_fixed):
    X, H, truth = start_problem(seed=9)
    H[:n_fixed] = np.where(truth[:n_fixed] > 0.02, truth[:n_fixed], 0)
    H[:n_fixed] /= H[:n_fixed].sum(axis=1, keepdims=True)
    fit = poisson_nmf(X, H, n_fixed=n_fixed)
    assert fit.converged
    assert np.isfinite(fit.divergence)
    np.testing.assert_array_equal(fit.H[:n_fixed], H[:n_fixed])
    np.testing.assert_allclose(
        solve_loadings(X, fit.H, fit.W).sum(axis=1), X.sum(axis=1), rtol=1e-12
    )


@pytest.mark.parametrize("c", [3, 1000])
def test_poisson_nmf__c_times_the_counts_have_c_times_the_loadings(c):
    X, H, _ = start_problem(seed=10)
    one, many = poisson_nmf(X, H, tol=1e-8), poisson_nmf(c * X, H, tol=1e-8)
    np.testing.assert_allclose(many.W, c * one.W, rtol=1e-2, atol=0.05 * c)
    np.testing.assert_allclose(many.H, one.H, atol=1e-3)


def test_poisson_nmf__permuted_channels_have_permuted_spectra():
    X, H, _ = start_problem(seed=11)
    order = np.random.default_rng(0).permutation(29)
    permuted = np.ascontiguousarray(X[:, order])  # for other layouts kernels are compiled anew
    one, other = poisson_nmf(X, H, tol=1e-7), poisson_nmf(permuted, H[:, order], tol=1e-7)
    np.testing.assert_allclose(other.H, one.H[:, order], atol=1e-6)
    np.testing.assert_allclose(other.W, one.W, rtol=1e-4, atol=1e-3)


def test_poisson_nmf__permuted_pixels_have_permuted_loadings():
    X, H, _ = start_problem(seed=12)
    order = np.random.default_rng(0).permutation(42)
    np.testing.assert_array_equal(solve_loadings(X[order], H), solve_loadings(X, H)[order])
    one, other = poisson_nmf(X, H, tol=1e-7), poisson_nmf(X[order], H, tol=1e-7)
    np.testing.assert_allclose(other.W, one.W[order], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_poisson_nmf__an_empty_pixel_and_an_empty_channel_change_nothing(convert):
    X, H, _ = start_problem(seed=13)
    wide, wide_H = np.zeros((43, 30), int), np.zeros((3, 30))
    wide[np.arange(43) != 5, 1:], wide_H[:, 1:] = X, H
    one, other = poisson_nmf(X, H, tol=1e-7), poisson_nmf(convert(wide), wide_H, tol=1e-7)
    assert not other.W[5].any()
    assert not other.H[:, 0].any()
    np.testing.assert_allclose(np.delete(other.W, 5, axis=0), one.W, rtol=1e-3, atol=0.01)
    np.testing.assert_allclose(other.H[:, 1:], one.H, atol=1e-4)
    assert other.divergence == pytest.approx(one.divergence, abs=0.01)


def test_poisson_nmf__float_counts_are_solved_as_integers_are():
    X, H, _ = start_problem(seed=14)
    assert_same_fit(poisson_nmf(X.astype(float), H), poisson_nmf(X, H), rtol=1e-12)


def test_poisson_nmf__one_component_is_the_mean():
    X, _, _ = start_problem(seed=15)
    fit = poisson_nmf(X, np.full((1, 29), 1 / 29))
    assert fit.converged
    np.testing.assert_allclose(fit.H[0], X.sum(axis=0) / X.sum(), rtol=1e-6)
    np.testing.assert_allclose(fit.W[:, 0], X.sum(axis=1), rtol=1e-6)


def degenerate(kind):
    X = np.outer(np.arange(1, 12), np.arange(7))
    if kind == "identical rows":
        X = np.repeat(np.arange(7)[None], 11, axis=0)
    if kind == "one count":
        X = np.zeros((11, 7), int)
        X[4, 2] = 1
    if kind == "one channel":
        X[:, np.arange(7) != 3] = 0
    if kind == "one pixel":
        X[np.arange(11) != 3] = 0
    if kind == "diagonal":
        X = 5 * np.eye(11, 7, dtype=int)
    return X


KINDS = ["rank one", "identical rows", "one count", "one channel", "one pixel", "diagonal"]


@pytest.mark.crossed("init", "convert", "kind")
@pytest.mark.parametrize("init", ["nndsvdar", "random"])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("kind", KINDS)
def test_poisson_nmf__degenerate_data_are_factorised_without_harm(kind, convert, init):
    X = degenerate(kind)
    H = initial_spectra(convert(X), 3, init, np.random.default_rng(0))
    fit = poisson_nmf(convert(X), H)
    assert fit.converged
    assert np.isfinite(fit.W).all()
    np.testing.assert_allclose(fit.H.sum(axis=1), 1)
    W = solve_loadings(convert(X), fit.H, fit.W)
    np.testing.assert_allclose(W.sum(axis=1), X.sum(axis=1), atol=1e-9)
    if kind != "diagonal":  # the only one whose rank is above one
        assert fit.divergence < 0.1 + 0.01 * X.sum() ** 0.5


def test_poisson_nmf__components_that_vanish_keep_a_spectrum_and_get_no_counts():
    X, H, _ = start_problem(seed=16)
    H[2] = 0.0
    W = np.full((42, 3), 10.0)
    fit = poisson_nmf(X, H, W)
    np.testing.assert_allclose(fit.H.sum(axis=1), 1)
    assert np.isfinite(fit.divergence)
    _, H = solve_spectra(X, np.where([True, True, False], W, 0.0), H)
    np.testing.assert_allclose(H.sum(axis=1), 1)


def test_poisson_nmf__a_channel_that_no_start_spectrum_explains_is_taken_up():
    X, H, _ = start_problem(seed=17)
    H[:, 4] = 0.0
    assert X[:, 4].any()
    fit = poisson_nmf(X, H / H.sum(axis=1, keepdims=True))
    assert fit.converged
    assert np.isfinite(fit.divergence)


def test_poisson_nmf__what_the_callback_raises_ends_it():
    X, H, _ = start_problem()

    def stop(n_iter, loss, residual):
        if n_iter == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        poisson_nmf(X, H, callback=stop)


@pytest.mark.parametrize("max_iter", [1, 2])
def test_poisson_nmf__stopping_early_is_reported(max_iter):
    X, H, _ = start_problem()
    fit = poisson_nmf(X, H, max_iter=max_iter)
    assert not fit.converged
    assert fit.n_iter == max_iter


def test_poisson_nmf__the_arguments_are_not_changed():
    X, H, _ = start_problem()
    W = np.full((42, 3), 20.0)
    copies = [a.copy() for a in (X, H, W)]
    poisson_nmf(X, H, W, n_fixed=1)
    solve_loadings(X, H, W)
    solve_spectra(X, W, H)
    for a, b in zip((X, H, W), copies, strict=True):
        np.testing.assert_array_equal(a, b)
