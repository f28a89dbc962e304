# SPDX-License-Identifier: GPL-3.0-or-later
"""The phantoms that ask one question each pose it as their truth says."""

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.solver.convex import solve_loadings

CUT = {"n_channels": 310}


def count_shares(signal):
    loadings = signal.metadata.Truth.loadings
    return loadings / loadings.sum(axis=1, keepdims=True)


def loading(signal, index):
    return signal.metadata.Truth.loadings[:, index].reshape(signal.data.shape[:2])


def distance_to_nearest(shape, centres):
    rows, columns = np.indices(shape)
    return np.min([np.hypot(rows - y, columns - x) for y, x in centres], axis=0)


def test_special_cases__embedded_spheres_have_up_to_half_of_a_pixels_counts():
    shares = count_shares(data.embedded_spheres(shape=(93, 97)))
    assert 0.45 < shares[:, 1].max() < 0.5
    assert 0.45 < shares[:, 2].max() < 0.5
    assert shares[:, 0].min() >= 0.5


@pytest.mark.parametrize(("width", "tolerance"), [(2.0, 0.35), (6.5, 0.1)])
def test_special_cases__the_edge_has_its_width_and_position_in_every_row(width, tolerance):
    signal = data.sharp_interface(shape=(17, 61), edge_width=width, **CUT)
    truth = signal.metadata.Truth
    assert truth.edge_width == width
    assert truth.edge_positions.shape == (17,)
    for image in (loading(signal, 0), loading(signal, 1)):
        crossings = np.array([_crossings(row / row.max()) for row in image])
        # Between pixels the crossings are interpolated linearly.
        np.testing.assert_allclose(crossings[:, 1], truth.edge_positions, atol=tolerance)
        measured = np.abs(crossings[:, 2] - crossings[:, 0])
        np.testing.assert_allclose(measured.mean(), width, atol=tolerance)


def _crossings(row):
    """Columns where a row of values between 0 and 1 passes 10, 50 and 90 %."""
    rising = row if row[-1] > row[0] else row[::-1]
    column = np.interp([0.1, 0.5, 0.9], rising, np.arange(row.size))
    return column if row[-1] > row[0] else row.size - 1 - column


def test_special_cases__the_edge_crosses_the_rows_at_different_positions_between_two_pixels():
    positions = data.sharp_interface(shape=(41, 37), **CUT).metadata.Truth.edge_positions
    assert np.ptp(positions) > 2.0
    assert np.ptp(np.diff(positions)) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "size"), [(data.isolated_particles, 3), (data.core_shell_particles, 5)]
)
def test_special_cases__particles_are_where_the_truth_says_and_nowhere_else(make, size):
    signal = make(shape=(126, 128), diameter=size, **CUT)
    truth = signal.metadata.Truth
    particles = sum(loading(signal, index) for index in range(1, len(truth.phase_names)))
    distance = distance_to_nearest(particles.shape, truth.particle_centres)
    assert truth.particle_diameter == size
    assert len(truth.particle_centres) == 64
    assert particles[distance < 0.5 * size].min() > 0.0
    assert particles[distance < 0.5 * size + 3.0].sum() > 0.99 * particles.sum()


def test_special_cases__particles_are_isolated():
    centres = data.isolated_particles(shape=(128, 126), **CUT).metadata.Truth.particle_centres
    distance = np.linalg.norm(centres[:, None] - centres, axis=-1)
    assert distance[~np.eye(len(centres), dtype=bool)].min() > 9.0


def test_special_cases__isolated_particles_have_a_minority_of_their_pixels_counts():
    shares = count_shares(data.isolated_particles(shape=(128, 126)))
    assert 0.3 < shares[:, 1].max() < 0.5
    assert np.median(shares[:, 1]) == 0.0


def test_special_cases__large_particles_are_few():
    truth = data.core_shell_particles(shape=(61, 64), diameter=20, **CUT).metadata.Truth
    assert len(truth.particle_centres) == 1


def test_special_cases__without_a_diameter_the_core_shell_particles_are_the_large_ones():
    assert "particle_diameter" not in data.core_shell_particles(shape=(7, 9)).metadata.Truth


def test_special_cases__the_rank_of_a_solid_solution_is_two_nearly_but_not_exactly():
    truth = data.solid_solution(shape=(41, 37)).metadata.Truth
    triangles = [np.linalg.qr(m, mode="r") for m in (truth.loadings, truth.factors)]
    sizes = np.linalg.svd(triangles[0] @ triangles[1].T, compute_uv=False)
    assert sizes[1] > 0.1 * sizes[0]
    assert 1e-3 * sizes[0] < sizes[2] < 0.03 * sizes[0]


def test_solve_loadings__the_ends_of_a_solid_solution_do_not_add_up_to_its_middle():
    truth = data.solid_solution(shape=(13, 17)).metadata.Truth
    assert truth.end_members == ["Fo90", "Fo10"]
    ends = np.ascontiguousarray(truth.factors[:, [0, -1]].T)
    counts = 1e6 * truth.factors.T
    mixed = solve_loadings(np.ascontiguousarray(counts), ends) @ ends
    errors = np.linalg.norm(mixed - counts, axis=1) / np.linalg.norm(counts, axis=1)
    assert errors[[0, -1]].max() < 1e-3
    assert errors[4] > 0.04
    assert errors[1:-1].min() > 0.01


def test_special_cases__a_solid_solution_has_its_ends_and_all_between():
    loadings = data.solid_solution(shape=(41, 37), **CUT).metadata.Truth.loadings
    shares = loadings.sum(axis=0) / loadings.sum()
    assert shares[[0, -1]].min() > 0.1
    assert shares[1:-1].min() > 0.03


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (data.core_shell_particles, "diameter"),
        (data.isolated_particles, "diameter"),
        (data.sharp_interface, "edge_width"),
    ],
)
@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (np.nan, ValueError), ("3", TypeError)]
)
def test_special_cases__a_bad_size_is_refused_by_its_name(make, name, value, error):
    with pytest.raises(error, match=name):
        make(shape=(5, 7), **{name: value})
