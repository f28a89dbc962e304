# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents of a file: EDS maps, line scans, spectra and images, and the map to unmix.

Files of Phenom, JEOL, Velox and Bruker hold several signals.
"""

from dataclasses import dataclass

import numpy as np

from hyperspy_psnmf._compat import is_lazy

MAP, LINE_SCAN, SPECTRUM, IMAGE, OTHER = "map", "line scan", "spectrum", "image", "other data"


@dataclass(frozen=True, eq=False)
class Entry:
    """A signal of a file.

    Attributes
    ----------
    number : int
        Its place in the file, from 0.
    signal : BaseSignal
    kind : {"map", "line scan", "spectrum", "image", "other data"}
        The first three are EDS signals, by their navigation axes of more than one pixel.
    counts : float or None
        Sum of an EDS signal; None for others, and where data are lazy and would have to be read.
    """

    number: int
    signal: object
    kind: str
    counts: float | None

    @property
    def title(self) -> str:
        """Title in the metadata, or an empty one."""
        return str(self.signal.metadata.get_item("General.title") or "")

    @property
    def has_pixels(self) -> bool:
        """Whether it can be unmixed."""
        return self.kind in (MAP, LINE_SCAN)

    def __str__(self):
        return f"{self.number}: {self.kind} {self.title!r} ({', '.join(self._sizes())})"

    def describe(self) -> str:
        """Return title and size, as in "'EDX' (50 x 40 pixels, 2048 channels, 380000 counts)"."""
        return f"{self.title!r} ({', '.join(self._sizes())})"

    def _sizes(self):
        am = self.signal.axes_manager
        if self.kind in (IMAGE, OTHER):
            yield " x ".join(map(str, am.navigation_shape + am.signal_shape)) or "a number"
            return
        if am.navigation_dimension:
            yield f"{' x '.join(map(str, am.navigation_shape))} pixels"
        yield f"{am.signal_size} channels"
        if self.counts is not None:
            yield f"{self.counts:.0f} counts"


def list_entries(signals) -> tuple[Entry, ...]:
    """Return an entry for each signal of a file; one pass over data in memory."""
    return tuple(_entry(number, signal) for number, signal in enumerate(signals))


def list_lines(entries) -> str:
    """Return the entries on one line, for a message."""
    return "; ".join(map(str, entries)) or "nothing"


def richest(entries) -> Entry:
    """Return the entry with most counts, maps before line scans, the last among equals.

    If the counts of one are unknown, as of lazy data, the number of pixels is compared.
    """
    counted = all(entry.counts is not None for entry in entries)

    def rank(entry):
        size = entry.counts if counted else entry.signal.axes_manager.navigation_size
        return entry.kind == MAP, size, entry.number

    return max(entries, key=rank)


def select(entries, wanted: int | str) -> Entry:
    """Return the map or line scan with a number or a title.

    Raises
    ------
    TypeError, ValueError
        If there is none, or more than one; lists what there is.
    """
    if isinstance(wanted, bool) or not isinstance(wanted, (int, str)):
        raise TypeError(f"signal must be a number or a title, not {wanted!r}")
    is_number = isinstance(wanted, int) or wanted.strip().isdecimal()
    if is_number:
        found = [entry for entry in entries if entry.number == int(wanted)]
    else:
        found = [entry for entry in entries if entry.title == wanted]
        # A HAADF image may have the title of its map.
        found = [entry for entry in found if entry.has_pixels] or found
    if len(found) == 1 and found[0].has_pixels:
        return found[0]
    problem = "is no EDS map" if found else "is not there"
    problem = "is the title of several maps: give a number" if len(found) > 1 else problem
    raise ValueError(f"signal {wanted!r} {problem}. The file holds {list_lines(entries)}")


def _entry(number, signal):
    kind = _kind(signal)
    is_eds = kind in (MAP, LINE_SCAN, SPECTRUM)
    return Entry(number, signal, kind, _count(signal) if is_eds else None)


def _kind(signal):
    am = signal.axes_manager
    if hasattr(signal, "psnmf"):
        return (SPECTRUM, LINE_SCAN, MAP)[min(sum(n > 1 for n in am.navigation_shape), 2)]
    return IMAGE if am.signal_dimension == 2 or am.navigation_dimension == 2 else OTHER


def _count(signal):
    if is_lazy(signal) or signal.data.dtype.kind not in "biuf":
        return None
    # What is not finite or masked is refused when the map is used.
    total = float(np.asarray(signal.data).sum(dtype=np.float64))
    return total if np.isfinite(total) else 0.0
