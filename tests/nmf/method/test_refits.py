# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2 once more, of parts of the counts."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.nmf.held_out.count_splitting import split_counts
from hyperspy_psnmf.nmf.method import many_bins
from hyperspy_psnmf.nmf.method import refits as refits_module
from hyperspy_psnmf.nmf.method.binned import BinnedSettings
from hyperspy_psnmf.nmf.method.binned_lines import factorise_binned_lines
from hyperspy_psnmf.nmf.method.refits import FreeRefits, LineRefits
from tests.nmf.lines.line_problems import N_CHANNELS, make_counts, make_templates

OPTIONS = {"max_iter": 200, "tol": 1e-5, "n_jobs": 1}


@pytest.fixture(scope="module")
def settings():
    return BinnedSettings(2, np.empty((0, N_CHANNELS)), templates=make_templates(), init="vertex")


@pytest.fixture(scope="module")
def found(settings):
    """Counts, and the spectra and loadings found in them."""
    X, _, _ = make_counts()
    rng = np.random.default_rng(0)
    return X, factorise_binned_lines(X, settings, rng, OPTIONS, lambda *_: None)


def train(refits):
    fold = split_counts(refits.counts.astype(int), 4, np.random.default_rng(1))[0]
    return (refits.counts - fold).astype(float)


def test_LineRefits__all_counts_give_the_spectra_found_and_parts_of_them_others(found, settings):
    X, fit = found
    refits = LineRefits(X, fit.W, fit.H, settings, 200)
    np.testing.assert_allclose(refits.spectra(refits.counts), fit.H, atol=2e-3)
    other = refits.spectra(train(refits))
    np.testing.assert_allclose(other.sum(axis=1), 1.0)
    assert 1e-4 < np.abs(other - fit.H).max() < 0.1


def test_LineRefits__dense_as_sparse_and_channels_summed(found, settings):
    X, fit = found
    dense, sparse = (
        LineRefits(x, fit.W, fit.H, replace(settings, energy_binning=2), 200)
        for x in (X, sp.csr_array(X))
    )
    assert dense.counts.shape[0] == len(X)
    assert dense.counts.shape[1] <= N_CHANNELS // 2
    part = train(dense)
    np.testing.assert_allclose(dense.spectra(part), sparse.spectra(part), atol=1e-8)


def test_LineRefits__of_many_bins_the_subset_that_spectra_were_found_in(
    found, settings, monkeypatch
):
    X, fit = found
    monkeypatch.setattr(many_bins, "MAX_BINS", 50)
    monkeypatch.setattr(refits_module, "SUBSET_BINS", 30)
    refits = LineRefits(X, fit.W, fit.H, settings, 200)
    assert refits.counts.shape[0] == len(refits.W) == 30
    assert np.abs(refits.spectra(refits.counts) - fit.H).max() < 0.02


def test_LineRefits__fixed_spectra_stay_and_absent_lines_are_absent(found, settings):
    X, fit = found
    weights = fit.fit.spectra.weights
    line = weights[1, :5].argmax()
    absent = np.zeros((2, N_CHANNELS), dtype=bool)
    absent[1] = settings.templates.lines[line] > 0.01
    refits = LineRefits(X, fit.W, fit.H, replace(settings, fixed=fit.H[:1], absent=absent), 200)
    assert not refits.start.allowed[0, line]
    assert refits.start.allowed[0].sum() >= len(settings.templates) - 2  # lines that overlap
    other = refits.spectra(train(refits))
    np.testing.assert_array_equal(other[0], fit.H[0])
    np.testing.assert_allclose(other.sum(axis=1), 1.0)


def test_FreeRefits__all_counts_give_the_spectra_found(found, settings):
    X, fit = found
    free = replace(settings, templates=None, volume=0.0)
    refits = FreeRefits(X, fit.H, free, 200, 1e-5)
    again = FreeRefits(X, refits.spectra(X), free, 200, 1e-5)
    np.testing.assert_allclose(again.spectra(X), refits.spectra(X), atol=1e-3)
