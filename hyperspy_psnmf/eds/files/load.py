# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the EDS map, or spectra, in a file."""

from dataclasses import dataclass, replace
from pathlib import Path

import hyperspy.api as hs

from hyperspy_psnmf.eds.files.contents import (
    IMAGE,
    OTHER,
    Entry,
    list_entries,
    list_lines,
    richest,
    select,
)

# Formats of EDS maps and spectra that HyperSpy reads without further packages.
_SUFFIXES = {".bcf", ".dm3", ".dm4", ".eds", ".elid", ".emd", ".emi", ".h5", ".hdf5", ".hspy",
             ".msa", ".pts", ".rpl", ".spc", ".spd", ".spx", ".zspy"}  # fmt: skip
# Extras of RosettaSciIO with the packages that readers import.
_EXTRAS = {".emd": "eds-stream", ".zspy": "zspy"}


@dataclass(frozen=True, eq=False)
class OpenedFile:
    """The map that was chosen in a file, and what else is there.

    Attributes
    ----------
    entries : tuple of Entry
        All signals of the file, in its order.
    chosen : Entry
        That of the map.
    """

    entries: tuple[Entry, ...]
    chosen: Entry

    @property
    def map(self):
        """The EDS map."""
        return self.chosen.signal

    @property
    def others(self) -> list:
        """Other EDS signals: maps, line scans and spectra."""
        kept = [e for e in self.entries if e.kind not in (IMAGE, OTHER)]
        return [e.signal for e in kept if e is not self.chosen]

    @property
    def images(self) -> list:
        """Images, such as HAADF or BSE, as signals."""
        return [e.signal for e in self.entries if e.kind == IMAGE]

    @property
    def choices(self) -> list[Entry]:
        """What can be unmixed: maps and line scans."""
        return [entry for entry in self.entries if entry.has_pixels]

    def select(self, wanted: int | str) -> "OpenedFile":
        """Return the same with another map, by its number or title; see `open_map`."""
        return replace(self, chosen=select(self.entries, wanted))

    def sentence(self) -> str:
        """Return a sentence on the map that was opened, and on others in the file."""
        name = f"{self.chosen.kind} {self.chosen.describe()}"
        n = len(self.choices) - 1
        if not n:
            return f"The {name} was opened."
        others = "another map or line scan" if n == 1 else f"{n} other maps or line scans"
        return f"The {name} was opened, signal {self.chosen.number} of a file with {others}."


def list_files(folder=".") -> list[str]:
    """Return the names of files in a folder that may hold EDS data."""
    try:
        return sorted(p.name for p in Path(folder).iterdir() if p.suffix.lower() in _SUFFIXES)
    except OSError:
        return []  # names can still be typed


def open_map(path, signal: int | str | None = None) -> OpenedFile:
    """Return the EDS map in a file, with what else is there.

    Parameters
    ----------
    path : str or Path
        Any file that HyperSpy reads.
    signal : int or str, optional
        Which one: its number in the file, from 0, or its title. By default the map with most
        counts (of lazy data, which are not read for that, most pixels), and a line scan only
        if there is no map.

    Raises
    ------
    TypeError, ValueError
        If there is no map in it, or not that one, or several with that title; lists what there is.
    """
    entries = list_entries(_load(path))
    maps = [entry for entry in entries if entry.has_pixels]
    if not maps:
        raise ValueError(f"{path} holds no EDS map, only {list_lines(entries)}")
    return OpenedFile(entries, richest(maps) if signal is None else select(entries, signal))


def open_images(path) -> list:
    """Return the images in a file, as signals.

    Raises
    ------
    ValueError
        If there are none in it.
    """
    entries = list_entries(_load(path))
    images = [entry.signal for entry in entries if entry.kind == IMAGE]
    if not images:
        raise ValueError(f"{path} holds no image, only {list_lines(entries)}")
    return images


def open_spectra(path):
    """Return the EDS spectra in a file, at most one navigation axis of them.

    Where there are several, as of each detector and of all, those with most counts.

    Raises
    ------
    ValueError
        If there are none in it.
    """
    entries = list_entries(_load(path))
    spectra = [
        entry
        for entry in entries
        if entry.kind not in (IMAGE, OTHER) and entry.signal.axes_manager.navigation_dimension < 2
    ]
    if not spectra:
        raise ValueError(f"{path} holds no EDS spectra, only {list_lines(entries)}")
    return richest(spectra).signal


def _load(path):
    if not str(path) or not Path(path).exists():  # a .zspy is a folder
        raise ValueError(f"{path} cannot be read: there is no file {str(path)!r}")
    try:
        loaded = hs.load(path)
    except Exception as error:  # readers of broken files may raise any exception
        raise ValueError(
            f"{path} cannot be read: {type(error).__name__}: {error}{_what_to_install(path, error)}"
        ) from None
    return loaded if isinstance(loaded, list) else [loaded]


def _what_to_install(path, error):
    """Return the command that installs what a reader lacks, or nothing."""
    if not isinstance(error, ImportError):
        return ""
    extra = _EXTRAS.get(Path(path).suffix.lower(), "all")
    return f" Install what its reader needs: pip install 'rosettasciio[{extra}]'"
