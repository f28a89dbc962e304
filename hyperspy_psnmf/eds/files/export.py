# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as files: tables for spreadsheets, signals for HyperSpy."""

import csv
from pathlib import Path

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.signals.phases import phase_maps


def write_csv(signal, composition, folder: Path, overwrite: bool) -> list[Path]:
    """Write ``phases.csv``, ``spectra.csv`` and ``composition.csv``.

    Parameters
    ----------
    signal : EDSSpectrum
        A decomposed map.
    composition : Quantification or None
        If there is one.
    folder : Path
        Where; made if need be.
    overwrite : bool
        Whether to replace files.

    Returns
    -------
    list of Path

    Raises
    ------
    FileExistsError
        Before anything is written.
    """
    spectra = Decomposed.read(signal).spectra
    names, counts = spectra.metadata.Phases.names, np.atleast_2d(spectra.data).sum(axis=1)
    axis = spectra.axes_manager.signal_axes[0]
    fractions = counts / counts.sum()
    tables = {
        "phases.csv": [
            ["phase", "counts", "fraction of counts"],
            *(
                [n, f"{c:.1f}", f"{s:.6f}"]
                for n, c, s in zip(names, counts, fractions, strict=True)
            ),
        ],
        "spectra.csv": [
            [f"energy ({axis.units})", *(f"{name} (counts)" for name in names)],
            *([f"{v:.6g}" for v in row] for row in np.column_stack([axis.axis, spectra.data.T])),
        ],
    }
    if composition is not None:
        rows = composition.rows()
        tables["composition.csv"] = [list(rows[0]), *(list(row.values()) for row in rows)]
    paths = new_files(tables, folder, overwrite)
    for path, table in zip(paths, tables.values(), strict=True):
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
    return paths


def intensity_table(spectra, measured, composition):
    """Yield a table with one row per phase: net counts of lines, and at% with a composition.

    Parameters
    ----------
    spectra : EDSSpectrum
        From `phase_spectra`.
    measured : LineIntensities or None
        Net counts of lines.
    composition : Quantification or None
        Where an element is not detected, its detection limit is given.

    Yields
    ------
    list of str
        A header first.
    """
    columns = {}
    if measured is not None:
        for line, net, sigma in zip(measured.lines, measured.net.T, measured.sigma.T, strict=True):
            columns[f"{line} net counts"] = [f"{n:.1f}" for n in net]
            columns[f"{line} sigma"] = [f"{s:.1f}" for s in sigma]
    if composition is not None:
        percent = composition.atomic
        parts = (percent.values.T, percent.sigma.T, percent.limits.T, composition.detected.T)
        for element, *of_phases in zip(composition.elements, *parts, strict=True):
            rows = list(zip(*of_phases, strict=True))
            columns[f"{element} at%"] = [f"{v:.2f}" if found else "" for v, _, _, found in rows]
            columns[f"{element} at% sigma"] = [
                f"{s:.2f}" if found else "" for _, s, _, found in rows
            ]
            columns[f"{element} at% limit"] = [
                "" if found or np.isnan(x) else f"{x:.2g}" for _, _, x, found in rows
            ]
        n_phases = len(composition.names)
        columns["normalised to"] = [composition.normalised_to] * n_phases
        columns["not quantified"] = [composition.besides(i) for i in range(n_phases)]
    yield ["phase", "counts", *columns]
    counts = np.atleast_2d(spectra.data).sum(axis=1)
    for name, total, *row in zip(
        spectra.metadata.Phases.names, counts, *columns.values(), strict=True
    ):
        yield [name, f"{total:.1f}", *row]


def write_hspy(signal, folder: Path, overwrite: bool) -> list[Path]:
    """Write ``map.hspy``, ``phase_spectra.hspy`` and ``phase_maps.hspy``; see `write_csv`."""
    decomposed = Decomposed.read(signal)
    parts = {
        "map.hspy": signal,
        "phase_spectra.hspy": decomposed.spectra,
        "phase_maps.hspy": phase_maps(decomposed),
    }
    paths = new_files(parts, folder, overwrite)
    for path, part in zip(paths, parts.values(), strict=True):
        part.save(path, overwrite=True)
    return paths


def new_files(names, folder: Path, overwrite: bool) -> list[Path]:
    """Return the paths of files to be written into a folder, which is made.

    Raises
    ------
    FileExistsError
        If there are some already, unless they may be replaced.
    """
    paths = [folder / name for name in names]
    there = [path.name for path in paths if path.exists()]
    if there and not overwrite:
        raise FileExistsError(
            f"{', '.join(there)} in {folder} already: name another folder, or tick Replace files"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return paths
