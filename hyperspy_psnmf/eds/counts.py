# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of an EDS signal as a CSR matrix, pixels in C order of the map.

The data are read where they lie; they are neither copied nor converted.
"""

import dask.array as da
import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.nmf.counts import check_count_dtype, count_matrix

NAME = "the signal's data"


def read_counts(signal, *, keep_pixels=None, keep_channels=None, n_jobs=None):
    """Return the counts of a signal, eager or lazy.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    keep_pixels, keep_channels : ndarray of bool, optional
        What to use. Pixels left out are empty rows, channels left out are gone.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    csr_array of shape (n_pixels, n_channels_in_use)

    Raises
    ------
    TypeError, ValueError
        If the data are no counts.
    """
    data = signal._data_aligned_with_axes
    options = {"keep_channels": keep_channels, "name": NAME, "n_jobs": n_jobs}
    if isinstance(data, da.Array):
        return _read_lazily(data, keep_pixels, options)
    return count_matrix(data, keep_rows=keep_pixels, **options)


def check_data(signal) -> None:
    """Raise unless the data could be counts; looks at no value."""
    data = signal.data
    if not isinstance(data, np.ndarray | da.Array):
        raise TypeError(f"{NAME} must be a numpy or dask array, not {type(data).__name__}")
    check_count_dtype(data.dtype, NAME)
    if signal.axes_manager.signal_dimension != 1:
        raise ValueError("the signal must have one signal axis, the energy")
    if signal.axes_manager.navigation_size < 2:
        raise ValueError(
            "the signal's navigation must have at least 2 pixels, not "
            f"{signal.axes_manager.navigation_size}"
        )


def _read_lazily(data, keep_pixels, options):
    """Bring one chunk after the other to CSR; the cube as a whole is never dense."""
    data = data.rechunk({data.ndim - 1: -1})
    shape = data.shape[:-1]
    pixel = np.arange(int(np.prod(shape))).reshape(shape)
    parts, order = [], []
    for block in np.ndindex(*data.numblocks):
        window = tuple(
            slice(sum(sizes[:b]), sum(sizes[: b + 1]))
            for sizes, b in zip(data.chunks[:-1], block[:-1], strict=True)
        )
        pixels = pixel[window].ravel()
        keep = None if keep_pixels is None else keep_pixels[pixels]
        chunk = np.asarray(data.blocks[block].compute())
        parts.append(count_matrix(chunk, keep_rows=keep, **options))
        order.append(pixels)
    stacked = sp.vstack(parts, format="csr", dtype=np.result_type(*(p.dtype for p in parts)))
    return stacked[np.argsort(np.concatenate(order))]
