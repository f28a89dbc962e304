# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests on signals share: a quiet decomposition, and all that a call must leave alone."""

import re
import warnings

import numpy as np

CALL = {"algorithm": "PSNMF", "output_dimension": 3, "print_info": False, "show_progressbar": False}
# Where tests are about pixels, channels or files, not spectra: a tenth of the time.
FREE = {"spectra": "free"}
SMALL = {"shape": (20, 26), "n_channels": 310, "counts": 400, "seed": 2}


def unmix_quietly(signal, output_dimension=3, **kwargs):
    """Decompose without a word and return the signal."""
    options = {"algorithm": "PSNMF", "print_info": False, "show_progressbar": False}
    with warnings.catch_warnings():
        # What small maps are told; tested in test_report.py.
        warnings.filterwarnings("ignore", ".*(counts per bin|counts only|zero peak)")
        signal.decomposition(output_dimension=output_dimension, **{**options, **kwargs})
    return signal


def comparable(value):
    """Return a value with arrays as bytes, for NaN is not equal to itself."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {name: comparable(each) for name, each in value.items()}
    return repr(value)


def describe_state(signal):
    """Return all that a call must leave alone, in comparable form."""
    return (
        np.asarray(signal.data).tobytes(),
        signal.data.dtype,
        signal.data.shape,
        comparable(signal.metadata.as_dictionary()),
        repr(signal.axes_manager),
        comparable(vars(signal.learning_results)),
    )


def results_of(signal):
    return signal.learning_results.factors, signal.learning_results.loadings


def assert_same_results(a, b, **tolerance):
    for x, y in zip(results_of(a), results_of(b), strict=True):
        np.testing.assert_allclose(x, y, **{"rtol": 0, "atol": 0, **tolerance})


def expected_counts(signal):
    factors, loadings = results_of(signal)
    return (loadings @ factors.T).reshape(signal._data_aligned_with_axes.shape)


def angle(a, b):
    return np.degrees(np.arccos(min(1.0, a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


def plain(value):
    """Return an id without addresses of objects, which differ between processes."""
    return re.sub(" at 0x[0-9A-F]+", "", str(value))


def stock(signal, navigation_mask=None, **kwargs):
    """HyperSpy's own decomposition of the same map."""
    s = signal.deepcopy()
    s.change_dtype(float)
    options = {"algorithm": "NMF", "output_dimension": 3, "random_state": 0, **kwargs}
    s.decomposition(
        normalize_poissonian_noise=False,
        navigation_mask=navigation_mask,
        print_info=False,
        **options,
    )
    return s
