# SPDX-License-Identifier: GPL-3.0-or-later
"""Which component excluded channels belong to."""

import numpy as np

from hyperspy_psnmf.nmf.parsimony.absent_lines import assign_exclusions, excluded_fractions


def spectra_with_peaks():
    """Return three flat spectra of 40 channels with a peak of 30 % at 10, 20 and 30."""
    H = np.full((3, 40), 0.7 / 40)
    for row, channel in enumerate((10, 20, 30)):
        H[row, channel] += 0.3
    return H


def exclude(*channels):
    absent = np.zeros((3, 40), bool)
    for row, channel in enumerate(channels):
        if channel is not None:
            absent[row, channel - 1 : channel + 2] = True
    return absent


def test_excluded_fractions__counts_above_the_background():
    found = excluded_fractions(spectra_with_peaks(), exclude(20, 30))
    np.testing.assert_allclose(found, [[0, 0, 0], [0.3, 0, 0], [0, 0.3, 0]], atol=1e-12)


def test_assign_exclusions__together_they_lose_least():
    # The first could be at either, the second at one only: by itself, the first would take it.
    fractions = np.array([[0.01, 0.0, 0.0], [0.02, 0.5, 0.0], [0.4, 0.6, 0.0]])
    absent = exclude(10, 20, None)
    assert assign_exclusions(fractions, absent).tolist() == [1, 0, 2]


def test_assign_exclusions__rows_without_any_go_to_the_others_in_their_order():
    fractions = np.array([[0.3, 0.0, 0.0], [0.2, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert assign_exclusions(fractions, exclude(10, None, None)).tolist() == [1, 2, 0]
    none = np.zeros((3, 3))
    assert assign_exclusions(none, exclude(None, None, None)).tolist() == [0, 1, 2]


def test_assign_exclusions__of_spectra():
    H = spectra_with_peaks()
    for absent in (exclude(20, 30, 10), exclude(10, 20, 30), exclude(None, 30, 20)):
        rows = assign_exclusions(excluded_fractions(H, absent), absent)
        assert sorted(rows) == [0, 1, 2]
        lost = [
            excluded_fractions(h[None], absent[[row]])[0, 0] for h, row in zip(H, rows, strict=True)
        ]
        np.testing.assert_allclose(lost, 0.0, atol=1e-12)
