# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard errors and upper limits as signals."""

import hyperspy.api as hs
import numpy as np
import pytest

from tests.eds.on_signals import find_upper_limits, intensity_errors, standard_errors
from tests.helpers.maps import FREE


@pytest.fixture(autouse=True)
def fewer_splits(monkeypatch):
    """Four fits instead of eight: for the same errors, if not as well known."""
    monkeypatch.setattr("hyperspy_psnmf.eds.uncertainty.jackknife.N_SPLITS", 1)


def test_standard_errors__maps_of_errors_are_like_maps_of_phases(unmixed):
    errors, maps = standard_errors(unmixed), unmixed.psnmf.phase_maps()
    assert errors.data.shape == (3, 20, 26)
    assert str(errors.axes_manager) == str(maps.axes_manager)
    assert errors.metadata.Phases.names == unmixed.psnmf.phase_names
    assert errors.metadata.Signal.quantity == "Standard error in counts"
    assert errors.metadata.General.title.endswith(unmixed.metadata.General.title)
    np.testing.assert_array_equal(np.isnan(errors.data), maps.data == 0)


@pytest.fixture(scope="module")
def pixelwise(pristine_grains, unmix):
    """The TEM map, decomposed pixel by pixel."""
    return unmix(pristine_grains.deepcopy(), smoothing=0)


def test_standard_errors__errors_are_about_those_of_counts(pixelwise):
    errors, maps = standard_errors(pixelwise).data, pixelwise.psnmf.phase_maps().data
    strong = maps > 200
    assert (errors[strong] > 0.9 * np.sqrt(maps[strong])).all()
    assert np.median(errors[strong] / np.sqrt(maps[strong])) < 3


def test_find_upper_limits__a_loading_has_either_a_sigma_or_a_limit(unmixed):
    errors, limits = standard_errors(unmixed), find_upper_limits(unmixed)
    assert (np.isnan(errors.data) != np.isnan(limits.data)).all()
    assert limits.data.shape == (3, 20, 26)
    assert "95 %" in limits.metadata.Signal.quantity
    less = find_upper_limits(unmixed, confidence=0.68)
    at_zero = np.isfinite(limits.data)
    assert (less.data[at_zero] < limits.data[at_zero]).all()


@pytest.mark.slow
def test_standard_errors__spectra_that_are_estimates_add_to_the_errors(unmixed):
    given, all_of_it = standard_errors(unmixed), standard_errors(unmixed, given_spectra=False)
    np.testing.assert_array_equal(np.isnan(given.data), np.isnan(all_of_it.data))
    assert np.nanmin(all_of_it.data - given.data) >= 0
    assert np.nanmean(all_of_it.data) > 1.05 * np.nanmean(given.data)


@pytest.mark.slow
def test_standard_errors__those_of_the_spectra_are_included_where_they_are_known(
    unmixed, unmixed_copy
):
    errors, of_all = unmixed.psnmf.standard_errors(), standard_errors(unmixed, given_spectra=False)
    np.testing.assert_array_equal(errors.data, of_all.data)
    results = unmixed_copy.learning_results
    results.psnmf = None
    del results.psnmf_json
    with pytest.warns(UserWarning, match="not those of the spectra: PSNMF did not find"):
        errors = unmixed_copy.psnmf.standard_errors()
    given = standard_errors(unmixed_copy)
    np.testing.assert_array_equal(errors.data, given.data)


@pytest.mark.slow
def test_standard_errors__errors_from_spectra_follow_their_seed_and_survive_saving(
    unmixed_free, tmp_path
):
    s = unmixed_free
    a, b = (standard_errors(s, given_spectra=False, random_state=n).data for n in (0, 1))
    assert not np.array_equal(a, b, equal_nan=True)
    s.save(tmp_path / "map.hspy")
    lazy = hs.load(tmp_path / "map.hspy", lazy=True)
    np.testing.assert_allclose(standard_errors(lazy, given_spectra=False).data, a, rtol=1e-5)
    lazy.close_file()


@pytest.mark.slow
def test_standard_errors__what_was_fixed_stays_fixed_without_a_fold(grains, unmix):
    known = grains.metadata.Truth.factors.T
    unmix(grains, fixed_spectra=known)
    given, all_of_it = standard_errors(grains), standard_errors(grains, given_spectra=False)
    np.testing.assert_array_equal(given.data, all_of_it.data)
    unmix(grains, fixed_spectra=known[:1], **FREE)
    one = standard_errors(grains, given_spectra=False).data
    unmix(grains, **FREE)
    none = standard_errors(grains, given_spectra=False).data
    assert np.nanmean(one) < np.nanmean(none)


def test_standard_errors__a_single_phase_has_all_counts_whatever_its_spectrum(grains, unmix):
    unmix(grains, 1)
    given, all_of_it = standard_errors(grains), standard_errors(grains, given_spectra=False)
    np.testing.assert_array_equal(given.data, all_of_it.data)


def test_standard_errors__absent_elements_are_absent_without_a_fold_too(grains, unmix, monkeypatch):
    seen = []

    def look(refits, H, *args, **kwargs):
        seen.append(refits.settings)
        return np.array([H, H])

    monkeypatch.setattr("hyperspy_psnmf.eds.uncertainty.jackknife.spectra_without_folds", look)
    options = {"absent": {2: ["Fe"]}, "energy_binning": 3, "volume": 0.5, "init": "vertex"}
    unmix(grains, **options)
    standard_errors(grains, given_spectra=False)
    unmix(grains, init=grains.metadata.Truth.factors.T, **FREE)
    standard_errors(grains, given_spectra=False)
    first, second = seen
    assert first.absent[2].any()
    assert not first.absent[:2].any()
    found = (first.energy_binning, first.volume, first.line_width)
    assert found == (3, 0.5, round(0.5 / grains.axes_manager[-1].scale))
    assert second.absent is None
    assert first.init.shape == second.init.shape == (3, 310)  # those found


def test_standard_errors__spectra_found_in_another_way_cannot_be_found_again(unmixed_copy):
    results = unmixed_copy.learning_results
    results.psnmf = None
    del results.psnmf_json  # the same, as .npz keeps it
    assert np.isfinite(standard_errors(unmixed_copy).data).any()
    with pytest.raises(RuntimeError, match="algorithm='PSNMF'"):
        standard_errors(unmixed_copy, given_spectra=False)


def test_standard_errors__counts_that_cannot_be_split_are_refused(grains, unmix):
    grains.change_dtype(float)
    grains.data *= 0.7
    unmix(grains, **FREE)
    with pytest.raises(ValueError, match="must hold counts: whole"):
        standard_errors(grains, given_spectra=False)


def test_standard_errors__errors_of_spectra_are_like_the_spectra(unmixed):
    errors, spectra = standard_errors(unmixed, of="spectra"), unmixed.psnmf.phase_spectra()
    assert type(errors) is type(spectra)
    assert errors.data.shape == (3, 310)
    assert "Noise_properties" not in errors.metadata.Signal
    # No better than if all counts of a channel were known to be the phase's.
    strong = spectra.data > 50
    ratio = errors.data[strong] / np.sqrt(spectra.data[strong])
    assert ratio.min() > 0.95
    assert np.median(ratio) < 3


def test_standard_errors__errors_of_the_model_are_like_the_map(unmixed):
    errors = standard_errors(unmixed, of="model")
    assert type(errors) is type(unmixed)
    assert str(errors.axes_manager) == str(unmixed.axes_manager)
    results = unmixed.learning_results
    model = (results.loadings @ results.factors.T).reshape(20, 26, 310)
    # Far below the noise of the counts, for k numbers stand for all channels.
    strong = model > 3
    assert np.median(errors.data[strong] / np.sqrt(model[strong])) < 0.4


def test_intensity_errors__errors_of_intensities_know_of_correlations(pixelwise):
    total = intensity_errors(pixelwise, np.ones(3))
    counts = pixelwise.data.sum(axis=-1).ravel()
    np.testing.assert_allclose(total, np.sqrt(counts), rtol=0.01)
    independent = np.sqrt(np.nansum(standard_errors(pixelwise).data ** 2, axis=0)).ravel()
    assert np.mean(independent) > 1.2 * np.mean(total)
    assert intensity_errors(pixelwise, np.ones((3, 4))).shape == (520, 4)


@pytest.mark.slow
def test_find_upper_limits__what_was_masked_is_nan(grains, unmix, navigation_mask, signal_mask):
    unmix(grains, navigation_mask=navigation_mask, signal_mask=signal_mask, **FREE)
    for maps in (
        standard_errors(grains),
        standard_errors(grains, given_spectra=False),
        find_upper_limits(grains),
    ):
        assert np.isnan(maps.data[:, :, :4]).all()
        assert np.isfinite(maps.data[:, :, 4:]).any()
    spectra = standard_errors(grains, of="spectra").data
    assert spectra.shape == (3, 301)
    assert np.isnan(spectra[:, 111:122]).all()
    assert np.isfinite(spectra[:, :111]).all()
    model = standard_errors(grains, of="model").data
    assert model.shape == (20, 26, 301)
    assert np.isnan(model[:, :4]).all()
    assert np.isfinite(model[:, 4:, :111]).all()


def test_find_upper_limits__an_empty_pixel_has_limits(grains, unmix):
    grains.data[3, 5] = 0
    unmix(grains, **FREE)
    assert np.isnan(standard_errors(grains).data[:, 3, 5]).all()
    np.testing.assert_allclose(find_upper_limits(grains).data[:, 3, 5], 1.35, rtol=0.01)


def test_standard_errors__fixed_spectra_have_no_errors(grains, unmix):
    known = grains.metadata.Truth.factors.T[:1]
    unmix(grains, fixed_spectra=known)
    errors = standard_errors(grains, of="spectra").data
    assert (errors[0] == 0).all()
    assert (errors[1:] > 0).any(axis=1).all()


@pytest.mark.slow
def test_find_upper_limits__saved_lazy_and_unfolded_maps_give_the_same(unmixed, tmp_path):
    calls = (
        standard_errors,
        find_upper_limits,
        lambda s: standard_errors(s, of="spectra"),
        lambda s: standard_errors(s, of="model"),
    )
    expected = [call(unmixed).data for call in calls]
    unmixed.save(tmp_path / "map.hspy")
    lazy = hs.load(tmp_path / "map.hspy", lazy=True)
    for call, values in zip(calls, expected, strict=True):
        found = call(lazy)
        assert not found._lazy
        np.testing.assert_allclose(found.data, values, rtol=1e-5)
    lazy.close_file()
    flat = unmixed.deepcopy()
    flat.unfold_navigation_space()
    np.testing.assert_allclose(standard_errors(flat).data, expected[0].reshape(3, 520))


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
def test_find_upper_limits__results_of_hyperspys_own_nmf_do_as_well(grains):
    grains.change_dtype(float)
    # Of EDS_TEM, these options would rescale the counts and mask all pixels.
    grains.decomposition(
        normalize_poissonian_noise=False,
        navigation_mask=None,
        algorithm="NMF",
        output_dimension=3,
        print_info=False,
    )
    errors, maps = standard_errors(grains).data, grains.psnmf.phase_maps().data
    strong = maps > 200
    assert np.isfinite(errors[strong]).all()
    assert np.median(errors[strong] / np.sqrt(maps[strong])) < 5
    limits = find_upper_limits(grains).data
    assert np.isfinite(limits[np.isnan(errors)]).all()
    assert (standard_errors(grains, of="spectra").data >= 0).all()


def test_standard_errors__smoothed_pixels_have_smaller_errors(unmixed_copy):
    record = unmixed_copy.learning_results.psnmf
    found = standard_errors(unmixed_copy).data
    record["n_pixels_behind"] = np.ones(520)
    alone = standard_errors(unmixed_copy).data
    assert np.nanmean(found) < 0.8 * np.nanmean(alone)


def test_standard_errors__a_series_has_maps_of_three_axes(grains, unmix):
    series = unmix(hs.stack([grains, grains]), **FREE)
    assert standard_errors(series).data.shape == (3, 2, 20, 26)
    assert standard_errors(series, of="model").data.shape == (2, 20, 26, 310)


@pytest.mark.slow
def test_find_upper_limits__the_signal_is_left_alone(unmixed_free, state):
    s = unmixed_free.deepcopy()
    before = state(s)
    standard_errors(s)
    standard_errors(s, given_spectra=False)
    standard_errors(s, of="spectra")
    standard_errors(s, of="model")
    find_upper_limits(s)
    assert state(s) == before


def test_find_upper_limits__bad_arguments_are_named(unmixed):
    with pytest.raises(ValueError, match="of must be one of 'maps'"):
        standard_errors(unmixed, of="loadings")
    with pytest.raises(TypeError, match="given_spectra"):
        standard_errors(unmixed, given_spectra="no")
    with pytest.raises(ValueError, match="given_spectra=False is for of='maps'"):
        standard_errors(unmixed, of="model", given_spectra=False)
    with pytest.raises(ValueError, match=r"confidence must lie between 0\.5"):
        find_upper_limits(unmixed, confidence=0.4)
    with pytest.raises(TypeError, match="confidence"):
        find_upper_limits(unmixed, confidence="high")


def test_find_upper_limits__without_results_it_says_what_to_run(grains):
    for call in (standard_errors, find_upper_limits):
        with pytest.raises(RuntimeError, match="decomposition"):
            call(grains)
