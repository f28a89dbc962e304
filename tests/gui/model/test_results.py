# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and results of the widget's model."""

import csv

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf.gui.model.tool import PSNMFTool

LONG = 60  # s; no test waits that long


@pytest.mark.slow
def test_PSNMFTool__from_a_file_to_a_composition(signal, tmp_path):
    elements = list(signal.metadata.Sample.elements)
    del signal.metadata.Sample, signal.metadata.Truth
    signal.save(tmp_path / "map.hspy")
    tool = PSNMFTool(filename=str(tmp_path / "map.hspy"))
    tool.open()
    assert tool.signal.data.shape == signal.data.shape
    assert tool.factors == []
    tool.elements = ", ".join(elements)
    for row in tool.factors:
        row.value = 1.2
    tool.run()
    assert tool.wait(LONG) == "done"
    tool.quantify()
    assert sorted(tool.composition.elements) == sorted(elements)
    assert list(tool.signal.metadata.Sample.elements) == sorted(elements)


@pytest.mark.parametrize("name", ["", "nowhere.hspy", "text.hspy", "image.hspy"])
def test_PSNMFTool__files_that_have_no_map_are_reported(name, tmp_path):
    (tmp_path / "text.hspy").write_text("no hdf5")
    hs.signals.Signal2D(np.ones((4, 5))).save(tmp_path / "image.hspy")
    tool = PSNMFTool(filename=str(tmp_path / name) if name else "")
    tool.open()
    assert tool.signal is None
    assert tool.is_problem


@pytest.mark.parametrize("wrong", ["nope", "", "5: map"])
def test_choice__what_is_not_there_is_told_and_the_map_stays(signal, tmp_path, monkeypatch, wrong):
    (tmp_path / "project.elid").touch()
    monkeypatch.setattr(hs, "load", lambda name: [signal.inav[:9], signal])
    tool = PSNMFTool(filename=str(tmp_path / "project.elid"))
    tool.open()
    choice = tool.choice
    tool.choice = wrong
    assert tool.is_problem
    assert choice in tool.message
    assert (tool.choice, tool.signal) == (choice, signal)


def test_choice__without_a_file_is_told(tool):
    tool.choice = "0: map"
    assert tool.is_problem
    assert "choice" in tool.message
    assert tool.choice == ""


def test_choice__another_map_given_ends_it(signal, tmp_path, monkeypatch):
    (tmp_path / "project.elid").touch()
    monkeypatch.setattr(hs, "load", lambda name: [signal.inav[:9], signal])
    tool = PSNMFTool(filename=str(tmp_path / "project.elid"))
    tool.open()
    tool.signal = signal.inav[:7]
    assert (tool.choices, tool.choice, tool.opened) == ([], "", None)


@pytest.mark.slow
def test_PSNMFTool__exports(done, tmp_path):
    done.folder = str(tmp_path / "new")
    done.quantify()
    done.export_csv()
    done.export_hspy()
    assert not done.is_problem
    rows = list(csv.DictReader((tmp_path / "new" / "phases.csv").open(encoding="utf-8")))
    assert [row["phase"] for row in rows] == ["Phase 0", "Phase 1", "Phase 2"]
    assert sum(float(row["fraction of counts"]) for row in rows) == pytest.approx(1, abs=1e-5)
    spectra = list(csv.reader((tmp_path / "new" / "spectra.csv").open(encoding="utf-8")))
    assert len(spectra) == 1 + 310
    assert len(spectra[0]) == 4
    first = next(csv.DictReader((tmp_path / "new" / "composition.csv").open(encoding="utf-8")))
    assert float(first["at%_lower"]) <= float(first["at%"]) <= float(first["at%_upper"])
    loaded = hs.load(tmp_path / "new" / "map.hspy")
    assert loaded.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]


def test_PSNMFTool__exports_replace_nothing_unasked(done, tmp_path):
    (tmp_path / "phases.csv").write_text("mine")
    done.folder = str(tmp_path)
    done.export_csv()
    assert done.is_problem
    assert "phases.csv" in done.message
    assert (tmp_path / "phases.csv").read_text() == "mine"
    assert not (tmp_path / "spectra.csv").exists()
    done.overwrite = True
    done.export_csv()
    assert not done.is_problem


# --- results


@pytest.mark.slow
def test_PSNMFTool__lines_that_are_not_of_the_specimen_are_excluded(done):
    done.factors[0].in_specimen = False
    done.quantify()
    assert done.composition.elements == [row.line.split("_")[0] for row in done.factors[1:]]


@pytest.mark.slow
def test_PSNMFTool__a_missing_factor_is_reported_and_the_old_composition_gone(done):
    done.quantify()
    assert done.composition is not None
    done.factors[0].value = 0.0
    done.quantify()
    assert done.composition is None
    assert done.factors[0].line in done.message


@pytest.mark.slow
def test_PSNMFTool__a_line_in_two_rows_is_reported_and_nothing_quantified(done):
    done.quantify()
    first, second = done.factors[:2]
    second.line = first.line
    done.quantify()
    assert done.is_problem
    assert f"more than one row for {first.line}" in done.message
    assert done.composition is None
    second.in_specimen = False
    done.quantify()
    assert "more than one row" not in done.message


@pytest.mark.slow
def test_PSNMFTool__notes_stand_below_the_table(done):
    assert done.composition_html == ""
    done.quantify()
    table, notes = done.composition_html.split("</table>")
    assert "normalised to" in table
    assert all(note.split(",")[0] in notes for note in done.composition.notes)


@pytest.mark.slow
def test_quantify__that_it_takes_long_is_shown_before_and_no_longer_after(done):
    shown = []
    done.observe(lambda event: shown.append((event.new, done.composition)), "message")
    done.quantify()
    assert any("may take longer than the run" in text and c is None for text, c in shown)
    assert done.composition is not None
    assert "may take" not in done.message
    done.factors[0].value = -1.0
    done.quantify()
    assert "may take" not in done.message


@pytest.mark.slow
def test_PSNMFTool__units_are_chosen(done):
    done.composition_units = "weight"
    done.quantify()
    assert "wt%" in str(done.composition)


def test_PSNMFTool__residuals(done):
    done.find_residuals()
    assert done.residuals.total == pytest.approx(1, abs=0.1)


def test_PSNMFTool__stored_results_and_names_are_saved_where_learning_results_are_not(
    tool, signal, results_not_saved
):
    tool.store_when_done = False
    tool.run()
    tool.wait(LONG)
    assert "PSNMF" not in signal.metadata
    tool.store()
    assert signal.deepcopy().psnmf.report() == signal.psnmf.report()
    tool.names = "a, b, c"
    tool.rename()
    assert signal.deepcopy().psnmf.phase_names == ["a", "b", "c"]


@pytest.mark.parametrize("names", ["a, b", "a, a, b", ""])
def test_PSNMFTool__bad_names_are_reported(done, names):
    done.names = names
    done.rename()
    assert done.is_problem
    assert "names" in done.message


@pytest.mark.slow
def test_PSNMFTool__new_results_drop_what_was_made_of_the_old(done):
    done.quantify()
    done.find_residuals()
    done.run()
    done.wait(LONG)
    assert done.composition is None
    assert done.residuals is None


def test_PSNMFTool__incomplete_elements_keep_the_table(done):
    lines = [row.line for row in done.factors]
    done.elements = "Mg, Xx"
    assert done.is_problem
    assert [row.line for row in done.factors] == lines
    done.elements = "Mg, Fe"
    assert not done.is_problem
    assert {row.line.split("_")[0] for row in done.factors} == {"Mg", "Fe"}


def test_PSNMFTool__factors_survive_another_element(tool):
    tool.factors[0].value = 7.0
    line = tool.factors[0].line
    tool.elements = f"{line.split('_')[0]}, Pt"
    assert {row.line: row.value for row in tool.factors}[line] == 7.0


# --- lines that cannot be measured


def use_range(tool):
    tool.energy_range = "0.9, 3"


def use_beam(tool):
    tool.signal.metadata.Acquisition_instrument.TEM.beam_energy = 1.6


def list_more(tool):
    lines = [*tool.signal.metadata.Sample.xray_lines, "Si_Kb"]
    tool.signal.metadata.Sample.xray_lines = lines
    tool._take_elements(None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (use_range, "O_Ka", "outside the channels in use, 0.9 to 3 keV"),
        (use_beam, "Si_Ka", "above the beam energy, 1.6 keV"),
        (list_more, "Si_Kb", "recorded with its main line Si_Ka"),
    ],
    ids=["energy range", "beam", "K beta"],
)
def test_quantify__rows_that_cannot_be_measured_left_out(tool, change, line, why):
    change(tool)
    assert line in [row.line for row in tool.factors]
    tool.run()
    assert tool.wait(LONG) == "done", tool.message
    tool.quantify()
    assert not tool.is_problem, tool.message
    assert tool.message.count("left out as they cannot be measured") == 1
    assert line in tool.message
    assert why in tool.message
    assert line not in tool.composition.lines
    assert "Mg_Ka" in tool.composition.lines


def test_quantify__no_row_left_is_told(done):
    done.result.metadata.Acquisition_instrument.TEM.beam_energy = 0.3
    done.quantify()
    assert done.is_problem
    assert "no line of the table can be measured" in done.message
    assert done.composition is None
