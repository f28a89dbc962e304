# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for any mask, any chunks and any file, on a signal."""

import hyperspy.api as hs
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from hyperspy_psnmf import data
from tests.helpers.maps import SMALL, unmix_quietly

# Each example is a decomposition or two.
SETTINGS = hypothesis.settings(max_examples=6, deadline=None, derandomize=True)
PLAIN = {"binning": 2, "energy_binning": 1, "volume": 0, "smoothing": 0, "tol": 1e-7}
MAP = data.mineral_grains(**SMALL)
START = MAP.metadata.Truth.factors.T
BINS = st.integers(0, 3)


def results(signal):
    return signal.learning_results.factors, signal.learning_results.loadings


@SETTINGS
@hypothesis.given(BINS, BINS, BINS, st.integers(0, 40), st.integers(0, 40))
def test_decomposition__masks_along_the_edges_equal_a_crop(left, right, below, first, last):
    pixels, channels = np.ones((26, 20), bool), np.ones(310, bool)
    x, y = slice(2 * left, 26 - 2 * right), slice(0, 20 - 2 * below)
    energy = slice(first, 310 - last)
    pixels[x, y], channels[energy] = False, False
    # Convex with fixed spectra: with free ones, rounding chooses between local optima.
    masked = unmix_quietly(
        MAP.deepcopy(), fixed_spectra=START, navigation_mask=pixels, signal_mask=channels, **PLAIN
    )
    fixed = np.ascontiguousarray(START[:, energy])
    cropped = unmix_quietly(MAP.inav[x, y].isig[energy], fixed_spectra=fixed, **PLAIN)
    factors, loadings = results(masked)
    loadings = loadings.reshape(20, 26, 3)[y, x].reshape(-1, 3)
    np.testing.assert_allclose(factors[energy], results(cropped)[0], rtol=1e-12)
    np.testing.assert_allclose(loadings, results(cropped)[1], atol=0.02)
    np.testing.assert_allclose(loadings.sum(), results(cropped)[1].sum())


@pytest.mark.slow
@SETTINGS
@hypothesis.given(st.integers(6, 26), st.integers(7, 20), st.integers(99, 310), st.booleans())
def test_decomposition__chunks_change_nothing(nx, ny, n_channels, masked):
    mask = np.random.default_rng(0).random((26, 20)) < 0.2 if masked else None
    lazy = MAP.as_lazy()
    lazy.data = lazy.data.rechunk((ny, nx, n_channels))
    options = {"navigation_mask": mask, "init": START, **PLAIN}
    eager = unmix_quietly(MAP.deepcopy(), **options)
    for one, other in zip(results(unmix_quietly(lazy, **options)), results(eager), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@pytest.mark.slow
@SETTINGS
@hypothesis.given(
    st.lists(TEXT, min_size=3, max_size=3, unique=True),
    st.integers(0, 2**31),
    st.sampled_from(["auto", 2, (2, 4)]),
    st.booleans(),
)
def test_report__saving_and_loading_changes_nothing(tmp_path_factory, names, seed, binning, masked):
    s = MAP.deepcopy()
    mask = np.random.default_rng(1).random((26, 20)) < 0.1 if masked else None
    unmix_quietly(s, random_state=seed, navigation_mask=mask, **{**PLAIN, "binning": binning})
    s.psnmf.phase_names = names
    path = tmp_path_factory.mktemp("round") / "trip.hspy"
    s.save(path)
    again = hs.load(path)
    assert again.psnmf.phase_names == names
    assert again.psnmf.report() == s.psnmf.report()
    for one, other in zip(results(again), results(s), strict=True):
        np.testing.assert_array_equal(one, other)
    assert set(again.learning_results.psnmf) == set(s.learning_results.psnmf)
    assert again.data.dtype == s.data.dtype
    np.testing.assert_array_equal(again.data, s.data)
