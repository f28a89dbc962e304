# SPDX-License-Identifier: GPL-3.0-or-later
"""eXSpy's tables of elements and X-ray lines.

Metadata may list elements without a line in the tables, such as lithium, or names that are no
element. eXSpy raises errors for both.
"""

from functools import cache

from exspy.material import elements as elements_db

from hyperspy_psnmf._compat import has_entry, lines_in_table


def is_element(symbol) -> bool:
    """Return whether eXSpy has an element of this symbol."""
    # A dot would lead further into eXSpy's tree, or past its end.
    if not isinstance(symbol, str) or "." in symbol:
        return False
    return has_entry(elements_db, f"{symbol}.Atomic_properties")


def split_line(line: str) -> tuple[str, str]:
    """Return the element of a line and the rest of its name, "Fe" and "Ka" of "Fe_Ka".

    A name without an element, as of a peak by its energy, is returned whole, with no rest.
    """
    element, _, name = line.partition("_")
    return element, name


def element_of(line: str) -> str:
    """Return the element of a line."""
    return split_line(line)[0]


def is_xray_line(line) -> bool:
    """Return whether eXSpy has a line of this name."""
    if not isinstance(line, str) or "." in line:
        return False
    element, name = split_line(line)
    path = f"{element}.Atomic_properties.Xray_lines.{name}"
    return bool(name) and has_entry(elements_db, path)


def lines_of(symbol: str) -> dict[str, float]:
    """Return the energy in keV of each line of an element; none for elements without lines."""
    return {name: energy for name, (energy, _) in line_table(symbol).items()}


@cache  # eXSpy's tree is slow to read
def line_table(symbol: str) -> dict[str, tuple[float, float]]:
    """Return the energy in keV and the weight within its shell of each line of an element."""
    if not is_element(symbol):
        return {}
    names = lines_in_table(elements_db, symbol)
    return {name: (line["energy (keV)"], line["weight"]) for name, line in names.items()}


def line_energy(line: str) -> float:
    """Return the energy of a line in keV."""
    element, name = split_line(line)
    return lines_of(element)[name]
