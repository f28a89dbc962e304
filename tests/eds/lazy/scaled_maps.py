# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of counts made into rates, means and multiples, and the scale that repairs them."""

import warnings

import numpy as np
from scipy.ndimage import gaussian_filter

from tests.helpers.lazy_maps import lazy
from tests.helpers.maps import CALL, FREE

OPTIONS = {**CALL, **FREE, "binning": 2, "init": "vertex"}


def scaled(by, dtype=float):
    return lambda s: with_data(s, (s.data.astype(float) * by).astype(dtype))


def with_data(s, values):
    s = s.deepcopy()
    s.data = values
    return s


def in_chunks(function):
    return lambda s: lazy(function(s), (7, 9, 100))


def smoothed(sigma):
    return lambda s: with_data(s, gaussian_filter(s.data.astype(float), sigma))


# name: (what to do to a map of counts, the scale that repairs it)
SCALED = {
    "counts per second": (scaled(1 / 0.05), 0.05),
    "counts per second, single precision": (scaled(1 / 0.37, np.float32), 0.37),
    "mean of frames": (scaled(1 / 4), 4),
    "mean of three frames, single precision": (scaled(1 / 3, np.float32), 3),
    "divided by the maximum": (lambda s: with_data(s, s.data / s.data.max()), None),
    "multiples of 20 in 16 bits": (scaled(20, np.uint16), 0.05),
    "multiples of 3 in 32 bits": (scaled(3, np.int32), 1 / 3),
    "lazy counts per second": (in_chunks(scaled(1 / 0.05)), 0.05),
    "lazy mean of frames": (in_chunks(scaled(1 / 4)), 4),
    "lazy multiples of 20": (in_chunks(scaled(20, np.uint16)), 0.05),
}


def warnings_of(signal, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        signal.decomposition(**{**OPTIONS, **options})
    return [str(w.message) for w in caught if "not counts" in str(w.message)]
