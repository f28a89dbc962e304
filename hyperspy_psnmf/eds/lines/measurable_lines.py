# SPDX-License-Identifier: GPL-3.0-or-later
"""Which X-ray lines can be measured on the channels in use, and why others cannot.

Lines asked for by name raise an error where they cannot be measured (`require_measurable`);
those from the metadata are left out with one warning (`choose_lines`, `explain_elements`).
"""

import warnings

import numpy as np

from hyperspy_psnmf.eds.line_model.linear_model import build_line_model, families
from hyperspy_psnmf.eds.lines.windows import clip_windows
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.metadata import find_beam_energy, sample_lines
from hyperspy_psnmf.eds.xray.detector import ZERO_PEAK
from hyperspy_psnmf.eds.xray.lines import (
    element_of,
    is_element,
    line_energy,
    lines_of,
    split_line,
)

MAX_NAMES = 8  # in one message, so that the reason can be found
MAIN_LINES = ("Ka", "La", "Ma")
RECORDED = "recorded with"
LEFT_OUT = "in the metadata, but left out as they cannot be measured: "


class NoLinesError(ValueError):
    """The metadata have no line that can be measured."""


def choose_lines(spectra, map_input: MapInput, method: str) -> tuple[list[str], dict[str, str]]:
    """Return the lines of the metadata that can be measured, and {line: why not} of the rest.

    Parameters
    ----------
    spectra, map_input, method
        See `explain_lines`.

    Raises
    ------
    NoLinesError
        If there are none in the metadata, or none of them can be measured.
    ValueError
        As `explain_lines`.
    """
    listed = list(dict.fromkeys(sample_lines(spectra)))
    if not listed:
        raise NoLinesError(
            "xray_lines: none given, and none in the metadata: pass a list, or s.add_lines()"
        )
    why = explain_lines(spectra, map_input, listed, method)
    lines = [line for line in listed if line not in why]
    if not lines:
        raise NoLinesError(
            "xray_lines: none given, and none of those in the metadata can be measured: "
            + describe_reasons(why)
        )
    return lines, why


def require_measurable(
    name: str, spectra, map_input: MapInput, lines, method: str, *, windows: str = ""
) -> None:
    """Raise ValueError, naming the argument and each line, where lines cannot be measured.

    `windows` is the argument that integrates lines by themselves, if there is one.
    """
    why = explain_lines(spectra, map_input, lines, method)
    if why:
        members = windows and any(reason.startswith(RECORDED) for reason in why.values())
        hint = f"; {windows} integrates a line by itself" if members else ""
        raise ValueError(f"{name}: {describe_reasons(why)}: cannot be measured{hint}")


def warn_left_out(why: dict[str, str], stacklevel: int) -> None:
    """Warn of lines or elements left out, if there are any."""
    if why:
        warnings.warn(LEFT_OUT + describe_reasons(why), UserWarning, stacklevel=stacklevel + 1)


def explain_elements(spectra, map_input: MapInput, elements, method: str) -> dict[str, str]:
    """Return {element: why} of the elements that have no line which can be measured.

    Parameters
    ----------
    elements : iterable of str
        As in the metadata; symbols that are no element are ignored.
    spectra, map_input, method
        See `explain_lines`.
    """
    listed, candidates = sample_lines(spectra), {}
    for element in filter(is_element, elements):
        own = [f"{element}_{name}" for name in MAIN_LINES if name in lines_of(element)]
        own += [line for line in listed if element_of(line) == element and line not in own]
        candidates[element] = own
    lines = [line for own in candidates.values() for line in own]
    why = explain_lines(spectra, map_input, lines, method) if lines else {}
    return {
        element: _explain_element(own, why)
        for element, own in candidates.items()
        if all(line in why for line in own)
    }


def _explain_element(lines, why):
    own = {line: why[line] for line in lines}
    return f"({describe_reasons(own)})" if own else "(without lines)"


def explain_lines(spectra, map_input: MapInput, lines, method: str) -> dict[str, str]:
    """Return {line: why not} of the lines that cannot be measured, in the order given.

    Parameters
    ----------
    spectra : EDSSpectrum
        Any on the channels from the first in use to the last, with the map's metadata.
    map_input : MapInput
        Of the map.
    lines : iterable of str
        As eXSpy writes them.
    method : {"model", "windows"}
        As of `measure_lines`.

    Raises
    ------
    ValueError
        If the axis or the metadata do not allow for the method at all.
    """
    beam_energy = _read_beam_energy(spectra)
    ends = [_ends(map_input.require_energy()), _ends(map_input.energy_in_use)]
    beyond = {line: _explain_beyond(line_energy(line), ends, beam_energy) for line in lines}
    inside = [line for line, why in beyond.items() if not why]
    if inside:
        explain = {"model": _explain_by_model, "windows": _explain_by_windows}[method]
        beyond |= explain(spectra, map_input.inside, inside)
    return {line: why for line, why in beyond.items() if why}


def describe_reasons(why: dict[str, str]) -> str:
    """Return names grouped by reason, at most `MAX_NAMES` of them."""
    shown, by_reason = list(why)[:MAX_NAMES], {}
    for name in shown:
        by_reason.setdefault(why[name], []).append(name)
    parts = [f"{', '.join(names)} {reason}" for reason, names in by_reason.items()]
    return "; ".join(parts) + _others(len(why) - len(shown))


def name_some(names) -> str:
    """Return names with commas between them, at most `MAX_NAMES` of them."""
    names = [str(name) for name in names]
    return ", ".join(names[:MAX_NAMES]) + _others(len(names) - MAX_NAMES)


def _others(n):
    return f" and {n} other{'s' * (n > 1)}" if n > 0 else ""


def _ends(energy):
    return float(energy.min()), float(energy.max())


def _read_beam_energy(spectra):
    """Return the beam energy in keV; infinity where the metadata have none."""
    found = find_beam_energy(spectra)
    return np.inf if found is None else found


def _explain_beyond(energy, ends, beam_energy):
    """Return why nothing can be measured at an energy in keV, or nothing."""
    (first, last), (low, high) = ends
    if not first < energy < last:
        return f"not on the energy axis, {first:.4g} to {last:.4g} keV"
    if energy >= beam_energy:
        return f"above the beam energy, {beam_energy:.4g} keV"
    if not low < energy < high:
        return f"outside the channels in use, {low:.4g} to {high:.4g} keV"
    if energy < ZERO_PEAK:
        return f"below {ZERO_PEAK} keV, where detectors have their zero peak"
    return ""


def _explain_by_model(spectra, keep, lines):
    elements = {element_of(line) for line in lines}
    model = build_line_model(spectra, elements, keep)
    beam_energy = _read_beam_energy(spectra)
    names, members = families(sorted(elements), *model.energy[[0, -1]], beam_energy)
    families_of_lines = [(names[int(f)], energy) for f, energy, _ in members]
    return {
        line: _explain_missing(line, families_of_lines, model.energy, keep)
        for line in lines
        if line not in model.lines
    }


def _explain_missing(line, families_of_lines, axis, keep):
    element, name = split_line(line)
    energy, shell = line_energy(line), f"{element}_{name[0]}"
    for main, of_member in families_of_lines:
        if of_member == energy and main.startswith(shell) and main != line:
            return f"{RECORDED} its main line {main}"
    if not keep[np.argmin(np.abs(axis - energy))]:
        return "in channels that were masked"
    if any(main == line for main, _ in families_of_lines):
        return "for the greater part in channels that were left out"
    return f"{RECORDED} lines of its shell ({name[0]}) whose main line is not in use"


def _explain_by_windows(spectra, keep, lines):
    """Return the same for eXSpy's windows, whose channels must all be in use.

    Backgrounds of lines that overlap are merged, so each line left out may change them.
    """
    axis, why, left = spectra.axes_manager.signal_axes[0], {}, list(lines)
    while left:
        with np.errstate(invalid="ignore"):  # no width, for the lightest elements
            whole = spectra.estimate_integration_windows(xray_lines=left)
        found = zip(left, whole, *clip_windows(spectra, left), strict=True)
        new = {line: reason for line, *of in found if (reason := _explain_windows(axis, keep, *of))}
        why |= new
        if not new:
            break
        left = [line for line in left if line not in new]
    return why


def _explain_windows(axis, keep, whole, window, background):
    if not np.isfinite(whole).all():
        return "of no width by eXSpy's formula at this resolution of the detector"
    step = np.abs(np.diff(axis.axis)).max(initial=0.0)
    if np.abs(window - whole).max() > step:  # counts of the line would be missing
        return "with a window beyond the channels in use"
    parts = [_channels(axis, *ends) for ends in (window, background[:2], background[2:])]
    if not all(keep[part].all() for part in parts):
        return "with windows on channels that were masked"
    if background[0] == background[1] and background[2] == background[3]:
        return "without a background beside it on the channels in use"
    return ""


def _channels(axis, low, high):
    """Return the channels that eXSpy sums between two energies: one at least."""
    first, end = axis.value2index(low), axis.value2index(high)
    return slice(first, max(end, first + 1))
