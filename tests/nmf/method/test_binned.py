# SPDX-License-Identifier: GPL-3.0-or-later
"""How `psnmf` starts on the binned map, and what decides among spectra that fit alike."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.binning.bins import PixelBins
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from tests.helpers.problems import ALLOY, MATRIX, angles, grains, planted
from tests.nmf.method.run_psnmf import run_psnmf

SHAPE = (12, 14)


def unmix(cube, k=3, binning=(2, 2), **options):
    pixel_bins = PixelBins(cube.shape[:-1], binning)
    return run_psnmf(count_matrix(cube), k, pixel_bins, **options)


def test_callback__parsimony_follows_the_binned_map():
    cube, _, _ = planted(SHAPE, seed=15)
    seen = []
    unmix(cube, callback=lambda step, n, residual: seen.append(step))
    steps = list(dict.fromkeys(seen))
    assert steps == ["bin", "binned map", "parsimony", "full resolution", "neighbours"]


@pytest.mark.parametrize("volume", [0, 0.3])
def test_decomposition__of_several_starts_the_likeliest_is_taken(volume):
    cube, _, _ = planted(SHAPE, k=4, seed=18)
    options = {"k": 4, "volume": volume, "tol": 1e-7}
    fits = [unmix(cube, init=init, **options).binned_fit for init in ("nndsvdar", "vertex")]
    best = unmix(cube, init="auto", **options).binned_fit
    assert best.history[-1] <= min(fit.history[-1] for fit in fits) + 1.0


def test_decomposition__components_are_found_from_vertices_too():
    cube, _, H = planted(SHAPE, seed=19)
    for energy_binning in (1, 3):
        found = unmix(cube, init="vertex", energy_binning=energy_binning)
        assert angles(found.H, H).max() < 8


@pytest.mark.parametrize("energy_binning", [1, 4])
def test_decomposition__what_parsimony_decided_comes_in_the_order_of_the_components(energy_binning):
    fractions = grains()[:, ::-1]
    X = np.random.default_rng(0).poisson(4000 * fractions @ np.stack([ALLOY, MATRIX]))
    options = {"k": 2, "binning": (1, 1), "line_width": 7, "energy_binning": energy_binning}
    found = unmix(X.reshape(10, 13, 41), **options)
    alloy = int(np.argmin([angles(h[None], ALLOY[None])[0] for h in found.H]))
    assert angles(found.H, np.stack([ALLOY, MATRIX])).max() < 2
    assert found.simplification.added[alloy, 1 - alloy] > 0.3
    assert (np.diff(found.W.sum(axis=0)) <= 0).all()


def test_decomposition__a_weight_of_the_volume_term_is_asked_no_parsimony():
    cube, _, _ = planted(SHAPE, seed=20)
    heavy, none = unmix(cube, volume=3.0), unmix(cube, volume=0)
    assert heavy.simplification is None
    assert none.simplification is None
    spread = [np.linalg.det(found.H @ found.H.T) for found in (heavy, none)]
    assert spread[0] < spread[1]
