# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra and maps of phases as signals that eXSpy's tools accept."""

import exspy
import hyperspy.api as hs
import numpy as np
import pytest
from traits.api import Undefined

from hyperspy_psnmf.eds.signals.phases import pixel_area
from tests.helpers.maps import FREE
from tests.helpers.versions import ZSPY


@pytest.fixture(scope="module")
def spectra(unmixed):
    return unmixed.psnmf.phase_spectra()


# --- spectra


@pytest.mark.slow
@pytest.mark.parametrize("which", ["grains", "sem"])
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_phase_spectra__spectra_are_of_the_eager_class_of_the_map(request, unmix, which, lazy):
    s = request.getfixturevalue(which)
    spectra = unmix(s.as_lazy() if lazy else s, 2, **FREE).psnmf.phase_spectra()
    assert type(spectra) is type(request.getfixturevalue(which))
    assert not spectra._lazy


def test_phase_spectra__spectra_have_the_energy_axis_of_the_map_and_a_phase_axis(spectra, unmixed):
    energy, original = spectra.axes_manager.signal_axes[0], unmixed.axes_manager.signal_axes[0]
    for name in ("name", "size", "scale", "offset", "units"):
        assert getattr(energy, name) == getattr(original, name)
    assert [axis.name for axis in spectra.axes_manager.navigation_axes] == ["Phase"]
    assert spectra.axes_manager.shape == (3, 310)


def test_phase_spectra__spectra_have_all_counts_of_the_map(spectra, unmixed):
    np.testing.assert_allclose(spectra.data.sum(), unmixed.data.sum())
    loadings, factors = unmixed.learning_results.loadings, unmixed.learning_results.factors
    np.testing.assert_allclose(spectra.data, (factors * loadings.sum(axis=0)).T)


def test_phase_spectra__spectra_add_up_to_the_sum_spectrum_of_the_map(spectra, unmixed):
    total = unmixed.data.sum(axis=(0, 1))
    difference = spectra.data.sum(axis=0) - total
    assert (np.abs(difference) <= 5 * np.sqrt(total + 1)).all()


def test_phase_spectra__metadata_are_those_of_the_map(spectra, unmixed):
    assert spectra.metadata.Sample.elements == unmixed.metadata.Sample.elements
    assert spectra.metadata.Sample.xray_lines == unmixed.metadata.Sample.xray_lines
    ours, theirs = (
        s.metadata.Acquisition_instrument.TEM.as_dictionary() for s in (spectra, unmixed)
    )
    live_time = theirs["Detector"]["EDS"].pop("live_time")
    assert ours["Detector"]["EDS"].pop("live_time") == pytest.approx(520 * live_time)
    assert ours.pop("probe_area") == pytest.approx(1280.0**2)  # nm², the whole field
    assert ours == theirs
    assert unmixed.metadata.General.title in spectra.metadata.General.title
    assert "Truth" not in spectra.metadata


@pytest.mark.slow
def test_phase_spectra__live_time_is_that_of_the_pixels_used(grains, sem, unmix, navigation_mask):
    for s, microscope in ((grains, "TEM"), (sem, "SEM")):
        path = f"Acquisition_instrument.{microscope}.Detector.EDS.live_time"
        before = s.metadata.get_item(path)
        spectra = unmix(s, 2, navigation_mask=navigation_mask, **FREE).psnmf.phase_spectra()
        assert spectra.metadata.get_item(path) == pytest.approx((520 - 80) * before)
        assert s.metadata.get_item(path) == before


def test_phase_spectra__the_variance_is_that_of_counts_and_at_least_one(spectra):
    variance = spectra.metadata.Signal.Noise_properties.variance
    expected = np.maximum(spectra.data, 1)
    np.testing.assert_array_equal(variance.data, expected)
    assert variance.axes_manager.shape == spectra.axes_manager.shape
    np.testing.assert_array_equal(
        spectra.inav[1].metadata.Signal.Noise_properties.variance.data, expected[1]
    )


@pytest.mark.slow
def test_phase_spectra__channels_left_out_at_ends_are_cropped_and_zero_in_between(grains, unmix):
    mask = np.zeros(310, bool)
    mask[:9] = mask[120:131] = mask[300:] = True
    unmix(grains, signal_mask=mask)
    spectra = grains.psnmf.phase_spectra()
    axis = spectra.axes_manager.signal_axes[0]
    assert axis.size == 291
    np.testing.assert_allclose(axis.axis, grains.axes_manager.signal_axes[0].axis[9:300])
    assert (spectra.data[:, 111:122] == 0).all()
    np.testing.assert_allclose(spectra.data.sum(), grains.data[..., ~mask].sum())


def test_phase_spectra__changing_the_spectra_and_maps_changes_nothing_else(unmixed_copy, state):
    before = state(unmixed_copy)
    spectra, maps = unmixed_copy.psnmf.phase_spectra(), unmixed_copy.psnmf.phase_maps()
    spectra.data[:] = maps.data[:] = 0
    spectra.set_elements(["Fe"])
    spectra.add_lines()
    spectra.metadata.Sample.elements.append("U")
    spectra.metadata.Phases.names.append("x")
    maps.metadata.Phases.names.append("x")
    spectra.axes_manager.signal_axes[0].offset = 7
    maps.axes_manager.signal_axes[0].scale = 7
    assert state(unmixed_copy) == before
    assert unmixed_copy.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]


def test_phase_spectra__arrays_in_metadata_are_not_shared(unmixed_copy):
    unmixed_copy.metadata.set_item("Sample.xray_lines", np.array(["Si_Ka", "Mg_Ka"]))
    spectra = unmixed_copy.psnmf.phase_spectra()
    spectra.metadata.Sample.xray_lines[0] = "Fe_La"
    assert unmixed_copy.metadata.Sample.xray_lines[0] == "Si_Ka"


@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_phase_spectra__spectra_can_be_saved(spectra, tmp_path, extension):
    spectra.save(tmp_path / f"spectra.{extension}")
    again = hs.load(tmp_path / f"spectra.{extension}")
    assert type(again) is type(spectra)
    np.testing.assert_array_equal(again.data, spectra.data)
    assert again.metadata.Phases.names == ["Phase 0", "Phase 1", "Phase 2"]
    assert again.metadata.Sample.elements == spectra.metadata.Sample.elements


@pytest.mark.slow
def test_phase_spectra__intensities_and_quantification_run_on_spectra(spectra):
    intensities = spectra.get_lines_intensity()
    assert len(intensities) == len(spectra.metadata.Sample.xray_lines)
    for intensity in intensities:
        assert intensity.axes_manager.shape == (3,)
        assert np.isfinite(intensity.data).all()
    factors = np.linspace(1, 2, len(intensities)).tolist()
    composition = spectra.quantification(intensities, "CL", factors, navigation_mask=None)
    at_percent = np.array([element.data for element in composition])
    np.testing.assert_allclose(at_percent.sum(axis=0), 100)
    assert ((at_percent > 0) & (at_percent < 100)).any()


def test_phase_spectra__windows_of_spectra_sum_to_those_of_the_map(unmixed, spectra):
    ours = spectra.get_lines_intensity(["Si_Ka"])[0].data.sum()
    theirs = unmixed.get_lines_intensity(["Si_Ka"])[0].data.sum()
    assert ours == pytest.approx(theirs, rel=0.02)


@pytest.mark.slow
def test_phase_spectra__a_model_can_be_fitted_to_one_spectrum(spectra):
    spectrum = spectra.inav[0]
    model = spectrum.create_model()
    model.fit()
    residual = np.abs(model.as_signal().data - spectrum.data).sum()
    assert residual < 0.5 * spectrum.data.sum()
    assert len(model.get_lines_intensity()) >= len(spectrum.metadata.Sample.xray_lines)


@pytest.mark.slow
def test_phase_spectra__sem_spectra_can_be_modelled(sem, unmix):
    spectrum = unmix(sem, 2).psnmf.phase_spectra().inav[1]
    assert isinstance(spectrum, exspy.signals.EDSSEMSpectrum)
    model = spectrum.create_model()
    model.fit()
    assert model.get_lines_intensity()


def test_phase_spectra__spectra_work_without_any_metadata(grains, unmix):
    s = unmix(exspy.signals.EDSTEMSpectrum(grains.data), energy_binning=4)
    spectra = s.psnmf.phase_spectra()
    assert spectra.data.shape == (3, 310)
    assert not spectra.metadata.has_item("Acquisition_instrument.TEM.Detector.EDS.live_time")


def _non_uniform(axis):
    axis.convert_to_non_uniform_axis()


def _functional(axis):
    axis.convert_to_functional_data_axis("a * x + b", a=1.0, b=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("convert", [_non_uniform, _functional])
def test_phase_spectra__energy_axes_that_are_not_uniform(grains, unmix, convert):
    axis = grains.axes_manager.signal_axes[0]
    energy = axis.axis.copy()
    convert(axis)
    unmix(grains, energy_range=(0.4999, 2.5901))
    spectra = grains.psnmf.phase_spectra()
    np.testing.assert_allclose(spectra.axes_manager.signal_axes[0].axis, energy[40:250])
    assert grains.learning_results.psnmf["energy_binning"] == 4


# --- maps


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_phase_maps__maps_have_the_axes_of_the_map(grains, unmix, lazy):
    s = unmix(grains.as_lazy() if lazy else grains, **FREE)
    maps = s.psnmf.phase_maps()
    assert isinstance(maps, hs.signals.Signal2D)
    assert maps.axes_manager.shape == (3, 26, 20)
    assert maps.data.shape == (3, 20, 26)
    for ours, theirs in zip(
        maps.axes_manager.signal_axes, grains.axes_manager.navigation_axes, strict=True
    ):
        for name in ("name", "size", "scale", "offset", "units"):
            assert getattr(ours, name) == getattr(theirs, name)
    assert maps.axes_manager.navigation_axes[0].name == "Phase"
    expected = s.learning_results.loadings[:, 1].reshape(20, 26)
    np.testing.assert_allclose(maps.data[1], expected, rtol=1e-12)


def test_phase_maps__maps_add_up_to_the_counts_of_the_map(unmixed):
    maps = unmixed.psnmf.phase_maps()
    np.testing.assert_allclose(maps.data.sum(), unmixed.data.sum(), rtol=1e-9)
    assert maps.metadata.Signal.quantity == "Counts"


@pytest.mark.slow
def test_phase_maps__without_neighbours_they_add_up_to_the_counts_of_each_pixel(grains, unmix):
    maps = unmix(grains, smoothing=0).psnmf.phase_maps()
    np.testing.assert_allclose(maps.data.sum(axis=0), grains.data.sum(axis=2), rtol=1e-9)


def test_phase_maps__fractions_add_up_to_one_and_are_nan_without_counts(grains, unmix):
    grains.data[3, 4] = 0
    maps = unmix(grains, **FREE).psnmf.phase_maps(normalize="counts")
    assert np.isnan(maps.data[:, 3, 4]).all()
    maps.data[:, 3, 4] = 1 / 3
    np.testing.assert_allclose(maps.data.sum(axis=0), 1)
    assert "raction" in maps.metadata.Signal.quantity


@pytest.mark.parametrize("normalize", ["mass", True, "Counts", 1])
def test_phase_maps__there_is_no_other_normalisation(unmixed, normalize):
    with pytest.raises(ValueError, match="normalize"):
        unmixed.psnmf.phase_maps(normalize=normalize)


def test_phase_maps__maps_of_a_line_scan_and_of_a_series(grains, unmix):
    line = unmix(grains.inav[:, 3].deepcopy(), 2, **FREE).psnmf.phase_maps()
    assert isinstance(line, hs.signals.Signal1D)
    assert line.axes_manager.shape == (2, 26)
    series = hs.stack([grains.inav[:14, :10]] * 3)
    maps = unmix(series, 2, smoothing=0, **FREE).psnmf.phase_maps()
    assert maps.axes_manager.shape == (2, 14, 10, 3)
    np.testing.assert_allclose(maps.data.sum(axis=0), series.data.sum(axis=3), rtol=1e-9)


def test_phase_maps__masked_pixels_are_nan_in_maps(grains, unmix, navigation_mask):
    maps = unmix(grains, navigation_mask=navigation_mask, **FREE).psnmf.phase_maps()
    assert np.isnan(maps.data[:, :, :4]).all()
    assert not np.isnan(maps.data[:, :, 4:]).any()


def test_phase_maps__maps_can_be_saved_and_plotted(unmixed, tmp_path):
    maps = unmixed.psnmf.phase_maps()
    maps.save(tmp_path / "maps.hspy")
    again = hs.load(tmp_path / "maps.hspy")
    np.testing.assert_array_equal(again.data, maps.data)
    assert type(again) is type(maps)


def test_phase_maps__axes_of_maps_that_are_not_uniform(grains, unmix):
    axis = grains.axes_manager.navigation_axes[0]
    positions = axis.axis**1.5
    axis.convert_to_non_uniform_axis()
    axis.axis = positions
    maps = unmix(grains, **FREE).psnmf.phase_maps()
    np.testing.assert_allclose(maps.axes_manager.signal_axes[0].axis, positions)


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [((2.0, 3.0), "nm", 6.0), ((1.0, 1.0), "nm", 1.0), ((0.01, 0.02), "µm", 200.0),
     ((1.0, 1.0), "s", None), ((1.0, 1.0), Undefined, None)],
)  # fmt: skip
def test_pixel_area__in_nm2_without_a_warning(grains, recwarn, scale, units, expected):
    axes = grains.axes_manager.navigation_axes
    for axis, size in zip(axes, scale, strict=True):
        axis.scale, axis.units = size, units
    assert pixel_area(grains) == (None if expected is None else pytest.approx(expected))
    if expected is not None and expected != 1.0:
        assert grains.get_probe_area() == pytest.approx(expected)
    assert [str(w.message) for w in recwarn] == []


def test_pixel_area__of_a_line_scan_and_none_of_a_series(grains):
    grains.axes_manager.navigation_axes[1].scale = 3.0
    grains.axes_manager.navigation_axes[1].units = "nm"
    assert pixel_area(grains.inav[0]) == pytest.approx(9.0)
    assert pixel_area(grains.inav[0, 0]) is None
