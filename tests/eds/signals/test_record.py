# SPDX-License-Identifier: GPL-3.0-or-later
"""Records as this and earlier versions stored them: 26 x 20 pixels, three phases."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf.eds.decompose.notes import notes
from hyperspy_psnmf.eds.signals.learning_results import read_record
from hyperspy_psnmf.eds.signals.record import as_plain, from_plain
from hyperspy_psnmf.eds.signals.weaknesses import (
    KINDS,
    AlikeSpectra,
    CountLikeness,
    CountsWithoutSpectrum,
    EarlierNote,
    FewCountsInPhase,
    FewCountsPerBin,
    HotVoxel,
    NumberLimited,
    ShiftedImage,
    SmallFeatures,
    ZeroPeak,
    as_columns,
    from_columns,
)
from tests.helpers.versions import ZSPY

# What 0.1.0.dev0 stored while it kept sentences.
EARLIER = {
    "version": "0.1.0.dev0",
    "algorithm": "PSNMF",
    "n_components": 3,
    "navigation_shape": [26, 20],
    "init": "auto",
    "max_iter": 500,
    "tol": 1e-05,
    "random_state": 0,
    "n_iter": 16,
    "converged": True,
    "kkt_residual": 6.93e-13,
    "divergence": 35517.1,
    "n_counts": 31085.0,
    "n_filled_pixels": 520,
    "median_pixel_counts": 60.0,
    "n_unexplained": 0.0,
    "phase_counts": np.array([18806.4, 12078.6, 200.0]),
    "phase_names": ["matrix", "grains", "Phase 2"],
    "binning": [2, 2],
    "binning_chosen": True,
    "binning_reason": (
        "the rule of thumb is 2 x 2; 1 x 1 has a held-out deviance higher by 80 +- 40"
    ),
    "energy_binning": 4,
    "line_width": 50,
    "refinement": "fixed",
    "volume": "auto",
    "added": np.zeros((3, 3)),
    "removed": np.array([[0.0, 0.13, 0.0], [0.04, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    "spatial_prior": "auto",
    "n_pixels_behind": np.full(520, 6.9),
    "n_fixed": 0,
    "n_bins": 130,
    "counts_per_bin": np.float64(239.1),
    "binned_loadings": np.full((10, 13, 3), 79.7),
    "numbers_tried": [1, 2, 3, 4],
    "held_out_deviances": np.array([61234.5, 60050.0, 59850.2, 59849.9]),
    "held_out_differences": np.array([1384.6, 200.1, 0.3, 0.0]),
    "held_out_standard_errors": np.array([40.0, 15.0, 0.8, 0.0]),
    "number_of_phases_minimum": 4,
    "number_of_phases_reason": (
        "3 phases predict held-out counts as well as 4, within one standard error: deviance "
        "higher by 0.3 +- 0.8"
    ),
    "number_of_phases_limited": False,
    "weaknesses": [
        "only 239 counts per bin on average: spectra will be poor in detail; lower "
        "output_dimension",
        "Phase 2 holds 200 counts only: do not rely on its spectrum",
    ],
}
ONE_OF_EACH = (
    CountLikeness(np.inf, True, False, False, 0.5, 0.01),
    HotVoxel((17, 4), 2.2, 3000.0, 0.5),
    HotVoxel((3, 4), 1.1, 900.0, 0.7),
    NumberLimited(8),
    FewCountsPerBin(310.5, True),
    FewCountsInPhase(2, 17.0),
    ZeroPeak(0.2, 12.0),
    CountsWithoutSpectrum(3.0),
    ShiftedImage(0, (1, -2)),
    AlikeSpectra(0, 2, 0.99),
    SmallFeatures(1, 3.5),
    EarlierNote("as it was worded"),
)


def saved(signal, path):
    signal.save(path, overwrite=True)
    return hs.load(path)


@pytest.fixture
def earlier(unmixed_copy):
    results = unmixed_copy.learning_results
    for name in [n for n in vars(results) if n.startswith("psnmf")]:
        del results.__dict__[name]
    results.psnmf = dict(EARLIER)
    return unmixed_copy


def test_earlier_record__its_sentences_are_in_the_report(earlier):
    report = earlier.psnmf.report()
    assert earlier.psnmf.phase_names == ["matrix", "grains", "Phase 2"]
    assert f"2 x 2 pixels ({EARLIER['binning_reason']}; 130 bins" in report
    assert f"): {EARLIER['number_of_phases_reason']}." in report
    assert report.endswith(" ".join(f"Note: {text}." for text in EARLIER["weaknesses"]))
    assert "grains was in varying proportion to matrix; 13 % of its spectrum" in report


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_earlier_record__saved_and_renamed_it_stays_as_it_was(earlier, tmp_path, extension):
    expected = earlier.psnmf.report()
    again = saved(earlier, tmp_path / f"a.{extension}")
    assert again.psnmf.report() == expected
    again.psnmf.phase_names = ["a", "b", "c"]
    again = saved(again, tmp_path / f"b.{extension}")
    stored = again.learning_results.psnmf
    assert stored.keys() == EARLIER.keys()
    assert list(stored["weaknesses"]) == EARLIER["weaknesses"]
    assert again.psnmf.phase_names == ["a", "b", "c"]
    assert again.psnmf.ambiguity().table()


@pytest.mark.slow
def test_earlier_record__its_settings_serve_other_fits(earlier):
    assert earlier.psnmf.standard_errors(given_spectra=False).data.shape == (3, 20, 26)


def test_earlier_record__before_reasons_were_kept(earlier):
    del earlier.learning_results.psnmf["binning_reason"]
    assert "2 x 2 pixels (chosen; 130 bins" in earlier.psnmf.report()


@pytest.mark.slow
def test_record__no_sentences_in_it(grains, unmix):
    def words(value):
        if isinstance(value, dict):
            return [word for each in value.values() for word in words(each)]
        if isinstance(value, list):
            return [word for each in value for word in words(each)]
        return [value] if isinstance(value, str) else []

    stored = unmix(grains, 4).learning_results.psnmf
    assert max(len(word.split()) for word in words(stored)) <= 2  # as in "Phase 0"
    assert stored["weaknesses"]
    assert stored["binning_choice"]["gains"]


def test_record__is_what_was_stored(unmixed):
    stored = unmixed.learning_results.psnmf
    again = as_plain(from_plain(stored))
    assert again.keys() == stored.keys()
    for name, value in stored.items():
        np.testing.assert_array_equal(again[name], value)


def test_record__empty_after_another_algorithm():
    record = from_plain({})
    assert (record.version, record.binning, record.n_pixels_behind) == (None, None, None)
    assert (record.n_fixed, record.counts_per_unit) == (0, 1.0)
    with pytest.raises(ValueError, match="of an unknown version and have no 'n_counts'"):
        _ = record.n_counts
    with pytest.raises(AttributeError, match="has no attribute 'n_count'"):
        _ = record.n_count


@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_weaknesses__survive_saving(unmixed_copy, tmp_path, extension):
    unmixed_copy.learning_results.psnmf["weaknesses"] = as_columns(ONE_OF_EACH)
    assert {type(one) for one in ONE_OF_EACH} == set(KINDS)
    found = read_record(saved(unmixed_copy, tmp_path / f"a.{extension}")).weaknesses
    assert found == ONE_OF_EACH


def test_weaknesses__a_sentence_of_each_and_one_for_all_of_a_kind(unmixed_copy):
    unmixed_copy.learning_results.psnmf["weaknesses"] = as_columns(ONE_OF_EACH)
    found = notes(read_record(unmixed_copy), ["ore", "rim"])
    assert len(found) == len(KINDS)
    assert found[1].startswith("hot voxels: pixel (17, 4) has 3000 counts in the channel at 2.200")
    assert "; pixel (3, 4) has 900" in found[1]
    # The names are those given since; a phase that was cropped has none.
    assert "features of rim are smaller than the binning" in found[9]
    assert "spectra hardly differ: ore and Phase 2." in found[8]
    assert "moved by (1, -2) pixels" in found[7]
    assert found[10] == "as it was worded"


def test_weaknesses__a_missing_step_is_kept_as_nan():
    (found,) = from_columns(as_columns([CountLikeness(np.nan, gaps=True)]))
    assert np.isnan(found.step)
    assert found.gaps
    assert not found.are_counts


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"volume": "auto", "spatial_prior": "auto"}, (True, 0.0, 1.0)),
        ({"volume": 0.25, "spatial_prior": 0.5}, (False, 0.25, 0.5)),
        ({"volume": 0.0, "spatial_prior": 0.0}, (False, 0.0, 0.0)),
        ({"parsimony": True, "volume": 0.0, "smoothing": 0.0}, (True, 0.0, 0.0)),
        ({"volume": b"auto", "spatial_prior": np.float64(2)}, (True, 0.0, 2.0)),
    ],
)
def test_from_plain__entries_of_other_names_are_read(stored, expected):
    record = from_plain({"binning": [2, 2], **stored})
    assert (record.parsimony, record.volume, record.smoothing) == expected
