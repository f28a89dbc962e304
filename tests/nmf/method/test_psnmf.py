# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.binning import bins
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_energy
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from tests.helpers.problems import angles, planted
from tests.nmf.method.run_psnmf import run_psnmf

SHAPE = (12, 14)


def unmix(cube, k=3, binning=None, seed=0, **options):
    shape = cube.shape[:-1]
    pixel_bins = PixelBins(shape, binning or (1,) * (len(shape) - 2) + (2,) * min(2, len(shape)))
    return run_psnmf(count_matrix(cube), k, pixel_bins, seed=seed, **options)


@pytest.mark.parametrize("refinement", ["fixed", "joint"])
@pytest.mark.parametrize("energy_binning", [1, 3])
@pytest.mark.parametrize("init", ["nndsvdar", "random"])
def test_psnmf__separate_phases_are_found_and_every_count_is_kept(init, energy_binning, refinement):
    cube, W, H = planted(SHAPE)
    found = unmix(cube, init=init, energy_binning=energy_binning, refinement=refinement)
    assert angles(found.H, H).max() < 8
    np.testing.assert_allclose(found.H.sum(axis=1), 1)
    order = np.argmax(H @ found.H.T, axis=1)
    assert np.corrcoef(found.W[:, order].ravel(), W.ravel())[0, 1] > 0.95
    if refinement == "fixed":
        np.testing.assert_allclose(found.W.sum(axis=1), cube.sum(axis=-1).ravel(), rtol=1e-12)
    assert found.W.sum() == pytest.approx(cube.sum(), rel=1e-3)


@pytest.mark.parametrize("refinement", ["fixed", "joint"])
def test_psnmf__phases_come_in_the_order_of_their_counts(refinement):
    cube, _, _ = planted(SHAPE, seed=1)
    found = unmix(cube, refinement=refinement)
    assert (np.diff(found.W.sum(axis=0)) <= 0).all()
    assert found.binned_W.shape == (42, 3)
    assert found.binned_shape == (6, 7)
    # Binned loadings have the same order: binned maps look like the sums of the sharp ones.
    index = PixelBins(SHAPE, (2, 2)).index
    summed = np.stack([np.bincount(index, w) for w in found.W.T], axis=1)
    assert np.corrcoef(summed.ravel(), found.binned_W.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("seed", [0, 24])
def test_psnmf__the_order_is_that_of_the_smoothed_loadings(seed):
    # Of two phases with nearly as many counts, the smoothing makes the second one the first.
    rng = np.random.default_rng(seed)
    H, W = rng.dirichlet(np.full(30, 0.2), 3), rng.gamma(1, 10, (11 * 12, 3))
    cube = rng.poisson(W @ H).reshape(11, 12, 30)
    counts = unmix(cube, smoothing=1.0).W.sum(axis=0)
    assert counts.min() > 0.95 * counts[1] or counts[1] > 0.95 * counts[0]
    assert (np.diff(counts) <= 0).all()


def test_psnmf__fixed_refinement_keeps_the_binned_spectra_and_joint_does_not():
    cube, _, _ = planted(SHAPE, seed=2)
    fixed, joint = unmix(cube), unmix(cube, refinement="joint")
    assert fixed.joint_fit is None
    assert joint.joint_fit.converged
    assert fixed.binned_fit.n_iter == joint.binned_fit.n_iter
    assert sorted(fixed.binned_fit.H[:, 5]) == pytest.approx(sorted(fixed.H[:, 5]), rel=1e-12)
    assert not np.allclose(fixed.H, joint.H, atol=1e-4)


def test_psnmf__joint_refinement_is_the_more_likely_one():
    cube, _, _ = planted(SHAPE, seed=2)
    joint = unmix(cube, refinement="joint")
    X = count_matrix(cube)
    start = solve_loadings(X, unmix(cube).H)
    assert joint.joint_fit.divergence <= poisson_nmf(X, unmix(cube).H, start, max_iter=1).divergence


def test_poisson_nmf__without_binning_it_is_plain_poisson_nmf():
    cube, _, _ = planted(SHAPE, seed=3)
    found = unmix(cube, binning=(1, 1), init="nndsvdar", volume=0)
    X = cube.reshape(-1, 40).astype(float)
    fit = poisson_nmf(X, initial_spectra(X, 3, "nndsvdar", np.random.default_rng(0)))
    order = np.argsort(-fit.W.sum(axis=0))
    np.testing.assert_array_equal(found.H, fit.H[order])
    np.testing.assert_allclose(found.W, solve_loadings(X, fit.H)[:, order], atol=0.2)


@pytest.mark.parametrize("energy_binning", [1, 4])
def test_psnmf__same_seed_gives_same_result_with_any_number_of_threads(energy_binning, many_blocks):
    cube, _, _ = planted((5, 7), n_channels=23, seed=4)
    X, pixel_bins = count_matrix(cube), PixelBins((5, 7), (2, 3))
    one, two, four = (
        run_psnmf(
            X,
            3,
            pixel_bins,
            energy_binning=energy_binning,
            refinement="joint",
            seed=7,
            n_jobs=n_jobs,
        )
        for n_jobs in (1, 1, 4)
    )
    for other in (two, four):
        np.testing.assert_array_equal(other.W, one.W)
        np.testing.assert_array_equal(other.H, one.H)


@pytest.mark.parametrize("n_fixed", [0, 1])
@pytest.mark.parametrize("energy_binning", [1, 3])
def test_bins__sparse_bins_give_what_dense_ones_give(energy_binning, n_fixed, monkeypatch):
    cube, _, H = planted(SHAPE, seed=5)
    options = {"energy_binning": energy_binning, "fixed_spectra": H[:n_fixed], "tol": 1e-7}
    dense = unmix(cube, **options)
    monkeypatch.setattr(bins, "DENSE_BYTES", 0)
    monkeypatch.setattr(bins, "DENSE_DENSITY", np.inf)
    assert sp.issparse(bins.bin_counts(count_matrix(cube), PixelBins(SHAPE, (2, 2))))
    sparse = unmix(cube, **options)
    np.testing.assert_allclose(sparse.H, dense.H, atol=1e-4)
    np.testing.assert_allclose(sparse.W, dense.W, atol=0.1)


@pytest.mark.parametrize("energy_binning", [1, 3])
@pytest.mark.parametrize("n_fixed", [1, 2])
@pytest.mark.parametrize("refinement", ["fixed", "joint"])
def test_psnmf__fixed_spectra_come_first_and_stay_in_every_bit(refinement, n_fixed, energy_binning):
    cube, _, H = planted(SHAPE, seed=6)
    known = H[::-1][:n_fixed] * (1 + 1e-12)  # scaling to unit sum anew would change it
    found = unmix(cube, fixed_spectra=known, refinement=refinement, energy_binning=energy_binning)
    np.testing.assert_array_equal(found.H[:n_fixed], known)
    assert angles(found.H, H).max() < 8
    assert (np.diff(found.W[:, n_fixed:].sum(axis=0)) <= 0).all()


@pytest.mark.parametrize("energy_binning", [1, 5])
@pytest.mark.parametrize("refinement", ["fixed", "joint"])
def test_psnmf__with_all_spectra_fixed_nothing_is_factorised(refinement, energy_binning):
    cube, _, H = planted(SHAPE, seed=7)
    found = unmix(cube, fixed_spectra=H, refinement=refinement, energy_binning=energy_binning)
    assert found.binned_fit is None
    assert found.joint_fit is None
    np.testing.assert_array_equal(found.H, H)
    np.testing.assert_allclose(found.W, solve_loadings(count_matrix(cube), H, tol=1e-8), atol=0.1)


def test_psnmf__a_fixed_spectrum_that_explains_everything_leaves_a_valid_rest():
    cube, _, H = planted(SHAPE, k=1, seed=8)
    found = unmix(cube, fixed_spectra=H)
    np.testing.assert_array_equal(found.H[0], H[0])
    np.testing.assert_allclose(found.H.sum(axis=1), 1)
    assert np.isfinite(found.W).all()
    np.testing.assert_allclose(found.W.sum(axis=1), cube.sum(axis=-1).ravel(), rtol=1e-12)


def test_psnmf__fixed_spectra_may_be_zero_in_most_channels():
    cube, _, _ = planted(SHAPE, seed=9)
    known = np.zeros((2, 40))
    known[0, 3] = known[1, 30:33] = 1
    known /= known.sum(axis=1, keepdims=True)
    found = unmix(cube, fixed_spectra=known, refinement="joint", energy_binning=2)
    np.testing.assert_array_equal(found.H[:2], known)
    assert np.isfinite(found.W).all()
    assert np.isfinite(found.joint_fit.divergence)


@pytest.mark.parametrize("refinement", ["fixed", "joint"])
@pytest.mark.parametrize("energy_binning", [1, 3])
@pytest.mark.parametrize("seed", [10, 137, 147])
def test_psnmf__counts_where_fixed_spectrum_is_zero_are_explained(seed, energy_binning, refinement):
    # Coarse channels may leave all counts of a pixel to the known spectrum,
    # which is zero in some of the channels summed.
    cube = np.random.default_rng(seed).poisson(0.15, size=(5, 6, 9))
    known = np.array([[1.0, 1, 1, 1, 0, 0, 0, 0, 0]]) / 4
    found = unmix(
        cube,
        k=2,
        binning=(1, 2),
        fixed_spectra=known,
        refinement=refinement,
        energy_binning=energy_binning,
    )
    used = cube.sum(axis=(0, 1)) > 0
    assert found.H.any(axis=0)[used].all()
    assert np.isfinite(divergence(count_matrix(cube), found.W, found.H.T))


def test_psnmf__given_spectra_start_the_search_and_need_no_luck():
    cube, _, H = planted(SHAPE, seed=10)
    for energy_binning in (1, 4):
        found = unmix(cube, init=H[[1, 2, 0]], energy_binning=energy_binning)
        assert angles(found.H, H).max() < 8


@pytest.mark.parametrize(
    ("shape", "binning"),
    [((2,), (1,)), ((3,), (1,)), ((3,), (2,)), ((1, 2), (1, 1)), ((2, 3, 4), (1, 2, 2))],
)
@pytest.mark.parametrize("refinement", ["fixed", "joint"])
def test_psnmf__tiny_maps_of_any_number_of_axes_are_unmixed(shape, binning, refinement):
    cube = np.random.default_rng(11).poisson(3.0, size=(*shape, 9))
    found = unmix(cube, k=2, binning=binning, refinement=refinement, energy_binning=2)
    assert found.W.shape == (np.prod(shape), 2)
    assert found.binned_W.shape == (np.prod(found.binned_shape), 2)
    np.testing.assert_allclose(found.W.sum(axis=1), cube.sum(axis=-1).ravel(), rtol=0.05)


@pytest.mark.parametrize("refinement", ["fixed", "joint"])
@pytest.mark.parametrize("kind", ["rank one", "identical pixels", "one pixel", "one channel"])
def test_psnmf__more_components_than_phases_do_no_harm(kind, refinement):
    cube = np.random.default_rng(12).integers(1, 9, size=(4, 6, 1)) * np.arange(11)
    if kind == "identical pixels":
        cube[:] = np.arange(11)
    if kind == "one pixel":
        cube[np.arange(4) != 2] = 0
        cube[:, :4] = cube[:, 5:] = 0
    if kind == "one channel":
        cube[..., :7] = cube[..., 8:] = 0
    found = unmix(cube, refinement=refinement, energy_binning=3)
    np.testing.assert_allclose(found.H.sum(axis=1), 1)
    assert np.isfinite(found.H).all()
    np.testing.assert_allclose(found.W.sum(axis=1), cube.sum(axis=-1).ravel(), rtol=1e-2)


def test_psnmf__an_empty_pixel_gets_nothing():
    cube, _, _ = planted(SHAPE, seed=13)
    cube[3, 5] = 0
    cube[4:6, 6:8] = 0  # a whole bin
    found = unmix(cube)
    W = found.W.reshape(*SHAPE, 3)
    assert not W[3, 5].any()
    assert not W[4:6, 6:8].any()
    assert not found.binned_W.reshape(6, 7, 3)[2, 3].any()


def test_psnmf__an_empty_channel_stays_empty():
    cube, _, _ = planted(SHAPE, seed=14)
    cube[..., 17] = 0
    for energy_binning in (1, 4):
        assert not unmix(cube, energy_binning=energy_binning).H[:, 17].any()


def test_psnmf__steps_are_reported_in_their_order():
    cube, _, _ = planted(SHAPE, seed=15)
    seen = []
    options = {"init": "nndsvdar", "volume": 0, "refinement": "joint"}
    unmix(cube, callback=lambda step, n, residual: seen.append((step, n)), **options)
    steps = list(dict.fromkeys(step for step, _ in seen))
    assert steps == ["bin", "binned map", "full resolution", "neighbours"]
    for step in steps:
        numbers = [n for s, n in seen if s == step]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_psnmf__what_the_callback_raises_ends_it():
    cube, _, _ = planted(SHAPE, seed=16)

    def stop(step, n_iter, residual):
        raise KeyboardInterrupt(step)

    with pytest.raises(KeyboardInterrupt, match="bin"):
        unmix(cube, callback=stop)


@pytest.mark.parametrize("dense_bytes", [0, 10**9])
def test_bins__channels_are_binned_alike_dense_and_sparse(dense_bytes, monkeypatch):
    monkeypatch.setattr(bins, "DENSE_BYTES", dense_bytes)
    monkeypatch.setattr(bins, "DENSE_DENSITY", np.inf)
    X = np.random.default_rng(17).poisson(1.0, size=(5, 13)).astype(float)
    found = bin_energy(sp.csr_array(X), 4)
    found = found.toarray() if sp.issparse(found) else found
    np.testing.assert_array_equal(found, bin_energy(X, 4))
    of_bytes = np.full((3, 8), 200, np.uint8)
    np.testing.assert_array_equal(bin_energy(of_bytes, 4), np.full((3, 2), 800))
