# SPDX-License-Identifier: GPL-3.0-or-later
"""Bands on signals: shapes, metadata, masks, saving, other algorithms, bad arguments.

Of free spectra; see `test_ambiguity_of_lines` for those made of lines.
"""

import pickle
import warnings
from functools import partial

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf.nmf.uncertainty import profile_likelihood
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import LikelihoodRatio
from tests.helpers.maps import unmix_quietly

FACTORS = {"Mg_Ka": 1.1, "Si_Ka": 1.0, "Fe_La": 1.4}


@pytest.fixture(scope="module", autouse=True)
def few_paths():
    """Follow every third path of the search: how far bands reach is tested in nmf/uncertainty."""
    directions = profile_likelihood._directions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile_likelihood, "_directions", lambda W: [*directions(W)][::3])
        yield


@pytest.fixture(scope="module")
def unmix():
    return partial(unmix_quietly, spectra="free")


@pytest.fixture(scope="module")
def unmixed(pristine_grains, unmix):
    return unmix(pristine_grains.deepcopy())


@pytest.fixture(scope="module")
def result(unmixed):
    return unmixed.deepcopy().psnmf.ambiguity(factors=FACTORS)


def assert_around(result, slack=1e-9):
    """What was found lies inside its own bands."""
    assert (result.spectra_low.data <= result.spectra.data + slack).all()
    assert (result.spectra.data <= result.spectra_high.data + slack).all()
    assert (result.counts_band[:, 0] <= result.counts).all()
    assert (result.counts <= result.counts_band[:, 1]).all()


def test_phase_spectra__bands_are_signals_like_the_phases_spectra(unmixed, result):
    spectra = unmixed.psnmf.phase_spectra()
    for band in (result.spectra, result.spectra_low, result.spectra_high):
        assert type(band) is type(spectra)
        assert band.axes_manager.shape == spectra.axes_manager.shape == (3, 310)
        assert band.axes_manager[-1].scale == spectra.axes_manager[-1].scale
        assert band.metadata.Sample.xray_lines == spectra.metadata.Sample.xray_lines
        assert band.metadata.Phases.names == unmixed.psnmf.phase_names
    np.testing.assert_allclose(result.spectra.data, spectra.data)
    assert "Lowest" in result.spectra_low.metadata.General.title
    assert result.counts_band.shape == (3, 2)
    assert result.n_alternatives > 3
    assert_around(result)


def test_ambiguity__compositions_lie_inside_their_bands(result):
    assert set(result.compositions) == set(result.compositions_band) == {"Mg", "Si", "Fe"}
    for element, found in result.compositions.items():
        low, high = result.compositions_band[element].T
        assert found.shape == low.shape == (3,)
        assert (low - 1e-6 <= found).all()
        assert (found <= high + 1e-6).all()
        assert (low >= 0).all()
        assert (high <= 100).all()


@pytest.mark.slow
def test_ambiguity__as_found_is_in_band_wherever_alternatives_are(unmixed_copy, monkeypatch):
    off = np.array([[1.0, 2.0], [1e9, 2e9], [1.0, 1e9]])
    monkeypatch.setattr(
        "hyperspy_psnmf.nmf.uncertainty.bands.Alternatives.counts_band",
        lambda self, confidence: off,
    )
    result = unmixed_copy.psnmf.ambiguity()
    assert_around(result)
    np.testing.assert_array_equal(result.counts_band[:, 0] <= off[:, 0], True)
    np.testing.assert_array_equal(result.counts_band[:, 1] >= off[:, 1], True)


def test_ambiguity__the_table_names_phases_and_elements(result):
    text = str(result.table())
    assert text == repr(result)
    assert "95 %" in text
    for word in ("Phase 0", "Phase 2", "Counts", "Fe (at%)", f"{result.counts[0]:.0f}"):
        assert word in text
    ratio = result.likelihood_ratio
    assert f"excess {ratio.excess:.1f} nats, limit {ratio.limit:.1f}" in text


@pytest.mark.slow
@pytest.mark.parametrize("excess", [3.0, 5.0])
def test_ambiguity__a_result_that_is_less_likely_is_warned_of_and_noted(
    unmixed, result, monkeypatch, excess
):
    ratio = LikelihoodRatio(excess, 4.0)
    monkeypatch.setattr(
        "hyperspy_psnmf.nmf.uncertainty.likelihood_ratio.Solution.compare", lambda *_: ratio
    )
    monkeypatch.setattr(
        "hyperspy_psnmf.eds.uncertainty.alternatives.equally_likely", lambda _, found, **__: [found]
    )
    exclude = set(unmixed.metadata.Sample.elements) - {"Mg", "Si", "Fe"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bands = unmixed.psnmf.ambiguity()
        found = unmixed.psnmf.quantify(factors=FACTORS, exclude=exclude, ambiguity=bands)
    rejected = excess > 4.0
    assert any("rejects the result" in str(w.message) for w in caught) == rejected
    assert any("rejects the result" in note for note in found.notes) == rejected
    assert bands.likelihood_ratio is ratio


@pytest.mark.slow
def test_ambiguity__the_signal_is_left_alone_and_results_repeat(unmixed_copy, state, result):
    before = state(unmixed_copy)
    again = unmixed_copy.psnmf.ambiguity(factors=FACTORS)
    assert state(unmixed_copy) == before
    np.testing.assert_array_equal(again.spectra_high.data, result.spectra_high.data)
    np.testing.assert_array_equal(again.compositions_band["Fe"], result.compositions_band["Fe"])


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
def test_ambiguity__it_works_after_saving_and_loading(unmixed, result, tmp_path, lazy):
    unmixed.save(tmp_path / "map.hspy")
    loaded = hs.load(tmp_path / "map.hspy", lazy=lazy)
    found = loaded.psnmf.ambiguity()
    np.testing.assert_allclose(found.counts_band, result.counts_band, rtol=1e-6)
    assert found.compositions == {}
    loaded.close_file() if lazy else None


@pytest.mark.slow
def test_ambiguity__masks_stay_masked(grains, unmix, navigation_mask, signal_mask):
    unmix(grains, navigation_mask=navigation_mask, signal_mask=signal_mask)
    result = grains.psnmf.ambiguity()
    assert result.spectra_high.axes_manager.shape == (3, 301)  # nine cut off at the end
    inside = np.zeros(301, bool)
    inside[120 - 9 : 131 - 9] = True
    assert not result.spectra_high.data[:, inside].any()
    assert (result.spectra_high.data[:, ~inside].sum(axis=0) > 0).all()
    assert result.counts_band[:, 0].sum() < grains.data[:, 4:].sum()
    assert_around(result)


@pytest.mark.slow
def test_ambiguity__fixed_phases_have_no_band(grains, unmix):
    truth = grains.metadata.Truth.factors.T
    unmix(grains, fixed_spectra=truth[:2])
    result = grains.psnmf.ambiguity()
    np.testing.assert_allclose(result.spectra_low.data[:2], result.spectra_high.data[:2])
    assert (result.spectra_low.data[2] < result.spectra_high.data[2]).any()
    unmix(grains, fixed_spectra=truth)
    np.testing.assert_allclose(
        grains.psnmf.ambiguity().spectra_low.data, grains.psnmf.phase_spectra().data
    )


def test_ambiguity__sem_maps(sem, unmix):
    result = unmix(sem, 2).psnmf.ambiguity(confidence=0.8)
    assert type(result.spectra_low).__name__ == "EDSSEMSpectrum"
    assert result.counts_band.shape == (2, 2)
    assert "80 %" in repr(result)


def test_ambiguity__a_single_phase_and_a_line_scan(grains, unmix):
    line = grains.inav[:, 3].deepcopy()
    result = unmix(line, 1, binning=1).psnmf.ambiguity()
    assert result.counts == pytest.approx(line.data.sum())
    assert_around(result)


@pytest.mark.slow
def test_ambiguity__hyperspys_own_nmf_has_bands_too(grains):
    grains.change_dtype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grains.decomposition(
            algorithm="NMF",
            output_dimension=3,
            normalize_poissonian_noise=False,
            navigation_mask=None,
            print_info=False,
        )
    result = grains.psnmf.ambiguity()
    assert (result.counts_band[:, 0] < result.counts_band[:, 1]).all()
    assert result.spectra_low.axes_manager.shape == (3, 310)


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"confidence": 0}, ValueError, "confidence"),
        ({"confidence": 1}, ValueError, "confidence"),
        ({"confidence": 95}, ValueError, "confidence"),
        ({"confidence": float("nan")}, ValueError, "confidence"),
        ({"confidence": "high"}, TypeError, "confidence"),
        ({"confidence": True}, TypeError, "confidence"),
        ({"factors": [1.0, 2.0]}, TypeError, "factors"),
        ({"factors": {"Fe_Ka": "a", "Si_Ka": 1}}, TypeError, "factors"),
        ({"factors": {"Fe_Kx": 1.0, "Si_Ka": 1.0}}, ValueError, "factors: Fe_Kx"),
        ({"factors": {"U_La": 1.0, "Si_Ka": 1.0}}, ValueError, "factors: U_La"),
        ({"factors": {"Si_Ka": 1.0}}, ValueError, "^factors"),
        ({"factors": {}}, TypeError, "^factors"),
    ],
    ids=str,
)
def test_ambiguity__bad_arguments_are_named_before_any_work(
    unmixed, monkeypatch, kwargs, error, match
):
    def work(*args, **kwargs):
        raise AssertionError("counts were read")

    monkeypatch.setattr("hyperspy_psnmf.eds.lazy.decomposed.open_counts", work)
    with pytest.raises(error, match=match):
        unmixed.psnmf.ambiguity(**kwargs)


@pytest.mark.slow
def test_quantify__bands_of_compositions_are_those_of_quantify(unmixed, result):
    exclude = set(unmixed.metadata.Sample.elements) - {"Mg", "Si", "Fe"}
    found = unmixed.psnmf.quantify("CL", FACTORS, exclude=exclude, ambiguity=True)
    for i, element in enumerate(found.elements):
        np.testing.assert_allclose(result.compositions[element], found.atomic.values[:, i])
        np.testing.assert_allclose(result.compositions_band[element], found.atomic.band[:, i])


@pytest.mark.slow
def test_quantify_ambiguity__one_search_for_any_composition(unmixed, result, monkeypatch):
    def search(*args, **kwargs):
        raise AssertionError("another search")

    exclude = set(unmixed.metadata.Sample.elements) - {"Mg", "Si"}
    given = {"factors": {"Mg_Ka": 1.1, "Si_Ka": 1.0}, "exclude": exclude}
    expected = unmixed.psnmf.quantify(**given, ambiguity=True)
    bands = unmixed.psnmf.ambiguity()
    monkeypatch.setattr("hyperspy_psnmf.eds.uncertainty.ambiguity.find_alternatives", search)
    for ambiguity in (bands, result, pickle.loads(pickle.dumps(bands))):
        found = unmixed.psnmf.quantify(**given, ambiguity=ambiguity)
        np.testing.assert_array_equal(found.atomic.band, expected.atomic.band)
        assert str(found.table()) == str(expected.table())


@pytest.mark.slow
def test_quantify_ambiguity__confidence_of_the_ambiguity(unmixed):
    exclude = set(unmixed.metadata.Sample.elements) - {"Mg", "Si", "Fe"}
    bands = unmixed.psnmf.ambiguity(confidence=0.9)
    found = unmixed.psnmf.quantify(factors=FACTORS, exclude=exclude, ambiguity=bands)
    expected = unmixed.psnmf.quantify(
        factors=FACTORS, exclude=exclude, ambiguity=True, confidence=0.9
    )
    assert found.confidence == 0.9
    np.testing.assert_array_equal(found.atomic.band, expected.atomic.band)


def test_quantify_ambiguity__of_another_decomposition_is_refused(unmixed_copy, result, unmix):
    other = unmix(unmixed_copy, 2)
    with pytest.raises(ValueError, match="ambiguity is that of another decomposition"):
        other.psnmf.quantify(factors=FACTORS, exclude=("O", "Al", "Ca", "Ti"), ambiguity=result)


@pytest.mark.slow
def test_ambiguity__thick_specimens_are_compared_with_standards(sem, unmix):
    unmix(sem, 2)
    factors = {"Al_Ka": 1e5, "Cu_La": (1.2e5, 1e3)}
    result = sem.psnmf.ambiguity(factors=factors)
    expected = sem.psnmf.quantify("k_ratios", factors).atomic_percent
    np.testing.assert_allclose(result.compositions["Cu"], expected["Cu"])


@pytest.mark.parametrize("method", ["ambiguity", "residuals"])
def test_decomposition__cropped_map_and_one_without_decomposition_are_refused(
    unmixed_copy, method, grains
):
    with pytest.raises(RuntimeError, match="no factors and loadings yet"):
        getattr(grains.psnmf, method)()
    cropped = unmixed_copy.inav[:7, :]
    cropped.learning_results = unmixed_copy.learning_results
    with pytest.raises(RuntimeError, match="cropped"):
        getattr(cropped.psnmf, method)()
