# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks in all of HyperSpy's conventions, on maps that are not square."""

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.signals.map_input import MapInput
from tests.helpers.maps import FREE


def results_of(signal):
    return signal.learning_results.factors, signal.learning_results.loadings


def assert_same_results(a, b):
    for x, y in zip(results_of(a), results_of(b), strict=True):
        np.testing.assert_array_equal(x, y)


def as_navigation_signal(mask):
    """As HyperSpy's comparisons return it: a signal without signal axes, array order."""
    return hs.signals.BaseSignal(np.ascontiguousarray(mask.T)).T


MASKS = {
    "array": lambda mask: mask,
    "list": lambda mask: mask.tolist(),
    "zeros and ones": lambda mask: mask.astype(np.uint8),
    "Fortran": np.asfortranarray,
    "dask": lambda mask: da.from_array(mask, chunks=7),
    "signal": as_navigation_signal,
    "lazy signal": lambda mask: as_navigation_signal(mask).as_lazy(),
    "image": lambda mask: hs.signals.Signal2D(np.ascontiguousarray(mask.T)),
}


@pytest.mark.slow
@pytest.mark.crossed("lazy", "make")
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("make", MASKS.values(), ids=MASKS)
def test_decomposition__navigation_mask_is_understood_in_every_form(
    grains, unmix, navigation_mask, make, lazy
):
    s = grains.as_lazy() if lazy else grains
    unmix(s, navigation_mask=make(navigation_mask), smoothing=0, **FREE)
    loadings = s.learning_results.loadings.reshape(20, 26, 3)
    assert np.isnan(loadings[:, :4]).all()
    np.testing.assert_allclose(
        loadings[:, 4:].sum(axis=2), grains.data[:, 4:].sum(axis=2), rtol=1e-9
    )


def test_decomposition__a_mask_made_by_comparing_the_map(grains, unmix):
    total = grains.data.sum(axis=2)
    threshold = int(np.median(total))
    unmix(grains, navigation_mask=grains.sum(-1) <= threshold, **FREE)
    left_out = np.isnan(grains.learning_results.loadings[:, 0]).reshape(20, 26)
    np.testing.assert_array_equal(left_out, total <= threshold)
    averaged = np.asarray(grains.learning_results.psnmf["n_pixels_behind"]).reshape(20, 26)
    np.testing.assert_array_equal(averaged == 0, left_out)


def test_decomposition__an_asymmetric_mask_is_not_transposed(grains, unmix):
    mask = np.zeros((26, 20), bool)
    mask[23, 2] = mask[1, 17] = True
    unmix(grains, navigation_mask=mask, **FREE)
    left_out = np.isnan(grains.learning_results.loadings[:, 0]).reshape(20, 26)
    assert np.argwhere(left_out).tolist() == [[2, 23], [17, 1]]
    np.testing.assert_array_equal(grains.learning_results.navigation_mask.reshape(20, 26), left_out)


def test_decomposition__masks_are_left_alone(grains, unmix, navigation_mask, signal_mask):
    before = navigation_mask.copy(), signal_mask.copy()
    unmix(grains, navigation_mask=navigation_mask, signal_mask=signal_mask, **FREE)
    np.testing.assert_array_equal(navigation_mask, before[0])
    np.testing.assert_array_equal(signal_mask, before[1])


def test_decomposition__a_mask_along_an_edge_is_a_crop(grains, unmix):
    start = grains.metadata.Truth.factors.T
    mask = np.zeros((26, 20), bool)
    mask[20:] = True
    mask[:, 16:] = True
    options = {"binning": 4, "energy_binning": 1, "init": start, "tol": 1e-7, "max_iter": 5000}
    options |= FREE
    cropped = unmix(grains.inav[:20, :16], **options)
    unmix(grains, navigation_mask=mask, **options)
    np.testing.assert_allclose(
        grains.learning_results.factors, cropped.learning_results.factors, atol=1e-4
    )
    loadings = grains.learning_results.loadings.reshape(20, 26, 3)[:16, :20]
    np.testing.assert_allclose(
        loadings, cropped.learning_results.loadings.reshape(16, 20, 3), atol=0.5
    )


@pytest.mark.slow
def test_decomposition__what_is_masked_does_not_matter_at_all(
    grains, unmix, navigation_mask, signal_mask
):
    options = {"navigation_mask": navigation_mask, "signal_mask": signal_mask}
    clean = unmix(grains.deepcopy(), 2, **options)
    dirty = grains.deepcopy()
    dirty.data = dirty.data.astype(float)
    dirty.data[:, :4] = np.nan
    dirty.data[..., signal_mask] = -1e9
    assert_same_results(unmix(dirty, 2, **options), clean)
    assert_same_results(unmix(dirty.as_lazy(), 2, **options), clean)


@pytest.mark.slow
def test_decomposition__masked_channels_are_nan_and_rest_sums_to_one(grains, unmix, signal_mask):
    factors, loadings = results_of(unmix(grains, signal_mask=signal_mask))
    np.testing.assert_array_equal(np.isnan(factors), np.repeat(signal_mask[:, None], 3, axis=1))
    np.testing.assert_allclose(np.nansum(factors, axis=0), 1)
    np.testing.assert_allclose(loadings.sum(), grains.data[..., ~signal_mask].sum())


def test_decomposition__a_signal_mask_may_be_a_signal(grains, unmix, signal_mask):
    expected = unmix(grains.deepcopy(), signal_mask=signal_mask, **FREE)
    unmix(grains, signal_mask=hs.signals.Signal1D(signal_mask), **FREE)
    assert_same_results(grains, expected)


def test_decomposition__signal_mask_and_energy_range_add_up(grains, unmix, signal_mask):
    unmix(grains, signal_mask=signal_mask, energy_range=(0.4999, 2.5901), **FREE)
    factors, _ = results_of(grains)
    used = ~signal_mask
    used[:40] = used[250:] = False
    np.testing.assert_array_equal(~np.isnan(factors[:, 0]), used)
    np.testing.assert_array_equal(grains.learning_results.signal_mask, ~used)


def test_decomposition__masks_that_mask_nothing_are_no_masks(grains, unmixed_free, unmix):
    masks = {"navigation_mask": np.zeros((26, 20), bool), "signal_mask": np.zeros(310, bool)}
    unmix(grains, **masks, **FREE)
    assert_same_results(grains, unmixed_free)
    assert grains.learning_results.navigation_mask is None
    assert grains.learning_results.signal_mask is None


def test_decomposition__masks_of_line_scans_and_series(grains, unmix):
    line = grains.inav[:, 3].deepcopy()
    unmix(line, 2, navigation_mask=np.arange(26) < 5, **FREE)
    assert np.flatnonzero(np.isnan(line.learning_results.loadings[:, 0])).tolist() == [*range(5)]

    series = hs.stack([grains.inav[:14, :10]] * 3)
    mask = np.zeros((14, 10, 3), bool)
    mask[2, 5, 1] = True
    unmix(series, 2, navigation_mask=mask, **FREE)
    left_out = np.isnan(series.learning_results.loadings[:, 0]).reshape(3, 10, 14)
    assert np.argwhere(left_out).tolist() == [[1, 5, 2]]


@pytest.fixture(scope="module")
def particles():
    s = data.core_shell_particles(shape=(20, 26), n_channels=310, counts=60, seed=2)
    assert 0 < s.vacuum_mask(4.0).data.sum() < 500
    return s


@pytest.mark.crossed("lazy", "threshold")
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("threshold", [4.0, 4, np.float32(4)], ids=["float", "int", "float32"])
def test_decomposition__number_is_threshold_of_vacuum_mask(particles, unmix, threshold, lazy):
    s = particles.as_lazy() if lazy else particles.deepcopy()
    unmix(s, 2, navigation_mask=threshold, **FREE)
    left_out = np.isnan(s.learning_results.loadings[:, 0]).reshape(20, 26)
    np.testing.assert_array_equal(left_out, particles.vacuum_mask(4.0).data)


def test_decomposition__a_number_is_no_mask_on_sem_signals(sem, unmix):
    with pytest.raises(TypeError, match="navigation_mask can be a float"):
        unmix(sem, 2, navigation_mask=1.0)


def test_line_width__masks_reach_an_instance_too(grains, unmix, navigation_mask, signal_mask):
    from hyperspy_psnmf import PSNMF

    options = {"navigation_mask": navigation_mask, "signal_mask": signal_mask}
    expected = unmix(grains.deepcopy(), **FREE, **options)
    model = PSNMF(3, energy_binning=4, line_width=MapInput.of(grains).line_width)
    grains.decomposition(algorithm=model, print_info=False, **options)
    assert_same_results(grains, expected)
