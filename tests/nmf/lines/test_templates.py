# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of 47 channels, and how a detector's response corrects them."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.lines.templates import Templates, common_ratio
from tests.nmf.lines.line_problems import ELEMENTS, N_CHANNELS, make_templates

EXPECTED = 40.0 + 30.0 * np.sin(np.arange(N_CHANNELS) / 5.0)
DEVIATION = 1.0 + 0.2 * np.sin(np.arange(N_CHANNELS) / 2.0)


def test_Templates__lines_first_then_continuum():
    templates = make_templates()
    assert len(templates) == 7
    assert templates.n_elements == 4
    np.testing.assert_array_equal(templates.spectra[:5], templates.lines)
    np.testing.assert_array_equal(templates.spectra[5:], templates.continuum)
    np.testing.assert_array_equal(templates.is_line, [True] * 5 + [False] * 2)


def test_Templates__without_lines_there_are_no_elements():
    none = Templates(np.empty((0, 9)), np.full((1, 9), 1 / 9), np.empty(0, dtype=int))
    assert (len(none), none.n_elements) == (1, 0)


@pytest.mark.parametrize("energy_binning", [1, 2, 5])
def test_binned__unit_sum_and_binned_sums_are_sums_of_binned(energy_binning):
    templates, weights = make_templates(), np.linspace(0.2, 1.4, 7)
    binned = templates.binned(energy_binning)
    assert binned.spectra.shape == (7, -(-N_CHANNELS // energy_binning))
    np.testing.assert_allclose(binned.spectra.sum(axis=1), 1.0)
    total = weights @ templates.spectra
    starts = np.arange(0, N_CHANNELS, energy_binning)
    np.testing.assert_allclose(weights @ binned.spectra, np.add.reduceat(total, starts))
    np.testing.assert_array_equal(binned.elements, ELEMENTS)


def test_covering__counts_without_a_template_have_one():
    lines = make_templates().lines.copy()
    lines[:, 40:] = 0.0
    bare = Templates(lines, np.empty((0, N_CHANNELS)), ELEMENTS)
    counts = np.zeros(N_CHANNELS)
    counts[[10, 42, 45]] = 100.0, 3.0, 1.0
    covered = bare.covering(counts)
    assert len(covered) == len(bare) + 1
    np.testing.assert_array_equal(covered.lines, lines)
    np.testing.assert_allclose(covered.continuum[0, [10, 42, 45]], [0.0, 0.75, 0.25])
    assert covered.covering(counts) is covered
    assert bare.covering(np.where(np.arange(N_CHANNELS) < 40, 5.0, 0.0)) is bare


def test_corrected__unit_sum_in_the_ratio_asked_for():
    templates = make_templates()
    corrected = templates.corrected(DEVIATION)
    np.testing.assert_allclose(corrected.spectra.sum(axis=1), 1.0)
    ratio = corrected.spectra / templates.spectra
    np.testing.assert_allclose(ratio / ratio[:, :1], np.tile(DEVIATION / DEVIATION[0], (7, 1)))


def test_common_ratio__is_one_within_counting_noise():
    """Deviations of 15 to 30 % by counting; the ratio has at most a tenth of them."""
    rng = np.random.default_rng(0)
    noise, found = [], []
    for _ in range(20):
        counts = rng.poisson(EXPECTED)
        noise.append(np.std(counts / EXPECTED))
        found.append(np.std(common_ratio(counts, EXPECTED)))
    assert np.mean(noise) > 0.15
    assert np.median(found) < 0.1 * np.mean(noise)
    assert np.max(found) < np.mean(noise)


def test_common_ratio__follows_a_deviation_where_counts_are_many():
    many = 1e4 * EXPECTED
    counts = np.random.default_rng(0).poisson(many * DEVIATION)
    np.testing.assert_allclose(common_ratio(counts, many), DEVIATION, atol=0.01)


def test_common_ratio__no_counts_no_deviation():
    np.testing.assert_array_equal(common_ratio(np.zeros(5), np.zeros(5)), 1.0)
