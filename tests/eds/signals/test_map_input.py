# SPDX-License-Identifier: GPL-3.0-or-later
"""Axes of a map with its pixels and channels in use."""

import exspy
import numpy as np
import pytest

from hyperspy_psnmf.eds.signals.map_input import MapInput

NX, NY, N = 5, 4, 90


@pytest.fixture
def signal():
    s = exspy.signals.EDSTEMSpectrum(np.ones((NY, NX, N), dtype=np.uint8))
    axis = s.axes_manager.signal_axes[0]
    axis.units, axis.scale, axis.offset = "keV", 0.01, 0.1
    return s


def test_map_input__all_of_a_map(signal):
    found = MapInput.of(signal)
    assert found.shape == (NY, NX)
    assert (found.n_pixels_in_use, found.n_channels_in_use) == (NX * NY, N)
    assert found.window == slice(0, N)
    assert found.inside.all()
    np.testing.assert_array_equal(found.energy_in_use, found.require_energy())
    assert found.channel_width == pytest.approx(0.01)


def test_map_input__a_part_of_a_map(signal):
    pixels, channels = np.zeros(NX * NY, bool), np.zeros(N, bool)
    pixels[3:9] = channels[10:20] = channels[30:35] = True
    found = MapInput.of(signal, pixels, channels)
    assert (found.n_pixels_in_use, found.n_channels_in_use) == (6, 15)
    assert found.window == slice(10, 35)
    assert found.inside.sum() == 15
    assert found.energy_in_use[[0, -1]] == pytest.approx([0.2, 0.44])


def test_map_input__without_a_unit_no_energy(signal):
    signal.axes_manager.signal_axes[0].units = "channels"
    found = MapInput.of(signal)
    assert found.energy is found.energy_in_use is None
    assert found.line_width == 1
    with pytest.raises(ValueError, match="must be keV or eV, not channels"):
        found.require_energy()


def test_require_rising__falling_axis_is_refused(signal):
    MapInput.of(signal).require_rising()
    axis = signal.axes_manager.signal_axes[0]
    axis.scale, axis.offset = -0.01, 0.99
    with pytest.raises(ValueError, match=r"falls, from 0.99 to 0.1 keV.*isig\[::-1\]"):
        MapInput.of(signal).require_rising()


def test_resolve_energy_binning__at_least_32_channels_remain(signal):
    assert MapInput.of(signal).resolve_energy_binning("auto") == N // 32
    assert MapInput.of(signal).resolve_energy_binning(7) == 7
    with pytest.raises(ValueError, match="energy_binning must be 'auto' or an int"):
        MapInput.of(signal).resolve_energy_binning("most")
