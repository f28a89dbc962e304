# SPDX-License-Identifier: GPL-3.0-or-later
"""`counts_per_unit` makes counts of rates, means and multiples of counts."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import PSNMF
from tests.eds.lazy.scaled_maps import OPTIONS, SCALED, in_chunks, scaled, smoothed, warnings_of
from tests.helpers.maps import assert_same_results


@pytest.fixture(scope="module")
def whole(pristine_grains):
    s = pristine_grains.deepcopy()
    s.decomposition(**OPTIONS)
    return s


# --- what is said


@pytest.mark.slow
@pytest.mark.parametrize(("change", "scale"), SCALED.values(), ids=list(SCALED))
def test_counts_per_unit__result_is_that_of_the_counts(pristine_grains, whole, change, scale):
    scale = float(pristine_grains.data.max()) if scale is None else scale
    s = change(pristine_grains)
    before = np.array(s.data)
    assert warnings_of(s, counts_per_unit=scale) == []
    assert_same_results(s, whole)
    np.testing.assert_array_equal(np.array(s.data), before)
    assert s.learning_results.psnmf["counts_per_unit"] == pytest.approx(scale)


@pytest.mark.slow
def test_counts_per_unit__result_is_that_of_the_counts_with_lines(pristine_grains):
    s, t = scaled(1 / 4)(pristine_grains), pristine_grains.deepcopy()
    options = {**OPTIONS, "spectra": "lines", "output_dimension": 2}
    s.decomposition(**options, counts_per_unit=4)
    t.decomposition(**options)
    assert_same_results(s, t)


@pytest.fixture(scope="module")
def of_whole(whole):
    """What is computed again from the counts of the map."""
    return {
        "residuals": whole.psnmf.residuals().total,
        "limits": whole.psnmf.upper_limits().data,
        "band": whole.psnmf.ambiguity().spectra_high.data,
        "report": whole.psnmf.report(),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "mean of frames",
        pytest.param("multiples of 20 in 16 bits", marks=pytest.mark.thorough),
        "lazy mean of frames",
    ],
)
def test_counts_per_unit__used_by_whatever_reads_the_counts_again(
    pristine_grains, of_whole, tmp_path, name
):
    change, scale = SCALED[name]
    s = change(pristine_grains)
    s.decomposition(**OPTIONS, counts_per_unit=scale)
    if not s._lazy:  # chunks of floats take long to be saved
        s.save(tmp_path / "map.hspy")
        s = hs.load(tmp_path / "map.hspy")
    ours = s.psnmf
    assert ours.residuals().total == pytest.approx(of_whole["residuals"], rel=1e-12)
    np.testing.assert_allclose(ours.upper_limits().data, of_whole["limits"], rtol=1e-9)
    np.testing.assert_allclose(ours.ambiguity().spectra_high.data, of_whole["band"], rtol=1e-6)
    said = f"Its values were multiplied by {scale:g} to be counts. "
    assert ours.report().replace(said, "") == of_whole["report"]


@pytest.mark.slow
def test_counts_per_unit__errors_without_a_part_of_the_counts(pristine_grains, whole, monkeypatch):
    monkeypatch.setattr("hyperspy_psnmf.eds.uncertainty.jackknife.N_SPLITS", 1)
    s = scaled(1 / 4)(pristine_grains)
    s.decomposition(**OPTIONS, counts_per_unit=4)
    ours, theirs = (
        x.psnmf.standard_errors(given_spectra=False, show_progressbar=False) for x in (s, whole)
    )
    np.testing.assert_array_equal(ours.data, theirs.data)


def test_counts_per_unit__is_printed(pristine_grains, capsys):
    s = scaled(1 / 4)(pristine_grains)
    s.decomposition(**{**OPTIONS, "print_info": True}, counts_per_unit=4)
    assert "counts_per_unit=4\n" in capsys.readouterr().out


def test_counts_per_unit__wrong_one_is_corrected(pristine_grains):
    s = scaled(1 / 12)(pristine_grains)
    (said,) = warnings_of(s, counts_per_unit=3)
    assert "data times counts_per_unit=3 are not counts" in said
    assert "pass counts_per_unit=12," in said


def test_counts_per_unit__keeps_values_that_are_no_whole_numbers(pristine_grains):
    s = smoothed((1, 1, 0))(pristine_grains)
    s.decomposition(**OPTIONS, counts_per_unit=2.5)
    np.testing.assert_allclose(s.learning_results.loadings.sum(), 2.5 * s.data.sum())


@pytest.mark.slow
def test_counts_per_unit__with_an_estimator(pristine_grains):
    s, t = scaled(1 / 4)(pristine_grains), pristine_grains.deepcopy()
    estimator = PSNMF(3, binning=2)
    s.decomposition(algorithm=estimator, counts_per_unit=4, print_info=False)
    t.decomposition(algorithm=estimator, print_info=False)
    assert_same_results(s, t)


BAD = [(0, ValueError), (-4, ValueError), (np.nan, ValueError), (np.inf, ValueError),
       ("4", TypeError), (True, TypeError), ([4], TypeError), (4j, TypeError)]  # fmt: skip


@pytest.mark.parametrize(("value", "error"), BAD)
def test_counts_per_unit__bad_one_is_refused(grains, state, value, error):
    before = state(grains)
    with pytest.raises(error, match="counts_per_unit must be"):
        grains.decomposition(**OPTIONS, counts_per_unit=value)
    with pytest.raises(error, match="counts_per_unit must be"):
        grains.psnmf.estimate_number_of_components(2, counts_per_unit=value)
    assert state(grains) == before


# --- the number of phases


NUMBER = {"max_components": 2, "n_folds": 2, "show_progressbar": False}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mean of frames", "multiples of 20 in 16 bits", "lazy mean of frames"]
)
def test_number_of_phases__from_scaled_counts(pristine_grains, name):
    change, scale = SCALED[name]
    s = change(pristine_grains)
    expected = pristine_grains.psnmf.estimate_number_of_components(**NUMBER)
    found = s.psnmf.estimate_number_of_components(**NUMBER, counts_per_unit=scale)
    np.testing.assert_allclose(found.deviances, expected.deviances)


@pytest.mark.slow
def test_number_of_phases__integer_multiples_are_warned_of(pristine_grains):
    s = scaled(20, np.uint16)(pristine_grains)
    with pytest.warns(UserWarning, match=r"pass counts_per_unit=0\.05"):
        s.psnmf.estimate_number_of_components(**NUMBER)


@pytest.mark.parametrize(
    "change", [scaled(1 / 4), scaled(1 / 7, np.float32), in_chunks(scaled(0.1))]
)
def test_number_of_phases__fractions_are_refused_with_a_hint(pristine_grains, change):
    s = change(pristine_grains)
    with pytest.raises(ValueError, match=r"look like counts divided by .*see counts_per_unit"):
        s.decomposition(**{**OPTIONS, "output_dimension": "auto"})
