# SPDX-License-Identifier: GPL-3.0-or-later
"""Element maps: in the order asked for, overlap-free, with the sums of the raw map."""

import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.eds.on_signals import intensity_errors, measure_lines
from tests.helpers.maps import unmix_quietly

LINES = ["Si_Ka", "Mg_Ka", "O_Ka"]
pytestmark = pytest.mark.filterwarnings("ignore:(in the spectra, but not in|net counts below)")


def both(signal, lines):
    """Return maps and their standard errors."""
    return signal.psnmf.element_maps(lines), signal.psnmf.element_map_errors(lines)


@pytest.fixture(scope="module")
def maps(unmixed):
    return unmixed.psnmf.element_maps(LINES)


def test_element_maps__maps_are_in_the_order_asked_for(unmixed, maps):
    assert [m.metadata.Sample.xray_lines for m in maps] == [[line] for line in LINES]
    back = unmixed.psnmf.element_maps(LINES[::-1])
    for a, b in zip(maps, back[::-1], strict=True):
        np.testing.assert_allclose(a.data, b.data)


@pytest.mark.slow
@pytest.mark.parametrize("intensities", ["model", "windows"])
def test_element_maps__maps_look_like_those_of_exspy(unmixed, intensities):
    found = unmixed.psnmf.element_maps(["Si_Ka"], intensities=intensities)[0]
    expected = unmixed.get_lines_intensity(["Si_Ka"])[0]
    assert type(found) is type(expected)
    assert found.metadata.General.title == expected.metadata.General.title
    assert found.metadata.Sample.as_dictionary() == expected.metadata.Sample.as_dictionary()
    assert found.data.shape == expected.data.shape == (20, 26)
    for ours, theirs in zip(
        found.axes_manager.navigation_axes, expected.axes_manager.navigation_axes, strict=True
    ):
        assert (ours.name, ours.scale, ours.units) == (theirs.name, theirs.scale, theirs.units)
    assert "Truth" not in found.metadata


def test_element_maps__the_lines_of_the_metadata_are_the_default(unmixed):
    found = unmixed.psnmf.element_maps()
    assert [m.metadata.Sample.xray_lines[0] for m in found] == list(
        unmixed.metadata.Sample.xray_lines
    )


def test_element_maps__sums_are_the_window_intensities_of_the_raw_map(unmixed):
    lines = ["Si_Ka", "O_Ka"]
    found = unmixed.psnmf.element_maps(lines, intensities="windows")
    errors = unmixed.psnmf.element_map_errors(lines, intensities="windows")
    raw = unmixed.get_lines_intensity(
        lines, background_windows=unmixed.estimate_background_windows(xray_lines=lines)
    )
    for ours, theirs in zip(found, raw, strict=True):
        noise = np.sqrt(3 * np.abs(theirs.data.sum()))  # line and background
        assert ours.data.sum() == pytest.approx(theirs.data.sum(), abs=2 * noise)
    assert all(e.data.shape == (20, 26) for e in errors)


def test_element_maps__the_model_has_the_sums_of_windows_where_nothing_overlaps(unmixed, maps):
    # A window of two widths holds 98 % of a line.
    windows = unmixed.psnmf.element_maps(LINES, intensities="windows")
    assert 0.98 * maps[0].data.sum() == pytest.approx(windows[0].data.sum(), rel=0.03)


def test_element_maps__maps_are_closer_to_the_truth_than_those_of_the_raw_map(unmixed):
    truth = unmixed.metadata.Truth
    ideal = unmixed.deepcopy()
    ideal.learning_results.factors, ideal.learning_results.loadings = truth.factors, truth.loadings
    raw = unmixed.get_lines_intensity(
        ["Mg_Ka"], background_windows=unmixed.estimate_background_windows(xray_lines=["Mg_Ka"])
    )[0]
    ours, true = (
        s.psnmf.element_maps(["Mg_Ka"], intensities="windows")[0] for s in (unmixed, ideal)
    )
    error, raw_error = (np.linalg.norm(m.data - true.data) for m in (ours, raw))
    assert error < 0.8 * raw_error


@pytest.mark.slow
def test_element_maps__errors_cover_the_differences_from_the_truth(unmixed):
    truth = unmixed.metadata.Truth
    ideal = unmixed.deepcopy()
    ideal.learning_results.factors, ideal.learning_results.loadings = truth.factors, truth.loadings
    (found,), (error,) = both(unmixed, ["Si_Ka"])
    (true,) = ideal.psnmf.element_maps(["Si_Ka"])
    z = (found.data - true.data) / error.data
    assert 0.4 < np.mean(np.abs(z) < 1) <= 1
    assert "Standard error" in error.metadata.General.title


def test_element_maps__errors_of_loadings_and_of_lines_added_in_quadrature(unmixed):
    (error,) = unmixed.psnmf.element_map_errors(["Si_Ka"])
    lines = measure_lines(unmixed, ["Si_Ka"], elements=unmixed.metadata.Sample.elements)
    net, sigma = (of[:, 0] / lines.counts for of in (lines.net, lines.sigma))
    of_loadings = intensity_errors(unmixed, np.maximum(net, 0.0)[:, None])[:, 0]
    of_lines = np.sqrt(unmixed.learning_results.loadings**2 @ sigma**2)
    np.testing.assert_allclose(error.data.ravel(), np.hypot(of_loadings, of_lines))
    assert (of_lines > 0.01 * of_loadings).any()


@pytest.mark.slow
def test_element_maps__masked_pixels_are_nan(grains, unmix, navigation_mask):
    s = unmix(grains, navigation_mask=navigation_mask)
    found, errors = both(s, ["Si_Ka"])
    for m in (*found, *errors):
        assert np.isnan(m.data[:, :4]).all()
        assert np.isfinite(m.data[:, 4:]).all()


@pytest.fixture(scope="module")
def one_phase_too_few():
    """A map of three phases, with a rare silicate of calcium, decomposed into two."""
    return unmix_quietly(data.mineral_grains(shape=(44, 38), n_channels=410, counts=100, seed=3), 2)


def of_rare_phase(s, **options):
    """Return how far the map of the rare phase's own element is from the truth."""
    ideal = s.deepcopy()
    truth = s.metadata.Truth
    ideal.learning_results.factors, ideal.learning_results.loadings = truth.factors, truth.loadings
    (true,) = ideal.psnmf.element_maps(["Ca_Ka"], residuals=False)
    (found,) = s.psnmf.element_maps(["Ca_Ka"], **options)
    return np.linalg.norm(found.data - true.data) / np.linalg.norm(true.data)


@pytest.mark.slow
def test_element_maps__the_element_of_a_phase_that_is_missing_is_found(one_phase_too_few):
    without = of_rare_phase(one_phase_too_few, residuals=False)
    assert of_rare_phase(one_phase_too_few) < 0.7 * without


@pytest.mark.slow
def test_element_maps__errors_are_larger_where_counts_were_added(one_phase_too_few):
    p = one_phase_too_few.psnmf
    found, errors = p.element_maps(["Ca_Ka"]), p.element_map_errors(["Ca_Ka"])
    options = {"residuals": False}
    plain, of_plain = (
        p.element_maps(["Ca_Ka"], **options),
        p.element_map_errors(["Ca_Ka"], **options),
    )
    added = found[0].data != plain[0].data
    assert 0.001 < added.mean() < 0.5
    assert (errors[0].data[added] > of_plain[0].data[added]).all()
    np.testing.assert_array_equal(errors[0].data[~added], of_plain[0].data[~added])


@pytest.mark.slow
def test_element_maps__nothing_is_added_where_the_noise_is_not_known(one_phase_too_few):
    s = one_phase_too_few.deepcopy()
    s.data = s.data * 0.37
    with pytest.warns(UserWarning, match="counts"):
        s.decomposition(algorithm="PSNMF", output_dimension=2, print_info=False)
    found, plain = (s.psnmf.element_maps(["Ca_Ka"], residuals=r)[0].data for r in (True, False))
    np.testing.assert_array_equal(found, plain)


@pytest.mark.slow
def test_element_maps__maps_of_a_bulk_specimen(sem, unmix):
    found = unmix(sem, 2).psnmf.element_maps()
    assert len(found) == 2
    assert all(m.data.sum() > 0 for m in found)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"xray_lines": "Si_Ka"}, TypeError, "xray_lines must be a list"),
        ({"xray_lines": []}, ValueError, "xray_lines must be different"),
        ({"xray_lines": ["Si_Ka", "Si_Ka"]}, ValueError, "xray_lines must be different"),
        ({"xray_lines": ["Si_Kz"]}, ValueError, "xray_lines: Si_Kz is no X-ray line"),
        ({"xray_lines": ["Fe_Ka"]}, ValueError, "xray_lines: Fe_Ka not on the energy axis"),
        ({"intensities": "sum"}, ValueError, "intensities must be one of"),
        ({"residuals": None}, TypeError, "residuals must be True or False"),
        ({"standard_errors": 1}, TypeError, "standard_errors must be True or False"),
    ],
)
def test_element_maps__bad_arguments_are_named(unmixed, arguments, error, match):
    with pytest.raises(error, match=match):
        unmixed.psnmf.element_maps(**arguments)


def test_element_maps__no_lines_at_all_is_reported(unmixed_copy):
    del unmixed_copy.metadata.Sample.xray_lines
    with pytest.raises(ValueError, match=r"xray_lines: none given.*add_lines"):
        unmixed_copy.psnmf.element_maps()


@pytest.mark.slow
def test_element_maps__the_signal_is_left_alone(unmixed_copy, state):
    before = state(unmixed_copy)
    both(unmixed_copy, ["Si_Ka"])
    assert state(unmixed_copy) == before
