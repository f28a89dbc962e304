# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps nobody should give, and maps that are only awkward; each is made from a good one."""

import tempfile

import dask.array as da
import exspy
import numpy as np


def with_data(function):
    def make(s):
        s.data = function(s.data)
        return s

    return make


def with_chunks(function):
    return lambda s: with_data(function)(s.as_lazy())


def as_it_says(dtype):
    """Return what dask believes, whatever blocks turn out to be."""
    return {"dtype": dtype, "meta": np.empty((0, 0, 0), dtype)}


def with_axis(**traits):
    def make(s):
        s.axes_manager.signal_axes[0].trait_set(**traits)
        return s

    return make


def everywhere(value, dtype=float):
    return with_data(lambda d: np.full(d.shape, value, dtype))


def bare(shape, value=1.0):
    return lambda s: exspy.signals.EDSTEMSpectrum(np.full(shape, value))


def with_nan_in_one_chunk(s):
    s.data = s.data.astype(float)
    s.data[19, 25, 300] = np.nan
    s = s.as_lazy()
    s.rechunk(nav_chunks=(7, 7))
    return s


NAME = "the signal's data"
COLOURS = np.dtype({"names": ["R", "G", "B"], "formats": ["u1"] * 3})
MASKED = rf"{NAME} must not be a masked array"

# name: (what to do to the map, exception, what the message must hold)
REFUSED_MAPS = {
    "structured": (with_data(lambda d: np.zeros(d.shape, [("a", "i4")])), TypeError, NAME),
    "colours": (with_data(lambda d: np.zeros(d.shape, COLOURS)), TypeError, NAME),
    "timedelta": (with_data(lambda d: d.astype("m8[s]")), TypeError, f"{NAME}.* timedelta"),
    "bytes": (with_data(lambda d: d.astype("S3")), TypeError, f"{NAME}.* real counts"),
    "quadruple precision": (with_data(lambda d: d.astype("g")), TypeError, f"{NAME}.* float"),
    "complex, quadruple": (with_data(lambda d: d.astype("G")), TypeError, f"{NAME}.* complex"),
    "masked array": (with_data(lambda d: np.ma.masked_equal(d, 3)), TypeError, MASKED),
    "lazy masked array": (with_chunks(lambda d: da.ma.masked_equal(d, 3)), TypeError, MASKED),
    "masked chunks": (
        with_chunks(lambda d: d.map_blocks(lambda b: np.ma.masked_equal(b, 3), **as_it_says("u2"))),
        TypeError,
        MASKED,
    ),
    "complex chunks": (
        with_chunks(lambda d: d.map_blocks(lambda b: b * 1j, **as_it_says("u2"))),
        TypeError,
        f"{NAME}.* complex",
    ),
    "smaller chunks": (
        with_chunks(lambda d: d.map_blocks(lambda b: b[..., :9], **as_it_says("u2"))),
        ValueError,
        rf"{NAME} has a chunk of shape \(20, 26, 9\) in place of \(20, 26, 310\)",
    ),
    "chunks of unknown size": (
        with_chunks(lambda d: d[d.sum(axis=(1, 2)) > 0]),
        ValueError,
        f"{NAME} must have chunks of known size",
    ),
    "no pixels": (bare((0, 5, 31)), ValueError, "navigation .*at least 2 pixels, not 0"),
    "one pixel of a line": (lambda s: s.inav[:1, 0], ValueError, "at least 2 pixels, not 1"),
    "four axes": (bare((2, 3, 4, 5, 31)), ValueError, "one to 3 navigation axes, not 4"),
    "five axes": (bare((2, 2, 3, 4, 5, 31)), ValueError, "one to 3 navigation axes, not 5"),
    "no channels": (bare((4, 5, 0)), ValueError, "0 channels in use"),
    "single channel": (bare((4, 5, 1)), ValueError, "one signal axis, the energy"),
    "one channel cut out": (lambda s: s.isig[50:51], ValueError, "one signal axis"),
    "huge": (everywhere(1e300), ValueError, f"{NAME} must add up to"),
    "square overflows": (everywhere(1e160), ValueError, f"{NAME} must add up to"),
    "tiny": (everywhere(1e-300), ValueError, f"{NAME} must add up to"),
    "denormal": (everywhere(5e-324), ValueError, f"{NAME} must add up to"),
    "NaN in the last chunk": (with_nan_in_one_chunk, ValueError, f"{NAME}.* finite"),
    "lazy complex": (with_chunks(lambda d: d * 1j), TypeError, "complex"),
}


def all_but_two(d):
    few = np.zeros_like(d)
    few[3, 4], few[15, 20] = d[3, 4], d[15, 20]
    return few


def hot_pixel(d):
    d = d.astype("u4")
    d[3, 4] = 0
    d[3, 4, 50] = 1_000_000
    return d


def one_count(d):
    d = np.zeros_like(d)
    d[3, 4, 50] = 1
    return d


def mostly_empty(d):
    return np.where(np.random.default_rng(0).random((20, 26, 1)) < 0.99, 0, d).astype(d.dtype)


def read_only(d):
    d = d.copy()
    d.setflags(write=False)
    return d


def in_a_file(d):
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the array keeps it
    file.write(d.tobytes())
    file.flush()
    return np.memmap(file, d.dtype, mode="r", shape=d.shape)


def without_uniform_axis(s):
    s.axes_manager.signal_axes[0].convert_to_non_uniform_axis()
    return s


# name: (what to do to the map, what a warning must hold or None)
TAKEN_MAPS = {
    "one pixel with 1e6 counts": (with_data(hot_pixel), None),
    "99 % empty pixels": (with_data(mostly_empty), "counts per bin"),
    "two pixels with counts": (with_data(all_but_two), "counts per bin"),
    "one count": (with_data(one_count), "counts only"),
    "uint8 sums beyond 255": (everywhere(250, "u1"), None),
    "the largest uint64": (everywhere(2**64 - 1, "u8"), None),
    "counts of 1e80 in a pixel": (with_data(lambda d: np.where(d == d.max(), 1e80, d)), None),
    "values of 1e-300 among counts": (with_data(lambda d: np.where(d == 1, 1e-300, d)), None),
    "fractions of counts": (with_data(lambda d: 0.37 * d), "counts per bin"),
    "minus zero": (with_data(lambda d: np.where(d == 0, -0.0, d)), None),
    "true and false": (with_data(lambda d: d > 0), "counts per bin"),
    "half precision": (with_data(lambda d: d.astype("f2")), None),
    "channels all zero": (with_data(lambda d: d * (np.arange(310) % 3 > 0)), None),
    "read-only data": (with_data(read_only), None),
    "data in a file": (with_data(in_a_file), None),
    "data as nested lists": (with_data(lambda d: d.tolist()), None),
    "data in Fortran order": (with_data(np.asfortranarray), None),
    "big-endian counts": (with_data(lambda d: d.astype(">i4")), None),
    "big-endian floats": (with_data(lambda d: d.astype(">f8")), None),
    "one row for all": (with_data(lambda d: np.broadcast_to(d[:1], d.shape)), None),
    "axes swapped": (lambda s: s.swap_axes(0, 1), None),
    "two pixels": (lambda s: s.inav[:2, :1], "counts per bin"),
    "a line scan": (lambda s: s.inav[:, 3], "counts per bin"),
    "a non-uniform energy axis": (without_uniform_axis, None),
    "an energy axis in nm": (with_axis(units="nm"), "single channels"),
    "an energy axis in eV": (with_axis(units="eV", scale=10.0, offset=100.0), None),
    "an energy axis that falls": (with_axis(scale=-0.01), "zero peak"),
    "energies below zero": (with_axis(offset=-0.5), "zero peak"),
    "an energy scale of zero": (with_axis(scale=0.0), "energies .* must rise"),
    "an energy scale of NaN": (with_axis(scale=np.nan), "energies .* must rise"),
    "an infinite energy": (with_axis(offset=np.inf), "energies .* must rise"),
    "energies that are not binned": (with_axis(is_binned=False), None),
    "no metadata": (lambda s: exspy.signals.EDSTEMSpectrum(s.data), "single channels"),
    "no metadata, SEM": (lambda s: exspy.signals.EDSSEMSpectrum(s.data), "single channels"),
}
