# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps, rows and tables of compositions."""

import numpy as np
import pytest


def test_maps_are_compositions_with_masks_where_counts_are_few(plain, pristine):
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


def test_absorption_in_maps_does_not_depend_on_how_many_pixels_there_are(minerals):
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


# --- exports


def test_rows_hold_everything(result):
    rows = result.rows()
    assert len(rows) == 3 * 7
    row = next(r for r in rows if (r["phase"], r["element"]) == ("Ferropericlase", "Mg"))
    assert row["line"] == "Mg_Ka"
    assert row["at%"] == result.atomic_percent["Mg"][1]
    assert {"wt%", "wt%_sigma", "at%_limit", "at%_counting", "net_counts"} <= set(row)


def test_a_data_frame_needs_pandas(result, monkeypatch):
    def without_pandas(name, *args):
        raise ImportError(name)

    monkeypatch.setattr("hyperspy_psnmf.eds.quantification.import_module", without_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_dataframe()


def test_a_data_frame_has_one_row_per_phase_and_element(result):
    pytest.importorskip("pandas")
    assert result.to_dataframe().shape == (3 * 7, len(result.rows()[0]))


def test_weight_per_cent_in_tables_when_asked_for(minerals, factors):
    found = minerals.psnmf.quantify(factors=factors, composition_units="weight")
    assert "wt%" in found.table().title
    assert found.percent is found.weight
    assert repr(found).startswith(str(found.table()))


def test_what_errors_do_not_hold_is_said_below_the_table(plain, result):
    assert "without ambiguity" in plain.table().title
    said = " ".join(repr(plain).split())
    assert "ambiguity=True gives the band" in said
    assert "absorption in the specimen is not corrected for" in said
    assert "absorption" not in repr(result)


def test_given_spectra_are_said_to_be_kept(minerals, factors):
    minerals.learning_results.psnmf["n_fixed"] = 1
    said = " ".join(repr(minerals.psnmf.quantify(factors=factors)).split())
    assert "spectra given and kept: Silicate. What lay above and below" in said
