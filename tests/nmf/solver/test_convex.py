# SPDX-License-Identifier: GPL-3.0-or-later
"""Loadings with spectra frozen and spectra with loadings frozen, against loops over rows."""

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.kernels.newton.rows import RowTerms, solve_rows
from hyperspy_psnmf.nmf.solver import convex
from hyperspy_psnmf.nmf.solver.convex import (
    freeze_at_zero,
    normalise,
    solve_channels,
    solve_loadings,
    solve_spectra,
    transpose,
)
from tests.helpers import naive
from tests.helpers.problems import both, rows, start_problem


def problem(seed=0, k=4, counts=60.0):
    """Return counts (8, 11), loadings (8, k) and spectra (k, 11) of unit sum."""
    X, W, B = rows(seed, n_rows=8, n_columns=11, k=k, counts=counts)
    return X, W, (B / B.sum(axis=0)).T


# Loadings


@pytest.mark.parametrize("counts", [2.0, 5000.0])
@pytest.mark.parametrize("tol", [1e-1, 1e-5])
def test_solve_loadings__loadings_are_solved_to_gap_asked_for_and_faint_rows_to_less(tol, counts):
    X, W, H = problem(counts=counts)
    for start in (None, W, 1e3 * W):
        for given in both(X):
            found = solve_loadings(given, H, start, tol=tol)
            for x, w in zip(X, found, strict=True):
                gap = naive.gap_of_row(x, w, H.T)
                assert gap <= min(tol, 0.01 * tol * x.sum()) * (1 + 1e-6) + 1e-12 * x.sum()


def test_solve_loadings__a_spectrum_of_zeros_gets_no_loadings():
    X, W, H = problem(1)
    H[2] = 0.0
    for start in (None, W):
        found = solve_loadings(X, H, start, tol=1e-6)
        assert not found[:, 2].any()
        kept = [0, 1, 3]
        np.testing.assert_allclose(
            found[:, kept], solve_loadings(X, H[kept], tol=1e-6), rtol=1e-2, atol=1e-2
        )


def test_solve_loadings__without_a_start_the_counts_of_a_row_are_divided_equally():
    X, _, H = problem(2)
    alike = np.tile(X.sum(axis=1)[:, None] / 4, (1, 4))
    for given in both(X):
        np.testing.assert_array_equal(solve_loadings(given, H), solve_loadings(given, H, alike))


# Spectra


@pytest.mark.parametrize("n_fixed", [0, 1, 2])
@pytest.mark.parametrize("with_frozen", [False, True])
def test_solve_spectra__no_spectrum_that_is_free_can_do_better(n_fixed, with_frozen):
    X, W, H = problem(3)
    frozen = np.random.default_rng(0).random(H.shape) < 0.4 if with_frozen else None
    W_new, H_new = solve_spectra(X, W, H, n_fixed=n_fixed, frozen=frozen, tol=1e-7)
    np.testing.assert_allclose(H_new.sum(axis=1)[n_fixed:], 1)
    np.testing.assert_array_equal(H_new[:n_fixed], H[:n_fixed])
    np.testing.assert_array_equal(W_new[:, :n_fixed], W[:, :n_fixed])
    scale = W_new / W  # the same in every row
    np.testing.assert_allclose(scale, np.tile(scale[0], (8, 1)), rtol=1e-12)
    stays = np.zeros(H.shape, bool) if frozen is None else frozen.copy()
    stays[:n_fixed] = True
    B = (H_new * scale[0][:, None]).T
    np.testing.assert_allclose(B.T[stays], H[stays], rtol=1e-12)
    for x, b, frozen_here in zip(X.T, B, stays.T, strict=True):
        order = np.argsort(~frozen_here, kind="stable")
        gap = naive.gap_of_row(x, b[order], W[:, order], n_fixed=frozen_here.sum())
        assert gap <= 1e-7 * (1 + 1e-3)


@pytest.mark.parametrize("kind", ["linear", "all"])
@pytest.mark.parametrize("n_fixed", [0, 1])
def test_solve_channels__held_entries_and_terms_go_together(n_fixed, kind):
    X, W, H = problem(4)
    rng = np.random.default_rng(1)
    B, frozen = H.T.copy(), rng.random((11, 4)) < 0.4
    linear, pseudo, diagonal = (rng.gamma(1.0, size=B.shape) for _ in range(3))
    terms = RowTerms(linear, pseudo)
    if kind == "all":
        root = rng.normal(size=(4, 4))
        terms = RowTerms(linear, pseudo, rng.gamma(1.0, size=11), root @ root.T, diagonal)
    options = {"n_fixed": n_fixed, "terms": terms, "tol": 1e-9}
    Xt = np.ascontiguousarray(X.T)
    found, gaps = solve_channels(Xt, W, B, frozen, **options)
    stays = frozen | (np.arange(4) < n_fixed)
    np.testing.assert_array_equal(found[stays], B[stays])
    assert (gaps <= 1e-9).all()
    for j, (x, b) in enumerate(zip(X.T, found, strict=True)):
        order = np.argsort(~stays[j], kind="stable")
        Q = np.zeros((4, 4))
        if kind == "all":
            Q = terms.scale[j] * terms.matrix + np.diag(terms.diagonal[j])
        best = naive.solve_row_with_terms(
            x,
            W[:, order],
            linear[j][order],
            pseudo[j][order],
            Q[np.ix_(order, order)],
            v_fixed=B[j][order][: stays[j].sum()],
        )
        np.testing.assert_allclose(b[order], best, rtol=1e-3, atol=1e-5)


def test_solve_channels__without_held_entries_channels_are_rows():
    X, W, H = problem(5)
    Xt = np.ascontiguousarray(X.T)
    expected = solve_rows(Xt, W, H.T, n_fixed=1, tol=1e-5)
    nothing = np.zeros((11, 4), bool)
    for frozen in (None, nothing):
        found = solve_channels(Xt, W, H.T, frozen, n_fixed=1, tol=1e-5)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_solve_channels__the_gaps_of_channels_stay_with_their_channels():
    X, W, H = problem(6)
    frozen = np.zeros((11, 4), bool)
    frozen[::3, 1] = frozen[1::4, 3] = True
    Xt = np.ascontiguousarray(X.T)
    found, gaps = solve_channels(Xt, W, H.T, frozen, tol=0.0, max_iter=0)
    for x, b, frozen_here, gap in zip(X.T, found, frozen, gaps, strict=True):
        order = np.argsort(~frozen_here, kind="stable")
        expected = naive.gap_of_row(x, b[order], W[:, order], n_fixed=frozen_here.sum())
        if frozen_here.any():  # else the scale of the start is changed first
            assert gap == pytest.approx(expected, rel=1e-9)


# Terms and scales


def test_freeze_at_zero__what_is_kept_at_zero_is_zero_and_the_rest_is_as_without_it():
    X, W, H = problem(7)
    absent = np.zeros(W.shape, bool)
    absent[:, 2] = absent[3, 0] = True
    terms = freeze_at_zero(absent)
    found, _ = solve_rows(X, H.T, np.where(absent, 0.0, W), terms=terms, tol=1e-8)
    assert not found[absent].any()
    for x, w, out in zip(X, found, absent, strict=True):
        assert naive.gap_of_row(x, w[~out], H[~out].T) <= 1e-8 * (1 + 1e-3) + 1e-12 * x.sum()
    np.testing.assert_array_equal(terms.linear > 0, absent)
    assert not terms.pseudo_counts.any()


@pytest.mark.parametrize("n_fixed", [0, 2])
def test_normalise__scaling_to_unit_sum_keeps_the_product(n_fixed):
    _, W, H = problem(8)
    B = H.T * [1.0, 2.0, 0.3, 5.0]
    W_new, H_new = normalise(W, B, n_fixed)
    np.testing.assert_allclose(W_new @ H_new, W @ B.T, rtol=1e-13)
    np.testing.assert_allclose(H_new[n_fixed:].sum(axis=1), 1)
    np.testing.assert_array_equal(H_new[:n_fixed], B.T[:n_fixed])
    np.testing.assert_array_equal(W_new[:, :n_fixed], W[:, :n_fixed])


def test_normalise__a_component_without_a_spectrum_gets_a_flat_one_and_no_counts():
    _, W, H = problem(9)
    B = H.T.copy()
    B[:, 1] = 0.0
    W_new, H_new = normalise(W, B)
    np.testing.assert_allclose(H_new[1], 1 / 11)
    assert not W_new[:, 1].any()
    np.testing.assert_allclose(W_new @ H_new, W @ B.T, rtol=1e-13)


def test_normalise__a_fixed_spectrum_of_zeros_stays():
    _, W, H = problem(9)
    B = H.T.copy()
    B[:, 0] = 0.0
    W_new, H_new = normalise(W, B, 1)
    assert not H_new[0].any()
    np.testing.assert_array_equal(W_new[:, 0], W[:, 0])


def test_transpose__a_transpose_has_the_layout_of_the_counts():
    X, _, _ = problem(10)
    dense, sparse = (transpose(x) for x in both(X))
    assert dense.flags.c_contiguous
    assert isinstance(sparse, sp.csr_array)
    np.testing.assert_array_equal(dense, X.T)
    np.testing.assert_array_equal(sparse.toarray(), X.T)


def test_solve_loadings__loadings_do_not_depend_on_where_the_search_starts():
    X, H, _ = start_problem(seed=18)
    X[3] = 0
    expected = solve_loadings(X, H, tol=1e-8)
    for start in (np.full((42, 3), 1e-3), np.full((42, 3), 1e7), np.eye(42, 3)):
        np.testing.assert_allclose(solve_loadings(X, H, start, tol=1e-8), expected, atol=1e-2)


def test_solve_loadings__other_pixels_change_loadings_by_less_than_a_twentieth_of_their_error():
    X, H, _ = start_problem(seed=19, counts=20)
    bright = np.vstack([X, 1_000_000 * X[:1]])
    change = solve_loadings(bright, H)[:-1] - solve_loadings(X, H)
    assert (np.abs(change) <= 0.05 * np.sqrt(X.sum(axis=1, keepdims=True))).all()


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_solve_loadings__without_counts_loadings_are_zero(convert):
    _, H, _ = start_problem()
    assert not solve_loadings(convert(np.zeros((4, 29), np.uint8)), H).any()


def test_solve_loadings__spectra_are_the_most_likely_ones_for_the_loadings():
    X, H, _ = start_problem(seed=20)
    W = solve_loadings(X, H)
    W_new, H_new = solve_spectra(X, W, H, tol=1e-8)
    best = naive.solve_rows(X.T, W).T
    assert divergence(X, W_new, H_new.T) == pytest.approx(divergence(X, W, best.T), abs=1e-4)
    np.testing.assert_allclose(H_new.sum(axis=1), 1)
    np.testing.assert_allclose(W_new / W_new.sum(axis=0), W / W.sum(axis=0))


@pytest.mark.parametrize("n_fixed", [0, 2])
def test_solve_spectra__spectra_are_same_whatever_channels_solved_at_time(n_fixed, monkeypatch):
    X, W, H = problem()
    frozen = np.zeros(H.shape, bool)
    frozen[3, 2:9] = frozen[2, 4:6] = True
    expected = solve_spectra(X, W, H, n_fixed=n_fixed, frozen=frozen)
    monkeypatch.setattr(convex, "TRANSPOSED_BYTES", 3 * X[:, 0].nbytes)
    for found, wanted in zip(
        solve_spectra(X, W, H, n_fixed=n_fixed, frozen=frozen), expected, strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_solve_loadings__spectra_with_fixed_ones_are_the_most_likely_ones():
    X, H, _ = start_problem(seed=21)
    W = solve_loadings(X, H)
    W_new, H_new = solve_spectra(X, W, H, n_fixed=1, tol=1e-8)
    np.testing.assert_array_equal(H_new[0], H[0])
    np.testing.assert_array_equal(W_new[:, 0], W[:, 0])
    best = naive.solve_rows(X.T, W, H.T, n_fixed=1).T
    assert divergence(X, W_new, H_new.T) == pytest.approx(divergence(X, W, best.T), abs=1e-4)
