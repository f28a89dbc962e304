# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the EDS map, or spectra, in a file."""

from pathlib import Path

import hyperspy.api as hs

# Formats of EDS maps and spectra that HyperSpy reads without further packages.
_SUFFIXES = {".bcf", ".dm3", ".dm4", ".eds", ".elid", ".emd", ".emi", ".h5", ".hdf5", ".hspy",
             ".msa", ".pts", ".rpl", ".spc", ".spd", ".spx", ".zspy"}  # fmt: skip


def list_files(folder=".") -> list[str]:
    """Return the names of files in a folder that may hold EDS data."""
    try:
        return sorted(p.name for p in Path(folder).iterdir() if p.suffix.lower() in _SUFFIXES)
    except OSError:
        return []  # names can still be typed


def open_map(path):
    """Return the EDS map in a file.

    Parameters
    ----------
    path : str or Path
        Any file that HyperSpy reads.

    Raises
    ------
    ValueError
        If there is none in it.
    """
    loaded = _load(path)
    maps = [s for s in loaded if hasattr(s, "psnmf") and s.axes_manager.navigation_size > 1]
    if not maps:
        raise ValueError(f"{path} holds no EDS map, only {loaded}")
    # Vendors' files hold images and single spectra too; the map comes last.
    return maps[-1]


def open_spectra(path):
    """Return the EDS spectra in a file, at most one navigation axis of them.

    Raises
    ------
    ValueError
        If there are none in it.
    """
    loaded = _load(path)
    spectra = [s for s in loaded if hasattr(s, "psnmf") and s.axes_manager.navigation_dimension < 2]
    if not spectra:
        raise ValueError(f"{path} holds no EDS spectra, only {loaded}")
    return spectra[-1]


def _load(path):
    if not str(path) or not Path(path).exists():  # a .zspy is a folder
        raise ValueError(f"{path} cannot be read: there is no file {str(path)!r}")
    try:
        loaded = hs.load(path)
    except Exception as error:  # readers of broken files raise whatever they stumble over
        raise ValueError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    return loaded if isinstance(loaded, list) else [loaded]
