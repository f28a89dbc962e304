# SPDX-License-Identifier: GPL-3.0-or-later
"""What HyperSpy is about to change: names of learning results, and decomposition in hyperspy-ml."""

import warnings

import numpy as np
import pytest
from hyperspy.exceptions import VisibleDeprecationWarning
from hyperspy.learn.mva import LearningResults

from hyperspy_psnmf import PSNMF, PoissonNMF


class Renamed(LearningResults):
    """Learning results as HyperSpy is about to name them, with the old names as properties."""

    components = scores = bss_components = bss_scores = None

    @property
    def factors(self):
        warnings.warn("use components", VisibleDeprecationWarning, stacklevel=2)
        return self.components

    @property
    def loadings(self):
        warnings.warn("use scores", VisibleDeprecationWarning, stacklevel=2)
        return self.scores


@pytest.mark.filterwarnings("error::hyperspy.exceptions.VisibleDeprecationWarning")
def test_learning_results__by_the_new_names_where_hyperspy_has_them(grains, unmix, unmixed):
    grains.learning_results = Renamed()
    grains.learning_results.bss_components = np.ones((310, 3))
    assert "no decomposition yet" in repr(grains.psnmf)
    found = unmix(grains)
    np.testing.assert_array_equal(
        found.learning_results.components, unmixed.learning_results.factors
    )
    np.testing.assert_array_equal(found.learning_results.scores, unmixed.learning_results.loadings)
    assert found.learning_results.bss_components is None
    assert "PSNMF" in repr(found.psnmf)
    for ours, expected in zip(
        (found.psnmf.phase_maps(), found.psnmf.phase_spectra()),
        (unmixed.psnmf.phase_maps(), unmixed.psnmf.phase_spectra()),
        strict=True,
    ):
        np.testing.assert_array_equal(ours.data, expected.data)


@pytest.mark.parametrize("estimator", [PSNMF(3, navigation_shape=(20, 26)), PoissonNMF(3)])
def test_hyperspy_ml__takes_the_estimators(grains, estimator):
    hyperspy_ml = pytest.importorskip("hyperspy_ml", reason="not on PyPI: see .ci/environments")
    grains.change_dtype("float64")
    found = hyperspy_ml.decompose(grains, algorithm=estimator, output_dimension=3)
    assert found.components.shape == (310, 3)
    assert found.scores.shape == (520, 3)
    # Loadings in counts, as ever.
    np.testing.assert_allclose(found.components.sum(axis=0), 1.0)
    assert found.scores.sum() == pytest.approx(grains.data.sum(), rel=1e-6)
    truth = grains.metadata.Truth.factors
    cosines = (truth / np.linalg.norm(truth, axis=0)).T @ found.components
    cosines = cosines / np.linalg.norm(found.components, axis=0)
    assert cosines.max(axis=1).min() > 0.8
