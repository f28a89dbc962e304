# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile maps and arguments: the error that names them, or the result that is documented.

These come on top of ``tests/eds/test_bad_input.py``, which tries the arguments one by one;
the other tables here are for the accessor, estimators, command line and phantoms.
"""

import warnings

import exspy
import numpy as np
import pytest
from hyperspy.signals import BaseSignal, Signal1D, Signal2D
from maps import describe_state
from versions import NEEDS_FLOATS

NAME = "the signal's data"
QUIET = {"algorithm": "PSNMF", "print_info": False, "show_progressbar": False}


def with_data(function):
    def make(s):
        s.data = function(s.data)
        return s

    return make


def with_axis(function):
    def make(s):
        function(s.axes_manager.signal_axes[0])
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


def one_count(d):
    d = np.zeros_like(d)
    d[3, 4, 50] = 1
    return d


# name: (what to do to the map, exception, what the message must hold)
REFUSED_MAPS = {
    "structured": (with_data(lambda d: np.zeros(d.shape, [("a", "i4")])), TypeError, NAME),
    "timedelta": (with_data(lambda d: d.astype("m8[s]")), TypeError, f"{NAME}.* timedelta"),
    "bytes": (with_data(lambda d: d.astype("S3")), TypeError, f"{NAME}.* real counts"),
    "quadruple precision": (with_data(lambda d: d.astype("g")), TypeError, f"{NAME}.* float"),
    "complex, quadruple": (with_data(lambda d: d.astype("G")), TypeError, f"{NAME}.* complex"),
    "masked array": (with_data(lambda d: np.ma.masked_equal(d, 3)), TypeError, f"{NAME}.* masked"),
    "no pixels": (bare((0, 5, 31)), ValueError, "navigation .*at least 2 pixels, not 0"),
    "no channels": (bare((4, 5, 0)), ValueError, "0 channels in use"),
    "single channel": (bare((4, 5, 1)), ValueError, "one signal axis, the energy"),
    "one channel cut out": (lambda s: s.isig[50:51], ValueError, "one signal axis"),
    "huge": (everywhere(1e300), ValueError, f"{NAME} must add up to"),
    "square overflows": (everywhere(1e160), ValueError, f"{NAME} must add up to"),
    "tiny": (everywhere(1e-300), ValueError, f"{NAME} must add up to"),
    "denormal": (everywhere(5e-324), ValueError, f"{NAME} must add up to"),
    "NaN in the last chunk": (with_nan_in_one_chunk, ValueError, f"{NAME}.* finite"),
    "lazy complex": (lambda s: with_data(lambda d: d * 1j)(s.as_lazy()), TypeError, "complex"),
}


@pytest.mark.parametrize(("make", "error", "match"), REFUSED_MAPS.values(), ids=REFUSED_MAPS)
def test_a_map_that_holds_no_counts_is_refused_and_left_alone(grains, earlier, make, error, match):
    s = make(grains)
    before = earlier(s)
    with pytest.raises(error, match=match):
        s.decomposition(**QUIET, output_dimension=2)
    assert describe_state(s) == before


def all_but_two(d):
    few = np.zeros_like(d)
    few[3, 4], few[15, 20] = d[3, 4], d[15, 20]
    return few


def hot_pixel(d):
    d = d.astype("u4")
    d[3, 4] = 0
    d[3, 4, 50] = 1_000_000
    return d


def mostly_empty(d):
    return np.where(np.random.default_rng(0).random((20, 26, 1)) < 0.99, 0, d).astype(d.dtype)


def read_only(d):
    d = d.copy()
    d.setflags(write=False)
    return d


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
    "channels all zero": (with_data(lambda d: d * (np.arange(310) % 3 > 0)), None),
    "read-only data": (with_data(read_only), None),
    "data as nested lists": (with_data(lambda d: d.tolist()), None),
    "data in Fortran order": (with_data(np.asfortranarray), None),
    "big-endian counts": (with_data(lambda d: d.astype(">i4")), None),
    "two pixels": (lambda s: s.inav[:2, :1], "counts per bin"),
    "a non-uniform energy axis": (with_axis(lambda a: a.convert_to_non_uniform_axis()), None),
    "an energy axis in nm": (with_axis(lambda a: setattr(a, "units", "nm")), "single channels"),
    "an energy axis that falls": (with_axis(lambda a: setattr(a, "scale", -0.01)), "zero peak"),
    "no metadata": (lambda s: exspy.signals.EDSTEMSpectrum(s.data), "single channels"),
    "no metadata, SEM": (lambda s: exspy.signals.EDSSEMSpectrum(s.data), "single channels"),
}


@pytest.mark.parametrize(("make", "warning"), TAKEN_MAPS.values(), ids=TAKEN_MAPS)
def test_an_awkward_map_keeps_its_counts_and_is_left_alone(grains, make, warning):
    s = make(grains)
    before = describe_state(s)[:-1]
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        s.decomposition(**QUIET, output_dimension=2)
    if warning is not None:
        assert any(warning in str(w.message) for w in record)
    assert describe_state(s)[:-1] == before
    factors, loadings = s.learning_results.factors, s.learning_results.loadings
    assert np.isfinite(factors).all()
    assert np.isfinite(loadings).all()
    assert min(factors.min(), loadings.min()) >= 0
    assert loadings.sum() == pytest.approx(np.asarray(s.data).sum(dtype=float), rel=1e-9)


MASK = BaseSignal(np.zeros((3, 4), bool)).T
HALVES = BaseSignal(np.full((20, 26), 0.5)).T
REFUSED_ARGUMENTS = [
    ({"output_dimension": "all"}, TypeError, "output_dimension"),
    ({"output_dimension": np.nan}, TypeError, "output_dimension"),
    ({"output_dimension": 3 + 0j}, TypeError, "output_dimension"),
    ({"output_dimension": "auto", "init": np.ones((2, 310))}, ValueError, "init"),
    ({"output_dimension": "auto", "absent": {0: ["Si"]}}, ValueError, "absent"),
    ({"absent": "Si"}, TypeError, "absent"),
    ({"absent": ["Si"]}, TypeError, "absent"),
    ({"absent": {0: "Si"}}, TypeError, "absent"),
    ({"absent": {0: 14}}, TypeError, "absent"),
    ({"absent": {0: [14]}}, ValueError, "absent"),
    ({"absent": {0: ["Xx"]}}, ValueError, "absent names 'Xx'"),
    ({"absent": {0: ["Si.General_properties"]}}, ValueError, "absent"),
    ({"absent": {0: ["H"]}}, ValueError, "absent names H"),
    ({"absent": {2: ["Si"]}}, ValueError, "absent names phase 2"),
    ({"absent": {-1: ["Si"]}}, ValueError, "absent names phase -1"),
    ({"absent": {True: ["Si"]}}, ValueError, "absent"),
    ({"absent": {None: ["Si"]}}, ValueError, "absent"),
    ({"absent": {"matrix": ["Si"]}}, ValueError, "absent.*matrix"),
    ({"spatial_prior": -1}, ValueError, "spatial_prior"),
    ({"spatial_prior": "much"}, ValueError, "spatial_prior"),
    ({"spatial_prior": None}, TypeError, "spatial_prior"),
    ({"spatial_prior": [1.0]}, TypeError, "spatial_prior"),
    ({"energy_binning": True}, TypeError, "energy_binning"),
    ({"energy_range": (0.2, np.nan)}, ValueError, "energy_range"),
    ({"energy_range": (1j, 2.0)}, TypeError, "energy_range"),
    ({"energy_range": ((1, 2), (3, 4))}, TypeError, "energy_range"),
    ({"navigation_mask": np.nan}, ValueError, "navigation_mask"),
    ({"navigation_mask": -1.0}, ValueError, "navigation_mask"),
    ({"navigation_mask": np.inf}, ValueError, "navigation_mask"),
    ({"navigation_mask": [[1], [1, 2]]}, TypeError, "navigation_mask"),
    ({"navigation_mask": {}}, ValueError, "navigation_mask"),
    ({"navigation_mask": MASK}, ValueError, "navigation_mask"),
    ({"navigation_mask": HALVES}, TypeError, "navigation_mask"),
    ({"navigation_mask": np.zeros((26, 20), [("a", "?")])}, TypeError, "navigation_mask"),
    ({"signal_mask": np.full(310, np.nan)}, TypeError, "signal_mask"),
    ({"signal_mask": np.full(310, None)}, TypeError, "signal_mask"),
    ({"signal_mask": np.zeros(310, [("a", "?")])}, TypeError, "signal_mask"),
    ({"signal_mask": Signal1D(np.zeros(5, bool))}, ValueError, "signal_mask"),
    ({"fixed_spectra": Signal2D(np.ones((5, 310)))}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": Signal1D(np.ones((2, 310)))}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": np.ones((1, 310), [("a", "f8")])}, TypeError, "fixed_spectra"),
]


def _id(value):
    values = value.items() if isinstance(value, dict) else ()
    return "-".join(f"{k}={str(v)[:24].split(' at 0x')[0]}" for k, v in values)


@pytest.mark.parametrize(("kwargs", "error", "match"), REFUSED_ARGUMENTS, ids=_id)
def test_a_wrong_argument_is_named_before_any_work(grains, earlier, monkeypatch, kwargs, error,
                                                   match):  # fmt: skip
    def work(*args, **kwargs):
        raise AssertionError("work was begun")

    monkeypatch.setattr("hyperspy_psnmf.estimators.psnmf.psnmf", work)
    before = earlier(grains)
    with pytest.raises(error, match=match):
        grains.decomposition(**{**QUIET, "output_dimension": 2, **kwargs})
    assert describe_state(grains) == before


@pytest.mark.parametrize(
    "word",
    ["psnmf", "PSNMF ", "", None, 3, object()],
    ids=lambda word: type(word).__name__ + str(word)[:6],
)
def test_what_is_not_psnmf_is_left_to_hyperspy(grains, earlier, word):
    before = earlier(grains)
    # Which refuses integers before it looks at the algorithm.
    with pytest.raises(TypeError, match=NEEDS_FLOATS):
        grains.decomposition(algorithm=word, output_dimension=2)
    assert describe_state(grains) == before
