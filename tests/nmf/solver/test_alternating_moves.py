# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates of the solver and its stopping criteria, each against its formula."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.solver import alternating
from hyperspy_psnmf.nmf.solver.alternating import _Patience, _Problem, poisson_nmf
from hyperspy_psnmf.nmf.solver.alternation import Point
from hyperspy_psnmf.nmf.solver.convex import normalise, solve_channels
from hyperspy_psnmf.nmf.solver.volume import VolumeTerm
from tests.helpers import naive
from tests.helpers.problems import both, rows

K = 3


def start(seed=0, counts=80.0):
    """Return counts (8, 11), loadings (8, 3) and spectra of unit sum as columns (11, 3)."""
    X, W, B = rows(seed, n_rows=8, n_columns=11, k=K, counts=counts)
    return X, W * X.sum(axis=1, keepdims=True) / K, B / B.sum(axis=0)


def make_problem(X, volume=0.0, pattern=None, frozen=None, n_fixed=0):
    return _Problem(X, VolumeTerm(X, K, volume, n_fixed), pattern, frozen, n_fixed, 1)


def gap_of_loadings(X, W, B, pattern=None):
    pattern = np.ones(W.shape, bool) if pattern is None else pattern
    return sum(
        naive.gap_of_row(x, w[free], B[:, free]) for x, w, free in zip(X, W, pattern, strict=True)
    )


def some(shape, seed=0, share=0.6):
    chosen = np.random.default_rng(seed).random(shape) < share
    chosen[:, 1] = True
    return chosen


# When to stop


def patience_after(*decreases):
    patience = _Patience()
    for decrease in decreases:
        patience.note(decrease)
    return patience


def is_small(before, decrease):
    return patience_after(before, decrease).n_small > 0


def test_alternating_moves__patience_is_out_after_three_small_decreases_running():
    assert not patience_after(9.0, 0.04, 0.01).is_out
    assert patience_after(9.0, 0.04, 0.01, 0.0).is_out
    assert not patience_after(9.0, 0.04, 0.01, 5.0, 0.01, 0.001).is_out
    assert patience_after(9.0, 0.04, 0.01, 5.0, 0.01, 0.001, 0.0).is_out


def test_alternating_moves__small_means_that_less_than_a_tenth_of_a_nat_is_to_come():
    assert is_small(9.0, 0.0999)
    assert not is_small(9.0, 0.1)
    assert not is_small(9.0, 0.2)


@pytest.mark.parametrize(("decrease", "largest_ratio"), [(0.05, 2 / 3), (0.01, 10 / 11)])
def test_alternating_moves__what_is_to_come_is_sum_of_geometric_series(decrease, largest_ratio):
    # decrease times ratio / (1 - ratio) is a tenth.
    assert is_small(decrease / (largest_ratio - 0.01), decrease)
    assert not is_small(decrease / (largest_ratio + 0.01), decrease)


def test_alternating_moves__a_decrease_that_grows_is_taken_for_one_that_hardly_falls():
    # 99 times the last one is to come.
    assert is_small(0.0001, 0.0010)
    assert not is_small(0.0001, 0.0011)
    assert patience_after(0.0010).n_small == 1
    assert patience_after(0.0011).n_small == 0


def test_alternating_moves__only_the_last_two_decreases_count():
    assert is_small(0.3, 0.05)
    assert patience_after(0.05, 0.3, 0.05).n_small == 1
    assert patience_after(9.0, 0.051, 0.05).n_small == 0


@pytest.mark.parametrize("before", [0.0, np.inf, -5.0])
def test_alternating_moves__where_there_is_no_series_the_last_decrease_is_what_is_to_come(before):
    assert is_small(before, 0.0999)
    assert not is_small(before, 0.1)


def test_alternating_moves__a_rise_in_the_last_digit_is_no_decrease():
    assert is_small(9.0, -5.0)
    assert is_small(9.0, -1e-12)


@pytest.mark.parametrize("max_iter", [0, 1, 4])
def test_poisson_nmf__at_most_so_many_alternations_are_done(max_iter):
    X, W, B = start()
    numbers = []
    fit = poisson_nmf(X, B.T, W, max_iter=max_iter, callback=lambda n, *_: numbers.append(n))
    assert numbers == list(range(1, max_iter + 1))
    assert fit.n_iter == max_iter
    assert len(fit.history) == max_iter + 1
    assert not fit.converged


def test_poisson_nmf__it_converges_when_the_residual_is_small_and_patience_is_out():
    X, W, B = start(1)
    residuals, losses = [], []

    def note(n_iter, loss, residual):
        residuals.append(residual)
        losses.append(loss)

    for tol in (1e-2, 1e-6):
        residuals.clear()
        losses.clear()
        fit = poisson_nmf(X, B.T, W, tol=tol, callback=note)
        assert fit.converged
        assert fit.kkt_residual == residuals[-1] <= tol
        patience, is_out = _Patience(), []
        for decrease in -np.diff([fit.history[0], *losses]):
            patience.note(decrease)
            is_out.append(patience.is_out)
        done = [r <= tol and out for r, out in zip(residuals, is_out, strict=True)]
        assert done == [False] * (len(done) - 1) + [True]
        assert any(is_out[:-1]) or any(r <= tol for r in residuals[:-1])


# Moves


@pytest.mark.parametrize("volume", [0.0, 0.7])
@pytest.mark.parametrize("with_pattern", [False, True])
def test_evaluate__divergence_volume_and_gaps(with_pattern, volume):
    X, W, B = start(2)
    pattern = some(W.shape) if with_pattern else None
    W = W if pattern is None else np.where(pattern, W, 0.0)
    for counts in both(X):
        problem = make_problem(counts, volume, pattern)
        point = problem.evaluate(W, B, 3.5)
        loss = naive.divergences(X, W, B).sum() + VolumeTerm(X, K, volume).value(B)
        assert point.loss == pytest.approx(loss, rel=1e-10)
        assert point.gap == pytest.approx(gap_of_loadings(X, W, B, pattern) + 3.5, rel=1e-10)
        assert problem.evaluate(W, B).gap == pytest.approx(point.gap - 3.5, rel=1e-10)


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("with_frozen", [False, True])
def test_warm_up__fixed_and_frozen_entries_restored(with_frozen, n_fixed):
    X, W, B = start(3)
    frozen = some((K, 11)) if with_frozen else None
    point = make_problem(X, frozen=frozen, n_fixed=n_fixed).warm_up(W, B)
    expected_W, expected_B = W, B
    for _ in range(alternating.EM_SWEEPS):
        expected_W, new_B = naive.em_sweep(X, expected_W, expected_B)
        new_B[:, :n_fixed] = expected_B[:, :n_fixed]
        if with_frozen:
            new_B[frozen.T] = expected_B[frozen.T]
        expected_W, H = normalise(expected_W, new_B, n_fixed)
        expected_B = H.T
    np.testing.assert_allclose(point.W, expected_W, rtol=1e-10)
    np.testing.assert_allclose(point.B, expected_B, rtol=1e-10)
    np.testing.assert_array_equal(point.B[:, :n_fixed], B[:, :n_fixed])


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("step", [0.5, 4.0])
def test_extrapolate__adds_a_multiple_of_the_last_update(step, n_fixed):
    X, W, B = start(4)
    rng = np.random.default_rng(0)
    frozen = some((K, 11), share=0.2)
    frozen[:, 1] = False
    problem = make_problem(X, 0.7, frozen=frozen, n_fixed=n_fixed)
    old = Point(W, B)
    new_B = np.where(frozen.T, B, B * rng.uniform(0.6, 1.4, B.shape))
    new_B[:, :n_fixed] = B[:, :n_fixed]
    new = Point(W * rng.uniform(0.6, 1.4, W.shape), new_B)
    point = problem.extrapolate(new, old, step)
    wanted_W = np.maximum(new.W + step * (new.W - old.W), 0.0)
    wanted_B = np.maximum(new.B + step * (new.B - old.B), 0.0)
    assert step < 1 or not (wanted_W.all() and wanted_B.all())
    scale = np.where(np.arange(K) < n_fixed, 1.0, wanted_B.sum(axis=0))
    np.testing.assert_allclose(point.W, wanted_W * scale, rtol=1e-12)
    np.testing.assert_allclose(point.B, wanted_B / scale, rtol=1e-12)
    loss = naive.divergences(X, point.W, point.B).sum() + problem.volume.value(point.B)
    assert point.loss == pytest.approx(loss, rel=1e-10)


def test_extrapolate__frozen_entries_unchanged():
    X, W, B = start(5)
    frozen = np.zeros((K, 11), bool)
    frozen[2, 4] = True
    problem = make_problem(X, frozen=frozen, n_fixed=1)
    point = problem.extrapolate(Point(W, B), Point(W, 0.9 * B), 2.0)
    np.testing.assert_array_equal(point.B[:, 0], B[:, 0])
    assert point.B[4, 2] / point.B[5, 2] == pytest.approx(B[4, 2] / (1.2 * B[5, 2]))


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_alternate__loadings_then_spectra(n_fixed, monkeypatch):
    monkeypatch.setattr(alternating, "NEWTON_STEPS", 100)
    monkeypatch.setattr(alternating, "INNER", 1e-9)
    X, W, B = start(6)
    point = make_problem(X, n_fixed=n_fixed).alternate(Point(W, B), 1.0)
    best_W = naive.solve_rows(X, B)
    best_B = naive.solve_rows(X.T, best_W, B, n_fixed)
    loss = naive.divergences(X, best_W, best_B).sum()
    assert point.loss == pytest.approx(loss, abs=1e-3)
    np.testing.assert_allclose(point.B[:, n_fixed:].sum(axis=0), 1)
    np.testing.assert_array_equal(point.B[:, :n_fixed], B[:, :n_fixed])


def test_alternate__keeps_the_sparsity_pattern(monkeypatch):
    X, W, B = start(7)
    pattern = some(W.shape)
    point = make_problem(X, pattern=pattern).alternate(Point(np.where(pattern, W, 0), B), 1.0)
    assert not point.W[~pattern].any()
    assert (point.W[pattern] > 0).any()


@pytest.mark.parametrize("large", [False, True])
def test_alternate__rows_solved_to_a_fraction_of_the_present_gap(large, monkeypatch):
    monkeypatch.setattr(alternating, "NEWTON_STEPS", 100)
    X, W, B = start(8, counts=2000)
    # A gap is never more than all counts, for a start may have any.
    gap = 1e9 * X.sum() if large else 1e-3
    asked = []

    def solved(X, B, V, *, tol, **options):
        asked.append(tol)
        return solve_rows(X, B, V, tol=tol, **options)

    solve_rows = alternating.solve_rows
    monkeypatch.setattr(alternating, "solve_rows", solved)
    problem = make_problem(X)
    point = problem.alternate(Point(W, B), gap)
    allowed = alternating.INNER * min(gap, X.sum())
    assert asked == pytest.approx([allowed / 8])
    of_spectra = point.gap - gap_of_loadings(X, point.W, point.B)
    assert -1e-9 <= of_spectra <= allowed


def test_VolumeTerm__with_a_volume_term_the_gap_of_spectra_is_that_of_the_next_bound():
    X, W, B = start(9)
    problem = make_problem(X, 0.01)
    point = problem.alternate(Point(W, B), 1.0)
    bound = problem.volume.bound(point.B)
    Xt = np.ascontiguousarray(X.T)
    _, gaps = solve_channels(Xt, point.W, point.B, max_iter=0, terms=bound)
    expected = gap_of_loadings(X, point.W, point.B) + gaps.sum()
    assert point.gap == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(expected)
    assert gaps.sum() > 1


def test_poisson_nmf__without_counts_the_residual_is_a_number():
    X, _, B = start(10)
    fit = poisson_nmf(np.zeros_like(X), B.T, max_iter=5)
    assert fit.kkt_residual == 0
    assert fit.divergence == 0
    assert not fit.W.any()


def test_VolumeTerm__the_divergence_of_a_fit_is_without_its_volume_term():
    X, W, B = start(11)
    fit = poisson_nmf(X, B.T, W, volume=0.7, max_iter=20)
    assert fit.divergence == pytest.approx(naive.divergences(X, fit.W, fit.H.T).sum(), rel=1e-9)
    penalty = VolumeTerm(X, K, 0.7).value(fit.H.T)
    assert fit.history[-1] - fit.divergence == pytest.approx(penalty, rel=1e-9)


def test_poisson_nmf__a_fit_is_shown_without_its_history():
    X, W, B = start(12)
    assert "history" not in repr(poisson_nmf(X, B.T, W, max_iter=1))
