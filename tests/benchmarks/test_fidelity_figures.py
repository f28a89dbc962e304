# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's figures are right where the answer is known."""

import json

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from tests.benchmarks import fidelity
from tests.benchmarks.fidelity_figures import (
    Unmixed,
    atomic_percent,
    composition_errors,
    counts_kept,
    edge_width,
    figures,
    match,
    reconstruction_error,
    true_phases,
)
from tests.benchmarks.fidelity_methods import METHODS

pytestmark = pytest.mark.thorough  # nothing that users run

SMALL = {"shape": (19, 23), "n_channels": 810}


def perfect(signal):
    truth = signal.metadata.Truth
    return Unmixed(truth.factors[:, ::-1], truth.loadings[:, ::-1])


def test_fidelity_figures__matching_undoes_a_permutation():
    true = np.random.default_rng(1).random((9, 4))
    component, angles = match(true, true[:, [2, 0, 3, 1]])
    np.testing.assert_array_equal(component, [1, 3, 0, 2])
    np.testing.assert_allclose(angles, 0.0, atol=1e-5)


def test_fidelity_figures__matching_leaves_out_what_is_missing_or_too_many():
    true = np.random.default_rng(1).random((9, 3))
    component, angles = match(true, true[:, [2, 0]])
    np.testing.assert_array_equal(component, [1, -1, 0])
    np.testing.assert_array_equal(np.isnan(angles), [False, True, False])
    component, _ = match(true, np.hstack([np.ones((9, 1)), true]))
    np.testing.assert_array_equal(component, [1, 2, 3])


def test_fidelity_figures__angles_are_in_degrees():
    _, angles = match(np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]]))
    assert angles == pytest.approx(45.0)


def test_count_matrix__the_truth_has_no_errors():
    signal = data.embedded_spheres(**SMALL)
    result = figures(signal, count_matrix(signal.data), perfect(signal))
    np.testing.assert_allclose(result["angles"], 0.0, atol=1e-5)
    np.testing.assert_allclose(result["at_percent"], 0.0, atol=1e-9)
    assert result["reconstruction"] < 1e-7
    assert result["excess"] == pytest.approx(0.0, abs=1e-6)


def test_fidelity_figures__reconstruction_error_is_that_of_the_cubes():
    truth = data.sem_two_phases(**SMALL).metadata.Truth
    found = Unmixed(truth.factors[::-1], 1.1 * truth.loadings)
    cube = truth.loadings @ truth.factors.T
    expected = np.linalg.norm(found.loadings @ found.factors.T - cube) / np.linalg.norm(cube)
    assert reconstruction_error(found, truth) == pytest.approx(expected)


def test_fidelity_figures__compositions_of_noise_free_spectra_are_near_the_nominal_ones():
    signal = data.embedded_spheres(**SMALL)
    _, sulfide, metal = range(3)
    measured = atomic_percent(signal.metadata.Truth.factors, signal)
    assert measured["S"][sulfide] == pytest.approx(51.0, abs=5.0)
    assert measured["Fe"][metal] == pytest.approx(92.0, abs=8.0)  # Fe Kb lies next to Ni Ka


def test_fidelity_figures__composition_errors_see_a_phase_mixed_into_another():
    signal = data.sharp_interface(**SMALL)
    true = signal.metadata.Truth.factors
    mixed = true @ np.array([[1.0, 0.2], [0.0, 0.8]])
    errors = composition_errors(true, mixed, signal)
    assert errors[0] == pytest.approx(0.0, abs=1e-9)
    assert errors[1] > 3.0


def test_fidelity_figures__a_bulk_specimen_can_be_quantified_with_one_line_per_element():
    signal = data.sem_two_phases(**SMALL | {"n_channels": 1980})
    assert sorted(atomic_percent(signal.metadata.Truth.factors, signal)) == ["Al", "Cu"]


@pytest.mark.filterwarnings("ignore:Covariance of the parameters")  # no noise, no spread
@pytest.mark.parametrize("width", [1.2, 2.0, 5.0])
@pytest.mark.parametrize("phase", [0, 1])
def test_fidelity_figures__edge_width_is_the_one_of_the_truth(width, phase):
    truth = data.sharp_interface(edge_width=width, **SMALL).metadata.Truth
    image = truth.loadings[:, phase].reshape(SMALL["shape"])
    assert edge_width(image, truth.edge_positions) == pytest.approx(width, rel=1e-3)
    assert edge_width(1e-6 * image, truth.edge_positions) == pytest.approx(width, rel=1e-3)


def test_fidelity_figures__counts_kept_sees_loss_and_no_background():
    truth = data.isolated_particles(shape=(62, 58), n_channels=310).metadata.Truth
    true = truth.loadings[:, 1].reshape(62, 58)
    where = truth.particle_centres, truth.particle_diameter
    assert counts_kept(true, true, *where) == pytest.approx(1.0)
    assert counts_kept(0.7 * true + 5.0, true, *where) == pytest.approx(0.7)


def test_count_matrix__figures_do_not_depend_on_how_components_are_scaled():
    signal = data.isolated_particles(shape=(31, 28), n_channels=810)
    X, truth = count_matrix(signal.data), signal.metadata.Truth
    scale = np.array([0.02, 70.0])
    scaled = Unmixed(truth.factors / scale, truth.loadings * scale)
    assert figures(signal, X, scaled)["kept"] == pytest.approx(1.0)


def test_fidelity_figures__the_ends_of_a_solid_solution_are_its_phases():
    signal = data.solid_solution(**SMALL)
    names, true = true_phases(signal.metadata.Truth)
    assert names == ["Fo90", "Fo10"]
    total = signal.metadata.Truth.loadings.sum(axis=1)
    np.testing.assert_allclose(true.loadings.sum(axis=1), total, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:only .* counts per bin")
def test_count_matrix__every_method_returns_components_of_the_maps_shape():
    signal = data.sem_two_phases(shape=(9, 11), n_channels=310)
    X = count_matrix(signal.data)
    for name in METHODS.keys() - {"stock_nmf", "sklearn_kl"}:
        found = METHODS[name](signal, X, 3)
        assert found.factors.shape == (310, 3), name
        assert found.loadings.shape == (99, 3), name


def test_fidelity_figures__the_command_prints_a_table_and_writes_all_seeds(capsys, tmp_path):
    file = tmp_path / "figures.json"
    wanted = ["--phantoms", "sharp_interface", "--methods", "weighted_pca"]
    size = ["--shape", "11", "14", "--counts", "30", "--seeds", "0", "1", "--k-offset", "1"]
    assert fidelity.main([*wanted, *size, "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    for word in ("Magnetite", "floor", "weighted_pca", "edge"):
        assert word in printed
    runs = json.loads(file.read_text())["runs"]
    assert [(run["seed"], run["method"]) for run in runs] == [
        (0, "floor"),
        (0, "weighted_pca"),
        (1, "floor"),
        (1, "weighted_pca"),
    ]
