# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of components with spectra made of templates: 60 rows, 47 channels, 7 templates."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.held_out.count_splitting import make_folds
from hyperspy_psnmf.nmf.selection import components_of_lines
from hyperspy_psnmf.nmf.selection.components_of_lines import (
    CONTINUUM_CHANGE,
    CONTINUUM_OF_ALL,
    LINE_CHANGE,
    corrected_counts,
    first_of_lines,
    tolerant_deviance,
)
from hyperspy_psnmf.nmf.selection.n_components import choose_n_components
from tests.helpers import naive
from tests.helpers.problems import both
from tests.nmf.lines.line_problems import make_counts, make_loadings, make_spectra, make_templates

TEMPLATES = make_templates()


def number(X, **options):
    rng = np.random.default_rng(1)
    return choose_n_components(X, n_folds=5, rng=rng, **options).simplest()


def varying(counts=20_000.0, change=0.08, seed=0):
    """Return counts of two phases whose first line varies in steps of some per cent."""
    W, spectra = make_loadings(2, counts), make_spectra(2)
    A = W @ spectra.weights
    A[:, 0] *= 1.0 + change * np.where(np.arange(len(W)) % 2, 1.0, -1.0)
    return np.random.default_rng(seed).poisson(A @ TEMPLATES.spectra)


@pytest.mark.slow
@pytest.mark.parametrize("counts", [100.0, 2000.0])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_choose_n_components__planted_lines_are_found(k, counts):
    for X in both(make_counts(k, counts)[0]):
        assert number(X, templates=TEMPLATES) == k


@pytest.mark.parametrize("n_fixed", [1, 2])
def test_choose_n_components__fixed_spectra_count_with_templates(n_fixed):
    X, _, spectra = make_counts(3)
    fixed = spectra.H[:n_fixed]
    found = choose_n_components(X, templates=TEMPLATES, fixed_spectra=fixed, n_folds=5)
    assert found.names[0] == n_fixed
    assert found.simplest() == 3


@pytest.mark.slow
def test_choose_n_components__lines_that_vary_are_no_component(monkeypatch):
    X = varying()
    assert number(X, templates=TEMPLATES) == 2
    assert number(X) == 3  # of free channels
    monkeypatch.setattr(components_of_lines, "LINE_CHANGE", 1e-6)
    assert number(X, templates=TEMPLATES) == 3


def test_corrected_counts__as_row_by_row():
    X, W, spectra = make_counts(3)
    fixed = make_spectra(weights=spectra.weights[1:], fixed=spectra.H[:1])
    G, is_line = TEMPLATES.spectra, TEMPLATES.is_line
    for given, n in ((spectra, 0), (fixed, 1)):
        found = corrected_counts(X, W, given)
        for i in range(0, len(X), 7):
            A = W[i, n:] @ given.weights
            sigma = np.where(
                is_line, LINE_CHANGE * A, CONTINUUM_CHANGE * A + CONTINUUM_OF_ALL * A.sum()
            )
            expected = naive.corrected_row(X[i], W[i] @ given.H, G, np.maximum(sigma, 1e-3))
            np.testing.assert_allclose(found[i], expected, rtol=1e-6)


def test_corrected_counts__nearer_to_a_line_that_varies():
    X = varying(counts=1e5)
    W, spectra = make_loadings(2, 1e5), make_spectra(2)
    line = slice(4, 9)  # of the first template
    before = (W @ spectra.H)[:, line].sum(axis=1)
    after = corrected_counts(X, W, spectra)[:, line].sum(axis=1)
    observed = X[:, line].sum(axis=1)
    assert np.abs(after - observed).mean() < 0.4 * np.abs(before - observed).mean()


def test_tolerant_deviance__csr_as_array_in_blocks_of_rows(monkeypatch):
    X, _, _ = make_counts(2)
    found = []
    for rows in (256, 7):
        monkeypatch.setattr(components_of_lines, "ROWS_AT_A_TIME", rows)
        for counts in both(X):
            fold = make_folds(counts, 5, np.random.default_rng(2))[0]
            found.append(tolerant_deviance(fold, *first_of_lines(fold.train, TEMPLATES, None)))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, found[0], rtol=1e-4)


def test_tolerant_deviance__empty_rows_and_channels():
    X, _, _ = make_counts(2)
    X[7], X[:, 5] = 0.0, 0.0
    assert number(X, templates=TEMPLATES) == 2
