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
    "element_maps": lambda p: p.element_maps(["Mg_Ka", "Si_Ka"], standard_errors=True),
    "residuals": lambda p: p.residuals(),
    "report": lambda p: p.report(),
}
REST = ("Al", "Ca", "Fe", "O", "Ti")


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


def test_decomposed__masks_of_the_decomposition(grains, unmix):
    mask = np.zeros((26, 20), bool)
    mask[:3] = True
    found = Decomposed.read(unmix(grains, navigation_mask=mask, energy_range=(0.5, 2.0)))
    assert found.n_pixels == found.map_input.n_pixels_in_use == 520 - 60
    assert found.keep_channels.sum() == found.H.shape[1] < 310
    assert found.spectra.data.shape[1] == found.map_input.inside.size
