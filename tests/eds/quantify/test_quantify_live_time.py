# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the live time matters to a composition, and what it is taken to be of."""

import numpy as np
import pytest

LIVE_TIME = "Acquisition_instrument.TEM.Detector.EDS.live_time"
GATAN = "ImageList.TagGroup0.ImageTags.EDS.Live_time"
PHENOM = "acquisition.scan.detectors.EDS.live_time"


def iron(signal, method, **options):
    found = signal.psnmf.quantify(method, **options)
    return found.atomic_percent["Fe"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["CL", "zeta", "cross_section"])
def test_live_time__cancels_without_absorption_correction(minerals, few, method):
    before = iron(minerals, method, **few)
    minerals.metadata.set_item(LIVE_TIME, 1000 * minerals.metadata.get_item(LIVE_TIME))
    np.testing.assert_allclose(iron(minerals, method, **few), before)
    minerals.original_metadata.set_item(GATAN, minerals.metadata.get_item(LIVE_TIME))
    np.testing.assert_allclose(iron(minerals, method, **few), before)


@pytest.mark.parametrize("method", ["zeta", "cross_section"])
def test_live_time__is_asked_for_where_it_is_open_and_matters(minerals, few, method):
    minerals.original_metadata.set_item(GATAN, minerals.metadata.get_item(LIVE_TIME))
    with pytest.raises(ValueError, match=r"live_time_per: .*pass live_time_per='pixel' or 'map'"):
        iron(minerals, method, absorption_correction=True, **few)


@pytest.mark.slow
def test_live_time__of_the_map_is_that_of_its_pixels_together(minerals, few):
    factors = {line: 20 * factor for line, factor in few["factors"].items()}
    options = {**few, "factors": factors, "absorption_correction": True}
    found = minerals.psnmf.quantify("zeta", **options)
    of_pixel = minerals.metadata.get_item(LIVE_TIME)
    assert any(f"live time of {of_pixel:.3g} s in each pixel" in note for note in found.notes)
    minerals.metadata.set_item(LIVE_TIME, 520 * of_pixel)
    wrong = iron(minerals, "zeta", live_time_per="pixel", **options)
    asked = iron(minerals, "zeta", live_time_per="map", **options)
    minerals.original_metadata.set_item(PHENOM, 520 * of_pixel)
    recognised = iron(minerals, "zeta", **options)
    np.testing.assert_allclose(asked, found.atomic_percent["Fe"])
    np.testing.assert_allclose(recognised, found.atomic_percent["Fe"])
    assert not np.allclose(wrong, asked, rtol=1e-3)


@pytest.mark.parametrize("per", ["frame", "", 0.05, True, ["map"]])
def test_live_time__what_it_is_of_is_checked_for_every_method(minerals, few, per):
    with pytest.raises((TypeError, ValueError), match="live_time_per"):
        iron(minerals, "CL", live_time_per=per, **few)
