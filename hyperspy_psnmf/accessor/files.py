# SPDX-License-Identifier: GPL-3.0-or-later
"""All results of a decomposed map as files, as the command line writes them.

The map with its learning results is written first. A file that fails after that is listed
with the reason, and the others are still written.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from hyperspy_psnmf import plot
from hyperspy_psnmf.eds.files.export import intensity_table
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.intensities import LineIntensities, measure_lines
from hyperspy_psnmf.eds.lines.measurable_lines import (
    LEFT_OUT,
    NoLinesError,
    choose_lines,
    describe_reasons,
)
from hyperspy_psnmf.eds.quantify.element_maps import find_missed, line_maps
from hyperspy_psnmf.eds.quantify.factors import elements_to_exclude
from hyperspy_psnmf.eds.quantify.options import Options, resolve_method
from hyperspy_psnmf.eds.quantify.quantify import quantify
from hyperspy_psnmf.eds.quantify.result import Quantification
from hyperspy_psnmf.eds.signals.metadata import sample_elements

MAP, REPORT = "map.hspy", "report.txt"
DPI = 150
_PLAIN = (OSError, RuntimeError, TypeError, ValueError)  # with messages written for users


@dataclass(eq=False)
class WrittenFiles:
    """What has been written into a folder, and what could not be.

    Attributes
    ----------
    folder : Path
    paths : list of Path
        Files, in the order in which they were written.
    not_made : dict of str
        Files that could not be made, and why.
    notes : list of str
        Caveats for the reader of the results.
    is_complete : bool
        False if something failed. What the metadata do not allow for is no
        failure.
    report : str
        Text of the report.
    """

    folder: Path
    paths: list[Path] = field(default_factory=list)
    not_made: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_complete: bool = True
    report: str = ""

    def leave_out(self, name: str, reason: str) -> None:
        """Note that a file is not made, and remove that of an earlier run."""
        self.not_made[name] = reason
        if name != MAP:  # which may be the only copy of the counts
            (self.folder / name).unlink(missing_ok=True)

    def note(self, note: str) -> None:
        """Add a note, and warn of it."""
        self.notes.append(note)
        warnings.warn(note, UserWarning, stacklevel=2)

    def attempt(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the result of `make`, or None after an error, which is noted."""
        try:
            return make()
        except Exception as error:  # of any kind: finished work must not be lost
            self.is_complete = False
            plain = isinstance(error, _PLAIN) and str(error)
            self.leave_out(name, str(error) if plain else f"{type(error).__name__}: {error}")
            return None

    def write(self, name: str, write: Callable[[Path], Any]) -> None:
        """Write a file by a function of its path."""

        def make() -> None:
            write(self.folder / name)
            self.paths.append(self.folder / name)

        self.attempt(name, make)

    def write_figure(self, name: str, draw: Callable[[], tuple]) -> None:
        """Write a figure that a function draws."""

        def write(path: Path) -> None:
            figure = draw()[0]
            try:
                figure.savefig(path, dpi=DPI)
            finally:
                plt.close(figure)

        self.write(name, write)


def write_files(
    signal: Any, folder: Path, k_factors: dict[str, float] | None = None, *, source: str = ""
) -> WrittenFiles:
    """Write the map, phase spectra, figures, a table of intensities and the report.

    Parameters
    ----------
    signal : EDSSpectrum
        A decomposed map.
    folder : Path
        Made if need be; files in it are replaced.
    k_factors : dict of float, optional
        Of X-ray lines. Without them, compositions of EDS_TEM maps are from computed ones, and
        none are written for EDS_SEM.
    source : str
        Which map of a file that is, to begin the report with.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = WrittenFiles(folder)
    done.write(MAP, lambda path: signal.save(path, overwrite=True))
    decomposed = Decomposed.read(signal)
    spectra = done.attempt("phase_spectra.hspy", signal.psnmf.phase_spectra)
    if spectra is not None:
        done.write("phase_spectra.hspy", lambda path: spectra.save(path, overwrite=True))
    done.write_figure("phases.png", signal.psnmf.plot)
    done.write_figure("label_map.png", signal.psnmf.plot_label_map)
    measured = _measure(decomposed, done)
    if measured is not None:
        done.write_figure(
            "element_maps.png",
            lambda: plot.plot_element_maps(
                line_maps(decomposed, measured, find_missed(decomposed, measured))
            ),
        )
        if measured.fit is not None:
            done.write_figure("line_fit.png", lambda: plot.plot_line_fit(measured.fit))
    composition = None
    if k_factors:
        composition = done.attempt("compositions.png", lambda: _quantify(decomposed, k_factors))
    elif measured is not None and resolve_method(signal, None) == "CL":
        composition = _quantify_unasked(decomposed, measured, done)
    else:
        (folder / "compositions.png").unlink(missing_ok=True)  # of an earlier run
    if composition is not None:
        done.write_figure("compositions.png", lambda: plot.plot_composition(composition))
    rows = (spectra, measured, composition)
    done.write("compositions.csv", lambda path: _write_table(path, *rows))
    _write_report(signal, done, measured, composition, source)
    return done


def _measure(decomposed: Decomposed, done: WrittenFiles) -> LineIntensities | None:
    """Return the net intensities of the lines in the metadata, by windows if need be."""
    try:
        return _measure_by("model", decomposed, done)
    except NoLinesError as error:
        listed = sample_elements(decomposed.spectra)
        reason = str(error) if listed else _ask_for_elements(decomposed)
        for name in ("element_maps.png", "line_fit.png", "compositions.png"):
            done.leave_out(name, reason)
        return None
    except Exception as error:  # of any kind: windows may still work
        done.is_complete &= isinstance(error, ValueError)
        reason = f"lines are integrated by windows, as {error}"
    done.note(reason)
    done.leave_out("line_fit.png", reason)
    return done.attempt("element_maps.png", lambda: _measure_by("windows", decomposed, done))


def _ask_for_elements(decomposed: Decomposed) -> str:
    found = ", ".join(decomposed.record.template_elements)
    those = f"; lines of {found} were found in the sum of the map" if found else ""
    return f"no elements in the metadata: s.add_elements() or --elements lists them{those}"


def _measure_by(method: str, decomposed: Decomposed, done: WrittenFiles) -> LineIntensities:
    lines, left_out = choose_lines(decomposed.spectra, decomposed.map_input, method)
    elements = sample_elements(decomposed.spectra)
    found = measure_lines(decomposed, lines, method=method, elements=elements)
    if left_out:
        done.note(LEFT_OUT + describe_reasons(left_out))
    return found


def _quantify(decomposed: Decomposed, k_factors: dict[str, float]) -> Quantification:
    """Return the composition of the elements that have a factor."""
    exclude = elements_to_exclude(decomposed.spectra, k_factors)
    return quantify(decomposed, Options(method="CL", factors=k_factors, exclude=exclude))


def _quantify_unasked(
    decomposed: Decomposed, measured: LineIntensities, done: WrittenFiles
) -> Quantification | None:
    """Return the composition by computed k-factors, or None where the metadata do not allow it."""
    intensities = "windows" if measured.fit is None else "model"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", LEFT_OUT)  # noted with `measured`
            return quantify(decomposed, Options(method="CL", intensities=intensities))
    except ValueError as error:
        done.leave_out("compositions.png", str(error))
        return None


def _write_table(path: Path, *of: Any) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(intensity_table(*of))


def _write_report(
    signal: Any,
    done: WrittenFiles,
    measured: LineIntensities | None,
    composition: Quantification | None,
    source: str,
) -> None:
    report = done.attempt(REPORT, signal.psnmf.report)
    found = composition or measured
    parts = [f"{source} {report or ''}".strip()] if source or report else []
    parts += [str(composition.table())] if composition else []
    parts += [f"Note: {note}." for note in (*(found.notes if found else ()), *done.notes)]
    parts += [f"not made: {name}: {reason}" for name, reason in done.not_made.items()]
    done.report = "\n".join(parts)
    done.write(REPORT, lambda path: path.write_text(f"{done.report}\n", encoding="utf-8"))
