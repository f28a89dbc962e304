# SPDX-License-Identifier: GPL-3.0-or-later
"""Where edges are and what they look like, and what a detector makes of a continuum."""

import numpy as np
import pytest
from exspy.material import mass_absorption_coefficient

from hyperspy_psnmf.eds.xray.edges import WINDOW, find_edges, response


def edge_of(name, edges):
    (index,) = [i for i, n in enumerate(edges.names) if n.startswith(name)]
    return index


# Edges in keV, from Bearden & Burr, Reviews of Modern Physics 39 (1967) 125.
@pytest.mark.parametrize(
    ("element", "edge"),
    [
        ("C", 0.284),
        ("O", 0.532),
        ("Fe at 0", 0.707),
        ("Al", 1.560),
        ("Si", 1.839),
        ("Pt at 2", 2.122),
    ],
)
def test_find_edges__edges_are_at_their_tabulated_energies(element, edge):
    edges = find_edges({"Fe", "Pt"}, 0.12, 19.8, bulk=False)
    shape = edges.shapes(np.array([0.97 * edge, 1.03 * edge]))[:, edge_of(element, edges)]
    assert shape[0] == pytest.approx(0.0, abs=0.01)
    assert shape[1] > 0.25  # the first of three, for L and M shells


def test_find_edges__a_shape_is_the_part_of_the_coefficient_beyond_its_edge():
    edges = find_edges({"Mg"}, 0.12, 19.8, bulk=False)
    shape = edges.shapes(np.array([2.0, 4.0]))[:, edge_of("Mg", edges)]
    mu = mass_absorption_coefficient("Mg", np.array([1.29, 2.0, 4.0]))
    outer = mu[0] * (np.array([2.0, 4.0]) / 1.29) ** -2.8
    assert shape[0] / shape[1] == pytest.approx(
        (mu[1] - outer[0]) / (mu[2] - outer[1]), rel=0.02
    )  # fmt: skip


def test_find_edges__the_window_is_always_there_and_depths_are_those_of_typical_layers():
    edges = find_edges(set(), 0.12, 19.8, bulk=False)
    assert {name.split()[0] for name in edges.names} == set(WINDOW)
    carbon, silicon = (edges.depths[edge_of(element, edges)] for element in ("C", "Si"))
    # 300 nm of polymer, 130 nm of silicon.
    assert carbon == 1.0
    assert silicon == pytest.approx(3e-5 * 3050, rel=0.1)
    thick = find_edges(set(), 0.12, 19.8, bulk=True)
    assert thick.depths[edge_of("Si", thick)] == pytest.approx(10 * silicon)


def test_find_edges__only_edges_on_the_axis_count():
    edges = find_edges({"Fe", "H"}, 1.0, 5.0, bulk=True)
    assert {name.split()[0] for name in edges.names} == {"Al", "Si"}


def test_response__a_photon_is_spread_to_a_gaussian():
    energy = 0.1 + 0.02 * np.arange(300)
    sigma = 0.02 + 0.01 * energy
    finer, spread = response(energy, sigma)
    np.testing.assert_allclose(spread.sum(axis=1), 1.0)
    at = np.argmin(np.abs(finer - 3.0))
    seen = spread.toarray()[:, at]
    seen /= seen.sum()
    mean = seen @ energy
    assert mean == pytest.approx(finer[at], abs=2e-3)
    assert np.sqrt(seen @ (energy - mean) ** 2) == pytest.approx(
        np.hypot(0.05, 0.02 / np.sqrt(12)), rel=0.02
    )  # fmt: skip


def test_response__what_is_smooth_stays_what_it_is():
    energy = 0.1 + 0.01 * np.arange(1500)
    finer, spread = response(energy, np.full(1500, 0.03))
    np.testing.assert_allclose(spread @ (5.0 + finer), 5.0 + energy, atol=0.02)
