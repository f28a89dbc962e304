# SPDX-License-Identifier: GPL-3.0-or-later
"""Fractions of phases: sums, truth, errors, tables."""

import pickle

import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.helpers.maps import FREE, describe_state, unmix_quietly


@pytest.fixture(scope="module")
def found(unmixed):
    return unmixed.psnmf.phase_fractions()


def test_phase_fractions__sum_to_one_and_are_those_of_the_maps(found, unmixed):
    assert found.names == [*unmixed.psnmf.phase_names, "Unassigned"]
    assert found.count_fractions.sum() == pytest.approx(1)
    assert found.area_fractions.sum() == pytest.approx(1)
    loadings = unmixed.learning_results.loadings
    np.testing.assert_allclose(found.count_fractions, loadings.sum(axis=0) / loadings.sum())
    labels = unmixed.psnmf.label_map().data
    np.testing.assert_allclose(found.area_fractions, [np.mean(labels == i) for i in (0, 1, 2, -1)])
    assert found.n_pixels == 20 * 26


def test_phase_fractions__the_map_is_left_alone_and_the_result_can_be_pickled(unmixed):
    before = describe_state(unmixed)
    found = unmixed.psnmf.phase_fractions()
    assert describe_state(unmixed) == before
    assert str(pickle.loads(pickle.dumps(found))) == str(found)


@pytest.mark.slow
def test_phase_fractions__errors_of_counts_are_the_scatter_over_noise():
    s = data.mineral_grains(shape=(20, 26), n_channels=310, counts=60, seed=2)
    truth, rng = s.metadata.Truth, np.random.default_rng(0)
    fractions, errors = [], []
    for _ in range(12):
        s.data = rng.poisson(truth.loadings @ truth.factors.T).reshape(s.data.shape)
        unmix_quietly(s, 3, **FREE, fixed_spectra=truth.factors.T)
        found = s.psnmf.phase_fractions()
        fractions.append(found.count_fractions)
        errors.append(found.count_sigma)
    scatter = np.std(fractions, axis=0, ddof=1)
    np.testing.assert_array_less(scatter, 1.6 * np.mean(errors, axis=0))
    np.testing.assert_array_less(np.mean(errors, axis=0), 2.5 * scatter)


def test_phase_fractions__masked_pixels_are_no_area(grains, navigation_mask):
    unmix_quietly(grains, 3, **FREE, navigation_mask=navigation_mask)
    found = grains.psnmf.phase_fractions()
    assert found.n_pixels == 22 * 20
    assert found.area_fractions.sum() == pytest.approx(1)


def test_phase_fractions__table_and_rows_have_unassigned_pixels_too(found):
    table = found.table()
    assert table.field_names == ["Phase", "Counts", "Counts (%)", "Area (%)"]
    assert [row[0] for row in table.rows] == found.names
    assert repr(found) == str(table)
    rows = found.rows()
    assert rows[1]["area_fraction"] == found.area_fractions[1]
    assert rows[1]["count_fraction_sigma"] == found.count_sigma[1]
    assert rows[-1]["phase"] == "Unassigned"
    assert np.isnan(rows[-1]["counts"])


def test_phase_fractions__a_data_frame_has_one_row_per_phase(found):
    pytest.importorskip("pandas")
    assert list(found.to_dataframe()["phase"]) == found.names


def test_phase_fractions__a_data_frame_needs_pandas(found, monkeypatch):
    def without_pandas(name, *args):
        raise ImportError(name)

    monkeypatch.setattr("hyperspy_psnmf.eds.files.tables.import_module", without_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        found.to_dataframe()


@pytest.mark.slow
def test_phase_fractions__the_band_of_an_ambiguity_includes_the_result(unmixed_free):
    ambiguity = unmixed_free.psnmf.ambiguity(confidence=0.9)
    found = unmixed_free.psnmf.phase_fractions(ambiguity=ambiguity)
    assert found.table().field_names[3] == "90 % band"
    low, high = found.count_band.T
    assert ((low <= found.count_fractions) & (found.count_fractions <= high)).all()
    row = found.rows()[0]
    assert (row["count_fraction_low"], row["count_fraction_high"]) == (low[0], high[0])


@pytest.mark.slow
def test_phase_fractions__the_confidence_is_of_the_band_of_an_ambiguity_that_is_searched(
    unmixed_free,
):
    found = unmixed_free.psnmf.phase_fractions(confidence=0.8, ambiguity=True)
    assert found.table().field_names[3] == "80 % band"


@pytest.mark.slow
def test_phase_fractions__an_ambiguity_of_another_map_is_refused(unmixed_free, unmixed):
    ambiguity = unmixed_free.psnmf.ambiguity()
    with pytest.raises(ValueError, match="ambiguity is that of another"):
        unmixed.psnmf.phase_fractions(ambiguity=ambiguity)
