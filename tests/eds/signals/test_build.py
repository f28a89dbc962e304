# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals built like a map, or like its spectra."""

import exspy
import hyperspy.api as hs
import numpy as np

from hyperspy_psnmf.eds.signals.build import MapFrame, images_like, map_axes, spectra_like


def uneven_map():
    """Return a map with positions that are not equidistant along x, and a variance."""
    x = {"name": "x", "_type": "DataAxis", "axis": [0.0, 1.0, 3.0, 7.0], "navigate": True}
    y = {"name": "y", "size": 3, "scale": 2.0, "navigate": True}
    energy = {"name": "E", "size": 20, "scale": 0.1, "units": "keV", "navigate": False}
    s = exspy.signals.EDSTEMSpectrum(np.ones((3, 4, 20)), axes=[y, x, energy])
    s.metadata.General.title = "uneven"
    s.set_elements(["Fe"])
    s.set_noise_variance(hs.signals.Signal1D(np.ones((3, 4, 20))))
    s.metadata.set_item("Truth.phases", ["a"])
    return s


def test_as_map__keeps_uneven_axes_and_names_the_line():
    s, values = uneven_map(), np.arange(12.0)
    found = MapFrame.of(s).as_map("Fe_Ka", values, "Counts", "Counts")
    assert np.array_equal(found.data, values.reshape(3, 4))
    assert found.axes_manager["x"].axis.tolist() == [0.0, 1.0, 3.0, 7.0]
    assert found.metadata.Sample.xray_lines == ["Fe_Ka"]
    assert found.metadata.General.title == "Counts of uneven: Fe_Ka at 6.40 keV"


def test_images_like__one_of_each_phase():
    values = np.arange(24.0).reshape(12, 2)
    found = images_like(uneven_map(), values, "Maps", "Counts")
    assert np.array_equal(found.data, values.T.reshape(2, 3, 4))
    assert [axis.name for axis in found.axes_manager.navigation_axes] == ["Phase"]
    assert {axis.name for axis in found.axes_manager.signal_axes} == {"x", "y"}


def test_spectra_like__of_the_class_without_variance_and_truth():
    s = uneven_map()
    window = slice(5, 12)
    found = spectra_like(
        s.as_lazy(), np.ones((3, 4, 7)), "part", navigation=map_axes(s), window=window
    )
    assert type(found) is type(s)
    assert np.allclose(found.axes_manager["E"].axis, 0.1 * np.arange(5, 12))
    assert found.metadata.Sample.elements == ["Fe"]
    for unwanted in ("Truth", "Signal.Noise_properties"):
        assert not found.metadata.has_item(unwanted)
        assert s.metadata.has_item(unwanted)
