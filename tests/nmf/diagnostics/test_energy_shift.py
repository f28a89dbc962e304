# SPDX-License-Identifier: GPL-3.0-or-later
"""Shifts of the energy axis are found, with errors that are right."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.diagnostics import energy_shift
from hyperspy_psnmf.nmf.diagnostics.energy_shift import energy_shifts, trends
from tests.helpers.problems import both

N_ROWS, N_CHANNELS = 331, 120
BY = np.linspace(-0.5, 0.5, N_ROWS)


def spectra(by=0.0):
    """Return two spectra of lines and a background, shifted by `by` channels."""
    j, by = np.arange(N_CHANNELS), np.asarray(by)[..., None]
    lines = [(20, 50, 51), (35, 80, 100)]
    H = np.stack(
        [0.02 + sum(np.exp(-(((j - by - c) / 4) ** 2) / 2) for c in of) for of in lines], axis=-2
    )
    return H / H.sum(axis=-1, keepdims=True)


def counts(by, seed=0, n_counts=2000):
    """Return counts of rows of both spectra in every proportion, each shifted by its own."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.1, 0.9, N_ROWS)
    W = n_counts * np.column_stack([share, 1 - share])
    return rng.poisson(np.einsum("ik,ikj->ij", W, spectra(np.broadcast_to(by, N_ROWS)))).astype(
        float
    )


def find(X, **options):
    return energy_shifts(X, spectra(), smoothing=1.5, **options)


def test_energy_shifts__errors_are_the_scatter_of_rows_that_are_not_shifted():
    found, error = find(counts(0.0))
    assert np.mean(found) == pytest.approx(0, abs=4 * error.mean() / np.sqrt(N_ROWS))
    assert np.std(found / error) == pytest.approx(1, abs=0.12)


def test_energy_shifts__shifts_are_found_up_to_what_smoothing_takes():
    found, _ = find(counts(BY))
    slope = np.polyfit(BY, found, 1)[0]
    assert slope == pytest.approx(1, abs=0.15)


def test_energy_shifts__dense_equals_sparse_equals_blocks_of_rows(monkeypatch):
    X = counts(BY)
    expected, *others = (find(x, n_jobs=n) for x in both(X) for n in (1, 2))
    monkeypatch.setattr(energy_shift, "ROWS_AT_A_TIME", 100)
    for other in [*others, find(X)]:
        np.testing.assert_allclose(other, expected, rtol=1e-6, atol=1e-9)


def test_trends__a_row_without_counts_reports_nothing():
    X = counts(0.0)
    X[7] = 0
    found, error = find(X)
    assert found[7] == 0
    assert np.isinf(error[7])
    assert np.isfinite(np.delete(error, 7)).all()
    assert np.isfinite(trends(found, error, BY[:, None])).all()


def test_trends__are_reported_apart_by_axis_and_have_honest_errors():
    rng = np.random.default_rng(2)
    positions, error = rng.uniform(size=(N_ROWS, 2)), rng.uniform(0.1, 0.3, N_ROWS)
    z = []
    for _ in range(200):
        along = trends(0.7 * positions[:, 1] + rng.normal(0, error), error, positions)
        z.append([along[0].change / along[0].error, (along[1].change - 0.7) / along[1].error])
    assert np.std(z, axis=0) == pytest.approx(1, abs=0.15)
    assert np.abs(np.mean(z, axis=0)).max() < 0.3


def test_trends__scatter_beyond_errors_makes_trends_less_sure():
    rng = np.random.default_rng(3)
    values, error = rng.normal(0, 1, N_ROWS), np.full(N_ROWS, 0.1)
    (along,) = trends(values, error, BY[:, None] + 0.5)
    (twice,) = trends(values, 10 * error, BY[:, None] + 0.5)
    assert along.error == pytest.approx(twice.error, rel=0.15)
