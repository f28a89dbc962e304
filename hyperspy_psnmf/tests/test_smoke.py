# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an installed package works with the HyperSpy beside it; needs no files."""

import importlib.metadata

import matplotlib
import numpy as np
import pytest
from hyperspy.extensions import ALL_EXTENSIONS

from hyperspy_psnmf import data
from hyperspy_psnmf.estimators import PoissonNMF

SETTINGS = {"algorithm": "PSNMF", "output_dimension": 3, "print_info": False,
            "show_progressbar": False}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def backend():
    before = matplotlib.get_backend()
    matplotlib.use("agg")
    yield
    matplotlib.use(before)


@pytest.fixture(scope="module")
def unmixed():
    signal = data.mineral_grains(shape=(40, 48), n_channels=800, counts=300, seed=1)
    signal.decomposition(**SETTINGS)
    return signal


def test_extension__registered():
    names = {entry.name for entry in importlib.metadata.entry_points(group="hyperspy.extensions")}
    assert "hyperspy_psnmf" in names
    assert "hyperspy_psnmf.PSNMF" in ALL_EXTENSIONS["GUI"]["toolkeys"]


def test_decomposition__finds_the_phases(unmixed):
    truth = unmixed.metadata.Truth.factors[:, :2]
    true, found = (f / np.linalg.norm(f, axis=0) for f in (truth, unmixed.learning_results.factors))
    assert np.degrees(np.arccos((true.T @ found).max(axis=1))).max() < 5  # now 0.8 and 0.6


def test_decomposition__keeps_the_counts(unmixed):
    model = unmixed.get_decomposition_model().data.sum()
    assert model == pytest.approx(unmixed.data.sum(), rel=1e-6)


def test_decomposition__lazy_as_eager(unmixed):
    lazy = unmixed.as_lazy()
    lazy.decomposition(**SETTINGS)
    found, expected = lazy.learning_results, unmixed.learning_results
    np.testing.assert_array_equal(found.loadings, expected.loadings)
    np.testing.assert_array_equal(found.factors, expected.factors)


def test_decomposition__other_algorithms_are_left_alone(unmixed):
    signal = unmixed.inav[:12, :10].isig[:200]
    signal.change_dtype("float32")
    signal.decomposition(algorithm="SVD", output_dimension=2, print_info=False)
    assert signal.learning_results.decomposition_algorithm == "SVD"


def test_saving__results_survive(unmixed, tmp_path):
    from hyperspy.api import load

    unmixed.save(tmp_path / "map.hspy")
    again = load(tmp_path / "map.hspy")
    assert again.psnmf.phase_names == unmixed.psnmf.phase_names
    maps, maps_again = unmixed.psnmf.phase_maps().data, again.psnmf.phase_maps().data
    np.testing.assert_allclose(maps_again, maps, rtol=1e-12)


def test_accessor__spectra_and_maps_are_signals(unmixed):
    spectra, maps = unmixed.psnmf.phase_spectra(), unmixed.psnmf.phase_maps()
    assert isinstance(spectra, type(unmixed))
    assert spectra.data.shape == (3, 800)
    assert maps.data.shape == (3, 40, 48)
    assert spectra.data.sum() == pytest.approx(maps.data.sum())


@pytest.mark.filterwarnings("ignore:net counts below zero:UserWarning")
def test_accessor__compositions_have_errors(unmixed):
    factors = unmixed.metadata.Truth.k_factors.as_dictionary()
    result = unmixed.psnmf.quantify(factors=factors, errors="counting")
    assert np.nansum(result.atomic.values, axis=1) == pytest.approx(100)
    assert (result.atomic.sigma[result.detected] > 0).all()


def test_accessor__residuals_of_a_true_model_are_one(unmixed):
    assert unmixed.psnmf.residuals().total == pytest.approx(1, abs=0.05)


def test_accessor__figures_and_report(unmixed):
    import matplotlib.pyplot as plt

    fig, _ = unmixed.psnmf.plot()
    fig.canvas.draw()
    plt.close(fig)
    assert "unmixed into 3 phases" in unmixed.psnmf.report()


def test_estimator__fits_without_a_signal():
    X = np.random.default_rng(1).poisson(2.0, size=(60, 30))
    assert PoissonNMF(2, max_iter=2000).fit(X).converged_
