# SPDX-License-Identifier: GPL-3.0-or-later
import csv
from pathlib import Path

import hyperspy.api as hs
import pytest

from hyperspy_psnmf.__main__ import main
from hyperspy_psnmf.data import mineral_grains, sem_two_phases

FREE = ("--spectra", "free")  # where spectra do not matter: a tenth of the time
FILES = {
    "compositions.csv", "compositions.png", "element_maps.png", "label_map.png", "line_fit.png",
    "map.hspy", "phase_spectra.hspy", "phases.png", "report.txt",
}  # fmt: skip


@pytest.fixture(autouse=True)
def keep_the_backend(monkeypatch):
    monkeypatch.setattr("matplotlib.use", lambda backend: None)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "map.hspy"
    mineral_grains(shape=(20, 26), n_channels=800, counts=400).save(path)
    return path


@pytest.fixture
def sem_file(tmp_path):
    path = tmp_path / "sem.hspy"
    sem_two_phases(shape=(20, 26), n_channels=900, counts=400).save(path)
    return path


def table(folder):
    with (folder / "compositions.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.slow
def test_main__the_phantom_is_unmixed_and_everything_is_written(tmp_path, capsys):
    assert main([*FREE, "-o", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    printed = capsys.readouterr().out
    assert "was unmixed into 3 phases" in printed
    assert "Composition in at% normalised to Al + Ca + Fe + Mg + O + Si + Ti" in printed
    rows = table(tmp_path / "out")
    assert [row["phase"] for row in rows] == ["Phase 0", "Phase 1", "Phase 2"]
    for row in rows:
        percent = {name: v for name, v in row.items() if name.endswith("at%")}
        assert sum(float(v or 0) for v in percent.values()) == pytest.approx(100, abs=1)
        for name, value in percent.items():
            # Either a value with its error, or a limit.
            limit = row[f"{name} limit"]
            assert bool(value) == bool(row[f"{name} sigma"]) != bool(limit)
            assert not limit or float(limit) > 0
    # The third phase is the only one with much calcium.
    assert float(rows[2]["Ca at%"]) > 10 > 1 > float(rows[0]["Ca at%"] or 0)


@pytest.mark.slow
@pytest.mark.usefixtures("no_rendering")
def test_main__a_file_is_unmixed_as_the_options_say(file, tmp_path):
    out = tmp_path / "out"
    options = ["-k", "2", "--binning", "4", "--energy-range", "0.3", "7", "--elements", "Mg,Si"]
    options += ["--smoothing", "0.5"]
    assert main([str(file), *options, *FREE, "-o", str(out)]) == 0
    record = hs.load(out / "map.hspy").learning_results.psnmf
    assert (record["n_components"], list(record["binning"])) == (2, [4, 4])
    assert record["smoothing"] == 0.5
    lines = ["Mg_Ka net counts", "Mg_Ka sigma", "Si_Ka net counts", "Si_Ka sigma"]
    row = table(out)[0]
    assert list(row)[:6] == ["phase", "counts", *lines]
    assert float(row["Mg at%"]) + float(row["Si at%"]) == pytest.approx(100, abs=0.02)
    assert hs.load(out / "phase_spectra.hspy").axes_manager[-1].axis[0] == pytest.approx(0.3)


@pytest.mark.slow
@pytest.mark.usefixtures("no_rendering")
@pytest.mark.parametrize("spectra", ["lines", "free"])
def test_main__spectra_are_made_of_lines_or_free(file, tmp_path, spectra):
    options = ["-k", "2", "--binning", "4", *(FREE if spectra == "free" else ())]
    assert main([str(file), *options, "-o", str(tmp_path / "out")]) == 0
    record = hs.load(tmp_path / "out" / "map.hspy").learning_results.psnmf
    assert record["spectra"] == spectra
    report = (tmp_path / "out" / "report.txt").read_text(encoding="utf-8")
    assert ("made of X-ray lines" in report) == (spectra == "lines")


@pytest.mark.slow
@pytest.mark.usefixtures("no_rendering")
@pytest.mark.parametrize("where", ["in a file", "with the map"])
def test_main__an_image_guides_the_smoothing(file, tmp_path, monkeypatch, where):
    signal, guide = hs.load(file), "auto"
    truth = signal.metadata.Truth.loadings @ [1.0, 2.0, 3.0]
    image = hs.signals.Signal2D(truth.reshape(20, 26))
    if where == "in a file":
        guide = str(tmp_path / "haadf.hspy")
        image.save(guide)
    else:
        other = hs.signals.Signal2D(truth.reshape(26, 20)[:, :19])  # of another area
        monkeypatch.setattr(hs, "load", lambda name: [image, other, signal])
    options = ["-k", "2", "--binning", "4", "--guide", guide, *FREE]
    assert main([str(file), *options, "-o", str(tmp_path / "out")]) == 0
    report = (tmp_path / "out" / "report.txt").read_text(encoding="utf-8")
    assert "An image of the same area" in report


@pytest.mark.slow
@pytest.mark.usefixtures("no_rendering")
def test_main__earlier_results_are_replaced_only_when_asked(file, tmp_path, capsys):
    command = [str(file), "-k", "2", *FREE, "-o", str(tmp_path)]
    assert main(command) == 1
    assert "is not empty" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_file.hspy", "-k", "2"], "no_such_file"),
        (["FILE"], "-k"),
        (["-k", "0"], "output_dimension"),  # of the phantom
        (["FILE", "-k", "0"], "output_dimension"),
        (["FILE", "-k", "2", "--binning", "99"], "binning"),
        (["FILE", "-k", "2", "--energy-range", "7", "1"], "energy_range"),
        (["FILE", "-k", "2", "--elements", "Xx"], "Xx"),
        (["FILE", "-k", "2", "--k-factors", "Fe_Ka=1.3"], "k_factors"),
        (["FILE", "-k", "2", "--k-factors", "Fe_Ka=1.3,Pt_La=5"], "Pt_La"),
        (["FILE", "-k", "2", "--k-factors", "Fe_Ka=1.3,Fe_Qz=5"], "Fe_Qz"),
        (["FILE", "-k", "2", "--k-factors", "Fe_Ka=1.3,Nonsense=5"], "Nonsense"),
        (["SEM", "-k", "2", "--k-factors", "Al_Ka=1,Cu_La=1.5"], "EDS_TEM"),
    ],
)
def test_main__what_is_wrong_is_reported_and_nothing_is_written(
    arguments, message, file, sem_file, tmp_path, capsys
):
    names = {"FILE": str(file), "SEM": str(sem_file)}
    out = tmp_path / "out"
    assert main([names.get(a, a) for a in arguments] + ["-o", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture
def project(tmp_path, monkeypatch):
    first = mineral_grains(shape=(20, 26), n_channels=800, counts=400)
    second = sem_two_phases(shape=(13, 17), n_channels=700, counts=300)
    path = tmp_path / "project.elid"
    path.touch()
    monkeypatch.setattr(hs, "load", lambda name: [first, second, first.inav[:, 3]])
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("no_rendering")
@pytest.mark.parametrize(
    ("options", "number", "named"),
    [
        ([], 0, "'Mineral grains (phantom)' (26 x 20 pixels, 800 channels, "),
        (["--signal", "1"], 1, "(17 x 13 pixels, 700 channels, "),
    ],
)
def test_several_maps__one_is_chosen_and_named(project, tmp_path, capsys, options, number, named):
    assert main([str(project), "-k", "2", *FREE, *options, "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    report = (tmp_path / "out" / "report.txt").read_text(encoding="utf-8")
    for text in (printed, report):
        assert named in text
        assert f"signal {number} of a file with 2 other maps or line scans" in text
    assert printed.count("  2: line scan") == 1
    assert "--signal N" in printed


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("7", "signal '7' is not there"),
        ("Nothing", "signal 'Nothing' is not there"),
        ("Mineral grains (phantom)", "is the title of several maps: give a number"),
    ],
)
def test_several_maps__what_is_not_there_is_said_and_nothing_written(
    project, tmp_path, capsys, wanted, message
):
    out = tmp_path / "out"
    assert main([str(project), "-k", "2", "--signal", wanted, "-o", str(out)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "1: map" in error
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("no_rendering")
def test_main__the_map_of_a_file_with_nothing_else_is_named(file, tmp_path, capsys):
    assert main([str(file), "-k", "2", *FREE, "-o", str(tmp_path / "out")]) == 0
    assert "26 x 20 pixels, 800 channels" in capsys.readouterr().out.partition("unmixed")[0]


def test_main__a_signal_without_a_file_is_an_error(tmp_path, capsys):
    assert main(["--signal", "1", "-o", str(tmp_path / "out")]) == 1
    assert "--signal" in capsys.readouterr().err


def test_main__a_truncated_file_is_an_error(file, capsys):
    file.write_bytes(file.read_bytes()[:5000])
    assert main([str(file), "-k", "2"]) == 1
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("/bin/psnmf", "psnmf"),
        ("psnmf.exe", "psnmf"),
        ("__main__.py", "python -m hyperspy_psnmf"),
    ],
)
def test_main__help_has_the_name_that_it_was_called_by(called, name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [called])
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {name} ")


def test_main__the_script_is_this_function():
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    assert 'psnmf = "hyperspy_psnmf.__main__:main"' in pyproject.read_text("utf-8")
