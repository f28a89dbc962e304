# SPDX-License-Identifier: GPL-3.0-or-later
"""Axes of a signal in keV and in array order."""

import numpy as np

from hyperspy_psnmf.eds.xray.detector import MIN_COARSE_CHANNELS

_KEV = {"keV": 1.0, "eV": 1e-3}
DECIMALS = 9  # of energies in keV


def map_shape(signal) -> tuple[int, ...]:
    """Return the navigation shape in array order."""
    return tuple(signal.axes_manager.navigation_shape[::-1])


def energies(signal, name: str = "the signal") -> np.ndarray:
    """Return the energy of every channel in keV.

    Parameters
    ----------
    signal : EDSSpectrum
        A map or spectra.
    name : str
        What to call the signal in an error.

    Raises
    ------
    ValueError
        If the energy axis has no unit of keV or eV, or no energies that rise or fall.
    """
    axis = signal.axes_manager.signal_axes[0]
    if str(axis.units) not in _KEV:
        found = f"not {axis.units}" if _is_word(axis.units) else "but it has no unit"
        raise ValueError(
            f"the unit of the energy axis of {name} must be keV or eV, {found}; "
            "set it with .axes_manager.signal_axes[0].units = 'keV'"
        )
    # Rounded, as an axis in eV and one in keV, or its crop, differ in the last digit.
    energy = np.round(np.asarray(axis.axis, dtype=float) * _KEV[str(axis.units)], DECIMALS)
    steps = np.diff(energy) if np.isfinite(energy).all() else np.zeros(1)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError(f"the energies of {name} must rise from channel to channel")
    return energy


def _is_word(units):
    # HyperSpy has <undefined> for an axis without.
    return isinstance(units, str) and bool(units.strip())


def format_energy(energy: float) -> str:
    """Return an energy in keV as in "0.27 keV"; what rounds to zero has no sign."""
    return f"{round(float(energy), 2) + 0.0:.2f} keV"


def channels_of_range(signal, energy_range) -> np.ndarray:
    """Return which channels lie in ``energy_range=(low, high)``, in keV."""
    try:
        if isinstance(energy_range, str):
            raise TypeError
        low, high = (float(e) for e in energy_range)
    except (TypeError, ValueError):
        raise TypeError(f"energy_range must be (low, high) in keV, not {energy_range!r}") from None
    energy = energies(signal)
    rounding = 1e-3 * abs(energy[-1] - energy[0]) / max(1, energy.size - 1)
    keep = (energy >= low - rounding) & (energy <= high + rounding)
    if not low < high or not keep.any():
        raise ValueError(
            f"energy_range={(low, high)} contains no channel of the energy axis, "
            f"{energy[0]:.4g} to {energy[-1]:.4g} keV"
        )
    return keep


def channels_within(width: float, channel: float, n_channels: int) -> int:
    """Return how many channels to sum to about a width, as long as 32 sums remain.

    Parameters
    ----------
    width, channel : float
        Of the sum and of a channel, in keV.
    n_channels : int
        Number of channels in use.
    """
    return max(1, min(round(width / channel), int(n_channels) // MIN_COARSE_CHANNELS))


def binning_in_array_order(binning, n_axes: int):
    """Return `binning`, given in HyperSpy's (x, y) order, in array order.

    An int and "auto" stay as they are. Fewer numbers than axes leave the last
    axes, as of a tilt series, unbinned.
    """
    if isinstance(binning, str) or np.ndim(binning) == 0:
        return binning
    binning = tuple(binning)
    if len(binning) not in {n_axes, min(n_axes, 2)}:
        raise ValueError(
            f"binning={binning} must be an int or have one int per spatial axis, in the order "
            f"of s.axes_manager.navigation_axes ({n_axes} here)"
        )
    return (binning + (1,) * (n_axes - len(binning)))[::-1]
