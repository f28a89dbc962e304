# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and options that make no sense to the command line: one line of error, and no files."""

import re

import exspy
import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf.__main__ import main
from hyperspy_psnmf.data import mineral_grains


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "map.hspy"
    mineral_grains(shape=(20, 26), n_channels=310, counts=400).save(path)
    return path


@pytest.fixture(autouse=True)
def keep_the_backend(monkeypatch):
    monkeypatch.setattr("matplotlib.use", lambda backend: None)


def assert_refused(arguments, message, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["-k", "2", *map(str, arguments), "-o", str(out)]) == 1
    last = capsys.readouterr().err.rstrip().rpartition("\n")[2]
    assert last.startswith("hyperspy_psnmf: error: ")
    assert message in last
    assert not out.exists()


def truncate(share):
    return lambda raw: raw[: int(share * len(raw))]


def damage(raw):
    middle = len(raw) // 4
    return raw[:middle] + bytes(b ^ 255 for b in raw[middle : 2 * middle]) + raw[2 * middle :]


BROKEN = {
    "empty": ("map.hspy", lambda raw: b""),
    "half": ("map.hspy", truncate(0.5)),
    "all but the end": ("map.hspy", truncate(0.99)),
    "another signature": ("map.hspy", lambda raw: b"x" * 8 + raw[8:]),
    "damaged in the middle": ("map.hspy", damage),
    "no extension": ("map", truncate(0.0001)),
    "unknown extension": ("map.xyz", truncate(0.5)),
    "empty bcf": ("map.bcf", lambda raw: b""),
    "bcf without content": ("map.bcf", lambda raw: b"AAMVHFSS" + 500 * b"x"),
    "half a header of rpl": ("map.rpl", lambda raw: b"key\tvalue\nwidth\t3\n"),
    "no emd": ("map.emd", truncate(0.5)),
    "no dm4": ("map.dm4", truncate(0.5)),
    "no spd": ("map.spd", lambda raw: 50 * b"x"),
    "no zspy": ("map.zspy", truncate(0.5)),
}


@pytest.mark.parametrize(("name", "break_it"), BROKEN.values(), ids=BROKEN)
def test_main__a_broken_file_is_named(good, tmp_path, capsys, name, break_it):
    path = tmp_path / name
    path.write_bytes(break_it(good.read_bytes()))
    assert_refused([path], f"{path} cannot be read: ", tmp_path, capsys)


@pytest.mark.parametrize("name", ["there_is_none.hspy", "."])
def test_main__what_is_no_file_is_named(tmp_path, capsys, name):
    assert_refused([tmp_path / name], f"{tmp_path / name} cannot be read: ", tmp_path, capsys)


def with_value(s, value, dtype):
    s.change_dtype(dtype)
    s.data[3, 4, 50] = value
    return s


def with_axes(s, shape):
    axis = s.axes_manager.signal_axes[0].get_axis_dictionary()
    axes = [*({"size": n, "navigate": True} for n in shape), axis]
    return exspy.signals.EDSTEMSpectrum(s.data.reshape(*shape, -1), axes=axes)


UNSUITABLE = {
    "an image": (lambda s: hs.signals.Signal2D(np.ones((5, 6))), "holds no EDS map"),
    "a spectrum": (lambda s: s.inav[0, 0], "holds no EDS map"),
    "complex": (lambda s: hs.signals.ComplexSignal1D(1j * s.data), "holds no EDS map"),
    "NaN": (lambda s: with_value(s, np.nan, "f4"), "must be finite"),
    "negative": (lambda s: with_value(s, -1, "i4"), "not negative"),
    "zeros": (lambda s: s * 0, "zero everywhere"),
    "one pixel": (lambda s: s.inav[:1, :1], "holds no EDS map"),
    "four axes": (lambda s: with_axes(s, (2, 2, 13, 10)), "one to 3 navigation axes"),
    "no unit": (lambda s: exspy.signals.EDSTEMSpectrum(s.data), "unit of the energy axis"),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:energy_binning:UserWarning")
@pytest.mark.parametrize(("make", "message"), UNSUITABLE.values(), ids=UNSUITABLE)
def test_main__a_file_without_a_map_of_counts_says_so(good, tmp_path, capsys, make, message):
    path = tmp_path / "other.hspy"
    make(hs.load(good)).save(path)
    assert_refused([path, "--energy-range", "0.2", "3"], message, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--binning", "0"], "binning"),
        (["--binning=-3"], "binning"),
        (["--binning", f"{10**30}"], "binning"),
        (["--smoothing=-1"], "smoothing"),
        (["--smoothing", "nan"], "smoothing"),
        (["-k", "0"], "output_dimension"),
        (["-k=-1"], "output_dimension"),
        (["-k", f"{10**30}"], "output_dimension"),
        (["--elements", "Mg,Xx"], "Xx"),
        (["--elements", "Mg.Ka"], "--elements: Mg.Ka is no element"),
        (["--elements", "__doc__"], "--elements: __doc__ is no element"),
        (["--energy-range", "inf", "inf"], "energy_range"),
        (["--energy-range", "3", "0.2"], "energy_range"),
        (["--energy-range", "50", "60"], "energy_range"),
        (["--signal", "1"], "signal '1' is not there. The file holds 0: map"),
        (["--signal", "nope"], "signal 'nope' is not there"),
        (["--signal", ""], "signal '' is not there"),
        (["--signal=-1"], "signal '-1' is not there"),
        (["--k-factors", "Mg_Ka=0,Si_Ka=1"], "Mg_Ka must be positive"),
        (["--k-factors", "Mg_Ka=inf,Si_Ka=1"], "Mg_Ka must be positive"),
        (["--k-factors", "U_Ka=1,Si_Ka=1"], "U_Ka not on the energy axis"),
        (["--elements", "mg"], "mg"),
        (["--energy-range", "nan", "2"], "energy_range"),
        (["--k-factors", "Mg_Ka=-1,Si_Ka=1"], "Mg_Ka must be positive"),
        (["--k-factors", "Mg_Ka=nan,Si_Ka=1"], "Mg_Ka must be positive"),
        (["--k-factors", "Mg_Ka.weight=1,Si_Ka=1"], "Mg_Ka.weight is no X-ray line"),
    ],
    ids=str,
)
def test_main__a_wrong_option_is_named(good, tmp_path, capsys, options, message):
    assert_refused([good, *options], message, tmp_path, capsys)


@pytest.mark.parametrize(
    "options",
    [
        ["-k", "two"],
        ["-k", "2.5"],
        ["-k", "2", "--binning", "some"],
        ["-k", "2", "--smoothing", "some"],
        ["-k", "2", "--energy-range", "2"],
        ["-k", "2", "--spectra", "line"],
        ["-k", "2", "--k-factors", "Mg_Ka"],
        ["-k", "2", "--k-factors", "Mg_Ka=a"],
        ["-k", "2", "--k-factors", "Mg_Ka=1=2"],
        ["-k", "2", "--k-factors", "Mg_Ka=1,Si_Ka=1,Mg_Ka=2"],
        ["-k", "2", "--k-factors", ","],
        ["-k", "2", "--elements", ""],
        ["-k", "2", "--no-such-option"],
        ["another.hspy", "-k", "2"],
    ],
    ids=" ".join,
)
def test_main__what_cannot_be_parsed_is_named_with_the_usage(good, capsys, options):
    with pytest.raises(SystemExit) as stopped:
        main([str(good), *options])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "usage:" in error
    wrong = next(o for o in reversed(options) if o.startswith("-") or o.endswith("hspy"))
    assert wrong in error or options[0] in error


def test_main__a_map_that_lines_cannot_be_modelled_of_is_named(good, tmp_path, capsys):
    path, s = tmp_path / "bare.hspy", hs.load(good)
    del s.metadata.Acquisition_instrument.TEM.beam_energy
    s.save(path)
    assert_refused([path, "--spectra", "lines"], "beam_energy", tmp_path, capsys)


def test_main__a_guide_that_is_no_image_of_the_map_is_named(good, tmp_path, capsys):
    small = tmp_path / "small.hspy"
    hs.signals.Signal2D(np.arange(35.0).reshape(5, 7)).save(small)
    for guide, message in [
        ("auto", "--guide auto: there is no image"),
        (small, "there is no image of the map's area"),
        (good, "holds no image"),
        (tmp_path / "none.hspy", "cannot be read"),
    ]:
        assert_refused([good, "--guide", guide], message, tmp_path, capsys)


@pytest.mark.parametrize("below", ["", "folder"])
def test_main__an_output_folder_that_cannot_be_is_named(good, tmp_path, capsys, below):
    (tmp_path / "file").write_text("mine")
    assert main([str(good), "-k", "2", "-o", str(tmp_path / "file" / below)]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.usefixtures("no_rendering")
def test_main__a_single_count_is_taken_and_nothing_claimed_of_the_fit(good, tmp_path, capsys):
    path = tmp_path / "one.hspy"
    with_value(hs.load(good) * 0, 1, "u1").save(path)
    assert main([str(path), "-k", "2", "-o", str(tmp_path / "out")]) == 0
    # Without the line of code, of which who types a command knows nothing.
    assert re.search(r"^hyperspy_psnmf: note: .*counts only", capsys.readouterr().err, re.M)
    report = (tmp_path / "out" / "report.txt").read_text(encoding="utf-8")
    assert "There are too few counts to judge whether the model fits." in report


@pytest.mark.slow
@pytest.mark.usefixtures("no_rendering")
def test_main__elements_without_lines_are_taken(good, tmp_path):
    options = ["--elements", "Li,Mg,Si", "--spectra", "free"]
    assert main([str(good), "-k", "2", *options, "-o", str(tmp_path)]) == 0
    metadata = hs.load(tmp_path / "map.hspy").metadata.Sample
    assert list(metadata.elements) == ["Li", "Mg", "Si"]
    assert list(metadata.xray_lines) == ["Mg_Ka", "Si_Ka"]
