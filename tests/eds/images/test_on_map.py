# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on the pixels of a map, and what is no such image."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.images.on_map import images_on_map

SHAPE = (12, 18)


def a_map():
    signal = data.mineral_grains(shape=SHAPE, counts=20, n_channels=200)
    for axis, offset in zip(signal.axes_manager.navigation_axes, (3.0, 5.0), strict=True):
        axis.scale, axis.offset, axis.units = 0.5, offset, "nm"
    return signal


def image(shape=SHAPE):
    return np.random.default_rng(0).random(shape) + np.arange(shape[1])


def calibrated(values, scale, offset, units="nm"):
    found = hs.signals.Signal2D(values)
    for axis, start in zip(found.axes_manager.signal_axes, offset, strict=True):
        axis.scale, axis.offset, axis.units = scale, start, units
    return found


def test_images_on_map__arrays_and_signals_of_the_map_s_shape():
    values, signal = image(), a_map()
    transposed = hs.signals.Signal2D(values).transpose(signal_axes=())
    for given in (
        values,
        hs.signals.Signal2D(values),
        transposed,
        hs.signals.Signal2D(values).as_lazy(),
    ):
        np.testing.assert_allclose(images_on_map("guide", given, signal), values[None])


def test_images_on_map__several():
    found = images_on_map("guide", [image(), hs.signals.Signal2D(image()[::-1])], a_map())
    np.testing.assert_allclose(found, [image(), image()[::-1]])


def test_images_on_map__a_multiple_is_averaged():
    fine = image((SHAPE[0] * 3, SHAPE[1] * 2))
    expected = fine.reshape(SHAPE[0], 3, SHAPE[1], 2).mean(axis=(1, 3))
    np.testing.assert_allclose(images_on_map("guide", fine, a_map())[0], expected)


def test_images_on_map__a_larger_field_is_cut_by_the_calibration():
    """Pixels of 0.25 nm, of which the map begins at the 5th along y and the 9th along x."""
    wide = image((40, 60))
    first = (5.0 - 0.25 + 0.125 - 4 * 0.25, 3.0 - 0.25 + 0.125 - 8 * 0.25)
    found = images_on_map("guide", calibrated(wide, 0.25, first[::-1]), a_map())
    cut = wide[4:28, 8:44]
    expected = cut.reshape(SHAPE[0], 2, SHAPE[1], 2).mean(axis=(1, 3))
    np.testing.assert_allclose(found[0], expected)


def test_images_on_map__any_number_of_pixels_over_the_same_field():
    ramp = np.tile(np.arange(25) + 0.5, (20, 1)) / 25
    found = images_on_map(
        "guide", calibrated(ramp, 9 / 25, (0, 0)).isig[:, :], _same_field(a_map())
    )
    np.testing.assert_allclose(found[0], np.tile((np.arange(18) + 0.5) / 18, (12, 1)), atol=0.03)


def _same_field(signal):
    # 9 nm along both axes of the image of 25 x 20 pixels of 0.36 nm.
    signal.axes_manager.navigation_axes[1].scale = 20 * 9 / 25 / 12
    return signal


@pytest.mark.slow
def test_decomposition__a_guide_is_in_the_report_and_changes_maps():
    signal = a_map()
    truth = signal.metadata.Truth.loadings @ [1.0, 2.0, 3.0]
    options = {"algorithm": "PSNMF", "output_dimension": 2, "binning": 2, "print_info": False}
    signal.decomposition(**options)
    without = signal.learning_results.loadings
    assert "image of the same area" not in signal.psnmf.report()
    signal.decomposition(guide=truth.reshape(SHAPE), **options)
    assert not np.allclose(signal.learning_results.loadings, without)
    np.testing.assert_allclose(signal.learning_results.loadings.sum(), without.sum())
    assert "An image of the same area" in signal.psnmf.report()


def test_decomposition__lazy_as_eager():
    signal = a_map()
    guide = (signal.metadata.Truth.loadings @ [1.0, 2.0, 3.0]).reshape(SHAPE)
    found = []
    for each in (signal, signal.as_lazy()):
        each.decomposition(
            algorithm="PSNMF", output_dimension=2, binning=2, guide=guide, print_info=False
        )
        found.append(each.learning_results.loadings)
    np.testing.assert_array_equal(*found)


@pytest.mark.slow
def test_decomposition__a_shifted_guide_is_warned_of():
    signal = data.mineral_grains(shape=(40, 52), counts=60, n_channels=400)
    guide = (signal.metadata.Truth.loadings @ [1.0, 20.0, 300.0]).reshape(40, 52)
    with pytest.warns(UserWarning, match=r"moved by \(-2, 1\) pixels"):
        signal.decomposition(
            algorithm="PSNMF",
            output_dimension=3,
            binning=4,
            guide=np.roll(guide, (-1, 2), (0, 1)),
            print_info=False,
        )


NAN = image()
NAN[3, 4] = np.nan


@pytest.mark.parametrize(
    ("guide", "error"),
    [
        (image((12, 17)), ValueError),
        (image(SHAPE[::-1]), ValueError),
        (image()[0], ValueError),
        (np.ones(SHAPE), ValueError),
        (NAN, ValueError),
        (image() * 1j, TypeError),
        ("HAADF", TypeError),
        ([], ValueError),
        ([image(), image((11, 18))], ValueError),
        (calibrated(image((12, 17)), 0.5, (0, 0)), ValueError),
        (calibrated(image((40, 60)), 0.25, (90, 90)), ValueError),
        (calibrated(image((40, 61)), 0.25, (0, 0), "µm"), ValueError),
    ],
)
def test_decomposition__errors_name_the_guide(guide, error):
    signal = a_map()
    with pytest.raises(error, match="guide"):
        signal.decomposition(algorithm="PSNMF", output_dimension=2, guide=guide)
    assert signal.learning_results.loadings is None


def test_decomposition__a_guide_without_smoothing_is_refused():
    with pytest.raises(ValueError, match="guide has no effect without smoothing"):
        a_map().decomposition(algorithm="PSNMF", output_dimension=2, guide=image(), smoothing=0)
