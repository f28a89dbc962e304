# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure of the fit shows spectra, fit, continuum and what is left."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_psnmf import data, plot
from tests.helpers.compositions import as_found


@pytest.fixture(scope="module")
def signal():
    return as_found(data.mineral_grains(shape=(8, 9), n_channels=800, counts=4000, seed=2))


@pytest.fixture(scope="module")
def result(signal):
    factors = signal.metadata.Truth.k_factors.as_dictionary()
    return signal.psnmf.quantify(factors=factors)


@pytest.mark.slow
def test_plot_line_fit__each_phase_has_its_spectrum_and_the_rest(signal, result):
    fig, axes = result.plot_line_fit()
    fig.canvas.draw()
    assert axes.shape == (3, 2)
    assert [upper.get_title() for upper in axes[:, 0]] == signal.psnmf.phase_names
    for i, (upper, lower) in enumerate(axes):
        fitted, continuum = (line.get_ydata() for line in upper.lines)
        np.testing.assert_array_equal(fitted, result.fit.fitted[i])
        np.testing.assert_array_equal(continuum, result.fit.continuum[i])
        low, high = upper.get_ylim()
        assert low < np.nanmin(continuum)
        assert high > np.nanmax(fitted)
        assert lower.get_ylabel().startswith("Rest")
        assert np.nanmax(np.abs(lower.lines[-1].get_ydata())) < lower.get_ylim()[1]
    assert axes[-1, 1].get_xlabel() == "Energy (keV)"
    labels = {text.get_text() for text in axes[0, 0].texts}
    assert {"Si Kα", "O Kα"} <= labels


def test_quantify__what_is_left_of_phases_is_noise(result):
    fit = result.fit
    rest = (fit.spectra.data - fit.fitted) / fit.sigma
    assert np.nanmean(rest**2) < 1.3
    assert (fit.continuum[np.isfinite(fit.continuum)] > 0).all()
    assert (np.nan_to_num(fit.continuum) <= np.nan_to_num(fit.fitted) + 50).all()


@pytest.mark.slow
def test_quantify__windows_fit_nothing(signal):
    factors = signal.metadata.Truth.k_factors.as_dictionary()
    found = signal.psnmf.quantify(factors=factors, intensities="windows")
    assert found.fit is None
    with pytest.raises(ValueError, match=r"result.*windows.*intensities='model'"):
        found.plot_line_fit()


def test_plot_line_fit__channels_left_out_are_not_drawn(result):
    nan = replace(result.fit, fitted=result.fit.fitted.copy())
    nan.fitted[:, :100] = np.nan
    _, axes = plot.plot_line_fit(nan)
    assert np.isnan(axes[0, 0].lines[0].get_ydata()[:100]).all()
