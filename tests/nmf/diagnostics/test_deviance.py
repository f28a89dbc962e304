# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats
from scipy.special import kl_div

from hyperspy_psnmf.kernels.expected import sum_tabulated
from hyperspy_psnmf.nmf.diagnostics import deviance
from hyperspy_psnmf.nmf.diagnostics.deviance import (
    excess_deviance,
    goodness_of_fit,
    tail_probabilities,
)
from hyperspy_psnmf.nmf.lines.channels import spectra_in_channels
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from tests.helpers.problems import both, planted, rows


def mean_deviance(mu):
    """Sum over what Poisson counts may come to."""
    x = np.arange(500)
    return (stats.poisson.pmf(x, mu) * 2 * kl_div(x, mu)).sum()


def expected_deviance(mu):
    """Return the expectation that `goodness_of_fit` sums, of single entries."""
    table = deviance._expected_deviances()
    found, _ = sum_tabulated(np.reshape(mu, (-1, 1)), np.ones((1, 1)), table, deviance.LARGEST)
    return found.reshape(np.shape(mu))


@pytest.mark.parametrize("mu", [1e-5, 1e-3, 0.02, 0.3, 1.0, 2.5, 17.0, 63.0])
def test_expected_deviance__is_that_of_poisson_counts(mu):
    assert expected_deviance(mu) == pytest.approx(mean_deviance(mu), rel=1e-3)


def test_expected_deviance__of_none_is_none_and_of_many_is_one():
    assert expected_deviance(0.0) == 0
    assert expected_deviance(1e5) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_sum_tabulated__sums_of_a_table_equal_numpy(n_jobs):
    _, V, B = rows(n_rows=23, n_columns=11, k=3)
    table, largest = np.cos(np.linspace(0, 3, 50)), 1.5
    position = np.sqrt(V @ B.T / largest) * 49
    expected = np.interp(position, np.arange(50), table)
    assert (position > 49).any()  # beyond the table
    by_row, by_column = sum_tabulated(V, B, table, largest, n_jobs=n_jobs)
    np.testing.assert_allclose(by_row, expected.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(by_column, expected.sum(axis=0), rtol=1e-10)


def fitted(counts, seed=0, k=3):
    cube, W, H = planted(shape=(24, 31), n_channels=50, counts=counts, seed=seed)
    X = cube.reshape(-1, 50)
    return X, solve_loadings(X, H), H, W


@pytest.mark.slow
@pytest.mark.parametrize("counts", [15, 60, 1000, 20_000])
def test_goodness_of_fit__a_good_fit_reads_one_at_any_number_of_counts(counts):
    X, W, H, _ = fitted(counts)
    fit = poisson_nmf(X, H, W)
    found = goodness_of_fit(X, fit.W, fit.H)
    tolerance = 0.06 if counts < 100 else 0.015
    assert found.total == pytest.approx(1, abs=tolerance)
    assert np.nanmean(found.rows) == pytest.approx(1, abs=tolerance)
    assert np.nanmean(found.channels) == pytest.approx(1, abs=tolerance)


def test_solve_loadings__the_naive_deviance_per_entry_does_not():
    X, W, H, _ = fitted(15)
    assert 2 * kl_div(X, W @ H).mean() < 0.8


def test_goodness_of_fit__a_row_and_a_channel_that_do_not_fit_are_significant():
    X, _, H, _ = fitted(300)
    X = X.copy()
    X[100] = X[100, ::-1]  # another phase
    X[:, 17] *= 3
    found = goodness_of_fit(X, solve_loadings(X, H), H)
    assert np.nanargmax(found.rows) == 100
    assert np.nanargmax(found.channels) == 17
    assert found.channels[17] > 2


def test_goodness_of_fit__a_missing_component_is_seen():
    X, _, H, _ = fitted(300)
    less = poisson_nmf(X, H[:2])
    assert goodness_of_fit(X, less.W, less.H).total > 1.2


def test_goodness_of_fit__dense_equals_sparse_equals_threads():
    X, W, H, _ = fitted(60)
    expected, *others = (
        goodness_of_fit(counts, W, H, n_jobs=n) for counts in both(X) for n in (1, 4)
    )
    for other in others:
        np.testing.assert_allclose(other.rows, expected.rows, rtol=1e-10)
        np.testing.assert_allclose(other.channels, expected.channels, rtol=1e-10)


def test_goodness_of_fit__what_no_component_explains_is_large_but_finite():
    X, W, H, _ = fitted(300)
    H, W = H.copy(), W.copy()
    H[:, 9] = 0
    W[5] = 0
    found = goodness_of_fit(sp.csr_array(X), W, H)
    assert 2 < found.channels[9] < np.inf
    assert np.isfinite(found.total)


def test_goodness_of_fit__without_counts_there_is_nothing_to_report():
    X, W, H, _ = fitted(300)
    X, H, W = np.pad(X, ((1, 0), (0, 1))), np.pad(H, ((0, 0), (0, 1))), np.pad(W, ((1, 0), (0, 0)))
    found = goodness_of_fit(X, W, H)
    assert np.isnan(found.rows[0])
    assert np.isnan(found.channels[-1])
    assert np.isfinite(found.rows[1:]).all()
    assert np.isfinite(found.total)


@pytest.mark.parametrize("mu", [1e-4, 0.02, 0.3, 1.0, 2.5, 17.0, 63.0])
def test_deviance__the_scatter_of_the_deviance_is_that_of_poisson_counts(mu):
    x = np.arange(500)
    squared = (stats.poisson.pmf(x, mu) * (2 * kl_div(x, mu)) ** 2).sum()
    V, B = np.full((1, 1), mu), np.ones((1, 1))
    variance = sum_tabulated(V, B, deviance._variances(), deviance.LARGEST)[0][0]
    assert variance == pytest.approx(squared - mean_deviance(mu) ** 2, rel=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("counts", "at_most"), [(60, 7), (1000, 4), (20_000, 4)])
def test_excess_deviance__a_good_fit_is_off_by_its_scatter(counts, at_most):
    # At few counts per entry a parameter does not take exactly one unit.
    found = []
    for seed in range(4):
        X, W, H, _ = fitted(counts, seed=seed)
        fit = poisson_nmf(X, H, W)
        found.append(excess_deviance(X, fit.W, fit.H))
        assert found[-1].total == pytest.approx(goodness_of_fit(X, fit.W, fit.H).total)
    assert np.abs([f.significance for f in found]).max() < at_most
    assert np.std(np.concatenate([f.channels for f in found])) == pytest.approx(1, abs=0.25)


def test_excess_deviance__residuals_are_many_times_the_scatter_and_the_worst_channel_leads():
    X, _, H, _ = fitted(300)
    less = poisson_nmf(X, H[:2])
    assert excess_deviance(X, less.W, less.H).significance > 20
    X = X.copy()
    X[: len(X) // 2, 17] *= 3
    found = excess_deviance(X, solve_loadings(X, H), H)
    assert np.nanargmax(found.channels) == 17
    assert found.channels[17] > 8


def test_excess_deviance__residuals_of_empty_channels_are_undetermined():
    X, W, H, _ = fitted(300)
    found = excess_deviance(np.pad(X, ((0, 0), (0, 1))), W, np.pad(H, ((0, 0), (0, 1))))
    assert np.isnan(found.channels[-1])
    assert np.isfinite(found.channels[:-1]).all()


@pytest.mark.parametrize("counts", [8, 60, 1000])
def test_tail_probabilities__a_good_fit_has_no_more_than_stated(counts):
    p = np.concatenate([tail_probabilities(*fitted(counts, seed=seed)[:3]) for seed in range(6)])
    # By 4464 rows; the gamma distribution has the heavier tail where counts are few.
    assert np.mean(p < 0.05) < 0.06
    assert np.mean(p < 0.001) < 0.003
    assert (p > 1e-6).all()


def test_tail_probabilities__a_row_with_another_spectrum_is_found_in_an_imperfect_fit():
    X, W, H, _ = fitted(300)
    X = X.copy()
    X[:, 17] *= 2  # all over
    X[5, 17] += 100
    X[7] = 0
    W = solve_loadings(X, H)
    p = tail_probabilities(X, W, H)
    assert p[7] == 1
    assert p.argmin() == 5
    assert p[5] < 1e-6
    assert np.mean(p < 0.001) < 0.02


def test_goodness_of_fit__averaged_rows_adapt_less_to_their_counts():
    rng = np.random.default_rng(3)
    _, W, H = planted(shape=(24, 31), n_channels=50, counts=300)
    W, n = np.repeat(W[::4], 4, axis=0), 4
    X = rng.poisson(W @ H)
    found = solve_loadings(X.reshape(-1, n, 50).sum(axis=1), H) / n
    found = np.repeat(found, n, axis=0)
    aware, unaware = (
        goodness_of_fit(X, found, H, n_averaged=s).total for s in (np.full(len(X), n), None)
    )
    # The spectra are the truth, of which the degrees of freedom know nothing.
    assert unaware > aware > 1


def test_goodness_of_fit__no_weight_of_a_prior_is_a_parameter_per_channel():
    X, W, H, _ = fitted(60)
    free, weightless = (
        goodness_of_fit(X, W, H, prior_weights=weights) for weights in (None, np.zeros(50))
    )
    np.testing.assert_array_equal(weightless.rows, free.rows)
    np.testing.assert_array_equal(weightless.channels, free.channels)


def test_goodness_of_fit__infinite_weight_of_a_prior_leaves_the_parameters_of_the_loadings():
    # One component: its loadings have a parameter per row, distributed over channels as the counts.
    _, W, H = planted(shape=(24, 31), n_channels=50, counts=300)
    W, H = W.sum(axis=1, keepdims=True), H[:1]
    X = np.random.default_rng(0).poisson(W @ H)
    found = goodness_of_fit(X, W, H, prior_weights=np.full(50, np.inf))
    mu = W @ H
    deviances, expected = 2 * kl_div(X, mu), expected_deviance(mu)
    rows = deviances.sum(axis=1) / (expected.sum(axis=1) - 1)
    channels = deviances.sum(axis=0) / (expected.sum(axis=0) - len(X) * H[0])
    np.testing.assert_allclose(found.rows, rows, rtol=1e-3)
    np.testing.assert_allclose(found.channels, channels, rtol=1e-3)


def test_goodness_of_fit__weights_matter_in_their_channels():
    X, W, H, _ = fitted(300)
    weights = np.where(np.arange(50) < 20, np.inf, 0.0)
    free, found = (goodness_of_fit(X, W, H, prior_weights=w) for w in (None, weights))
    assert (found.channels[:20] < free.channels[:20]).all()
    np.testing.assert_allclose(found.channels[20:], free.channels[20:], rtol=1e-12)


@pytest.mark.parametrize("weight", [0.3, 3.0, 30.0, np.inf])
def test_excess_deviance__a_good_fit_with_a_prior_is_off_by_its_scatter(weight):
    aware, unaware = [], []
    for seed in range(20):
        cube, _, H = planted(shape=(5, 6), n_channels=50, counts=3000, seed=seed)
        X = cube.reshape(-1, 50)
        W, spectra = spectra_in_channels(X, solve_loadings(X, H), H, weight)
        W = solve_loadings(X, spectra)
        aware.append(excess_deviance(X, W, spectra, prior_weights=np.full(50, weight)))
        unaware.append(excess_deviance(X, W, spectra))
    scatter = np.mean([found.scatter for found in aware]) / np.sqrt(20)
    assert np.mean([found.total for found in aware]) == pytest.approx(1, abs=3 * scatter)
    if weight > 1:
        assert np.mean([found.total for found in unaware]) > 1 + 6 * scatter
