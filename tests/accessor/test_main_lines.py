# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line where lines cannot be measured: all else is written, and the rest named."""

import csv

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import plot
from hyperspy_psnmf.__main__ import main
from hyperspy_psnmf.accessor import files as files_module
from hyperspy_psnmf.data import mineral_grains
from hyperspy_psnmf.eds.quantify import quantify as quantify_module

# `test_main.py` writes real figures.
pytestmark = pytest.mark.usefixtures("no_rendering", "right_axis")

ALWAYS = {
    "compositions.csv", "label_map.png", "map.hspy", "phase_spectra.hspy", "phases.png",
    "report.txt",
}  # fmt: skip
OF_LINES = {"compositions.png", "element_maps.png", "line_fit.png"}
FACTORS = "Fe_Ka=1.3,Mg_Ka=1.07,Si_Ka=1"


@pytest.fixture(autouse=True)
def keep_the_backend(monkeypatch):
    monkeypatch.setattr("matplotlib.use", lambda backend: None)


@pytest.fixture
def grains():
    return mineral_grains(shape=(20, 26), n_channels=800, counts=400, seed=2)


@pytest.fixture
def run(grains, tmp_path, capsys):
    """Run the command line; return its status, the files written, the report and stderr."""

    def run(*options):
        grains.save(tmp_path / "in.hspy", overwrite=True)
        out = tmp_path / "out"
        base = [str(tmp_path / "in.hspy"), "-k", "2", "--binning", "4"]
        base += ["--spectra", "free", "-o", str(out)]
        status = main([*base, *options])
        names = {path.name for path in out.iterdir()} if out.exists() else set()
        report = (out / "report.txt").read_text(encoding="utf-8") if names else ""
        return status, names, report, capsys.readouterr().err

    return run


def list_lines(s, *lines):
    s.metadata.Sample.xray_lines = [*s.metadata.Sample.xray_lines, *lines]


def set_beam_energy(s, energy):
    s.metadata.Acquisition_instrument.TEM.beam_energy = energy


@pytest.mark.slow
@pytest.mark.thorough_cases("zero peak", "high", "beam")
@pytest.mark.parametrize(
    ("change", "options", "left_out"),
    [
        (lambda s: list_lines(s, "Fe_Kb", "Si_Kb"), [], "Fe_Kb recorded with its main line Fe_Ka"),
        (lambda s: None, ["--elements", "Fe,Mg,Si,O,Be"], "Be_Ka below 0.12 keV"),
        (lambda s: None, ["--energy-range", "1", "8"], "O_Ka outside the channels in use, 1 to 8"),
        (lambda s: None, ["--energy-range", "0.2", "5"], "Fe_Ka outside the channels in use"),
        (lambda s: set_beam_energy(s, 5.0), [], "Fe_Ka above the beam energy, 5 keV"),
    ],
    ids=["K beta", "zero peak", "low", "high", "beam"],
)
def test_main__lines_of_the_metadata_left_out(grains, run, tmp_path, change, options, left_out):
    change(grains)
    status, names, report, error = run(*options)
    assert status == 0
    # At 5 keV no k-factor can be computed for Ca and Ti.
    assert names == (ALWAYS | OF_LINES) - ({"compositions.png"} if "beam" in left_out else set())
    assert error.count(left_out) == report.count(left_out) == 1
    with (tmp_path / "out" / "compositions.csv").open(encoding="utf-8") as lines:
        columns = next(csv.reader(lines))
    assert "Mg_Ka net counts" in columns
    assert f"{left_out.split()[0]} net counts" not in columns


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "none in the metadata"),
        pytest.param(["Be_Ka"], "Be_Ka below 0.12 keV", marks=pytest.mark.thorough),
        (["Fe_Kb", "Zr_Ka"], "Fe_Kb recorded with its main line Fe_Ka"),
    ],
    ids=str,
)
def test_main__no_line_at_all_is_named_and_the_rest_written(grains, run, lines, why):
    grains.metadata.Sample.xray_lines = lines
    status, names, report, error = run()
    assert status == 0
    assert names == ALWAYS
    for name in OF_LINES:
        (line,) = (x for x in report.splitlines() if x.startswith(f"not made: {name}: "))
        assert why in line
        assert line in error


@pytest.mark.slow
def test_main__without_elements_those_found_are_named(grains, run):
    del grains.metadata.Sample
    status, names, report, error = run("--spectra", "lines")
    assert status == 0
    assert names == ALWAYS
    (line,) = (x for x in report.splitlines() if x.startswith("not made: compositions.png: "))
    assert "--elements" in line
    assert "lines of Al, " in line
    assert line in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--energy-range", "1.5", "8", "--k-factors", FACTORS], "Mg_Ka outside the channels in"),
        (["--energy-range", "0.2", "5", "--k-factors", FACTORS], "Fe_Ka outside the channels in"),
        (["--k-factors", f"{FACTORS},Be_Ka=3"], "Be_Ka below 0.12 keV"),
        (["--k-factors", "Fe_Kb=8,Mg_Ka=1.07"], "Fe_Kb recorded with its main line Fe_Ka"),
        (["--k-factors", f"{FACTORS},Fe_La=2"], "one line per element"),
    ],
    ids=str,
)
def test_main__factors_of_other_lines_refused_before_the_work(run, monkeypatch, options, message):
    monkeypatch.setattr(
        "exspy.signals.EDSTEMSpectrum.decomposition", lambda *a, **k: pytest.fail("decomposed")
    )
    status, names, _, error = run(*options)
    assert status == 1
    assert not names
    assert "hyperspy_psnmf: error: k_factors: factors" in error
    assert message in error


def failing(*args, **kwargs):
    raise ZeroDivisionError("of no use")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "missing"),
    [
        (plot, "plot_element_maps", "element_maps.png"),
        pytest.param(plot, "plot_line_fit", "line_fit.png", marks=pytest.mark.thorough),
        pytest.param(plot, "plot_composition", "compositions.png", marks=pytest.mark.thorough),
        (files_module, "intensity_table", "compositions.csv"),
        (quantify_module, "measure_lines", "compositions.png"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_main__what_fails_is_named_and_the_rest_written(run, monkeypatch, module, name, missing):
    monkeypatch.setattr(module, name, failing)
    status, names, report, error = run("--k-factors", FACTORS)
    assert status == 1
    assert names == (ALWAYS | OF_LINES) - {missing}
    assert f"not made: {missing}: ZeroDivisionError: of no use" in report
    assert f"hyperspy_psnmf: not made: {missing}: ZeroDivisionError" in error


@pytest.mark.slow
def test_main__a_figure_of_an_earlier_run_does_not_stay(grains, run, tmp_path):
    run()
    grains.metadata.Sample.xray_lines = ["Be_Ka"]
    status, names, _, _ = run("--overwrite")
    assert (status, names) == (0, ALWAYS)


@pytest.mark.slow
def test_main__windows_where_the_model_cannot_be(grains, run):
    del grains.metadata.Acquisition_instrument.TEM.beam_energy
    status, names, report, error = run()
    assert status == 0
    assert names == ALWAYS | {"element_maps.png"}
    assert "not made: compositions.png: the metadata have no beam energy" in report
    reason = "lines are integrated by windows, as the metadata have no beam energy"
    assert f"not made: line_fit.png: {reason}" in report
    assert reason in error


def test_main__where_no_method_measures_lines_there_are_maps_of_phases(run, monkeypatch, tmp_path):
    monkeypatch.setattr(files_module, "measure_lines", failing)
    status, names, report, _ = run()
    assert status == 1
    assert names == ALWAYS
    assert "not made: element_maps.png: ZeroDivisionError" in report
    found = hs.load(tmp_path / "out" / "map.hspy")
    assert np.nansum(found.learning_results.loadings) > 0
