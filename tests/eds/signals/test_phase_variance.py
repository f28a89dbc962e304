# SPDX-License-Identifier: GPL-3.0-or-later
"""The noise variance of phase spectra is cut, saved and fitted together with them."""

import hyperspy.api as hs
import numpy as np
import pytest

from tests.helpers.maps import FREE
from tests.helpers.versions import ZSPY


def in_electronvolts(signal):
    axis = signal.axes_manager.signal_axes[0]
    axis.scale, axis.offset, axis.units = 1000 * axis.scale, 1000 * axis.offset, "eV"
    return signal


def on_a_list_of_energies(signal):
    signal.axes_manager.signal_axes[0].convert_to_non_uniform_axis()
    return signal


AXES = {"keV": (lambda s: s, 1.0), "eV": (in_electronvolts, 1000.0)}


@pytest.fixture(scope="module", params=AXES)
def spectra(request, pristine_grains, unmix):
    change, per_kev = AXES[request.param]
    return unmix(change(pristine_grains.deepcopy()), **FREE).psnmf.phase_spectra(), per_kev


def assert_variance_fits(spectra):
    """Each channel has the variance of its own counts, on the same axes."""
    variance = spectra.get_noise_variance()
    np.testing.assert_array_equal(variance.data, np.maximum(spectra.data, 1.0))
    assert variance.axes_manager.shape == spectra.axes_manager.shape
    energy, of_variance = (s.axes_manager.signal_axes[0] for s in (spectra, variance))
    np.testing.assert_allclose(of_variance.axis, energy.axis)
    assert of_variance.units == energy.units


CUTS = {
    "whole": lambda p, kev: p,
    "energies": lambda p, kev: p.isig[0.6 * kev : 2.5 * kev],
    "channels": lambda p, kev: p.isig[100:241],
    "from an energy": lambda p, kev: p.isig[1.1 * kev :],
    "twice": lambda p, kev: p.isig[20:300].isig[0.6 * kev : 2.5 * kev],
    "one phase": lambda p, kev: p.inav[1],
    "two phases and energies": lambda p, kev: p.inav[1:].isig[0.6 * kev : 2.5 * kev],
    "energies, then one phase": lambda p, kev: p.isig[: 2.5 * kev].inav[2],
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=list(CUTS))
def test_variance__cut_with_the_spectra(spectra, cut):
    assert_variance_fits(cut(*spectra))


@pytest.mark.slow
@pytest.mark.parametrize("cut", ["whole", "energies", "channels", "two phases and energies"])
def test_model__of_what_was_cut_is_fitted(spectra, cut):
    part = CUTS[cut](*spectra)
    model = part.create_model()
    model.multifit(show_progressbar=False)
    assert model.red_chisq.data.shape == (part.axes_manager.navigation_size,)
    assert np.isfinite(model.red_chisq.data).all()


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_variance__survives_saving_before_and_after_a_cut(spectra, tmp_path, extension):
    whole, kev = spectra
    for i, part in enumerate([whole, whole.isig[0.6 * kev : 2.5 * kev], whole.inav[2]]):
        part.save(tmp_path / f"{i}.{extension}")
        again = hs.load(tmp_path / f"{i}.{extension}")
        assert_variance_fits(again)
        assert_variance_fits(again.isig[0.7 * kev : 2.0 * kev])


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"output_dimension": 1},
        {"energy_range": (0.5, 2.0)},
        {"signal_mask": np.arange(310) < 30},
    ],
    ids=["one phase", "energy range", "channels masked"],
)
def test_variance__has_the_axes_of_what_was_decomposed(grains, unmix, options):
    found = unmix(grains, **options, **FREE).psnmf.phase_spectra()
    assert_variance_fits(found)
    assert_variance_fits(found.isig[0.7:1.5])


def test_variance__cut_on_an_axis_without_equal_steps(grains, unmix):
    found = unmix(on_a_list_of_energies(grains)).psnmf.phase_spectra()
    assert_variance_fits(found)
    assert_variance_fits(found.isig[0.7:1.5])


@pytest.fixture(scope="module")
def ambiguity(unmixed_free):
    return unmixed_free.psnmf.ambiguity()


def test_variance__none_where_a_signal_holds_no_counts(unmixed_free, ambiguity):
    p = unmixed_free.psnmf
    signals = {
        "errors": p.standard_errors(of="spectra"),
        "errors of the model": p.standard_errors(of="model"),
        "residuals": p.residuals().spectrum,
        "binned residuals": p.residuals().binned,
        "lowest spectra": ambiguity.spectra_low,
        "maps": p.phase_maps(),
    }
    for what, signal in signals.items():
        assert signal.get_noise_variance() is None, what
        if signal.axes_manager.signal_dimension == 1:
            assert signal.isig[0.7:1.5].axes_manager.signal_size == 80


def test_variance__of_the_spectra_with_a_band_is_cut_too(ambiguity):
    assert_variance_fits(ambiguity.spectra.isig[0.7:1.5])
