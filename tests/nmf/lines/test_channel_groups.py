# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of channels that keep the information on weights: 7 templates, 47 channels."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.binning.bins import sum_groups
from hyperspy_psnmf.nmf.lines.channel_groups import MAX_LOSS, group_channels
from tests.nmf.lines.line_problems import N_CHANNELS, make_counts, make_spectra, make_templates

G = make_templates().spectra
EXPECTED = 1e4 * G.mean(axis=0)


def information(spectra, counts):
    return (spectra / counts) @ spectra.T


@pytest.mark.parametrize("n_channels", [N_CHANNELS, 1000])
def test_group_channels__few_groups_have_nearly_all_information(n_channels):
    channel = np.linspace(0, N_CHANNELS - 1, n_channels)
    spectra = np.array([np.interp(channel, np.arange(N_CHANNELS), g) for g in G])
    counts = 1e3 * spectra.mean(axis=0)
    first = group_channels(spectra, counts)
    assert first[0] == 0
    assert (np.diff(first) > 0).all()
    assert len(first) < 40
    grouped = information(sum_groups(spectra, first), np.add.reduceat(counts, first))
    kept = np.trace(np.linalg.solve(information(spectra, counts), grouped)) / len(G)
    assert 1 - MAX_LOSS - 1e-6 < kept < 1
    # As many groups of equal widths keep less.
    even = np.arange(len(first)) * n_channels // len(first)
    even = information(sum_groups(spectra, even), np.add.reduceat(counts, even))
    assert np.trace(np.linalg.solve(information(spectra, counts), even)) / len(G) < kept


def test_group_channels__a_spectrum_more_to_distinguish_has_channels_of_its_own():
    spike = np.zeros((1, N_CHANNELS))
    spike[0, 45] = 1.0
    assert not {45, 46} <= set(group_channels(G, EXPECTED))
    assert {45, 46} <= set(group_channels(np.vstack([G, spike]), EXPECTED))


def test_group_channels__one_group_of_what_has_the_same_shape():
    np.testing.assert_array_equal(group_channels(G[-1:], G[-1] * 1e5), [0])


def test_group_channels__empty_channels_and_empty_spectra():
    spectra, counts = np.vstack([G, np.zeros(N_CHANNELS)]), EXPECTED.copy()
    counts[30:], spectra[:, 40:] = 0.0, 0.0
    first = group_channels(spectra, counts)
    assert 7 < len(first) < N_CHANNELS
    assert first.max() <= 40


def test_grouped__spectra_of_the_sums():
    _, _, spectra = make_counts(3)
    spectra = make_spectra(weights=spectra.weights[1:], fixed=spectra.H[:1])
    first = np.array([0, 3, 4, 20])
    expected = np.add.reduceat(spectra.H, first, axis=1)
    np.testing.assert_allclose(spectra.grouped(first).H, expected)
