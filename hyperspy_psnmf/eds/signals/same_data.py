# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that stored results belong to a map's counts, by a fingerprint of the data.

The fingerprint is the shape of the data, and the counts and a checksum of some hundred
spectra, evenly distributed over the map (of all spectra of a small map). A flip, a transposition or
other data change most of them, while a change of a few pixels of a large map may miss them.

The values of lazy data are not read for the check, which compares shapes alone. Their
fingerprint has no checksum, for it is made of the counts that the decomposition read; calls
that read the counts again compare those (`check_counts`).
"""

import zlib
from itertools import chain, combinations, permutations, product

import dask.array as da
import numpy as np

from hyperspy_psnmf._compat import data_in_array_order
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.record import Record
from hyperspy_psnmf.nmf.counts.matrix import total_counts

N_VALUES = 2**18  # compared at most: 0.4 ms, a twentieth of one sum over 128 x 128 x 1980 counts
MULTIPLIER = 2654435761  # 2**32 over the golden ratio: multiples of it are spread evenly
ROUNDING = 1e-5  # relative, of sums of counts that are no integers


def make_fingerprint(signal, X, map_input: MapInput) -> dict:
    """Return the fingerprint of a map's data, as entries of the record.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    X : csr_array or CountBlocks of shape (n_pixels, n_channels_in_use)
        Its counts; pixels left out are empty.
    map_input : MapInput
        Which pixels and channels are used: the rest may change.
    """
    data = data_in_array_order(signal)
    rows, shape = _pixels_compared(data.shape), {"data_shape": list(data.shape)}
    if isinstance(data, da.Array):
        return {**shape, "data_pixel_counts": total_counts(X, axis=1)[rows].astype(float)}
    spectra = _read_spectra(data, rows, map_input.keep_pixels, map_input.keep_channels)
    counts = spectra.sum(axis=1, dtype=float)
    return {**shape, "data_pixel_counts": counts, "data_checksum": zlib.crc32(spectra)}


def find_change(signal, record: Record, keep_pixels, keep_channels, expected) -> str:
    """Return how the data have changed since a record was made, or "" if they have not.

    Parameters
    ----------
    signal : EDSSpectrum
        The map, with as many pixels and channels as then.
    record : Record
        With the fingerprint; those of earlier versions have none, and no change is found.
    keep_pixels, keep_channels : ndarray of bool or None
        What the decomposition used.
    expected : callable
        Returns the spectra that the results give for an array of pixels. A map of these, as
        from ``get_decomposition_model()``, has its results copied along, and they fit it.

    Returns
    -------
    str
        As in "flipped along x"; empty if the data are the same, or lazy.
    """
    data = data_in_array_order(signal)
    if record.data_pixel_counts is None or isinstance(data, da.Array):
        return ""
    masks, rows = (keep_pixels, keep_channels), _pixels_compared(data.shape)
    if data.dtype.kind not in "buif":
        return "replaced"
    spectra = _read_spectra(data, rows, *masks)
    if _is_same(spectra, record) or _is_model(spectra, expected(rows), *masks, rows):
        return ""
    data = data.reshape(record.data_shape)
    for permutation, flipped in _ways(data.ndim):
        moved = np.flip(data.transpose(permutation), flipped)
        if moved.shape == data.shape and _is_same(_read_spectra(moved, rows, *masks), record):
            return _describe(signal, permutation, flipped)
    return _describe_values(spectra.sum(axis=1, dtype=float), record.data_pixel_counts)


def check_counts(X, record: Record, keep_pixels) -> None:
    """Raise RuntimeError unless counts read again, of lazy data, are those of a record.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels_in_use)
    record : Record
        With the fingerprint, or without.
    keep_pixels : ndarray of bool of shape (n_pixels,)
        Pixels read.
    """
    if record.data_pixel_counts is None:
        return
    shape = record.data_shape
    rows = _pixels_compared(shape)
    kept = keep_pixels[rows]
    now, then = total_counts(X, axis=1)[rows][kept], record.data_pixel_counts[kept]
    if not _in_proportion(now, then):
        raise RuntimeError(refusal(_describe_values(now, then)))


def refusal(what: str) -> str:
    """Return the message for data that have been changed in some way."""
    return (
        f"the map has been {what} since its decomposition, whose results do not fit it any more: "
        "decompose it again"
    )


def _pixels_compared(shape):
    """Return the indices of pixels, in C order, whose spectra are compared."""
    n_pixels = int(np.prod(shape[:-1]))
    n = min(n_pixels, max(32, N_VALUES // shape[-1]))
    if n == n_pixels:
        return np.arange(n)
    fraction = np.arange(n, dtype=np.uint64) * np.uint64(MULTIPLIER) % np.uint64(2**32)
    return (fraction * np.uint64(n_pixels) >> np.uint64(32)).astype(np.intp)


def _read_spectra(data, rows, keep_pixels, keep_channels):
    # In single precision, counts are equal whichever dtype they are stored in.
    with np.errstate(over="ignore"):
        spectra = data[np.unravel_index(rows, data.shape[:-1])].astype(np.float32)
    if keep_pixels is not None:
        spectra[~keep_pixels[rows]] = 0.0
    return spectra if keep_channels is None else np.ascontiguousarray(spectra[:, keep_channels])


def _is_same(spectra, record):
    if record.data_checksum is not None:
        return zlib.crc32(spectra) == record.data_checksum
    return _in_proportion(spectra.sum(axis=1, dtype=float), record.data_pixel_counts)


def _is_model(spectra, expected, keep_pixels, keep_channels, rows):
    expected = expected if keep_channels is None else expected[:, keep_channels]
    used = slice(None) if keep_pixels is None else keep_pixels[rows]
    return np.allclose(spectra[used], expected[used], rtol=1e-4, atol=1e-6)


def _in_proportion(now, then):
    # Equal up to a factor, as counts_per_unit may have scaled the counts.
    return np.allclose(now * then.sum(), then * now.sum(), rtol=ROUNDING, atol=0.0)


def _ways(n_axes):
    """Yield permutations of the pixels' axes, and axes to flip, energy included."""
    orders = [(*order, n_axes - 1) for order in permutations(range(n_axes - 1))]
    flips = chain.from_iterable(combinations(range(n_axes), n) for n in range(n_axes + 1))
    return product(orders, list(flips))


def _describe(signal, permutation, flipped):
    am = signal.axes_manager
    axes = (*am.navigation_axes[::-1], *am.signal_axes)
    # An unfolded map has other axes than the one decomposed.
    names = [f"axis {i}" for i in range(len(permutation))]
    if len(axes) == len(names):
        names = [str(axis.name) for axis in axes]
    moves = ["transposed"] if list(permutation) != sorted(permutation) else []
    if flipped:
        moves.append("flipped along " + " and ".join(names[i] for i in flipped))
    return " and ".join(moves)


def _describe_values(now, then):
    if then.any() and now.any():
        factor = now.sum() / then.sum()
        if abs(factor - 1) > ROUNDING and _in_proportion(now, then):
            return f"multiplied by {factor:.4g}"
    n = np.count_nonzero(~np.isclose(now, then, rtol=ROUNDING, atol=0.0))
    if not n:
        return "changed (spectra have as many counts, but in other channels)"
    what = "changed" if n < now.size else "given other data"
    return f"{what} ({n} of {now.size} spectra that were compared have other counts)"
