# SPDX-License-Identifier: GPL-3.0-or-later
"""Residuals as signals: about 1 for a good fit, more where something is missing."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf.eds.fit_check.verdict import SIGNIFICANT_CHANNEL
from tests.eds.on_signals import find_fit_quality
from tests.helpers.maps import FREE


@pytest.mark.parametrize("which", ["unmixed", "unmixed_free"])
def test_residuals__a_good_fit_reads_one_everywhere(request, which):
    result = request.getfixturevalue(which).psnmf.residuals()
    assert result.total == pytest.approx(1, abs=0.01)
    assert np.nanmean(result.map.data) == pytest.approx(1, abs=0.01)
    assert np.nanmean(result.spectrum.data) == pytest.approx(1, abs=0.02)


def test_residuals__they_have_the_axes_of_the_map_and_of_its_spectra(unmixed):
    result = unmixed.psnmf.residuals()
    assert result.map.data.shape == (20, 26)
    assert [a.name for a in result.map.axes_manager.signal_axes] == ["x", "y"]
    assert result.map.axes_manager.signal_axes[0].scale == unmixed.axes_manager[0].scale
    assert type(result.spectrum) is type(unmixed)
    assert result.spectrum.axes_manager.shape == (310,)
    assert result.spectrum.axes_manager[-1].offset == unmixed.axes_manager[-1].offset
    for signal in (result.map, result.spectrum):
        assert signal.metadata.Signal.quantity == "Deviance per degree of freedom"
        assert signal.metadata.General.title.endswith(unmixed.metadata.General.title)
    assert "Sample" in result.spectrum.metadata


# Spectra of lines follow a foreign peak, so that single channels scatter by more than it adds.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("spectra", "where"), [("lines", "binned"), ("free", "binned"), ("free", "spectrum")]
)
def test_residuals__a_line_that_belongs_to_no_phase_is_significant(grains, unmix, spectra, where):
    grains.data[5, 7, 250:253] += 60
    unmix(grains, spectra=spectra)
    result = grains.psnmf.residuals()
    assert np.unravel_index(np.nanargmax(result.map.data), (20, 26)) == (5, 7)
    # One of the sums of four channels begins at 248.
    assert 248 <= np.nanargmax(getattr(result, where).data) <= 252


def test_residuals__a_phase_too_few_is_seen(grains, unmix):
    one = unmix(grains, 1).psnmf.residuals()
    assert one.total > 1.02 * unmix(grains, 2).psnmf.residuals().total


@pytest.mark.slow
def test_residuals__what_the_report_names_is_in_the_binned_spectrum(grains, unmix):
    result = unmix(grains, 1).psnmf.residuals()
    quality = find_fit_quality(grains)
    assert result.binned.metadata.Signal.quantity.startswith("Deviance above noise")
    assert result.binned.axes_manager[-1].scale == result.spectrum.axes_manager[-1].scale
    energy = result.binned.axes_manager[-1].axis
    worst = quality.places[0].energy
    assert energy[np.nanargmax(result.binned.data)] == pytest.approx(worst, abs=0.05)
    assert np.nanmax(result.binned.data) > SIGNIFICANT_CHANNEL
    assert np.nanmax(unmix(grains).psnmf.residuals().binned.data) < SIGNIFICANT_CHANNEL


def test_residuals__what_was_masked_is_nan(grains, unmix, navigation_mask, signal_mask):
    unmix(grains, navigation_mask=navigation_mask, signal_mask=signal_mask, **FREE)
    result = grains.psnmf.residuals()
    assert np.isnan(result.map.data[:, :4]).all()
    assert np.isfinite(result.map.data[:, 4:]).all()
    assert result.spectrum.axes_manager.shape == (301,)
    for spectrum in (result.spectrum, result.binned):
        assert np.isnan(spectrum.data[111:122]).all()
        assert np.isfinite(spectrum.data[:111]).all()
    assert result.total == pytest.approx(1, abs=0.02)


@pytest.mark.slow
def test_residuals__lazy_saved_and_unfolded_maps_give_the_same(unmixed, tmp_path):
    expected = unmixed.psnmf.residuals()
    unmixed.save(tmp_path / "map.hspy")
    lazy = hs.load(tmp_path / "map.hspy", lazy=True)
    np.testing.assert_allclose(lazy.psnmf.residuals().map.data, expected.map.data)
    lazy.close_file()
    flat = unmixed.deepcopy()
    flat.unfold_navigation_space()
    np.testing.assert_allclose(flat.psnmf.residuals().map.data, expected.map.data.ravel())
    assert flat.psnmf.ambiguity().counts_band.shape == (3, 2)


def test_residuals__a_series_has_a_map_of_three_axes(grains, unmix):
    series = unmix(hs.stack([grains, grains]), **FREE)
    assert series.psnmf.residuals().map.data.shape == (2, 20, 26)


def test_residuals__the_signal_is_left_alone(unmixed_copy, state):
    before = state(unmixed_copy)
    unmixed_copy.psnmf.residuals()
    assert state(unmixed_copy) == before
