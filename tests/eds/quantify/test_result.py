# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps, rows and tables of compositions."""

import sys
import warnings

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.files.export import intensity_table
from tests.helpers.compositions import as_found


@pytest.mark.slow
def test_quantify__maps_are_compositions_with_masks_where_counts_are_few(plain, pristine):
    maps = plain.maps(min_counts=50)
    assert [m.metadata.Sample.elements[0] for m in maps] == plain.elements
    assert maps[0].axes_manager.navigation_shape == pristine.axes_manager.navigation_shape
    np.testing.assert_allclose(sum(m.data for m in maps), 100)
    purest = np.argmax(pristine.metadata.Truth.loadings[:, 1])
    mg = maps[plain.elements.index("Mg")].data.ravel()[purest]
    assert mg == pytest.approx(40, abs=8)
    assert np.isnan(plain.maps(min_counts=1e6)[0].data).all()
    with pytest.raises(ValueError, match="min_counts"):
        plain.maps(min_counts=0)


@pytest.mark.slow
def test_quantify__maps_are_nan_where_all_lines_together_have_few_counts(plain):
    net = np.maximum(plain._maps.loadings @ plain._maps.per_count, 0.0).sum(axis=1)
    least = np.median(net)
    (first, *_) = plain.maps(min_counts=least)
    np.testing.assert_array_equal(np.isnan(first.data).ravel(), net < least)


@pytest.mark.slow
def test_quantify__absorption_in_maps_does_not_depend_on_how_many_pixels_there_are(minerals):
    exclude = ("Al", "Ca", "Fe", "Ti", "Si")
    cross = {"Mg_Ka": 8.0, "O_Ka": 4.0}
    found, plain = (
        minerals.psnmf.quantify("cross_section", cross, exclude=exclude, absorption_correction=c)
        for c in (True, False)
    )
    oxygen, without = (np.nanmean(r.maps()[1].data) for r in (found, plain))
    # The dose of all pixels together would make the correction 520 times smaller or larger.
    of_phases = (found.atomic.values - plain.atomic.values)[:2, 1]
    assert 0.3 * of_phases.min() < oxygen - without < 3 * of_phases.max()


@pytest.mark.slow
def test_quantify__maps_have_the_thickness_and_density_of_each_pixels_phases(minerals, few):
    loadings = minerals.learning_results.loadings
    largest = loadings == loadings.max(axis=1, keepdims=True)
    minerals.learning_results.loadings = np.where(largest, loadings, 0.0)
    by_phase = {"thickness": [30.0, 800.0, 200.0], "density": [2.0, 6.0, 3.0]}
    found = minerals.psnmf.quantify(**few, **by_phase, errors="counting")
    maps = np.array([m.data.ravel() for m in found.maps(min_counts=5)])
    for phase in (0, 1):
        inside = maps[:, largest[:, phase] & np.isfinite(maps[0])]
        expected = np.broadcast_to(found.atomic.values[phase][:, None], inside.shape)
        np.testing.assert_allclose(inside, expected, atol=0.1)
    minerals.learning_results.loadings = np.ones_like(loadings) * [300.0, 100.0, 0.0]
    mixed, alike = (
        minerals.psnmf.quantify(**few, density=4.0, thickness=t, errors="counting").maps()[0].data
        for t in ([100.0, 500.0, 999.0], 200.0)
    )
    np.testing.assert_allclose(mixed, alike)


@pytest.mark.slow
def test_quantify__maps_have_the_thickness_of_each_pixels_regions(minerals, few):
    left, top = np.zeros((20, 26), bool), np.zeros((20, 26), bool)
    left[:, :11] = top[:6] = True
    kept = {"density": 4.0, "errors": "counting"}
    by_region = {"left": 50.0, "top": 450.0}
    found = minerals.psnmf.quantify(**few, region={"left": left, "top": top}, thickness=by_region,
                                    **kept).maps()[0].data  # fmt: skip
    thin, mean, thick = (
        minerals.psnmf.quantify(**few, thickness=t, **kept).maps()[0].data
        for t in (50.0, 250.0, 450.0)
    )
    expected = np.where(left & ~top, thin, np.where(top & ~left, thick, mean))
    assert np.nanmax(abs(thick - thin)) > 1
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# --- exports


def test_quantify__rows_have_everything(result):
    rows = result.rows()
    assert len(rows) == 3 * 7
    row = next(r for r in rows if (r["phase"], r["element"]) == ("Ferropericlase", "Mg"))
    assert row["line"] == "Mg_Ka"
    assert row["at%"] == result.atomic_percent["Mg"][1]
    assert {"wt%", "wt%_sigma", "at%_limit", "at%_counting", "net_counts"} <= set(row)


def test_quantify__a_data_frame_needs_pandas(result, monkeypatch):
    def without_pandas(name, *args):
        raise ImportError(name)

    monkeypatch.setattr("hyperspy_psnmf.eds.files.tables.import_module", without_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_dataframe()


def test_quantify__a_data_frame_has_one_row_per_phase_and_element(result):
    pytest.importorskip("pandas")
    assert result.to_dataframe().shape == (3 * 7, len(result.rows()[0]))


@pytest.mark.slow
def test_quantify__weight_per_cent_in_tables_when_asked_for(minerals, factors):
    found = minerals.psnmf.quantify(factors=factors, composition_units="weight")
    assert "wt%" in found.table().title
    assert found.percent is found.weight
    assert repr(found).startswith(str(found.table()))


def test_quantify__what_errors_do_not_have_is_reported_below_the_table(plain, result):
    assert "1 sigma without unmixing" in plain.table().title
    said = " ".join(repr(plain).split())
    assert "not what unmixing adds, and should not be published alone (PSNMF did not find" in said
    assert "corrected for: 100 nm, 4.17 g/cm³, a take-off angle of 22°" in said
    assert "corrected for: 100 nm, 4.1 g/cm³, a take-off angle of 22°" in "".join(result.notes)


@pytest.mark.slow
def test_quantify__given_spectra_are_reported_to_be_kept(minerals, factors):
    minerals.learning_results.psnmf["n_fixed"] = 1
    said = " ".join(repr(minerals.psnmf.quantify(factors=factors)).split())
    assert "spectra given and kept: Silicate. Layers above and below" in said


# --- what sums to 100 %


def words_of(result):
    return " ".join(repr(result).split())


@pytest.fixture(scope="module")
def as_an_alloy(pristine, factors):
    """Silicates as who lists two elements sees them; the second phase has no silicon."""
    s = pristine.deepcopy()
    s.set_elements(["Mg", "Si"])
    with pytest.warns(UserWarning, match="add_elements"):
        return s, s.psnmf.quantify(factors={line: factors[line] for line in ("Mg_Ka", "Si_Ka")})


def test_quantify__tables_say_what_they_are_normalised_to(as_an_alloy, result):
    _, found = as_an_alloy
    assert "normalised to Mg + Si" in found.table().title
    assert "normalised to Mg + Si, whatever else" in words_of(found)
    assert "Not quantified" not in result.table().field_names
    assert not any(result.not_quantified)
    assert "Significant in the spectra" not in words_of(result)


def test_quantify__elements_clearly_in_a_phase_but_not_quantified_stand_beside_it(as_an_alloy):
    _, found = as_an_alloy
    assert found.table().field_names[-1] == "Not quantified"
    silicate, periclase, davemaoite = (set(row[-1].split(", ")) for row in found.table().rows)
    assert silicate >= {"O", "Fe"}
    assert periclase == {"O", "Fe"}
    assert davemaoite >= {"O", "Ca"}
    assert "Ca" not in silicate | periclase
    assert "quantified: Silicate: O, " in words_of(found)


def test_quantify__the_only_element_of_a_phase_is_no_pure_element(as_an_alloy):
    _, found = as_an_alloy
    assert "the only element detected of those quantified: Mg in Ferropericlase, Si in" in words_of(
        found
    )


def test_intensity_table__files_and_data_frames_say_it_too(as_an_alloy):
    s, found = as_an_alloy
    header, *rows = intensity_table(s.psnmf.phase_spectra(), None, found)
    cells = [dict(zip(header, row, strict=True)) for row in rows]
    assert {row["normalised to"] for row in cells} == {"Mg + Si"}
    assert cells[1]["not quantified"].split(", ") == list(found.not_quantified[1])
    assert found.rows()[0]["normalised_to"] == "Mg + Si"
    assert found.rows()[0]["not_quantified"] == cells[0]["not quantified"]
    assert "Mg in Mg + Si" in found.maps()[0].metadata.General.title
    pytest.importorskip("pandas")
    attributes = found.to_dataframe().attrs
    assert attributes["normalised_to"] == "Mg + Si"
    assert attributes["notes"] == list(found.notes)


@pytest.mark.slow
def test_quantify__what_was_left_out_as_asked_is_no_omission(minerals, factors):
    given = {line: factors[line] for line in ("Mg_Ka", "Si_Ka", "O_Ka")}
    found = minerals.psnmf.quantify(factors=given, exclude=("Fe", "Al", "Ca", "Ti"))
    assert "(left out: Al, Ca, Fe, Ti)" in words_of(found)
    assert not any(found.not_quantified)


def test_notes__windows_are_not_searched_for_elements(as_an_alloy, factors):
    s, found = as_an_alloy
    metals = {line: factors[line] for line in ("Mg_Ka", "Si_Ka")}
    by_windows = s.psnmf.quantify(factors=metals, intensities="windows")
    assert "Windows are not searched for other elements" in words_of(by_windows)
    assert "Windows" not in words_of(found)
    assert "Not quantified" not in by_windows.table().field_names


@pytest.mark.slow
def test_quantify__a_phase_without_composition_needs_no_note():
    s = as_found(data.core_shell_particles(shape=(20, 26), counts=600, seed=1))
    truth = s.metadata.Truth
    metals = {"Fe_Ka": truth.k_factors.Fe_Ka, "Pt_La": truth.k_factors.Pt_La}
    s.set_elements(["Fe", "Pt"])
    with pytest.warns(UserWarning, match="too few counts in the lines|add_elements"):
        found = s.psnmf.quantify(factors=metals)
    assert found.names == ["Support", "Shell", "Core"]
    assert np.isnan(found.atomic.values[0]).all()
    assert set(found.not_quantified[0]) == {"C", "Cu"}
    assert "not quantified: Shell: O. -" in words_of(found)


def test_quantify__changes_no_filters_of_warnings(minerals, monkeypatch):
    # They are of the process: changed in two threads at once, they would not be restored.
    callers = set()

    class Recorded(warnings.catch_warnings):
        def __init__(self, **options):
            callers.add(sys._getframe(1).f_globals["__name__"].partition(".")[0])
            super().__init__(**options)

    minerals.set_elements(["Mg", "O", "Fe"])
    minerals.set_lines(["Mg_Ka", "O_Ka", "Fe_Ka"])
    monkeypatch.setattr(warnings, "catch_warnings", Recorded)
    with pytest.warns(UserWarning, match="not in s.metadata") as caught:
        found = minerals.psnmf.quantify(errors="counting")
    assert sum("not in s.metadata" in str(w.message) for w in caught) == 1
    assert "Si" in found.not_quantified[0]
    assert "hyperspy_psnmf" not in callers
