# SPDX-License-Identifier: GPL-3.0-or-later
"""What a method is given and what it returns, as .npz files.

A method runs in a process of its own, in an environment that need not have this package: this
module imports NumPy and SciPy only. It is never given the truth.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True, eq=False)
class Given:
    """A map as a method gets it.

    Attributes
    ----------
    counts : csr_array of int, shape (n_pixels, n_channels)
        Pixels in C order of `shape`.
    windows : ndarray of shape (n_channels, n_lines)
        ``spectra @ windows`` are net intensities of `xray_lines` by eXSpy's windows.
    shape : tuple of int
        (ny, nx).
    scale, offset : float
        Of the energy axis, in keV.
    kind : {"TEM", "SEM"}
    beam_energy, resolution, take_off_angle : float
        In keV, eV at Mn Ka, degrees.
    thickness, density : float
        In nm and g/cm³; NaN where unknown.
    n_phases : int
    elements, xray_lines : list of str
    image : ndarray of shape (ny, nx), or of size 0
        Image of the same area, where there is one.
    """

    counts: sp.csr_array
    windows: np.ndarray
    shape: tuple[int, int]
    scale: float
    offset: float
    kind: str
    beam_energy: float
    resolution: float
    take_off_angle: float
    n_phases: int
    elements: list[str]
    xray_lines: list[str]
    thickness: float = np.nan
    density: float = np.nan
    image: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def cube(self, dtype) -> np.ndarray:
        """Counts of shape (ny, nx, n_channels)."""
        return self.counts.toarray().astype(dtype, copy=False).reshape(*self.shape, -1)


@dataclass(frozen=True, eq=False)
class Returned:
    """What a method found: ``loadings @ factors.T`` are its expected counts.

    Attributes
    ----------
    loadings : ndarray of shape (n_pixels, n_components)
    factors : ndarray of shape (n_channels, n_components)
    line_maps : ndarray of shape (n_pixels, n_lines), or of size 0
        Instead of the two, from methods that return maps of lines only.
    phases : bool
        Whether components are meant to be phases.
    signed : bool
        Whether loadings or factors may be negative.
    seconds : float
        Processor time of the analysis, without start of the process, reading and conversion
        of the counts: with one thread that of the clock, where nothing else runs.
    peak_bytes : float
        Largest resident memory of the process.
    versions : str
    failure : str
        Why there is no result.
    """

    loadings: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    factors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    line_maps: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    phases: bool = True
    signed: bool = False
    seconds: float = np.nan
    peak_bytes: float = np.nan
    versions: str = ""
    failure: str = ""


def write(item: Given | Returned, path: Path) -> None:
    """Write all fields; sparse counts as the arrays of a CSR matrix."""
    arrays = {}
    for each in fields(item):
        value = getattr(item, each.name)
        if sp.issparse(value):
            parts = {"data": value.data, "indices": value.indices, "indptr": value.indptr}
            arrays |= {f"{each.name}_{part}": array for part, array in parts.items()}
            arrays[f"{each.name}_shape"] = np.array(value.shape)
        else:
            arrays[each.name] = np.asarray(value)
    np.savez(path, **arrays)


def read_given(path: Path) -> Given:
    """Read a map that `write` has written."""
    with np.load(path) as file:
        values = {name: _plain(file[name]) for name in file.files if not name.startswith("counts")}
        data, indices, indptr, shape = (
            file[f"counts_{part}"] for part in ("data", "indices", "indptr", "shape")
        )
    values["shape"] = tuple(values["shape"].tolist())
    for name in ("elements", "xray_lines"):
        values[name] = values[name].tolist()
    return Given(counts=sp.csr_array((data, indices, indptr), shape=tuple(shape)), **values)


def read_returned(path: Path) -> Returned:
    """Read a result that `write` has written."""
    with np.load(path) as file:
        return Returned(**{name: _plain(file[name]) for name in file.files})


def _plain(array):
    return array.item() if array.ndim == 0 else array
