# SPDX-License-Identifier: GPL-3.0-or-later
"""What the metadata say of the sample and the instrument, and eXSpy's tables of X-ray lines.

Files hold what people typed: elements without a line in the tables, such as lithium, and
what is no element. eXSpy stumbles over both.
"""

from functools import cache

import numpy as np
from exspy.material import elements as elements_db


def sample_elements(signal) -> list[str]:
    """Return the elements that the metadata list, those without lines included."""
    return _listed(signal, "elements")


def sample_lines(signal) -> list[str]:
    """Return the X-ray lines that the metadata list, without those that eXSpy does not know."""
    return [line for line in _listed(signal, "xray_lines") if is_xray_line(line)]


def _listed(signal, what):
    listed = signal.metadata.get_item(f"Sample.{what}")
    if listed is None or isinstance(listed, str):
        return [listed] if listed else []
    return [str(one) for one in listed]


def is_element(symbol) -> bool:
    """Tell whether eXSpy knows an element of this symbol."""
    # A dot would lead further into eXSpy's tree, or past its end.
    if not isinstance(symbol, str) or "." in symbol:
        return False
    return elements_db.has_item(f"{symbol}.Atomic_properties")


def is_xray_line(line) -> bool:
    """Tell whether eXSpy knows a line of this name."""
    if not isinstance(line, str) or "." in line:
        return False
    element, _, name = line.partition("_")
    return bool(name) and elements_db.has_item(f"{element}.Atomic_properties.Xray_lines.{name}")


def lines_of(symbol: str) -> dict[str, float]:
    """Return the energy in keV of each line of an element; none for what has no line."""
    return {name: energy for name, (energy, _) in line_table(symbol).items()}


@cache  # eXSpy's tree is slow to read
def line_table(symbol: str) -> dict[str, tuple[float, float]]:
    """Return the energy in keV and the weight within its shell of each line of an element."""
    if not is_element(symbol):
        return {}
    lines = elements_db[symbol].Atomic_properties.get_item("Xray_lines")
    names = {} if lines is None else lines.as_dictionary()
    return {name: (line["energy (keV)"], line["weight"]) for name, line in names.items()}


def line_energy(line: str) -> float:
    """Return the energy of a line in keV."""
    element, _, name = line.partition("_")
    return lines_of(element)[name]


def set_elements(signal, elements: list[str]) -> None:
    """Set the elements of a sample, and the line of each that eXSpy would choose."""
    signal.set_elements([symbol for symbol in elements if lines_of(symbol)])
    signal.set_lines([])
    signal.add_elements([symbol for symbol in elements if not lines_of(symbol)])


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
