# SPDX-License-Identifier: GPL-3.0-or-later
"""How `psnmf` starts on the binned map, and what decides among spectra that fit alike."""

import numpy as np
import pytest

from hyperspy_psnmf.nmf.binning.bins import PixelBins
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.method.binned import match_spectra
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


@pytest.mark.parametrize("energy_binning", [1, 2])
def test_absent_like__components_are_in_the_order_of_spectra_given(energy_binning):
    cube, _, _ = planted(SHAPE, seed=3)
    options = {"energy_binning": energy_binning, "volume": 0.0}
    first, order = unmix(cube, **options), [2, 0, 1]
    absent = np.zeros(first.H.shape, bool)
    peak = int(first.H[2].argmax())
    absent[0, peak - 4 : peak + 5] = True
    found = unmix(cube, absent=absent, absent_like=first.H[order], **options)
    assert found.absent_rows.tolist() == [0, 1, 2]
    for row, earlier in enumerate(order):
        kept = ~absent[row]
        assert angles(found.H[[row]][:, kept], first.H[[earlier]][:, kept]).max() < 10
    assert found.H[0, peak] < 0.5 * first.H[2, peak]
    # A fixed spectrum is the first, whatever the spectra given; the others follow these.
    fixed = {"fixed_spectra": first.H[1:2], "absent_like": first.H[[1, 2, 0]]}
    found = unmix(cube, absent=np.roll(absent, 1, axis=0), **fixed, **options)
    np.testing.assert_array_equal(found.H[0], first.H[1])
    assert found.H[1, peak] < 0.5 * first.H[2, peak]


def test_match_spectra__each_is_the_most_alike():
    _, _, H = planted(SHAPE)
    noisy = H + np.random.default_rng(0).uniform(0, 0.02, H.shape)
    assert match_spectra(noisy, 7 * H[[2, 0, 1]]).tolist() == [2, 0, 1]
    # The first is like either, the second like one only; one of zeros is left for what is left.
    assert match_spectra(H, np.array([H[0] + 0.9 * H[1], H[0], 0 * H[0]])).tolist() == [1, 0, 2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_assigns_absent__components_are_in_the_order_of_their_counts(seed):
    cube, _, _ = planted(SHAPE, seed=seed)
    first = unmix(cube)
    absent = np.zeros(first.H.shape, bool)
    absent[0, first.H[0].argsort()[-8:]] = True  # some counts go to other components
    found = unmix(cube, absent=absent, assigns_absent=True)
    assert (np.diff(found.W.sum(axis=0)) <= 0).all()
    assert sorted(found.absent_rows) == [0, 1, 2]
    assert angles(first.H, found.H_before).max() < 5
    # Components before, by which the same ones are found again, are in the order of the result.
    rows = {"absent": absent[found.absent_rows], "absent_like": found.H_before}
    again = unmix(cube, **rows)
    np.testing.assert_allclose(again.H, found.H, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(again.H_before, found.H_before, rtol=1e-9, atol=1e-12)
    of_absent = list(found.absent_rows).index(0)
    assert first.H[of_absent, absent[0]].sum() <= first.H[0, absent[0]].sum()
