# SPDX-License-Identifier: GPL-3.0-or-later
"""Live and real time per pixel, where the metadata may have those of the whole map.

HyperSpy's metadata do not specify which. eXSpy takes them for those of a pixel: ``sum`` and
``rebin`` multiply them by the pixels summed, and zeta factors and cross sections
turn the live time and the beam current into the dose of a pixel. But RosettaSciIO copies what
the file has, mostly the time of the whole map. It is recognised where the original metadata,
which are saved with a map, still have the same number (RosettaSciIO 0.15):

- Phenom .elid: live and real time of the map; a list of those of the pixels is beside it.
- JEOL .pts: real time of the map. There is no live time.
- Bruker .bcf: live time of the sum spectrum, if any, and real time from the line counter.
- EDAX .spd: live time of the sum spectrum, from the .spc file beside it.
- Velox .emd: with ``sum_frames=False`` only, times of the acquisition of one detector.

What Gatan's .dm3 and .dm4 files store depends on how the map was acquired, so it stays
undetermined, as does a time that is no longer the file's, as after ``rebin`` or set by hand.
"""

from collections.abc import Iterator

import numpy as np

from hyperspy_psnmf.eds.signals.metadata import read_number
from hyperspy_psnmf.nmf.validation import check_choice

PER = ("pixel", "map")
SAME = 1e-4  # relative; times are rounded on their way into the metadata
_GATAN = "ImageList.TagGroup0.ImageTags.EDS"
_JEOL = "PTTD Data.AnalyzableMap MeasData"
_PHENOM = "acquisition.scan.detectors.EDS"


def check_per(name: str, per: str | None) -> None:
    """Raise where an argument is none of "pixel", "map" and None."""
    if per is not None:
        check_choice(name, per, PER)


def time_per_pixel(signal, path: str, per: str | None = None) -> float | None:
    """Return a live or real time in the metadata per pixel, in s.

    Parameters
    ----------
    signal : EDSSpectrum
        The map. The time of a whole map is divided by the pixels of its file, if that says
        how many there are, or else by those of the signal, which must not be cropped then.
    path : str
        In the metadata, as "Acquisition_instrument.TEM.Detector.EDS.live_time".
    per : {"pixel", "map"}, optional
        Whether the time is that of a pixel or of the map. By default it is that of the map
        where it is recognised as such, undetermined where the file has another time, and that
        of a pixel where the file has none, as if simulated or set by hand.

    Returns
    -------
    float or None
        None where there is no such time or where it is undetermined.
    """
    value = read_number(signal, path)
    if value is None or per == "pixel":
        return value
    n_pixels = signal.axes_manager.navigation_size
    if per == "map":
        return value / n_pixels
    in_file = list(_times_in_file(signal, path.rpartition(".")[2]))
    if not in_file:
        return value
    pixels = [n for time, n in in_file if np.isclose(time, value, rtol=SAME, atol=0.0)]
    return value / (pixels[0] or n_pixels) if pixels and not np.isnan(pixels[0]) else None


def _times_in_file(signal, name) -> Iterator[tuple[float, float]]:
    """Yield times in the original metadata, in s, and the number of pixels of each.

    The number is 0 where the file does not have it, and NaN where the meaning of the time is
    undetermined.
    """
    is_live = name == "live_time"
    read = _Reader(signal.original_metadata)
    yield from read(f"{_PHENOM}.{name}", pixels=np.size(read.found(f"{_PHENOM}.{name}_values", ())))
    size = str(read.found(f"{_JEOL}.Meas Cond.Pixels", "0x0")).split("x")
    pixels = int(np.prod([int(n) if n.isdecimal() else 0 for n in size]))
    yield from read(f"{_JEOL}.Doc.{'LiveTime' if is_live else 'RealTime'}", pixels=pixels)
    yield from read(f"Hardware.{'LifeTime' if is_live else 'RealTime'}", unit=1e-3)  # ms
    if not is_live:
        yield from _time_of_lines(signal, read)
    if is_live:
        pixels = [read.number(f"spd_header.{n}") for n in ("nPoints", "nLines")]
        yield from read("spc_header.liveTime", pixels=np.nan_to_num(np.prod(pixels)))
    yield from read(f"DetectorMetadata.{'LiveTime' if is_live else 'RealTime'}")
    yield from read(f"{_GATAN}.{'Live' if is_live else 'Real'}_time", pixels=np.nan)


def _time_of_lines(signal, read):
    """Yield the real time of a Bruker map, as RosettaSciIO sums it, in all lines."""
    lines = np.atleast_1d(read.found("Line counter", 0.0))
    of_frame = ("LineAverage", "PixelAverage", "PixelTime")
    of_pixel = 1e-6 * np.prod([read.number(f"DSP Configuration.{n}") for n in of_frame])  # µs
    width = signal.axes_manager.navigation_shape[0]
    if lines.dtype.kind in "iuf" and np.isfinite(of_pixel) and lines.any():
        yield float(lines.sum() * of_pixel * width), 0


class _Reader:
    """Reads original metadata, whose values may be of any type."""

    def __init__(self, original):
        self._original = original

    def found(self, path, default):
        """Return what is at a path, or the default."""
        value = self._original.get_item(path)
        return default if value is None else value

    def number(self, path) -> float:
        """Return the number at a path, or NaN."""
        try:
            return float(self._original.get_item(path, np.nan))
        except (TypeError, ValueError):
            return np.nan

    def __call__(self, path, *, unit=1.0, pixels=0):
        """Yield the time at a path, if there is one, and how many pixels it is of."""
        if np.isfinite(time := self.number(path)) and time > 0:
            yield unit * time, pixels
