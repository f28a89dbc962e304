# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements that the user excludes from a phase, as channels of the map."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np

from hyperspy_psnmf.eds.signals.learning_results import read_factors_and_loadings, stored_names
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.metadata import find_resolution
from hyperspy_psnmf.eds.xray.detector import TYPICAL_RESOLUTION, peak_fwhms
from hyperspy_psnmf.eds.xray.lines import is_element, lines_of

HALF_WIDTH = 1.2  # of a line's FWHM to either side: 99.5 % of a Gaussian


def absent_channels(signal, map_input: MapInput, absent, n_phases: int) -> np.ndarray | None:
    """Return the channels in which phases have background only.

    Parameters
    ----------
    signal : EDSSpectrum
        The map, for the resolution of its detector and the names of its phases.
    map_input : MapInput
        Of the map.
    absent : dict or None
        ``{phase: [elements]}``, a phase by its number or its name.
    n_phases : int
        Number of phases.

    Returns
    -------
    ndarray of bool of shape (n_phases, n_channels_in_use) or None

    Raises
    ------
    TypeError, ValueError
        Naming the phase or the element that does not exist.
    """
    if absent is None:
        return None
    if not isinstance(absent, Mapping):
        raise TypeError(f"absent must be a dict of lists of elements, not {absent!r}")
    energy, keep_channels = map_input.require_energy(), map_input.keep_channels
    found = np.zeros((n_phases, energy.size), dtype=bool)
    for phase, symbols in absent.items():
        if isinstance(symbols, str) or not np.iterable(symbols):
            raise TypeError(f"absent[{phase!r}] must be a list of elements, not {symbols!r}")
        row = found[_phase_number(signal, phase, n_phases)]
        for symbol in symbols:
            row |= _channels_of_element(signal, energy, symbol)
    return found if keep_channels is None else found[:, keep_channels]


def _phase_number(signal, phase, n_phases):
    if isinstance(phase, Integral) and not isinstance(phase, bool):
        if 0 <= phase < n_phases:
            return int(phase)
        raise ValueError(f"absent names phase {phase}: there are phases 0 to {n_phases - 1}")
    names = [f"Phase {i}" for i in range(n_phases)]
    if read_factors_and_loadings(signal)[0] is not None:
        stored = stored_names(signal)
        names = stored if len(stored) == n_phases else names
    if phase not in names:
        raise ValueError(f"absent names the phase {phase!r}, which is none of {names}")
    return names.index(phase)


def _channels_of_element(signal, energy, symbol):
    if not is_element(symbol):
        raise ValueError(f"absent names {symbol!r}, which is no element")
    centres = np.array(list(lines_of(symbol).values()))[:, None]
    width = peak_fwhms(find_resolution(signal) or TYPICAL_RESOLUTION, centres)
    channels = (np.abs(energy - centres) < HALF_WIDTH * width).any(axis=0)
    if not channels.any():
        raise ValueError(f"absent names {symbol}, which has no X-ray line on the energy axis")
    return channels
