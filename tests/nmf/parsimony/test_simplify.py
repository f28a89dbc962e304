# SPDX-License-Identifier: GPL-3.0-or-later
"""`simplify` as a whole, on maps whose phases maximum likelihood mixes."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.parsimony.simplify import simplify
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from tests.helpers.problems import (
    ALLOY,
    MATRIX,
    N_CHANNELS,
    N_ROWS,
    OTHER,
    angles,
    grains,
    inclusions,
    spectrum,
)


def unmix(fractions, H, counts=4000, seed=0, k=None, start="nndsvdar", n_fixed=0, **options):
    """Return counts, their most likely factorisation and the simpler one."""
    X = np.random.default_rng(seed).poisson(counts * fractions @ H).astype(float)
    H0 = initial_spectra(X, k or len(H), start, np.random.default_rng(seed))
    H0[:n_fixed] = H[:n_fixed]
    likeliest = poisson_nmf(X, H0, n_fixed=n_fixed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return X, likeliest, simplify(X, likeliest, n_fixed=n_fixed, **options)


def assert_sound(X, likeliest, simpler):
    """Check what holds for any data."""
    fit, k = simpler.fit, len(simpler.fit.H)
    for values in (fit.W, fit.H, simpler.added, simpler.removed):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    np.testing.assert_allclose(fit.H.sum(axis=1), 1)
    assert simpler.added.shape == simpler.removed.shape == (k, k)
    assert not simpler.added.diagonal().any()
    assert not simpler.removed.diagonal().any()
    assert fit.converged
    # It may cost what loadings within errors of zero and lines within errors explained.
    n_absent = np.count_nonzero(fit.W == 0)
    assert fit.divergence <= likeliest.divergence + 2 * n_absent + 3 * k * (k - 1) + 1


@pytest.mark.parametrize("counts", [1000, 4000])
@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_simplify__an_element_of_two_phases_is_merged(seed, order, counts):
    truth = np.stack([MATRIX, ALLOY])[order]
    X, likeliest, simpler = unmix(grains()[:, order], truth, counts, seed)
    assert angles(likeliest.H, ALLOY[None])[0] > 20
    assert angles(simpler.fit.H, truth).max() < 2
    assert_sound(X, likeliest, simpler)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_simplify__matrix_subtracted_from_inclusions(seed):
    truth = np.stack(
        [spectrum((8, 1.0), (20, 0.6), background=0), spectrum((14, 1.0), (26, 0.5), background=0)]
    )
    X, likeliest, simpler = unmix(inclusions(seed), truth, seed=seed)
    assert angles(likeliest.H, truth).max() > 30
    assert angles(simpler.fit.H, truth).max() < 9
    assert simpler.removed.max() > 0.3
    assert_sound(X, likeliest, simpler)


def test_simplify__zeros_remove_the_bias_of_spectra():
    truth = np.stack([MATRIX, OTHER])
    X, likeliest, simpler = unmix(grains(), truth, line_width=7)
    assert np.count_nonzero(simpler.fit.W == 0) > 80
    assert angles(simpler.fit.H, truth).max() < 0.7 * angles(likeliest.H, truth).max()
    assert_sound(X, likeliest, simpler)


@pytest.mark.parametrize("n_fixed", [1, 2])
def test_simplify__fixed_spectra_unchanged_bit_for_bit(n_fixed):
    truth = np.stack([ALLOY, MATRIX])
    X, likeliest, simpler = unmix(grains(), truth, n_fixed=n_fixed)
    np.testing.assert_array_equal(simpler.fit.H[:n_fixed], truth[:n_fixed])
    assert not simpler.added[:n_fixed].any()
    assert not simpler.removed[:n_fixed].any()
    assert angles(simpler.fit.H, truth).max() < 2
    assert_sound(X, likeliest, simpler)


def test_simplify__fixed_spectra_may_leave_counts_unexplained():
    truth = np.stack([spectrum((8, 1.0), background=0), OTHER])
    truth[0, 15:] = 0.0
    truth[0] /= truth[0].sum()
    fractions = np.array([[0.999, 0.001]] * 60 + [[0.2, 0.8]] * 70)
    X, likeliest, simpler = unmix(fractions, truth, counts=600, n_fixed=1)
    assert X[:60, 15:].any()
    assert_sound(X, likeliest, simpler)


def test_simplify__dense_equals_sparse_equals_threads(many_blocks):
    X, likeliest, simpler = unmix(grains(), np.stack([MATRIX, ALLOY]))
    for convert, n_jobs in [(np.asarray, 1), (np.asarray, 4)]:
        again = simplify(convert(X), likeliest, n_jobs=n_jobs)
        np.testing.assert_array_equal(again.fit.W, simpler.fit.W)
        np.testing.assert_array_equal(again.fit.H, simpler.fit.H)
    sparse = simplify(sp.csr_array(X), likeliest)
    np.testing.assert_allclose(sparse.fit.H, simpler.fit.H, atol=1e-4)
    np.testing.assert_allclose(sparse.added, simpler.added, atol=1e-3)


def test_simplify__stopping_early_is_reported():
    X, likeliest, _ = unmix(grains(), np.stack([MATRIX, ALLOY]))
    simpler = simplify(X, likeliest, max_iter=1)
    assert not simpler.fit.converged
    assert simpler.fit.n_iter > likeliest.n_iter


def test_simplification_reorder__added_and_removed_follow():
    _, _, simpler = unmix(grains(), np.stack([MATRIX, ALLOY]))
    swapped = simpler.reorder([1, 0])
    np.testing.assert_array_equal(swapped.added, simpler.added[::-1, ::-1])
    np.testing.assert_array_equal(swapped.removed, simpler.removed[::-1, ::-1])


TWO = np.stack([MATRIX, OTHER])
AWKWARD = {
    "empty rows": (grains() * (np.arange(N_ROWS) % 3 > 0)[:, None], TWO, {}),
    "few counts": (grains(), TWO, {"counts": 3}),
    "few counts, many components": (grains(), TWO, {"counts": 3, "k": 5}),
    "next to no counts": (grains(), TWO, {"counts": 0.05, "k": 4}),
    "too many components": (grains(), TWO, {"k": 4}),
    "too many components, gradient": (np.linspace([0, 1], [1, 0], N_ROWS), TWO, {"k": 4}),
    "one phase": (np.ones((N_ROWS, 1)), TWO[:1], {"k": 3}),
    "alike": (grains(), TWO[[0, 0]], {}),
    "an absent phase": (grains() * [1, 0], TWO, {}),
    "few rows": (grains()[68:72], TWO, {}),
    "one row": (grains()[70:71], TWO, {"start": "random"}),
    "wide lines": (inclusions(), TWO, {"line_width": N_CHANNELS}),
    "lines wider than the spectrum": (inclusions(), TWO, {"line_width": 1000}),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", AWKWARD)
def test_simplify__degenerate_data(kind):
    fractions, H, options = AWKWARD[kind]
    assert_sound(*unmix(fractions, H, **{"counts": 4000, **options}))


def test_simplify__a_component_without_counts_stays_empty():
    X, likeliest, _ = unmix(grains(), TWO)
    empty = np.zeros((N_ROWS, 1))
    H = np.vstack([likeliest.H, np.full((1, N_CHANNELS), 1 / N_CHANNELS)])
    fit = poisson_nmf(X, H, np.hstack([likeliest.W, empty]), max_iter=1)
    assert_sound(X, likeliest, simplify(X, fit))


def test_simplify__fractional_counts():
    X, _, _ = unmix(grains(), TWO)
    likeliest = poisson_nmf(0.37 * X, TWO)
    assert_sound(0.37 * X, likeliest, simplify(0.37 * X, likeliest))
