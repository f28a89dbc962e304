# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user knows of phases: spectra that are fixed, and elements excluded from others.

Elements are excluded from phases of an earlier result (`absent`), or from phases by a name of the
user's (`phases`), which are found in the decomposition: each is the one that loses least of its
counts; see `nmf.parsimony.absent_lines`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from hyperspy_psnmf.eds.decompose.fixed_spectra import spectra_on_map
from hyperspy_psnmf.eds.signals.learning_results import (
    read_factors_and_loadings,
    read_record,
    stored_names,
)
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.metadata import find_resolution
from hyperspy_psnmf.eds.xray.detector import TYPICAL_RESOLUTION, peak_fwhms
from hyperspy_psnmf.eds.xray.lines import is_element, lines_of

HALF_WIDTH = 1.2  # of a line's FWHM to either side: 99.5 % of a Gaussian
EXAMPLE = '{"film": {"spectrum": film}, "core": {"absent": ["Pt"]}}'


@dataclass(frozen=True, eq=False)
class NamedPhases:
    """The argument `phases`, sorted; see `Settings`.

    Attributes
    ----------
    spectra : dict
        Fixed spectra of phases, by name.
    absent : dict of list of str
        Elements excluded from phases, by name.
    rest : list of str
        The name of the phase that is left, if there is one.
    """

    spectra: dict[str, Any]
    absent: dict[str, Any]
    rest: list[str]

    @property
    def names(self) -> list[str]:
        """Names of the fixed phases, then of those without some elements, then of the rest."""
        return [*self.spectra, *self.absent, *self.rest]


def read_phases(phases) -> NamedPhases:
    """Return the argument `phases`, sorted, or raise TypeError or ValueError naming it."""
    if not isinstance(phases, Mapping) or not phases:
        raise TypeError(f"phases must be a dict by name, as {EXAMPLE}, not {phases!r}")
    found = NamedPhases({}, {}, [])
    for name, known in phases.items():
        _check_name(name)
        if not isinstance(known, Mapping) or len(known) > 1 or not known.keys() <= set(_KINDS):
            raise TypeError(
                f"phases[{name!r}] must be a dict of either 'spectrum' or 'absent', not {known!r}"
            )
        for key, value in known.items():
            getattr(found, _KINDS[key])[name] = value
        if not known:
            found.rest.append(name)
    if len(found.rest) > 1:
        raise ValueError(
            f"phases does not say which are {', '.join(map(repr, found.rest))}: at most one may "
            "have neither spectrum nor absent. Name phases afterwards by s.psnmf.phase_names"
        )
    return found


_KINDS = {"spectrum": "spectra", "absent": "absent"}


def _check_name(name):
    if not isinstance(name, str) or not name:
        raise TypeError(f"phases must have names as keys, not {name!r}")
    if re.fullmatch(r"Phase \d+", name):
        raise ValueError(f"phases must not have the name {name!r}, which phases without one get")


@dataclass(frozen=True, eq=False)
class KnownPhases:
    """What is known of phases, on a map; fixed spectra first.

    Attributes
    ----------
    fixed : ndarray of shape (n_fixed, n_channels_in_use) or None
        Fixed spectra.
    elements : list of list of str, or None
        Those excluded, of each phase.
    absent : ndarray of bool of shape (n_phases, n_channels_in_use) or None
        The channels of these, where there is background only.
    names : list of str
        Of the first phases.
    are_found : bool
        Whether phases of excluded elements are found, and not those of an earlier result.
    earlier : ndarray of shape (n_phases, n_channels_in_use) or None
        Spectra of the earlier result whose phases elements are excluded from, if there is one.
    """

    fixed: np.ndarray | None
    elements: list[list[str]] | None
    absent: np.ndarray | None
    names: list[str]
    are_found: bool
    earlier: np.ndarray | None = None

    def recorded(self, n_phases: int, rows: np.ndarray | None) -> dict:
        """Return the entries of a record, for the rows of `absent` that phases have."""
        rows = np.arange(n_phases) if rows is None else rows
        names = [*self.names, *[""] * (n_phases - len(self.names))]
        entries: dict[str, Any] = {
            "phase_names": tuple(names[row] or f"Phase {i}" for i, row in enumerate(rows))
        }
        if self.elements is not None:
            entries["absent_elements"] = tuple(", ".join(self.elements[row]) for row in rows)
            entries["absent_found"] = self.are_found
        return entries


def read_known_phases(signal, map_input: MapInput, settings) -> KnownPhases:
    """Return what `fixed_spectra` and `absent`, or `phases`, say.

    Parameters
    ----------
    signal : EDSSpectrum
        The map, for the resolution of its detector and the names of its phases.
    map_input : MapInput
        Of the map.
    settings : Settings
        Of the decomposition.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, and the phase or the element that does not exist.
    """
    k = settings.n_phases
    if settings.phases is not None:
        given = read_phases(settings.phases)
        spectra = [_one_spectrum(name, s, map_input) for name, s in given.spectra.items()]
        fixed, name = np.vstack(spectra) if spectra else None, "phases"
        elements = _elements_of_names(given, k) if given.absent else None
        names = given.names
    else:
        fixed, name, names = settings.fixed_spectra, "absent", []
        fixed = None if fixed is None else spectra_on_map("fixed_spectra", fixed, map_input)
        elements = None if settings.absent is None else _elements(signal, settings.absent, k)
    absent = None if elements is None else _absent_channels(signal, map_input, elements, name)
    earlier = None
    if elements is not None and name == "absent":
        # Phases that are newly fixed come first, whatever was there.
        if read_record(signal).n_fixed == (0 if fixed is None else len(fixed)):
            names = _earlier_names(signal, k) or []
        earlier = _earlier_spectra(signal, map_input, k)
    return KnownPhases(fixed, elements, absent, names, name == "phases", earlier)


def _earlier_names(signal, n_phases):
    """Return the names of the phases of an earlier result; None if it has other phases."""
    if read_factors_and_loadings(signal)[0] is None:
        return None
    names = stored_names(signal)
    return names if len(names) == n_phases else None


def _earlier_spectra(signal, map_input, n_phases):
    """Return the spectra of an earlier result before exclusions; None if it has other phases."""
    factors, keep_channels = read_factors_and_loadings(signal)[0], map_input.keep_channels
    if factors is None or factors.shape != (map_input.n_channels, n_phases):
        return None
    spectra = read_record(signal).spectra_before_absent
    if spectra is None or spectra.shape != factors.T.shape:
        spectra = np.nan_to_num(np.asarray(factors).T)  # NaN in channels that were masked then
    return spectra if keep_channels is None else spectra[:, keep_channels]


def _one_spectrum(name, spectrum, map_input):
    where = f"phases[{name!r}]['spectrum']"
    found = spectra_on_map(where, spectrum, map_input)
    if len(found) != 1:
        raise ValueError(f"{where} must be one spectrum, not {len(found)}")
    return found


def _elements_of_names(given, n_phases):
    elements: list[list[str]] = [[] for _ in range(n_phases)]
    for i, (name, symbols) in enumerate(given.absent.items(), start=len(given.spectra)):
        elements[i] = _check_symbols(f"phases[{name!r}]['absent']", symbols)
        if not elements[i]:
            raise ValueError(f"phases[{name!r}]['absent'] has no element")
    return elements


def _elements(signal, absent, n_phases):
    """Return the elements excluded from each phase of an earlier result."""
    if not isinstance(absent, Mapping):
        raise TypeError(f"absent must be a dict of lists of elements, not {absent!r}")
    elements: list[list[str]] = [[] for _ in range(n_phases)]
    for phase, symbols in absent.items():
        symbols = _check_symbols(f"absent[{phase!r}]", symbols)
        elements[_phase_number(signal, phase, n_phases)] += symbols
    return elements


def _check_symbols(where, symbols):
    if isinstance(symbols, str) or not np.iterable(symbols):
        raise TypeError(f"{where} must be a list of elements, not {symbols!r}")
    return list(symbols)


def _phase_number(signal, phase, n_phases):
    if isinstance(phase, Integral) and not isinstance(phase, bool):
        if 0 <= phase < n_phases:
            return int(phase)
        raise ValueError(f"absent names phase {phase}: there are phases 0 to {n_phases - 1}")
    names = _earlier_names(signal, n_phases) or [f"Phase {i}" for i in range(n_phases)]
    if phase not in names:
        raise ValueError(f"absent names the phase {phase!r}, which is none of {names}")
    return names.index(phase)


def _absent_channels(signal, map_input, elements, name):
    """Return the channels in which phases have background only."""
    energy, keep_channels = map_input.require_energy(), map_input.keep_channels
    found = np.zeros((len(elements), energy.size), dtype=bool)
    for row, symbols in zip(found, elements, strict=True):
        for symbol in symbols:
            row |= _channels_of_element(signal, energy, symbol, name)
    return found if keep_channels is None else found[:, keep_channels]


def _channels_of_element(signal, energy, symbol, name):
    if not is_element(symbol):
        raise ValueError(f"{name} names {symbol!r}, which is no element")
    centres = np.array(list(lines_of(symbol).values()))[:, None]
    width = peak_fwhms(find_resolution(signal) or TYPICAL_RESOLUTION, centres)
    channels = (np.abs(energy - centres) < HALF_WIDTH * width).any(axis=0)
    if not channels.any():
        raise ValueError(f"{name} names {symbol}, which has no X-ray line on the energy axis")
    return channels
