# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates, means, normalised and smoothed maps are warned of, and the scale is named."""

import re

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.lazy.not_counts import judge_model
from hyperspy_psnmf.nmf.binning.bins import PixelBins
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from tests.eds.lazy.scaled_maps import SCALED, in_chunks, scaled, smoothed, warnings_of, with_data
from tests.eds.on_signals import find_fit_quality
from tests.helpers.maps import SMALL
from tests.helpers.real_maps import load, needs_maps

ALONG_ENERGY, IN_SPACE = (0, 0, 1), (1, 1, 0)


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert find_fit_quality(s).values.step == 0.25


# --- no false alarms


def few_counts(s):
    """Leave 2 % of the counts: no channel of a pixel has two."""
    return np.random.default_rng(3).binomial(s.data, 0.02) > 0


def few_pixels(data):
    found = np.zeros(data.shape, bool)
    found[3, 4, 9:14] = found[17, 21, 40:48] = True
    return found


COUNTS = {
    "counts": lambda s: s.deepcopy(),
    "counts as floats": scaled(1.0, np.float32),
    "zeros and ones": lambda s: with_data(s, few_counts(s).astype(np.uint8)),
    "booleans": lambda s: with_data(s, few_counts(s)),
    "lazy zeros and ones": in_chunks(lambda s: with_data(s, few_counts(s) * 1.0)),
    "sums of 2 x 2 pixels": lambda s: s.rebin(scale=(2, 2, 1)),
    "lazy counts": in_chunks(scaled(1, np.uint16)),
    "ten pixels": lambda s: s.inav[4:9, 3:5],
    "two pixels of two counts": lambda s: with_data(s, np.where(few_pixels(s.data), 2.0, 0.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", COUNTS.values(), ids=list(COUNTS))
def test_counts__no_warning(pristine_grains, change):
    assert warnings_of(change(pristine_grains)) == []


PHANTOMS = ["core_shell_particles", "embedded_spheres", "grain_boundary", "isolated_particles",
            "mineral_grains", "sem_two_phases", "sharp_interface", "solid_solution"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.crossed("name", "counts")
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


@pytest.mark.slow
def test_judge_model__deviance_of_counts_from_spectra_of_lines_is_one():
    s = data.core_shell_particles(shape=(39, 43), counts=50, seed=4)
    model = s.decomposition(
        algorithm="PSNMF", output_dimension=3, spectra="lines", return_info=True, print_info=False
    )
    bins = PixelBins((39, 43), model.binning_)
    found = judge_model(count_matrix(s.data), s.learning_results.loadings, model, bins)
    # 1.07 with a parameter for each channel of a spectrum.
    assert found.deviance == pytest.approx(1, abs=3 * found.scatter)
    assert found.scatter < 0.01
