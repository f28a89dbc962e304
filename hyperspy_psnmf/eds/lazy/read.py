# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of an EDS signal as a CSR matrix, pixels in C order of the map.

Eager data are read where they lie, neither copied nor converted, and lazy ones chunk by chunk.
"""

import dask.array as da
import numpy as np

from hyperspy_psnmf._compat import data_in_array_order, kind_of_chunks
from hyperspy_psnmf.eds.lazy.chunks import read_chunks
from hyperspy_psnmf.nmf.binning.bins import MOST_AXES
from hyperspy_psnmf.nmf.counts.matrix import (
    check_count_dtype,
    check_no_mask,
    count_matrix,
    scale_counts,
)

NAME = "the signal's data"


def read_counts(
    signal, *, keep_pixels=None, keep_channels=None, counts_per_unit: float = 1.0, n_jobs=None
):
    """Return the counts of a signal, eager or lazy.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    keep_pixels, keep_channels : ndarray of bool, optional
        What to use. Pixels left out are empty rows, channels left out are gone.
    counts_per_unit : float
        What the data are multiplied by to be counts.
    n_jobs : int or None
        Threads for eager data; None is all cores.

    Returns
    -------
    csr_array of shape (n_pixels, n_channels_in_use)

    Raises
    ------
    TypeError, ValueError
        If the data are no counts.
    """
    data = data_in_array_order(signal)
    if isinstance(data, da.Array):
        return read_chunks(data, keep_pixels, keep_channels, NAME, counts_per_unit)
    options = {"keep_rows": keep_pixels, "keep_channels": keep_channels, "n_jobs": n_jobs}
    return scale_counts(count_matrix(data, **options, name=NAME), counts_per_unit)


def check_any_counts(X) -> None:
    """Raise ValueError where the counts of a signal, as they were opened, are all zero."""
    if not X.nnz:  # zeros are not stored
        raise ValueError(f"{NAME} are zero everywhere in the pixels and channels in use")


def check_data(signal) -> None:
    """Raise unless the data could be counts; looks at no value."""
    data = signal.data
    if not isinstance(data, np.ndarray | da.Array):
        raise TypeError(f"{NAME} must be a numpy or dask array, not {type(data).__name__}")
    check_no_mask(data, NAME)
    if isinstance(data, da.Array):
        check_no_mask(kind_of_chunks(data), NAME)
        if np.isnan(data.shape).any():
            raise ValueError(
                f"{NAME} must have chunks of known size: call s.data.compute_chunk_sizes() first"
            )
    check_count_dtype(data.dtype, NAME)
    if signal.axes_manager.signal_dimension != 1:
        raise ValueError("the signal must have one signal axis, the energy")
    if signal.axes_manager.navigation_dimension > MOST_AXES:
        raise ValueError(
            f"the signal must have one to {MOST_AXES} navigation axes, not "
            f"{signal.axes_manager.navigation_dimension}: take one part at a time with s.inav[...]"
        )
    if signal.axes_manager.navigation_size < 2:
        raise ValueError(
            "the signal's navigation must have at least 2 pixels, not "
            f"{signal.axes_manager.navigation_size}"
        )
