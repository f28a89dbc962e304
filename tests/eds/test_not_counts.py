# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates, means, normalised and smoothed maps: warned of, and repaired where possible."""

import re
import warnings

import hyperspy.api as hs
import numpy as np
import pytest
from lazy_maps import lazy
from maps import CALL, SMALL, assert_same_results
from real_maps import load, needs_maps
from scipy.ndimage import gaussian_filter, uniform_filter

from hyperspy_psnmf import PSNMF, data
from hyperspy_psnmf.eds.fit_quality import find_fit_quality

OPTIONS = {**CALL, "binning": 2, "init": "vertex"}


def scaled(by, dtype=float):
    return lambda s: with_data(s, (s.data.astype(float) * by).astype(dtype))


def with_data(s, values):
    s = s.deepcopy()
    s.data = values
    return s


def in_chunks(function):
    return lambda s: lazy(function(s), (7, 9, 100))


# name: (what to do to a map of counts, the scale that repairs it)
SCALED = {
    "counts per second": (scaled(1 / 0.05), 0.05),
    "counts per second, single precision": (scaled(1 / 0.37, np.float32), 0.37),
    "mean of frames": (scaled(1 / 4), 4),
    "mean of three frames, single precision": (scaled(1 / 3, np.float32), 3),
    "divided by the maximum": (lambda s: with_data(s, s.data / s.data.max()), None),
    "multiples of 20 in 16 bits": (scaled(20, np.uint16), 0.05),
    "multiples of 3 in 32 bits": (scaled(3, np.int32), 1 / 3),
    "lazy counts per second": (in_chunks(scaled(1 / 0.05)), 0.05),
    "lazy mean of frames": (in_chunks(scaled(1 / 4)), 4),
    "lazy multiples of 20": (in_chunks(scaled(20, np.uint16)), 0.05),
}

ALONG_ENERGY, IN_SPACE = (0, 0, 1), (1, 1, 0)


def smoothed(sigma):
    return lambda s: with_data(s, gaussian_filter(s.data.astype(float), sigma))


def per_pixel(s):
    return with_data(s, s.data / s.data.sum(axis=-1, keepdims=True))


# name: (what to do to a map of counts, what the warning must hold)
SPOILT = {
    "smoothed in space": (smoothed(IN_SPACE), "no common number, as after smoothing"),
    "smoothed along energy": (smoothed(ALONG_ENERGY), "no common number, as after smoothing"),
    "normalised pixel by pixel": (per_pixel, "normalisation pixel by pixel"),
    "lazy, smoothed": (in_chunks(smoothed(IN_SPACE)), "no common number"),
    "running mean in space": (
        lambda s: with_data(s, uniform_filter(s.data * 9.0, (3, 3, 1))),
        "neighbouring pixels .*correlated",
    ),
    "running sum along energy": (
        lambda s: with_data(s, s.data + np.roll(s.data, 1, -1) + np.roll(s.data, 2, -1)),
        "neighbouring channels .*correlated",
    ),
    "running mean in space and energy": (
        lambda s: with_data(s, uniform_filter(s.data * 12.0, (2, 2, 3))),
        "scatter by less than counts do",
    ),
    "multiplied by 2.5 and rounded": (
        lambda s: with_data(s, np.rint(s.data * 2.5).astype(np.uint16)),
        "as after a multiplication and rounding",
    ),
}


def warnings_of(signal, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        signal.decomposition(**{**OPTIONS, **options})
    return [str(w.message) for w in caught if "not counts" in str(w.message)]


@pytest.fixture(scope="module")
def whole(pristine_grains):
    s = pristine_grains.deepcopy()
    s.decomposition(**OPTIONS)
    return s


# --- what is said


@pytest.mark.parametrize(("change", "scale"), SCALED.values(), ids=list(SCALED))
def test_scaled_map__scale_is_named(pristine_grains, change, scale):
    scale = pristine_grains.data.max() if scale is None else scale
    (said,) = warnings_of(s := change(pristine_grains))
    (named,) = re.findall(r"pass counts_per_unit=([\d.e-]+)", said)
    assert float(named) == pytest.approx(scale, rel=1e-5)
    report = s.psnmf.report()
    assert "the model fits." not in report
    assert "A phase too few" not in report
    assert "the data are not counts: they look like counts" in report
    assert not find_fit_quality(s).fits


@pytest.mark.parametrize(("change", "what"), SPOILT.values(), ids=list(SPOILT))
def test_spoilt_map__no_scale_is_named(pristine_grains, change, what):
    (said,) = warnings_of(s := change(pristine_grains))
    assert re.search(what, said)
    assert "Standard errors, limits" in said
    assert "counts_per_unit" not in said
    report = s.psnmf.report()
    assert "the model fits." not in report
    assert "A phase too few" not in report


def test_mean_rounded_to_whole_numbers__deviance_is_named(pristine_grains):
    s = with_data(pristine_grains, np.rint(pristine_grains.data * 0.4).astype(np.uint8))
    s.data += 1  # so that values are seldom rounded to zero
    (said,) = warnings_of(s)
    assert re.search(r"scatter by less than counts do, .*\(the deviance .* is 0\.\d+\)", said)


def test_stock_nmf__report_judges_its_data_too(unmix, pristine_grains):
    s = scaled(1 / 4)(pristine_grains)
    s.decomposition(
        algorithm="NMF", output_dimension=3, random_state=0, print_info=False,
        normalize_poissonian_noise=False, navigation_mask=None,
    )  # fmt: skip
    assert "counts divided by 4" in find_fit_quality(s).no_counts


# --- no false alarms


def few_counts(s):
    """Leave 2 % of the counts: no channel of a pixel has two."""
    return np.random.default_rng(3).binomial(s.data, 0.02) > 0


def few_pixels(data):
    found = np.zeros(data.shape, bool)
    found[3, 4, 9:14] = found[17, 21, 40:48] = True
    return found


COUNTS = {
    "counts": lambda s: s,
    "counts as floats": scaled(1.0, np.float32),
    "zeros and ones": lambda s: with_data(s, few_counts(s).astype(np.uint8)),
    "booleans": lambda s: with_data(s, few_counts(s)),
    "lazy zeros and ones": in_chunks(lambda s: with_data(s, few_counts(s) * 1.0)),
    "sums of 2 x 2 pixels": lambda s: s.rebin(scale=(2, 2, 1)),
    "lazy counts": in_chunks(scaled(1, np.uint16)),
    "ten pixels": lambda s: s.inav[4:9, 3:5],
    "two pixels of two counts": lambda s: with_data(s, np.where(few_pixels(s.data), 2.0, 0.0)),
}


@pytest.mark.parametrize("change", COUNTS.values(), ids=list(COUNTS))
def test_counts__no_warning(pristine_grains, change):
    assert warnings_of(change(pristine_grains)) == []


PHANTOMS = ["core_shell_particles", "embedded_spheres", "grain_boundary", "isolated_particles",
            "mineral_grains", "sem_two_phases", "sharp_interface", "solid_solution"]  # fmt: skip


@pytest.mark.parametrize("name", PHANTOMS)
@pytest.mark.parametrize("counts", [8, 60, 900])
def test_phantoms__no_warning(name, counts):
    s = getattr(data, name)(**{**SMALL, "counts": counts})
    assert warnings_of(s, output_dimension=2) == []


REAL = ["bcf_v2_50x50px.bcf", "core_shell.hspy", "mineral_lamella_88.hspy",
        "ree_phosphate_30x30.bcf", "silica_spheres.hspy", "test_TEM.bcf"]  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs_maps(n)) for n in REAL])
def test_real_maps__no_warning(name):
    s = load(name)
    s = s.inav[:40, :44] if s.axes_manager.navigation_dimension == 2 else s
    assert warnings_of(s, output_dimension=2) == []


# --- counts_per_unit


@pytest.mark.parametrize(("change", "scale"), SCALED.values(), ids=list(SCALED))
def test_counts_per_unit__result_is_that_of_the_counts(pristine_grains, whole, change, scale):
    scale = float(pristine_grains.data.max()) if scale is None else scale
    s = change(pristine_grains)
    before = np.array(s.data)
    assert warnings_of(s, counts_per_unit=scale) == []
    assert_same_results(s, whole)
    np.testing.assert_array_equal(np.array(s.data), before)
    assert s.learning_results.psnmf["counts_per_unit"] == pytest.approx(scale)


def test_counts_per_unit__used_by_whatever_reads_the_counts_again(pristine_grains, whole, tmp_path):
    for i, name in enumerate(
        ["mean of frames", "multiples of 20 in 16 bits", "lazy mean of frames"]
    ):
        change, scale = SCALED[name]
        s = change(pristine_grains)
        s.decomposition(**OPTIONS, counts_per_unit=scale)
        if not s._lazy:  # chunks of floats take long to be saved
            s.save(tmp_path / f"{i}.hspy")
            s = hs.load(tmp_path / f"{i}.hspy")
        ours, theirs = s.psnmf, whole.psnmf
        assert ours.residuals().total == pytest.approx(theirs.residuals().total, rel=1e-12)
        np.testing.assert_allclose(ours.upper_limits().data, theirs.upper_limits().data, rtol=1e-9)
        np.testing.assert_allclose(
            ours.ambiguity().spectra_high.data, theirs.ambiguity().spectra_high.data, rtol=1e-6
        )
        said = f"Its values were taken times {scale:g} to be counts. "
        assert ours.report().replace(said, "") == theirs.report()


def test_counts_per_unit__errors_without_a_part_of_the_counts(pristine_grains, whole, monkeypatch):
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
    s = smoothed(IN_SPACE)(pristine_grains)
    s.decomposition(**OPTIONS, counts_per_unit=2.5)
    np.testing.assert_allclose(s.learning_results.loadings.sum(), 2.5 * s.data.sum())


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


@pytest.mark.parametrize(
    "name", ["mean of frames", "multiples of 20 in 16 bits", "lazy mean of frames"]
)
def test_number_of_phases__from_scaled_counts(pristine_grains, name):
    change, scale = SCALED[name]
    s = change(pristine_grains)
    expected = pristine_grains.psnmf.estimate_number_of_components(**NUMBER)
    found = s.psnmf.estimate_number_of_components(**NUMBER, counts_per_unit=scale)
    np.testing.assert_allclose(found.deviances, expected.deviances)


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
