# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows with priors and penalties beside the likelihood."""

import numpy as np
import pytest

from hyperspy_psnmf.kernels.newton.rows import RowTerms, solve_rows
from tests.helpers import naive
from tests.helpers.problems import awkward_rows, both, rows

KINDS = ["linear", "pseudo-counts", "scale", "diagonal", "all"]


def make_terms(V, kind="all", seed=0, strength=1.0):
    """Return terms of one kind, the others zero, for rows of coefficients V."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(V.shape[1], V.shape[1]))
    parts = {
        "linear": strength * rng.gamma(0.5, size=V.shape),
        "pseudo-counts": strength * rng.gamma(0.5, size=V.shape),
        "scale": 0.1 * strength * rng.gamma(0.5, size=len(V)),
        "diagonal": 0.1 * strength * rng.gamma(0.5, size=V.shape),
    }
    linear, pseudo, scale, diagonal = (
        part * (kind in (name, "all")) for name, part in parts.items()
    )
    if kind in ("linear", "pseudo-counts"):
        return RowTerms(linear, pseudo)
    return RowTerms(linear, pseudo, scale, root @ root.T, diagonal)


def quadratic(terms, i):
    """Return the quadratic term of row i as a matrix."""
    k = terms.linear.shape[1]
    if not terms.scale.size:
        return np.zeros((k, k))
    return terms.scale[i] * terms.matrix + np.diag(terms.diagonal[i])


def objectives(X, V, B, terms):
    linear_and_logs = zip(X, V, terms.linear, terms.pseudo_counts, strict=True)
    return np.array(
        [
            naive.objective_of_row(x, v, B, linear, pseudo, quadratic(terms, i))
            for i, (x, v, linear, pseudo) in enumerate(linear_and_logs)
        ]
    )


def best(X, B, V, terms, n_fixed=0):
    return np.array(
        [
            naive.solve_row_with_terms(
                x, B, linear, pseudo, quadratic(terms, i), v_fixed=v[:n_fixed]
            )
            for i, (x, v, linear, pseudo) in enumerate(
                zip(X, V, terms.linear, terms.pseudo_counts, strict=True)
            )
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("n_fixed", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_solve_rows__rows_with_terms_are_solved_to_the_gap_asked_for(kind, n_fixed):
    X, V, B = rows(seed=1, n_rows=9, n_columns=11, k=3)
    terms = make_terms(V, kind)
    lowest = objectives(X, best(X, B, V, terms, n_fixed), B, terms)
    for counts in both(X):
        for tol in (1e-1, 1e-5):
            found, gaps = solve_rows(counts, B, V, n_fixed=n_fixed, terms=terms, tol=tol)
            excess = objectives(X, found, B, terms) - lowest
            np.testing.assert_array_equal(found[:, :n_fixed], V[:, :n_fixed])
            assert (gaps <= tol).all()
            assert (excess <= gaps + 1e-9).all()
            assert (excess >= -1e-8).all()


@pytest.mark.slow
@pytest.mark.parametrize("max_iter", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_solve_rows__the_gap_bounds_what_is_left_also_when_stopped_early(kind, max_iter):
    X, V, B = rows(seed=2, n_rows=8, n_columns=12, k=4)
    terms = make_terms(V, kind, seed=1, strength=3.0)
    found, gaps = solve_rows(X, B, V, terms=terms, tol=0.0, max_iter=max_iter)
    left = objectives(X, found, B, terms) - objectives(X, best(X, B, V, terms), B, terms)
    assert (left <= gaps + 1e-9).all()
    assert (gaps > 1e-6).any() or max_iter > 2


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_solve_rows__no_step_makes_a_row_worse(kind, n_fixed):
    X, V, B = rows(seed=3, n_rows=8, n_columns=10, k=4)
    terms = make_terms(V, kind, seed=2, strength=5.0)
    before = objectives(X, V, B, terms)
    for _ in range(8):
        V, _ = solve_rows(X, B, V, n_fixed=n_fixed, terms=terms, tol=0.0, max_iter=1)
        after = objectives(X, V, B, terms)
        assert (after <= before + 1e-10).all()
        before = after


@pytest.mark.parametrize("n_fixed", [0, 2])
@pytest.mark.parametrize("problem", [rows, awkward_rows])
def test_parallel__serial_and_parallel_agree_in_every_bit(problem, n_fixed, many_blocks):
    X, V, B = problem()
    terms = make_terms(V)
    for counts in both(X):
        expected = solve_rows(counts, B, V, n_fixed=n_fixed, terms=terms)
        for n_jobs in (4, None):
            found = solve_rows(counts, B, V, n_fixed=n_fixed, terms=terms, n_jobs=n_jobs)
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_solve_rows__dense_and_sparse_agree(kind, n_fixed):
    X, V, B = rows(seed=4)
    terms = make_terms(V, kind)
    dense, sparse = (
        solve_rows(x, B, V, n_fixed=n_fixed, terms=terms, tol=1e-11)[0] for x in both(X)
    )
    np.testing.assert_allclose(dense, sparse, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_solve_rows__awkward_rows_with_terms_are_solved(tol, n_fixed):
    X, V, B = awkward_rows()
    for kind in KINDS:
        for counts in both(X):
            terms = make_terms(V, kind)
            found, gaps = solve_rows(counts, B, V, n_fixed=n_fixed, terms=terms, tol=tol)
            assert np.isfinite(found).all()
            assert (found >= 0).all()
            assert (gaps <= tol + 1e-12 * X.sum(axis=1)).all()


def test_solve_rows__terms_of_zero_change_nothing():
    X, V, B = rows(seed=5)
    zero = RowTerms(np.zeros(V.shape), np.zeros(V.shape))
    plain = solve_rows(X, B, V, tol=1e-9)[0]
    np.testing.assert_allclose(solve_rows(X, B, V, terms=zero, tol=1e-9)[0], plain, rtol=1e-9)
    quadratic = RowTerms(*zero[:2], np.zeros(13), np.eye(3), np.zeros(V.shape))
    np.testing.assert_allclose(
        solve_rows(X, B, V, terms=quadratic, tol=1e-9)[0], plain, rtol=1e-3, atol=1e-3
    )


def test_solve_rows__the_arguments_are_not_changed():
    X, V, B = rows(seed=6)
    terms = make_terms(V)
    given = (X, V, B, *terms)
    copies = [a.copy() for a in given]
    solve_rows(X, B, V, terms=terms)
    for a, b in zip(given, copies, strict=True):
        np.testing.assert_array_equal(a, b)


# Pseudo-counts


@pytest.mark.parametrize("n_fixed", [0, 1])
def test_solve_rows__a_row_of_pseudo_counts_alone_goes_where_they_say(n_fixed):
    X, V, B = rows(n_rows=6, n_columns=7, k=3)
    X[4] = 0
    terms = RowTerms(np.full(V.shape, 0.5), np.random.default_rng(0).gamma(2, size=V.shape))
    for counts in both(X):
        found, gaps = solve_rows(counts, B, V, n_fixed=n_fixed, terms=terms, tol=1e-9)
        expected = terms.pseudo_counts[4] / (B.sum(axis=0) + 0.5)
        np.testing.assert_allclose(found[4, n_fixed:], expected[n_fixed:], rtol=1e-4)
        assert gaps[4] <= 1e-9


@pytest.mark.parametrize("kind", ["linear", "scale", "diagonal"])
def test_solve_rows__a_row_without_counts_or_pseudo_counts_is_zero(kind):
    X, V, B = rows(n_rows=6, n_columns=7, k=3)
    X[4] = 0
    for counts in both(X):
        found, gaps = solve_rows(counts, B, V, terms=make_terms(V, kind))
        assert not found[4].any()
        assert gaps[4] == 0


def test_solve_rows__pseudo_counts_are_counts_in_channels_of_their_own():
    X, V, B = rows(seed=7, n_rows=8, n_columns=10, k=3)
    terms = make_terms(V, "pseudo-counts", strength=8.0)._replace(linear=np.ones(V.shape))
    wide = np.hstack([X, terms.pseudo_counts])
    expected, _ = solve_rows(wide, np.vstack([B, np.eye(3)]), V, tol=1e-10)
    found, _ = solve_rows(X, B, V, terms=terms, tol=1e-10)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("with_quadratic", [False, True])
@pytest.mark.parametrize("counts", [25, 10_000])
@pytest.mark.parametrize("tiny", [1e-3, 1e-6, 1e-12, 1e-25, 1e-100, 1e-300])
def test_solve_rows__pseudo_counts_next_to_nothing_keep_no_row_from_its_solution(
    tiny, counts, with_quadratic
):
    # Newton steps that must not end at zero are cut ever shorter, unless they end at least
    # where a solution may be.
    X, V, B = rows(seed=8, n_rows=9, n_columns=12, k=4, counts=counts)
    terms = make_terms(V, "all" if with_quadratic else "linear")
    terms.pseudo_counts[:] = tiny
    terms.pseudo_counts[:, 1] = 1.0
    for x in both(X):
        found, gaps = solve_rows(x, B, V, terms=terms, tol=1e-6, max_iter=60)
        assert (gaps <= 1e-6).all()
        assert (found[:, 1] > 0).all()
        assert np.isfinite(found).all()


def test_solve_rows__pseudo_counts_keep_a_coefficient_positive():
    X, V, B = rows(seed=9, n_rows=8, n_columns=10, k=3)
    for kind in ("pseudo-counts", "all"):
        found, _ = solve_rows(X, B, V, terms=make_terms(V, kind))
        assert (found > 0).all()


def test_solve_rows__strong_pseudo_counts_decide_the_proportions():
    X, V, B = rows(seed=10, n_rows=7, n_columns=9, k=3)
    wanted = np.random.default_rng(1).gamma(2, size=V.shape)
    tau = 1e7
    found, _ = solve_rows(X, B, V, terms=RowTerms(np.full(V.shape, tau), tau * wanted), tol=1e-4)
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_solve_rows__a_component_that_the_basis_knows_nothing_of_stays_as_it_was():
    X, V, B = rows(seed=11, n_rows=7, n_columns=9, k=3)
    B[:, 1] = 0.0
    found, gaps = solve_rows(X, B, V, terms=make_terms(V), tol=1e-6)
    np.testing.assert_array_equal(found[:, 1], V[:, 1])
    assert (gaps <= 1e-6).all()


# Penalties


def test_solve_rows__a_high_price_makes_a_coefficient_exactly_zero():
    X, V, B = rows(seed=12, n_rows=7, n_columns=9, k=3)
    linear = np.zeros(V.shape)
    linear[:, 1] = 1e6
    found, _ = solve_rows(X, B, V, terms=RowTerms(linear, np.zeros(V.shape)), tol=1e-6)
    assert not found[:, 1].any()
    expected, _ = solve_rows(X, B[:, [0, 2]], V[:, [0, 2]], tol=1e-6)
    np.testing.assert_allclose(found[:, [0, 2]], expected, rtol=1e-2, atol=1e-3)


def test_solve_rows__a_quadratic_term_shrinks():
    X, V, B = rows(seed=13, n_rows=7, n_columns=9, k=2, counts=80)
    none = np.zeros(V.shape)
    shrunk, _ = solve_rows(X, B, V, terms=RowTerms(none, none, np.ones(7), np.eye(2), none))
    assert (shrunk.sum(axis=1) < solve_rows(X, B, V)[0].sum(axis=1)).all()


@pytest.mark.parametrize("n_fixed", [1, 2])
def test_solve_rows__large_held_coefficients_pull_the_free_ones_through_a_coupling(n_fixed):
    X, V, B = rows(seed=14, n_rows=8, n_columns=10, k=3)
    V[:, :n_fixed] *= 100
    Q = np.full((3, 3), -0.3) + np.eye(3)
    assert np.linalg.eigvalsh(Q).min() > 0
    none, tiny = np.zeros(V.shape), np.full(V.shape, 1e-5)
    terms = RowTerms(none, tiny, np.full(8, 2.0), Q, none)
    found, gaps = solve_rows(X, B, V, n_fixed=n_fixed, terms=terms, tol=1e-5)
    lowest = objectives(X, best(X, B, V, terms, n_fixed), B, terms)
    assert (gaps <= 1e-5).all()
    assert (objectives(X, found, B, terms) - lowest <= 1e-5).all()
