# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests on lazy signals share."""

import numpy as np


def lazy(signal, chunks):
    """Return a lazy copy in chunks."""
    s = signal.as_lazy()
    s.data = s.data.rechunk(chunks)
    return s


def same(signal, expected):
    """Compare two decompositions: spectra within 0.1 degree, loadings within 0.1 %."""
    found, known = signal.learning_results, expected.learning_results
    factors, others = np.nan_to_num(found.factors), np.nan_to_num(known.factors)
    norms = np.linalg.norm(factors, axis=0) * np.linalg.norm(others, axis=0)
    cosines = (factors * others).sum(axis=0) / norms
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 0.1
    np.testing.assert_array_equal(np.isnan(found.loadings), np.isnan(known.loadings))
    largest = np.nanmax(known.loadings)
    np.testing.assert_allclose(found.loadings, known.loadings, rtol=1e-3, atol=1e-4 * largest)
