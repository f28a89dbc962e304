# SPDX-License-Identifier: GPL-3.0-or-later
"""A decomposed map is read once for a call, and its counts are binned once."""

import numpy as np
import pytest

from hyperspy_psnmf.eds.lazy import decomposed as module
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed

CALLS = {
    "quantify": lambda p: p.quantify(factors={"Mg_Ka": 1.1, "Si_Ka": 1.0}, exclude=REST),
    "quantify with bands": lambda p: p.quantify(
        factors={"Mg_Ka": 1.1, "Si_Ka": 1.0}, exclude=REST, ambiguity=True
    ),
    "element_maps": lambda p: p.element_maps(["Mg_Ka", "Si_Ka"]),
    "element_map_errors": lambda p: p.element_map_errors(["Mg_Ka", "Si_Ka"]),
    "residuals": lambda p: p.residuals(),
    "report": lambda p: p.report(),
}
REST = ("Al", "Ca", "Fe", "O", "Ti")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:net counts below zero")
@pytest.mark.parametrize("call", CALLS)
def test_decomposed__results_and_counts_are_read_once_per_call(unmixed, monkeypatch, call):
    calls = {"read_counts_and_spectra": 0, "open_counts": 0}

    def counted(name, function):
        def call(*args, **kwargs):
            calls[name] += 1
            return function(*args, **kwargs)

        return call

    for name in calls:
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    CALLS[call](unmixed.psnmf)
    assert calls == {"read_counts_and_spectra": 1, "open_counts": 1}


def test_decomposed__loadings_and_spectra_add_up(unmixed):
    found = Decomposed.read(unmixed)
    with found.open_counts() as X:
        assert X.shape == (520, 310)
        n_bins = found.bins(X).n_bins
    np.testing.assert_allclose(found.H.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.W.sum(axis=0), found.counts)
    assert found.binned_counts.shape == (n_bins, 310)
    assert found.binned_loadings.shape == (n_bins, 3)
    assert found.binned_counts.sum() == unmixed.data.sum()


def test_binned_loadings_found__those_of_the_record_summed_where_bins_are_doubled(
    unmixed, monkeypatch
):
    record = unmixed.learning_results.psnmf["binned_loadings"]
    found = Decomposed.read(unmixed)
    np.testing.assert_array_equal(found.binned_loadings_found, record.reshape(-1, 3))
    monkeypatch.setattr(module, "MAX_BINS", len(found.binned_counts) - 1)
    doubled = Decomposed.read(unmixed)
    W = doubled.binned_loadings_found
    assert W.shape == doubled.binned_loadings.shape
    assert len(W) < len(found.binned_loadings_found)
    np.testing.assert_allclose(W[0], record[:2, :2].sum(axis=(0, 1)))
    np.testing.assert_allclose(W.sum(axis=0), record.sum(axis=(0, 1)))


def test_binned_loadings_found__sums_of_another_algorithm(unmixed_copy):
    unmixed_copy.learning_results.psnmf.clear()
    found = Decomposed.read(unmixed_copy)
    assert found.binned_loadings_found.shape == found.binned_loadings.shape
    np.testing.assert_allclose(found.binned_loadings_found.sum(axis=0), found.counts)


def test_decomposed__masks_of_the_decomposition(grains, unmix):
    mask = np.zeros((26, 20), bool)
    mask[:3] = True
    found = Decomposed.read(unmix(grains, navigation_mask=mask, energy_range=(0.5, 2.0)))
    assert found.n_pixels == found.map_input.n_pixels_in_use == 520 - 60
    assert found.keep_channels.sum() == found.H.shape[1] < 310
    assert found.spectra.data.shape[1] == found.map_input.inside.size
