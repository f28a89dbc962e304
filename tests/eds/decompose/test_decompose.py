# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.decomposition(algorithm="PSNMF")``: the contract of the result."""

import exspy
import numpy as np
import pytest

from tests.helpers.maps import FREE, assert_same_results, expected_counts, results_of

# --- the contract of the result


@pytest.mark.slow
@pytest.mark.crossed("smoothing", "options")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"output_dimension": 1},
        {**FREE, "binning": (3, 7)},
        {"refinement": "joint"},
        {**FREE, "output_dimension": 2, "binning": 4},
        {**FREE, "binning": 1, "energy_binning": 1},
        {**FREE, "energy_binning": 7},
        {**FREE, "init": "random", "random_state": 3},
        {"volume": 0.5, "init": "vertex"},
        {"energy_binning": 1, "init": "nndsvdar", "volume": 0, "refinement": "joint"},
    ],
    ids=str,
)
@pytest.mark.parametrize("smoothing", [0, True])
def test_decomposition__factors_sum_to_one_and_loadings_to_counts(
    grains, unmix, options, smoothing
):
    factors, loadings = results_of(unmix(grains, smoothing=smoothing, **options))
    k = options.get("output_dimension", 3)
    assert factors.shape == (310, k)
    assert loadings.shape == (520, k)
    assert factors.min() >= 0
    assert loadings.min() >= 0
    np.testing.assert_allclose(factors.sum(axis=0), 1, rtol=1e-12)
    if smoothing == 0:  # else neighbours share their counts too
        # With "joint", loadings belong to slightly other spectra than those they go with.
        rtol = 1e-4 if options.get("refinement") == "joint" else 1e-9
        np.testing.assert_allclose(loadings.sum(axis=1), grains.data.sum(axis=2).ravel(), rtol=rtol)
    np.testing.assert_allclose(loadings.sum(), grains.data.sum(), rtol=1e-12)


@pytest.mark.slow
def test_decomposition__data_dtype_axes_and_metadata_are_left_alone(grains, unmix, state):
    before = state(grains)
    unmix(grains)
    assert state(grains)[:-1] == before[:-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype",
    ["u1", "u2", "u4", "u8", "i1", "i2", "i8", "f2", "f4", "f8", ">u2", ">f4", ">f8"],
)
def test_decomposition__every_real_dtype_gives_the_same(grains, unmixed_free, unmix, dtype):
    grains.data = grains.data.astype(dtype)
    unmix(grains, **FREE)
    assert_same_results(grains, unmixed_free)
    assert grains.data.dtype == np.dtype(dtype)


@pytest.mark.slow
def test_decomposition__fractional_counts_are_taken_as_they_are(grains, unmixed, unmix):
    grains.data = grains.data * 0.5
    unmix(grains)
    np.testing.assert_allclose(grains.learning_results.loadings.sum(), grains.data.sum())


def test_decomposition__counts_beyond_255_do_not_overflow(unmix):
    counts = np.full((5, 6, 30), 200, np.uint8)
    counts[:2, :, :11] = 255
    s = unmix(exspy.signals.EDSTEMSpectrum(counts), 2, binning=2, energy_binning=2)
    np.testing.assert_allclose(s.learning_results.loadings.sum(), counts.sum(dtype=float))


@pytest.mark.slow
def test_decomposition__same_seed_same_result_on_any_number_of_threads(grains, unmixed, unmix):
    assert_same_results(unmix(grains, n_jobs=1), unmixed)
    assert_same_results(unmix(grains, n_jobs=2, random_state=np.random.default_rng(0)), unmixed)


@pytest.mark.slow
def test_decomposition__the_seed_matters_for_a_random_start(grains, unmix):
    options = {"init": "random", "max_iter": 1000, **FREE}
    first = unmix(grains, random_state=0, **options).deepcopy()
    assert_same_results(unmix(grains, random_state=0, **options), first)
    second = unmix(grains, random_state=1, **options)
    assert not np.array_equal(second.learning_results.factors, first.learning_results.factors)


def test_decompose__phases_come_in_decreasing_order_of_counts(unmixed):
    counts = unmixed.learning_results.loadings.sum(axis=0)
    assert (np.diff(counts) <= 0).all()


def test_decompose__the_model_is_near_the_truth(unmixed):
    truth = unmixed.metadata.Truth
    expected = (truth.loadings @ truth.factors.T).reshape(unmixed.data.shape)
    error = np.linalg.norm(expected_counts(unmixed) - expected) / np.linalg.norm(expected)
    assert error < 0.5 * np.linalg.norm(unmixed.data - expected) / np.linalg.norm(expected)


@pytest.mark.slow
def test_decomposition__joint_refinement_combines_new_maps_with_same_spectra(
    grains, unmixed, unmix
):
    unmix(grains, refinement="joint")
    # Only their order follows the new maps.
    spectra, held = ({f.tobytes() for f in results_of(s)[0].T} for s in (grains, unmixed))
    assert spectra == held
    assert not np.allclose(results_of(grains)[1], results_of(unmixed)[1], rtol=1e-3)


@pytest.mark.slow
def test_decomposition__divergence_of_joint_refinement_is_that_of_its_own_spectra(
    grains, unmixed_free, unmix
):
    held = unmixed_free.learning_results.psnmf["divergence"]
    unmix(grains, refinement="joint", **FREE)
    # With its own spectra it fits the counts more closely.
    assert 0 < grains.learning_results.psnmf["divergence"] < held


@pytest.mark.slow
def test_decomposition__the_divergence_on_record_is_that_of_the_results(grains, unmix):
    unmix(grains, smoothing=0)
    x, mu = grains.data.astype(float), expected_counts(grains)
    seen = x > 0
    expected = (x[seen] * np.log(x[seen] / mu[seen])).sum() - x.sum() + mu.sum()
    recorded = grains.learning_results.psnmf["divergence"]
    assert np.isfinite(recorded)
    np.testing.assert_allclose(recorded, expected, rtol=1e-9)


# --- hardly any information


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "k"), [((slice(3, 5), slice(4, 6)), 3), ((slice(3, 5), 4), 2)], ids=str
)
def test_decomposition__a_mask_may_leave_hardly_any_pixels(grains, unmix, kept, k):
    mask = np.ones((20, 26), bool)
    mask[kept] = False
    unmix(grains, k, navigation_mask=mask.T, binning=10)
    total = grains.data[kept].sum(dtype=float)
    np.testing.assert_allclose(np.nansum(grains.learning_results.loadings), total)


@pytest.mark.thorough_cases("lines")  # peaks of noise are fitted
@pytest.mark.parametrize("spectra", ["free", "lines"])
def test_decomposition__pixels_that_are_all_the_same(grains, unmix, spectra):
    grains.data[:] = grains.data[0, 0]
    factors, loadings = results_of(unmix(grains, spectra=spectra))
    np.testing.assert_allclose(factors.sum(axis=0), 1)
    np.testing.assert_allclose(loadings.sum(), grains.data.sum())


def test_decomposition__one_count_in_the_whole_map(grains, unmix):
    grains.data[:] = 0
    grains.data[3, 4, 50] = 1
    factors, loadings = results_of(unmix(grains))
    np.testing.assert_allclose(factors.sum(axis=0), 1)
    total = loadings.sum(axis=1).reshape(20, 26)
    assert total.sum() == pytest.approx(1)
    # The pixels around are measurements of zero that do not exclude the same mean.
    assert total[3, 4] > 0.5 * total.max()  # at the edge of the map they are fewer
    assert (total[10:] == 0).all()
    assert (total[:, 11:] == 0).all()


def test_decomposition__without_neighbours_one_count_stays_in_its_pixel(grains, unmix):
    grains.data[:] = 0
    grains.data[3, 4, 50] = 1
    _, loadings = results_of(unmix(grains, smoothing=0))
    np.testing.assert_allclose(loadings.reshape(20, 26, 3)[3, 4].sum(), 1)


@pytest.mark.slow
def test_decomposition__as_many_phases_as_pixels(grains, unmix):
    s = unmix(grains.inav[:2, :2], 4)
    np.testing.assert_allclose(s.learning_results.loadings.sum(), s.data.sum())


@pytest.mark.slow
@pytest.mark.parametrize("spectra", ["lines", "free"])
def test_decomposition__empty_rows_columns_and_channels(grains, unmix, spectra):
    grains.data[2] = 0
    grains.data[:, 7] = 0
    grains.data[..., 100:140] = 0
    factors, loadings = results_of(unmix(grains, spectra=spectra))
    # Lines have their shapes there too, but there are no counts: a third of them before.
    assert (factors[100:140].sum(axis=0) <= (1e-3 if spectra == "lines" else 0)).all()
    assert (loadings.reshape(20, 26, 3)[2] == 0).all()
    np.testing.assert_allclose(loadings.sum(), grains.data.sum())
