# SPDX-License-Identifier: GPL-3.0-or-later
"""Computed Cliff-Lorimer factors in place of those that are not given."""

import warnings

import numpy as np

from hyperspy_psnmf.eds.line_model.linear_model import read_beam_energy
from hyperspy_psnmf.eds.lines.measurable_lines import (
    MAIN_LINES,
    explain_elements,
    explain_lines,
    name_some,
)
from hyperspy_psnmf.eds.quantify.computed_factors import computed_factor
from hyperspy_psnmf.eds.quantify.factors import (
    check_elements,
    check_factors,
    check_lines,
    elements_to_exclude,
)
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.metadata import sample_elements, sample_lines
from hyperspy_psnmf.eds.xray.lines import element_of, is_element, lines_of

COMPUTED = "computed"


def complete_factors(
    spectra, map_input: MapInput, factors, xray_lines=None, exclude=(), *, method: str = "model"
) -> tuple[dict, dict, list[str]]:
    """Return factors of lines, with computed ones in the places of "computed".

    Only ratios of factors matter: computed ones are scaled to those given.

    Parameters
    ----------
    spectra, map_input, xray_lines, exclude, method
        See `resolve_factors`.
    factors : dict, "computed" or None
        {line: value}, {line: (value, sigma)} or {line: "computed"}. Otherwise all are computed,
        for `xray_lines`, or for the main line of each element in the metadata.

    Returns
    -------
    factors : dict
        As `resolve_factors` takes them.
    computed : dict
        {line: (value, sigma)} of those computed.
    exclude : list of str
        With the elements whose lines have no factor that can be computed, where all are to be:
        a warning names them.

    Raises
    ------
    TypeError, ValueError
        If a name is no line, or a factor cannot be computed.
    """
    exclude = check_elements("exclude", exclude)
    all_of_them = xray_lines is None and (factors is None or is_computed(factors))
    factors = default_factors(spectra, map_input, factors, xray_lines, exclude, method=method)
    if not isinstance(factors, dict) or COMPUTED not in _texts(factors):
        return factors, {}, exclude
    if all_of_them:
        exclude = [*exclude, *_without_factor(spectra, map_input, factors, exclude, method)]
    given = {line: value for line, value in factors.items() if not is_computed(value)}
    given = check_factors(given) if given else {}
    missing = check_lines("factors", [line for line in factors if line not in given])
    computed = _scaled(_compute(missing, spectra), given, spectra)
    return {line: computed.get(line) or given[line] for line in factors}, computed, exclude


def _without_factor(spectra, map_input, factors, exclude, method):
    """Return the elements that have a line to be measured, but no factor, and warn of them."""
    without = elements_to_exclude(spectra, [*factors, *exclude])
    explained = explain_elements(spectra, map_input, without, method)
    left_out = [element for element in without if element not in explained]
    if left_out:
        warnings.warn(
            f"{name_some(left_out)}: left out of the composition, as no k-factor can be computed "
            "for a line that can be measured; factors= takes one that is known",
            UserWarning,
            stacklevel=6,
        )
    return left_out


def default_factors(spectra, map_input, factors, xray_lines=None, exclude=(), *, method="model"):
    """Return factors, or, where all are to be computed, {line: "computed"}.

    For `xray_lines`, or for the main line of each element in the metadata. See `complete_factors`.
    """
    if not (factors is None or is_computed(factors)):
        return factors
    excluded = check_elements("exclude", exclude)
    if xray_lines is None:
        elements = [element for element in sample_elements(spectra) if element not in excluded]
        lines = main_lines(spectra, map_input, elements, method)
    else:
        lines = check_lines("xray_lines", xray_lines)
        lines = [line for line in lines if element_of(line) not in excluded]
    if not lines:
        raise ValueError(
            "factors: none given, and none can be computed, as no line of an element in the "
            "metadata can be measured: set elements with s.set_elements([...])"
        )
    return dict.fromkeys(lines, COMPUTED)


def main_lines(spectra, map_input, elements, method="model", *, computable=True) -> list[str]:
    """Return one line for each element that has one which can be measured.

    Lines listed in the metadata come first, K before L before M.

    Parameters
    ----------
    spectra, map_input, method
        See `resolve_factors`.
    elements : iterable of str
        Symbols that are no element are ignored.
    computable : bool
        Take lines only whose k-factor can be computed.
    """
    listed, beam_energy = sample_lines(spectra), read_beam_energy(spectra)
    candidates = {}
    for element in filter(is_element, dict.fromkeys(elements)):
        own = sorted(line for line in listed if element_of(line) == element)
        own += [f"{element}_{name}" for name in MAIN_LINES if name in lines_of(element)]
        candidates[element] = [
            line
            for line in dict.fromkeys(own)
            if not computable or computed_factor(line, beam_energy)
        ]
    lines = [line for own in candidates.values() for line in own]
    why = explain_lines(spectra, map_input, lines, method) if lines else {}
    usable = ([line for line in own if line not in why] for own in candidates.values())
    return [own[0] for own in usable if own]


def note_on_computed(computed: dict, spectra) -> str:
    """Return a note on the factors that were computed, for a table of compositions."""
    values = ", ".join(
        f"{line} {value:.3g} ± {100 * sigma / value:.0f} %"
        for line, (value, sigma) in computed.items()
    )
    return (
        f"k-factors are computed for {read_beam_energy(spectra):g} keV and a silicon detector "
        f"whose window is not known: {values}. Their errors are included; measured ones are "
        f"better: factors={{'{next(iter(computed))}': ...}}"
    )


def is_computed(value) -> bool:
    """Return whether "computed" stands in the place of a factor, or of all."""
    return isinstance(value, str) and value == COMPUTED


def _texts(factors):
    return [value for value in factors.values() if isinstance(value, str)]


def _compute(lines, spectra):
    """Return {line: (value, sigma)}, or raise for lines whose factor cannot be computed."""
    beam_energy = read_beam_energy(spectra)
    found = {line: computed_factor(line, beam_energy) for line in lines}
    failed = [line for line, factor in found.items() if factor is None]
    if failed:
        raise ValueError(
            f"factors: none can be computed for {name_some(failed)} at a beam energy of "
            f"{beam_energy:g} keV"
        )
    return found


def _scaled(computed, given, spectra):
    """Return computed factors relative to the same line as those given."""
    if not given:
        return computed
    same = _compute(given, spectra)
    ratios = [np.log(given[line][0] / same[line][0]) for line in given]
    variances = [
        (same[line][1] / same[line][0]) ** 2 + (given[line][1] / given[line][0]) ** 2
        for line in given
    ]
    scale, of_scale = np.exp(np.mean(ratios)), np.sqrt(np.sum(variances)) / len(given)
    return {
        line: (float(scale * value), float(scale * value * np.hypot(sigma / value, of_scale)))
        for line, (value, sigma) in computed.items()
    }
