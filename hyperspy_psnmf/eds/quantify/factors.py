# SPDX-License-Identifier: GPL-3.0-or-later
"""Factors of X-ray lines, given as a dict by name and checked.

eXSpy takes factors as a list in the alphabetical order of the lines, where two are easily
swapped.
"""

import warnings
from numbers import Real

import numpy as np

from hyperspy_psnmf.eds.lines.measurable_lines import (
    explain_elements,
    name_some,
    require_measurable,
    warn_left_out,
)
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.metadata import sample_elements
from hyperspy_psnmf.eds.xray.lines import element_of, is_element, is_xray_line


def resolve_factors(
    spectra,
    map_input: MapInput,
    factors,
    xray_lines=None,
    exclude=(),
    *,
    method: str = "model",
    windows: str = "",
):
    """Return the lines to quantify with their factors.

    Elements in the metadata that have no line to be measured are left out with a warning.

    Parameters
    ----------
    spectra : EDSSpectrum
        As for `explain_lines`; the metadata name the elements of the specimen.
    map_input : MapInput
        Of the map.
    factors : dict
        {line: value} or {line: (value, sigma)}.
    xray_lines : list of str, optional
        Lines asked for; all of `factors` by default.
    exclude : str or iterable of str
        Elements that are left out of the composition.
    method : {"model", "windows"}
        How lines are to be measured.
    windows : str
        The argument for windows, to be named in an error, if there is one.

    Returns
    -------
    lines : list of str
        In the order of `xray_lines`, else of `factors`.
    values, errors : ndarray of shape (n_lines,)

    Raises
    ------
    TypeError, ValueError
        If a value is no factor or a name no line; if lines are missing or cannot be measured, or
        two belong to one element.
    """
    given = check_factors(factors)
    excluded = check_elements("exclude", exclude)
    asked = list(given) if xray_lines is None else check_lines("xray_lines", xray_lines)
    lines = [line for line in asked if element_of(line) not in excluded]
    ignored = [line for line in given if line not in lines]
    if ignored:
        warnings.warn(
            f"factors: {name_some(ignored)} ignored, as not asked for", UserWarning, stacklevel=4
        )
    missing = [line for line in lines if line not in given]
    without = elements_without_line(spectra, lines, excluded)
    left_out = explain_elements(spectra, map_input, without, method)
    missing += [element for element in without if element not in left_out]
    if missing:
        raise ValueError(
            f"factors: none for {name_some(missing)}; without it the composition would be that of "
            "another specimen. Give it, or 'computed' in its place, or leave the element out with "
            "exclude="
        )
    _check_one_each(lines)
    require_measurable("factors", spectra, map_input, lines, method, windows=windows)
    warn_left_out(left_out, stacklevel=5)
    return lines, *np.array([given[line] for line in lines]).T


def check_factors(factors) -> dict[str, tuple[float, float]]:
    """Return {line: (value, sigma)}, or raise TypeError or ValueError."""
    if not isinstance(factors, dict) or not factors:
        raise TypeError(
            "factors must be a dict of one factor per X-ray line, such as "
            f"{{'Fe_Ka': 1.45, 'Pt_La': (5.1, 0.2)}}, not {factors!r}. Only k-factors can be "
            "computed"
        )
    check_lines("factors", list(factors))
    return {line: _value_and_sigma(line, value) for line, value in factors.items()}


def _value_and_sigma(line, given):
    pair = given if isinstance(given, tuple | list) else (given, 0.0)
    numbers = all(isinstance(v, Real) and not isinstance(v, bool | np.bool_) for v in pair)
    if len(pair) != 2 or not numbers:
        raise TypeError(f"factors: {line} must be a number or (value, sigma), not {given!r}")
    value, sigma = (float(v) for v in pair)
    if not (0 < value < np.inf and 0 <= sigma < np.inf):
        raise ValueError(f"factors: {line} must be positive and finite, not {given!r}")
    return value, sigma


def check_lines(name: str, lines) -> list[str]:
    """Return lines as a list, or raise naming the argument where one is none."""
    if isinstance(lines, str | dict) or not np.iterable(lines):
        raise TypeError(f"{name} must be a list of X-ray lines, not {lines!r}")
    lines = list(lines)
    unknown = [str(line) for line in lines if not is_xray_line(line)]
    if unknown:
        raise ValueError(f"{name}: {name_some(unknown)} is no X-ray line as eXSpy writes it")
    lines = [str(line) for line in lines]
    if len(set(lines)) < len(lines) or not lines:
        raise ValueError(f"{name} must be different X-ray lines, not [{name_some(lines)}]")
    return lines


def check_elements(name: str, elements) -> list[str]:
    """Return elements as a list, or raise naming the argument where one is none."""
    if not np.iterable(elements):
        raise TypeError(f"{name} must be a list of elements, not {elements!r}")
    elements = [elements] if isinstance(elements, str) else [str(e) for e in elements]
    unknown = [e for e in elements if not is_element(e)]
    if unknown:
        raise ValueError(f"{name}: {name_some(unknown)} is no element")
    return elements


def elements_without_line(signal, lines, excluded=()) -> list[str]:
    """Return the elements in the metadata without a line in the list."""
    have = {element_of(line) for line in lines} | set(excluded)
    return [element for element in sample_elements(signal) if element not in have]


def elements_to_exclude(signal, lines) -> list[str]:
    """Return the elements in the metadata without a line in the list, as `exclude` takes them."""
    return [element for element in elements_without_line(signal, lines) if is_element(element)]


def _check_one_each(lines):
    symbols = [element_of(line) for line in lines]
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise ValueError(f"factors must have one line per element, but two of {name_some(twice)}")
    if len(lines) < 2:
        raise ValueError("factors must have at least two lines: ratios are what is quantified")
