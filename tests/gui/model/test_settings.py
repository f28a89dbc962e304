# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen in the widget's model, and what its preview shows."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.gui.model.settings import read_absent, read_range
from hyperspy_psnmf.gui.model.tool import PSNMFTool
from tests.helpers.maps import unmix_quietly

LONG = 60  # s; no test waits that long


def test_PSNMFTool__it_starts_with_the_elements_of_the_map(tool, signal):
    assert tool.elements == ", ".join(signal.metadata.Sample.elements)
    assert [row.line for row in tool.factors] == list(signal.metadata.Sample.xray_lines)
    assert all(row.value > 0 for row in tool.factors)  # the phantom knows them


def test_PSNMFTool__the_preview_has_all_counts_in_bins(tool, signal):
    tool.trait_set(auto_binning=False, binning=3)
    tool.update_preview()
    preview = tool.preview
    assert preview.map.data.shape == (7, 9)
    assert preview.map.data.sum() == signal.data.sum(dtype=int)
    assert preview.map.data[1, 2] == signal.data[3:6, 6:9].sum(dtype=int)
    assert preview.binning == (3, 3)
    x, y = preview.map.axes_manager.signal_axes
    scale = signal.axes_manager[0].scale
    assert (x.size, y.size, x.scale, x.offset) == pytest.approx((9, 7, 3 * scale, scale))
    assert "3 x 3 pixels per bin: 63 bins" in tool.preview_text


def test_PSNMFTool__the_preview_of_auto_says_that_smaller_bins_are_tried(tool):
    tool.update_preview()
    assert tool.preview.is_chosen
    assert "Smaller bins are tried too" in tool.preview_text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "spectra"),
    [({}, "auto"), ({"spectra": "lines"}, "lines"), ({"spectra": "free"}, "free"),
     ({"parsimony": False}, "free"), ({"no beam energy": True}, "auto")],
    ids=str,
)  # fmt: skip
def test_PSNMFTool__the_preview_has_the_largest_bins_of_the_run(chosen, spectra):
    chosen = dict(chosen)
    signal = data.mineral_grains(shape=(64, 68), n_channels=300, counts=50, seed=2)
    if chosen.pop("no beam energy", False):
        del signal.metadata.Acquisition_instrument.TEM.beam_energy
    tool = PSNMFTool(signal, **chosen)
    tool.update_preview()
    unmix_quietly(signal, spectra=spectra)
    choice = signal.learning_results.psnmf["binning_choice"]
    assert tool.preview.binning == tuple(choice["tried"][0])


def test_PSNMFTool__the_preview_has_larger_bins_for_free_spectra():
    tool = PSNMFTool(data.mineral_grains(shape=(64, 68), n_channels=300, counts=50, seed=2))
    tool.update_preview()
    of_lines = tool.preview.n_bins
    tool.spectra = "free"
    tool.update_preview()
    assert tool.preview.n_bins < of_lines


@pytest.mark.parametrize("binning", [0, -2, 100])
def test_PSNMFTool__a_binning_that_does_not_fit_is_reported(tool, binning):
    tool.trait_set(auto_binning=False, binning=binning)
    tool.update_preview()
    assert tool.preview is None
    assert tool.is_problem
    assert "binning" in tool.message
    tool.binning = 2
    tool.update_preview()
    assert tool.preview is not None
    assert tool.message == ""


@pytest.mark.parametrize("kind", ["line", "series", "lazy"])
def test_PSNMFTool__previews_of_other_signals(signal, kind):
    s = {"line": signal.inav[:, 3], "lazy": signal.as_lazy()}.get(kind)
    if kind == "series":
        s = hs.stack([signal, signal])
    tool = PSNMFTool(s)
    assert tool.shows_preview == (kind != "lazy")
    tool.update_preview()
    assert tool.message == ""
    assert tool.preview.map.data.sum() == np.asarray(s.data).sum(dtype=int)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        (" ", None),
        ("0: O, C", {0: ["O", "C"]}),
        ("0:O C; Core : Pt;", {0: ["O", "C"], "Core": ["Pt"]}),
    ],
)
def test_read_absent__absent_elements_are_read(text, expected):
    assert read_absent(text) == expected


@pytest.mark.parametrize("text", ["O", "0:", ": O", "0 O; 1: Pt"])
def test_read_absent__what_is_no_absent_element_is_refused(text):
    with pytest.raises(ValueError, match="absent elements: a phase, a colon"):
        read_absent(text)


def test_read_range__energy_ranges_are_read():
    assert read_range(" ") is None
    assert read_range("0.12, 12") == read_range("0.12 12") == (0.12, 12.0)
    for text in ("1", "1, 2, 3", "low, high"):
        with pytest.raises(ValueError, match="energy range: two numbers"):
            read_range(text)


def test_PSNMFTool__spectra_of_lines_and_no_volume(tool):
    tool.trait_set(spectra="lines", parsimony=False, volume=0.5)
    tool.run()
    assert tool.wait(LONG) == "failed"
    assert "volume=0.5 is for spectra='free'" in tool.message
    tool.parsimony = True
    tool.run()
    assert tool.wait(LONG) == "done", tool.message
    assert tool.result.learning_results.psnmf["spectra"] == "lines"
    assert "spectra=lines" in tool.summary


def test_PSNMFTool__images_that_are_not_there_are_said(tool):
    tool.guide_file = "auto"
    tool.run()
    assert "guide_file auto: there is no image" in tool.message


def test_PSNMFTool__the_preview_has_the_images(tool, tmp_path):
    ny, nx = tool.signal.data.shape[:2]
    image = hs.signals.Signal2D(np.random.default_rng(0).random((3 * ny, 3 * nx)))
    image.save(tmp_path / "haadf.hspy")
    tool.guide_file = str(tmp_path / "haadf.hspy")
    tool.update_preview()
    (shown,) = tool.preview.images
    np.testing.assert_allclose(shown.data[1, 2], image.data[3:6, 6:9].mean())
    assert [a.scale for a in shown.axes_manager.signal_axes] == [
        a.scale for a in tool.signal.axes_manager.navigation_axes
    ]
    tool.guide_file = "nowhere.hspy"
    tool.update_preview()
    assert "nowhere.hspy" in tool.message


def test_PSNMFTool__every_setting_becomes_an_argument(tool, tmp_path, done):
    done.trait_set(folder=str(tmp_path))
    done.export_hspy()
    ny, nx = tool.signal.data.shape[:2]
    image = hs.signals.Signal2D(np.random.default_rng(0).random((ny, nx)))
    image.save(tmp_path / "haadf.hspy")
    tool.trait_set(
        guide_file=str(tmp_path / "haadf.hspy"), estimate_number=False,
        number_of_phases=4, auto_binning=False, binning=2,
        init="vertex", spectra="auto", fixed_spectra_file=str(tmp_path / "phase_spectra.hspy"),
        absent="3: Fe", energy_range="0.2, 5", parsimony=False, volume=0.5,
        auto_smoothing=False, smoothing=2.0,
    )  # fmt: skip
    arguments = tool.arguments()
    assert arguments.pop("fixed_spectra").data.shape[0] == 3
    np.testing.assert_array_equal(arguments.pop("guide")[0].data, image.data)
    assert arguments == {
        "output_dimension": 4, "binning": 2, "init": "vertex", "absent": {3: ["Fe"]},
        "energy_range": (0.2, 5.0), "spectra": "auto", "parsimony": False, "volume": 0.5,
        "smoothing": 2.0,
    }  # fmt: skip
    tool.run()
    assert tool.wait(LONG) == "done", tool.message
    record = tool.result.learning_results.psnmf
    assert record["n_components"] == 4
    assert record["n_fixed"] == 3
    assert record["n_images"] == 1
