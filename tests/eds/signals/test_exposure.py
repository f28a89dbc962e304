# SPDX-License-Identifier: GPL-3.0-or-later
"""Live and real times that files give, of a pixel or of the map: 26 x 20 pixels."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf.eds.signals.exposure import time_per_pixel
from tests.helpers.versions import ZSPY

EDS = "Acquisition_instrument.TEM.Detector.EDS"
N = 26 * 20


def phenom(live=5.72, real=10.1, shape=(20, 26)):
    times = {"live_time": live, "real_time": real}
    values = {f"{name}_values": np.full(shape, t / np.prod(shape)) for name, t in times.items()}
    return {"acquisition": {"scan": {"detectors": {"EDS": times | values}}}}


def jeol(real=81.3, size="26x20", **live):
    measured = {"Doc": {"RealTime": real, **live}, "Meas Cond": {"Pixels": size}}
    return {"PTTD Data": {"AnalyzableMap MeasData": measured}}


def bruker(live=28085, lines=30):
    average = {"LineAverage": 1, "PixelAverage": 100, "PixelTime": 2}
    return {
        "Hardware": {"LifeTime": live, "RealTime": 31469},
        "DSP Configuration": average,
        "Line counter": (lines,) * 20,
    }


def edax(live=2621.44, n_x=26, n_y=20):
    header = {"nPoints": n_x, "nLines": n_y}
    return {"spc_header": {"liveTime": np.float32(live)}, "spd_header": header}


def velox(live="25.717295459544289"):
    return {"DetectorMetadata": {"LiveTime": live, "RealTime": "26.2"}}


def gatan(live=3.806):
    tags = {"EDS": {"Live_time": live, "Real_time": 4.2}}
    return {"ImageList": {"TagGroup0": {"ImageTags": tags}}}


def with_time(signal, name, value, original=None):
    signal.metadata.set_item(f"{EDS}.{name}", value)
    signal.original_metadata.add_dictionary(original or {})
    return signal


def per_pixel(signal, name="live_time", per=None):
    return time_per_pixel(signal, f"{EDS}.{name}", per)


OF_THE_MAP = {
    "Phenom, live": ("live_time", 5.72, phenom()),
    "Phenom, without those of pixels": (
        "live_time", 5.72, {"acquisition": {"scan": {"detectors": {"EDS": {"live_time": 5.72}}}}}
    ),
    "Phenom, real": ("real_time", 10.1, phenom()),
    "JEOL, real": ("real_time", 81.3, jeol()),
    "JEOL, live": ("live_time", 70.2, jeol(LiveTime=70.2)),
    "Bruker, live": ("live_time", 28.085, bruker()),
    "Bruker, real": ("real_time", 30 * 20 * 26 * 100 * 2e-6, bruker()),
    "EDAX": ("live_time", 2621.44, edax()),
    "Velox": ("live_time", "25.717295", velox()),
}  # fmt: skip


@pytest.mark.parametrize(("name", "value", "original"), OF_THE_MAP.values(), ids=OF_THE_MAP)
def test_time_per_pixel__that_of_a_map_is_recognised(grains, name, value, original):
    s = with_time(grains, name, value, original)
    assert per_pixel(s, name) == pytest.approx(float(value) / N)


@pytest.mark.parametrize("original", [phenom, edax])
def test_time_per_pixel__a_cropped_map_keeps_its_own(grains, original):
    s = with_time(grains, "live_time", 9.0, original(9.0))
    assert per_pixel(s.inav[:7, 3:]) == pytest.approx(9.0 / N)


UNCLEAR = {
    "Gatan": (3.806, gatan()),
    "Phenom, as changed by rebin": (4 * 5.72, phenom()),
    "Phenom, as set by hand": (0.01, phenom()),
    "JEOL, as set by hand": (0.01, jeol(LiveTime=70.2)),
    "Bruker, as set by hand": (0.05, bruker()),
    "EDAX, as set by hand": (0.05, edax()),
}


@pytest.mark.parametrize(("value", "original"), UNCLEAR.values(), ids=UNCLEAR)
def test_time_per_pixel__what_the_file_does_not_make_clear_is_open(grains, value, original):
    s = with_time(grains, "live_time", value, original)
    assert per_pixel(s) is None
    assert per_pixel(s, per="pixel") == value
    assert per_pixel(s, per="map") == pytest.approx(value / N)


@pytest.mark.parametrize(
    "original", [{}, jeol(), {"Hardware": {"DetectorCount": 1}}, {"spc_header": {"kV": 20.0}}]
)
def test_time_per_pixel__where_no_file_has_one_it_is_that_of_a_pixel(grains, original):
    assert per_pixel(with_time(grains, "live_time", 0.02, original)) == 0.02


@pytest.mark.parametrize(
    "original",
    [
        {"acquisition": "none", "spc_header": 3, "Hardware": []},
        {"Hardware": {"LifeTime": "long"}, "spc_header": {"liveTime": None}},
        {"acquisition": {"scan": {"detectors": {"EDS": {"live_time": np.nan}}}}},
        {"Line counter": "many", "DSP Configuration": {"PixelTime": 1}},
        {"Hardware": {"LifeTime": 0}, "Line counter": {"a": 1}},
        {"PTTD Data": {"AnalyzableMap MeasData": {"Meas Cond": {"Pixels": 5}}}},
    ],
)
@pytest.mark.parametrize("name", ["live_time", "real_time"])
def test_time_per_pixel__odd_original_metadata_are_no_times(grains, original, name):
    assert per_pixel(with_time(grains, name, 0.02, original), name) == 0.02


def test_time_per_pixel__where_there_is_none(grains):
    del grains.metadata.Acquisition_instrument
    assert per_pixel(grains) is None
    assert per_pixel(grains, per="map") is None


@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_time_per_pixel__after_saving(grains, tmp_path, extension):
    with_time(grains, "live_time", 5.72, phenom()).save(tmp_path / f"map.{extension}")
    assert per_pixel(hs.load(tmp_path / f"map.{extension}")) == pytest.approx(5.72 / N)


@pytest.mark.parametrize(("value", "original"), [(5.72, phenom()), (0.02, {})])
def test_phase_spectra__live_time_of_all_pixels(unmixed, value, original):
    s = with_time(unmixed.deepcopy(), "live_time", value, original)
    found = s.psnmf.phase_spectra().metadata.get_item(f"{EDS}.live_time")
    assert found == pytest.approx(5.72 if original else 0.02 * N)


def test_phase_spectra__a_live_time_that_is_open_is_left_out(unmixed):
    s = with_time(unmixed.deepcopy(), "live_time", 3.806, gatan())
    assert not s.psnmf.phase_spectra().metadata.has_item(f"{EDS}.live_time")
    assert s.metadata.get_item(f"{EDS}.live_time") == 3.806
