# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks as arrays, without a decomposition: what is used, flat in C order."""

import exspy
import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf.eds.decompose.masks import channels_in_use, pixels_in_use

NX, NY, N = 5, 4, 30


@pytest.fixture
def s():
    """A map of 5 x 4 pixels (x, y) and 30 channels of 0.1 keV from 0 keV, vacuum at the right."""
    signal = exspy.signals.EDSTEMSpectrum(np.full((NY, NX, N), 9.0))
    axis = signal.axes_manager.signal_axes[0]
    axis.scale, axis.offset, axis.units = 0.1, 0.0, "keV"
    signal.data[:, 3:] = 0.0
    return signal


def mask_of(*left_out):
    """Return a mask in (x, y) order."""
    mask = np.zeros((NX, NY), bool)
    for xy in left_out:
        mask[xy] = True
    return mask


def test_pixels_in_use__without_masks_everything_is_used(s):
    assert pixels_in_use(s, None) is None
    assert channels_in_use(s, None, None) is None


@pytest.mark.parametrize("dtype", [bool, np.uint8, float])
def test_pixels_in_use__an_array_in_x_y_order_is_flat_in_array_order(s, dtype):
    mask = mask_of((4, 0), (1, 3))
    keep = pixels_in_use(s, mask.astype(dtype))
    assert keep.dtype == bool
    assert keep.shape == (NX * NY,)
    assert np.flatnonzero(~keep).tolist() == [4, 3 * NX + 1]


def test_pixels_in_use__signals_are_in_array_order(s):
    mask = mask_of((4, 0), (1, 3)).T
    expected = [4, 3 * NX + 1]
    by_navigation, as_image = hs.signals.BaseSignal(mask).T, hs.signals.Signal2D(mask)
    for signal in (by_navigation, as_image, by_navigation.as_lazy(), as_image.as_lazy()):
        assert np.flatnonzero(~pixels_in_use(s, signal)).tolist() == expected


@pytest.mark.parametrize("wrap", [hs.signals.Signal2D, lambda m: hs.signals.BaseSignal(m).T])
def test_pixels_in_use__a_signal_of_another_shape_is_an_error(s, wrap):
    for shape in [(NX, NY), (NY, NX + 1), (NY,)]:
        if len(shape) == 1 and wrap is hs.signals.Signal2D:
            continue
        with pytest.raises(ValueError, match="navigation_mask must have the shape"):
            pixels_in_use(s, wrap(np.zeros(shape, bool)))


def test_pixels_in_use__an_array_of_another_shape_is_an_error(s):
    for shape in [(NY, NX), (NX * NY,), (NX, NY, 1)]:
        with pytest.raises(ValueError, match="navigation_mask must have the shape"):
            pixels_in_use(s, np.zeros(shape, bool))
    for shape in [(N + 1,), (N, 1), ()]:
        with pytest.raises(ValueError, match="signal_mask must have the shape"):
            channels_in_use(s, np.zeros(shape, bool), None)


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan])
def test_pixels_in_use__values_beside_zero_and_one_are_no_mask(s, value):
    mask = mask_of((1, 1)).astype(float)
    mask[2, 2] = value
    with pytest.raises(TypeError, match="navigation_mask must be boolean"):
        pixels_in_use(s, mask)
    with pytest.raises(TypeError, match="signal_mask must be boolean"):
        channels_in_use(s, np.full(N, value), None)


def test_channels_in_use__a_record_is_no_mask(s):
    with pytest.raises(TypeError, match="must be boolean"):
        channels_in_use(s, np.zeros(N, [("a", bool)]), None)


def test_pixels_in_use__a_mask_that_masks_nothing_is_none_and_one_that_masks_all_is_an_error(s):
    assert pixels_in_use(s, mask_of()) is None
    assert channels_in_use(s, np.zeros(N, bool), None) is None
    with pytest.raises(ValueError, match="navigation_mask leaves nothing"):
        pixels_in_use(s, ~mask_of())
    with pytest.raises(ValueError, match="signal_mask leaves nothing"):
        channels_in_use(s, np.ones(N, bool), None)


@pytest.mark.parametrize("threshold", [1, 1.0, np.float32(1), np.int64(1)])
def test_pixels_in_use__a_number_is_a_threshold_of_the_vacuum_mask(s, threshold):
    keep = pixels_in_use(s, threshold)
    np.testing.assert_array_equal(keep.reshape(NY, NX), s.data[..., 0] > 0)


def test_pixels_in_use__zero_is_a_threshold(s):
    assert np.flatnonzero(pixels_in_use(s, 0.0)[:NX]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("threshold", [-1e-9, -1, np.inf, np.nan])
def test_pixels_in_use__a_threshold_below_zero_or_without_end_is_an_error(s, threshold):
    with pytest.raises(ValueError, match="navigation_mask must be a threshold of at least 0"):
        pixels_in_use(s, threshold)


@pytest.mark.parametrize("flag", [True, False, np.True_])
def test_pixels_in_use__a_truth_value_is_no_threshold(s, flag):
    with pytest.raises(ValueError, match="navigation_mask must have the shape"):
        pixels_in_use(s, flag)


def test_pixels_in_use__a_threshold_needs_a_tem_signal(s):
    with pytest.raises(TypeError, match="on EDS_TEM signals only"):
        pixels_in_use(exspy.signals.EDSSEMSpectrum(s.data), 1.0)


# Channels


@pytest.mark.parametrize("wrap", [np.asarray, list, hs.signals.Signal1D])
def test_channels_in_use__what_a_signal_mask_leaves_out_is_not_used(s, wrap):
    mask = np.zeros(N, bool)
    mask[[3, 17]] = True
    np.testing.assert_array_equal(channels_in_use(s, wrap(mask), None), ~mask)


def test_channels_in_use__a_range_of_energies_alone(s):
    keep = channels_in_use(s, None, (0.45, 1.55))
    assert np.flatnonzero(keep).tolist() == list(range(5, 16))


def test_channels_in_use__a_range_and_a_mask_that_masks_nothing(s):
    keep = channels_in_use(s, np.zeros(N, bool), (0.45, 1.55))
    assert np.flatnonzero(keep).tolist() == list(range(5, 16))


def test_channels_in_use__a_range_and_a_mask_add_up(s):
    mask = np.zeros(N, bool)
    mask[:8] = True
    keep = channels_in_use(s, mask, (0.45, 1.55))
    assert np.flatnonzero(keep).tolist() == list(range(8, 16))


def test_channels_in_use__a_mask_that_leaves_nothing_of_the_range_is_an_error(s):
    mask = np.zeros(N, bool)
    mask[5:16] = True
    with pytest.raises(ValueError, match="signal_mask leaves no channel of energy_range"):
        channels_in_use(s, mask, (0.45, 1.55))
    mask[15] = False
    assert np.flatnonzero(channels_in_use(s, mask, (0.45, 1.55))).tolist() == [15]
