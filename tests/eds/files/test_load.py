# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several signals in a file is the map, and what else is kept."""

import importlib.util

import hyperspy.api as hs
import numpy as np
import pytest
from hyperspy.signals import Signal1D, Signal2D

from hyperspy_psnmf.eds.files.load import open_map, open_spectra
from tests.helpers.real_maps import FOLDER, needs_maps


def titled(signal, title):
    signal.metadata.General.title = title
    return signal


@pytest.fixture
def contents(grains):
    """What a project file may hold, with most counts in signal 2 and the line scan last."""
    return [
        titled(Signal2D(np.ones((20, 26))), "HAADF"),
        titled(grains.inav[:7, :9], "Area 1"),
        titled(grains.deepcopy(), "Area 2"),
        titled(grains.inav[3, 5], "Spot"),
        titled(grains.inav[5:, :3], "Area 3"),
        titled(grains.inav[:, 4] * 100, "Line"),
    ]


@pytest.fixture
def file(tmp_path, monkeypatch, contents):
    path = tmp_path / "project.elid"
    path.touch()
    monkeypatch.setattr(hs, "load", lambda name: contents)
    return path


def test_open_map__that_with_most_counts(file, contents):
    opened = open_map(file)
    assert opened.map is contents[2]
    assert [s.metadata.General.title for s in opened.others] == ["Area 1", "Spot", "Area 3", "Line"]
    assert opened.images == contents[:1]


@pytest.mark.parametrize("order", [(2, 5), (5, 2), (5, 1, 4)])
def test_open_map__no_line_scan_where_there_is_a_map(file, contents, order):
    contents[:] = [contents[i] for i in order]
    assert open_map(file).chosen.kind == "map"


def test_open_map__a_line_scan_where_there_is_no_map(file, contents):
    contents[:] = [contents[i] for i in (0, 5, 3)]
    assert open_map(file).map is contents[1]


def test_open_map__a_map_of_one_row_is_a_line_scan(file, contents, grains):
    contents[:] = [grains.inav[:, :1] * 100, contents[4]]
    assert open_map(file).map is contents[1]


@pytest.mark.parametrize("wanted", [4, "4", "Area 3"])
def test_open_map__by_number_or_title(file, contents, wanted):
    opened = open_map(file, wanted)
    assert opened.map is contents[4]
    assert "'Area 3' (21 x 3 pixels, 310 channels, " in opened.sentence()
    assert "3 other maps or line scans" in opened.sentence()


def test_open_map__a_line_scan_or_the_map_of_an_image_by_title(file, contents):
    titled(contents[0], "Area 1")
    assert open_map(file, "Line").map is contents[5]
    assert open_map(file, "Area 1").map is contents[1]


@pytest.mark.parametrize(
    ("wanted", "error", "problem"),
    [
        (6, ValueError, "signal 6 is not there"),
        (-1, ValueError, "signal -1 is not there"),
        ("99", ValueError, "signal '99' is not there"),
        ("Area 9", ValueError, "signal 'Area 9' is not there"),
        ("area 1", ValueError, "signal 'area 1' is not there"),
        ("", ValueError, "signal '' is not there"),
        (0, ValueError, "signal 0 is no EDS map"),
        ("HAADF", ValueError, "signal 'HAADF' is no EDS map"),
        ("Spot", ValueError, "signal 'Spot' is no EDS map"),
        (True, TypeError, "signal must be a number or a title, not True"),
        (1.0, TypeError, "signal must be a number or a title, not 1.0"),
        (["Area 1"], TypeError, "signal must be a number or a title"),
    ],
)
def test_open_map__what_is_not_there_is_named_with_what_is(file, wanted, error, problem):
    with pytest.raises(error, match=problem) as caught:
        open_map(file, wanted)
    if error is ValueError:
        assert "0: image 'HAADF' (26 x 20); 1: map 'Area 1' (7 x 9 pixels" in str(caught.value)


def test_open_map__a_title_of_two_maps_is_an_error(file, contents):
    titled(contents[4], "Area 1")
    with pytest.raises(ValueError, match=r"title of several maps: give a number.*4: map 'Area 1'"):
        open_map(file, "Area 1")


def test_open_map__lazy_data_are_not_read(file, contents, monkeypatch):
    contents[1:] = [s.as_lazy() for s in contents[1:]]

    def read(*args, **kwargs):
        raise AssertionError("data were read")

    monkeypatch.setattr("dask.base.compute", read)
    opened = open_map(file)
    assert opened.map is contents[2]
    assert "counts" not in opened.sentence()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_open_map__counts_that_are_none_come_last(file, contents, bad):
    contents[2].change_dtype("float32")
    contents[2].data[0, 0, 0] = bad
    assert open_map(file).map is not contents[2]


def test_open_map__small_integers_do_not_overflow(file, contents):
    for s in contents[1:5]:
        s.change_dtype("uint8")
        s.data[:] = 3
    assert open_map(file).map is contents[2]


@pytest.mark.parametrize(
    "only", [[0], [0, 3], []], ids=["an image", "an image and a spectrum", "nothing"]
)
def test_open_map__without_a_map_what_is_there_is_listed(file, contents, only):
    kept = [contents[i] for i in only]
    contents[:] = kept
    with pytest.raises(ValueError, match="holds no EDS map, only") as caught:
        open_map(file)
    assert ("nothing" in str(caught.value)) == (not kept)
    assert str(caught.value).count("'HAADF' (26 x 20)") == len(kept[:1])


def test_open_map__odd_metadata_are_listed(file, contents):
    del contents[1].metadata.General.title
    contents[2].metadata.General.title = 5
    contents.append(Signal1D(np.arange(4.0)))
    assert [str(e)[:10] for e in open_map(file).entries][1:3] == ["1: map '' ", "2: map '5'"]


def test_open_map__one_signal_is_no_list(grains, tmp_path):
    grains.save(tmp_path / "map.hspy")
    opened = open_map(tmp_path / "map.hspy")
    assert opened.others == opened.images == []
    assert "other" not in opened.sentence()
    np.testing.assert_array_equal(opened.map.data, grains.data)


@pytest.mark.parametrize(
    ("name", "error", "extra"),
    [
        ("map.emd", ModuleNotFoundError("The 'sparse' library was not found."), "eds-stream"),
        ("map.zspy", ImportError("zarr"), "zspy"),
        ("map.blo", ImportError("no skimage"), "all"),
    ],
)
def test_open_map__a_missing_package_is_named_with_what_to_install(
    tmp_path, monkeypatch, name, error, extra
):
    def load(path):
        raise error

    (tmp_path / name).touch()
    monkeypatch.setattr(hs, "load", load)
    for open_file in (open_map, open_spectra):
        with pytest.raises(ValueError, match=rf"pip install 'rosettasciio\[{extra}\]'"):
            open_file(tmp_path / name)


def test_open_map__what_the_reader_of_velox_maps_imports_is_installed():
    assert importlib.util.find_spec("sparse")


def test_open_spectra__those_with_most_counts(file, contents):
    contents[:] = [contents[0], contents[2], contents[3] * 7, contents[3]]
    assert open_spectra(file) is contents[2]


@needs_maps("ree_phosphate_30x30.bcf")
def test_open_map__images_of_a_bruker_map_are_kept():
    opened = open_map(FOLDER / "ree_phosphate_30x30.bcf")
    assert opened.map.data.shape == (30, 30, 2048)
    assert [s.metadata.General.title for s in opened.images] == ["AsB"]


@needs_maps("srtio3_four_detectors.emd")
def test_open_spectra__the_sum_of_the_detectors_of_a_velox_file():
    path = FOLDER / "srtio3_four_detectors.emd"
    assert open_spectra(path).data.sum() == 190830
    with pytest.raises(ValueError, match=r"no EDS map, only 0: spectrum 'EDS' \(4096 channels"):
        open_map(path)
