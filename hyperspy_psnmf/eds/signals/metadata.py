# SPDX-License-Identifier: GPL-3.0-or-later
"""Specimen and instrument parameters from the metadata."""

import numpy as np

from hyperspy_psnmf.eds.xray.lines import is_xray_line, lines_of


def sample_elements(signal) -> list[str]:
    """Return the elements that the metadata list, those without lines included."""
    return _listed(signal, "elements")


def sample_lines(signal) -> list[str]:
    """Return the X-ray lines in the metadata, without those that eXSpy's tables lack."""
    return [line for line in _listed(signal, "xray_lines") if is_xray_line(line)]


def _listed(signal, what):
    listed = signal.metadata.get_item(f"Sample.{what}")
    if listed is None or isinstance(listed, str):
        return [listed] if listed else []
    return [str(one) for one in listed]


def set_elements(signal, elements: list[str]) -> None:
    """Set the elements of the specimen, and the line of each that eXSpy would choose."""
    signal.set_elements([symbol for symbol in elements if lines_of(symbol)])
    signal.set_lines([])
    signal.add_elements([symbol for symbol in elements if not lines_of(symbol)])


def find_beam_energy(signal) -> float | None:
    """Return the beam energy in keV, or None where the metadata have none."""
    return _of_instrument(signal, "beam_energy")


def find_resolution(signal) -> float | None:
    """Return the detector's resolution at Mn Ka in eV, or None where the metadata have none."""
    return _of_instrument(signal, "Detector.EDS.energy_resolution_MnKa")


def _of_instrument(signal, path):
    paths = (f"Acquisition_instrument.{kind}.{path}" for kind in ("SEM", "TEM"))
    found = (read_number(signal, path) for path in paths)
    return next((value for value in found if value is not None), None)


def read_number(signal, path: str) -> float | None:
    """Return a number in the metadata, or None where there is none, or NaN.

    Raises
    ------
    ValueError
        Naming the path, where something else than a number is there.
    """
    found = signal.metadata.get_item(path)
    try:
        value = np.nan if found is None else float(found)
    except (TypeError, ValueError):
        raise ValueError(f"s.metadata.{path} must be a number, not {found!r}") from None
    return None if np.isnan(value) else value
