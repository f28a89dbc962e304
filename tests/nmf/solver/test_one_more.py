# SPDX-License-Identifier: GPL-3.0-or-later
"""What a factorisation of three planted components does not explain: 90 rows, 31 channels."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.counts.blocks import divergence
from hyperspy_psnmf.nmf.solver.one_more import _missing_spectrum, one_more
from tests.helpers.problems import both, planted


def test_one_more__starts_with_what_the_fit_misses():
    X, W, H = planted((9, 10), n_channels=31, k=3, counts=500.0)
    X = X.reshape(-1, 31)
    mean = X.sum(axis=0) / X.sum()
    for missing in range(3):
        others = [c for c in range(3) if c != missing]
        for counts in both(X):
            found = _missing_spectrum(
                counts, W[:, others], H[others], mean, np.random.default_rng(0)
            )
            assert found.sum() == pytest.approx(1)
            assert found.min() >= 0
            assert np.argmax(H @ found / np.linalg.norm(H, axis=1)) == missing


def test_one_more__fits_as_well_as_the_truth_and_fixed_spectra_stay():
    X, W, H = planted((9, 10), n_channels=31, k=3, counts=500.0)
    options = {"n_fixed": 1, "max_iter": 200, "tol": 1e-6}
    for counts in both(X.reshape(-1, 31)):
        found_W, found_H = one_more(
            counts, W[:, :2], H[:2], rng=np.random.default_rng(0), **options
        )
        assert (found_W.shape, found_H.shape) == ((90, 3), (3, 31))
        np.testing.assert_array_equal(found_H[0], H[0])
        assert divergence(counts, found_W, found_H.T.copy()) <= divergence(counts, W, H.T.copy())
