# SPDX-License-Identifier: GPL-3.0-or-later
"""Axes of a map and its pixels and channels in use, read from the signal once and passed on."""

import warnings
from dataclasses import dataclass

import numpy as np

from hyperspy_psnmf.eds.signals.axes import channels_within, energies, map_shape
from hyperspy_psnmf.eds.xray.detector import COARSE_CHANNEL, LINE_WIDTH
from hyperspy_psnmf.nmf.validation import check_int


@dataclass(frozen=True, eq=False)
class MapInput:
    """Shape and energies of a map, and which pixels and channels of it are used.

    Attributes
    ----------
    shape : tuple of int
        Of the map, in array order.
    n_channels : int
        Of the energy axis.
    keep_pixels : ndarray of bool of shape (n_pixels,) or None
        Pixels in use, in C order; None for all.
    keep_channels : ndarray of bool of shape (n_channels,) or None
        Channels in use; None for all.
    counts_per_unit : float
        What the data are multiplied by to be counts.
    energy : ndarray of shape (n_channels,) or None
        In keV; None where the axis has no unit of energy.
    why_no_energy : str
        Message of the error then.
    """

    shape: tuple[int, ...]
    n_channels: int
    keep_pixels: np.ndarray | None
    keep_channels: np.ndarray | None
    counts_per_unit: float
    energy: np.ndarray | None
    why_no_energy: str

    @classmethod
    def of(cls, signal, keep_pixels=None, keep_channels=None, counts_per_unit: float = 1.0):
        """Return the input of a signal; see the attributes."""
        energy, why_no_energy = None, ""
        try:
            energy = energies(signal)
        except ValueError as error:
            why_no_energy = str(error)
        return cls(
            map_shape(signal),
            signal.axes_manager.signal_size,
            keep_pixels,
            keep_channels,
            counts_per_unit,
            energy,
            why_no_energy,
        )

    @property
    def n_pixels_in_use(self) -> int:
        """Number of pixels in use."""
        return int(np.prod(self.shape) if self.keep_pixels is None else self.keep_pixels.sum())

    @property
    def n_channels_in_use(self) -> int:
        """Number of channels in use."""
        return self.n_channels if self.keep_channels is None else int(self.keep_channels.sum())

    @property
    def energy_in_use(self) -> np.ndarray | None:
        """Energies of the channels in use in keV, or None."""
        keep = slice(None) if self.keep_channels is None else self.keep_channels
        return None if self.energy is None else self.energy[keep]

    @property
    def window(self) -> slice:
        """Channels from the first in use to the last."""
        if self.keep_channels is None:
            return slice(0, self.n_channels)
        used = np.flatnonzero(self.keep_channels)
        return slice(int(used[0]), int(used[-1]) + 1)

    @property
    def inside(self) -> np.ndarray:
        """Which channels of the window are in use."""
        if self.keep_channels is None:
            return np.ones(self.n_channels, dtype=bool)
        return self.keep_channels[self.window]

    def require_energy(self) -> np.ndarray:
        """Return the energies of all channels in keV, or raise ValueError without any."""
        if self.energy is None:
            raise ValueError(self.why_no_energy)
        return self.energy

    def require_rising(self) -> None:
        """Raise ValueError unless energies rise from channel to channel, as fits of lines need."""
        energy = self.require_energy()
        if energy[-1] < energy[0]:
            raise ValueError(
                f"the energy axis of the signal falls, from {energy[0]:.4g} to "
                f"{energy[-1]:.4g} keV, but X-ray lines are measured on a rising axis only: "
                "reverse it with s.isig[::-1] and decompose the map again"
            )

    @property
    def channel_width(self) -> float:
        """Median width of channels in keV; ValueError without energies."""
        return float(np.median(np.abs(np.diff(self.require_energy()))))

    @property
    def line_width(self) -> int:
        """Number of channels over which the background varies more slowly than lines."""
        # An axis without units has been warned of.
        return 1 if self.energy is None else max(1, round(LINE_WIDTH / self.channel_width))

    def resolve_energy_binning(self, energy_binning, *, stacklevel: int = 2) -> int:
        """Return channels per coarse channel; "auto" is nearest to 40 eV.

        At least 32 of the channels in use remain.
        """
        if not isinstance(energy_binning, str):
            return check_int("energy_binning", energy_binning)
        if energy_binning != "auto":
            raise ValueError(f"energy_binning must be 'auto' or an int, not {energy_binning!r}")
        if self.energy is None:
            warnings.warn(
                f"energy_binning='auto' takes single channels: {self.why_no_energy}",
                stacklevel=stacklevel + 1,
            )
            return 1
        return channels_within(COARSE_CHANNEL, self.channel_width, self.n_channels_in_use)
