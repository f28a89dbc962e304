# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: the right exception, naming the argument, before any work is done."""

import exspy
import numpy as np
import pytest

from hyperspy_psnmf import PSNMF, PoissonNMF


def with_value(value, dtype=float):
    def make(s):
        s.data = s.data.astype(dtype)
        s.data[3, 4, 50] = value
        return s

    return make


def with_data(function):
    def make(s):
        s.data = function(s.data)
        return s

    return make


def with_two_signal_axes(s):
    s.axes_manager._axes[0].navigate = False
    return s


def without_units(s):
    return exspy.signals.EDSTEMSpectrum(s.data)


# name: (what to do to the map, exception, what the message must hold)
BAD_MAPS = {
    "negative": (with_value(-1), ValueError, "data.* not negative"),
    "negative integer": (with_value(-1, "i2"), ValueError, "data.* not negative"),
    "tiny negative": (with_value(-1e-300), ValueError, "data.* not negative"),
    "NaN": (with_value(np.nan), ValueError, "data.* finite"),
    "NaN in float32": (with_value(np.nan, "f4"), ValueError, "data.* finite"),
    "inf": (with_value(np.inf), ValueError, "data.* finite"),
    "minus inf": (with_value(-np.inf), ValueError, "data.* finite"),
    "inf in float16": (with_value(np.inf, "f2"), ValueError, "data.* finite"),
    "complex": (with_data(lambda d: d.astype(complex)), TypeError, "data.* complex"),
    "object": (with_data(lambda d: d.astype(object)), TypeError, "data.* object"),
    "string": (with_data(lambda d: d.astype("U3")), TypeError, "data.* <U3"),
    "datetime": (with_data(lambda d: d.astype("M8[s]")), TypeError, "data.* datetime"),
    "zeros": (with_data(np.zeros_like), ValueError, "data.* zero everywhere"),
    "single pixel": (lambda s: s.inav[:1, :1], ValueError, "navigation .*at least 2 pixels"),
    "one spectrum": (lambda s: s.inav[0, 0], ValueError, "navigation .*at least 2 pixels"),
    "sum spectrum": (lambda s: s.sum(), ValueError, "navigation .*at least 2 pixels"),
    "two signal axes": (with_two_signal_axes, ValueError, "one signal axis"),
}

NAN_MASK = np.full((26, 20), np.nan)
SPECTRA = np.ones((2, 310))
NEGATIVE, ZERO, NOT_A_NUMBER = SPECTRA.copy(), SPECTRA.copy(), SPECTRA.copy()
NEGATIVE[1, 3], ZERO[1], NOT_A_NUMBER[1, 3] = -1, 0, np.nan


def other_axis(s):
    other = exspy.signals.EDSTEMSpectrum(np.ones((2, 310)))
    axis = other.axes_manager.signal_axes[0]
    axis.scale, axis.offset, axis.units = 0.02, 0.1, "keV"
    return other


def without_axis_units(s):
    return exspy.signals.EDSTEMSpectrum(np.ones((2, 310)))


def shifted(s):
    other = s.inav[:2, 0].deepcopy()
    other.axes_manager.signal_axes[0].offset += 0.005
    return other


def outside(s):
    other = s.inav[:2, 0].deepcopy()
    other.axes_manager.signal_axes[0].offset += 1000
    return other


BAD_ARGUMENTS = [
    # output_dimension
    ({"output_dimension": None}, ValueError, "output_dimension"),
    ({"output_dimension": 0}, ValueError, "output_dimension"),
    ({"output_dimension": -1}, ValueError, "output_dimension"),
    ({"output_dimension": 311}, ValueError, "output_dimension"),
    ({"output_dimension": 2.5}, TypeError, "output_dimension"),
    ({"output_dimension": 3.0}, TypeError, "output_dimension"),
    *(({"output_dimension": value}, TypeError, "output_dimension") for value in (True, "3", [3])),
    # choices
    ({"refinement": "both"}, ValueError, "refinement"),
    ({"refinement": None}, ValueError, "refinement"),
    ({"refinement": True}, ValueError, "refinement"),
    ({"init": "nope"}, ValueError, "init"),
    *(({"volume": value}, ValueError, "volume") for value in (-1, "x", np.nan, np.inf)),
    *(({"volume": value}, TypeError, "volume") for value in (True, [1.0])),
    *(({"parsimony": value}, TypeError, "parsimony") for value in ("auto", 1, [True])),
    ({"parsimony": True, "volume": 0}, ValueError, "parsimony=True and volume=0 exclude"),
    ({"init": None}, ValueError, "init"),
    ({"init": SPECTRA}, ValueError, "init"),
    ({"init": np.ones((3, 309))}, ValueError, "init"),
    ({"init": np.ones((3, 2, 310))}, ValueError, "init"),
    ({"init": -np.ones((3, 310))}, ValueError, "init"),
    ({"init": np.full((3, 310), np.inf)}, ValueError, "init"),
    ({"init": 5}, ValueError, "init"),
    ({"init": object()}, TypeError, "init"),
    # binning
    ({"binning": "nope"}, ValueError, "binning"),
    ({"binning": 0}, ValueError, "binning"),
    ({"binning": -2}, ValueError, "binning"),
    ({"binning": 1.5}, TypeError, "binning"),
    ({"binning": 2.0}, TypeError, "binning"),
    ({"binning": True}, TypeError, "binning"),
    ({"binning": None}, TypeError, "binning"),
    ({"binning": 21}, ValueError, "binning"),
    ({"binning": (4, 21)}, ValueError, "binning"),
    ({"binning": 20}, ValueError, "binning=.* leaves 2 bins"),
    ({"binning": (2, 2, 2)}, ValueError, "binning"),
    ({"binning": (2,)}, ValueError, "binning"),
    ({"binning": ()}, ValueError, "binning"),
    ({"binning": (2, 1.5)}, TypeError, "binning"),
    ({"binning": ("2", "2")}, TypeError, "binning"),
    ({"binning": {2, 3}}, TypeError, "binning"),
    ({"energy_binning": 0}, ValueError, "energy_binning"),
    ({"energy_binning": "x"}, ValueError, "energy_binning"),
    ({"energy_binning": 2.0}, TypeError, "energy_binning"),
    ({"energy_binning": None}, TypeError, "energy_binning"),
    ({"energy_binning": 200}, ValueError, "energy_binning"),
    ({"energy_binning": (2, 2)}, TypeError, "energy_binning"),
    # energy_range
    ({"energy_range": (2.0, 0.5)}, ValueError, "energy_range"),
    ({"energy_range": (1.0, 1.0)}, ValueError, "energy_range"),
    ({"energy_range": (50, 60)}, ValueError, "energy_range"),
    ({"energy_range": (np.nan, 2)}, ValueError, "energy_range"),
    ({"energy_range": (1,)}, TypeError, "energy_range"),
    ({"energy_range": (1, 2, 3)}, TypeError, "energy_range"),
    ({"energy_range": 2.0}, TypeError, "energy_range"),
    ({"energy_range": "ab"}, TypeError, "energy_range"),
    ({"energy_range": "12"}, TypeError, "energy_range"),
    ({"energy_range": (None, 2.0)}, TypeError, "energy_range"),
    ({"energy_range": (1.0, 1.011)}, ValueError, "output_dimension"),
    # masks
    ({"navigation_mask": np.zeros((20, 26), bool)}, ValueError, r"navigation_mask .*\(26, 20\)"),
    ({"navigation_mask": np.zeros(520, bool)}, ValueError, "navigation_mask"),
    ({"navigation_mask": np.zeros((26, 20, 1), bool)}, ValueError, "navigation_mask"),
    ({"navigation_mask": NAN_MASK}, TypeError, "navigation_mask"),
    ({"navigation_mask": np.full((26, 20), 2)}, TypeError, "navigation_mask"),
    ({"navigation_mask": np.full((26, 20), "x")}, TypeError, "navigation_mask"),
    ({"navigation_mask": np.ones((26, 20), bool)}, ValueError, "navigation_mask"),
    ({"navigation_mask": True}, ValueError, "navigation_mask"),
    ({"navigation_mask": "vacuum"}, ValueError, "navigation_mask"),
    ({"navigation_mask": 1e9}, ValueError, "navigation_mask"),
    ({"signal_mask": np.zeros(309, bool)}, ValueError, "signal_mask"),
    ({"signal_mask": np.zeros((310, 1), bool)}, ValueError, "signal_mask"),
    ({"signal_mask": np.ones(310, bool)}, ValueError, "signal_mask"),
    ({"signal_mask": np.full(310, 0.5)}, TypeError, "signal_mask"),
    ({"signal_mask": 1.0}, ValueError, "signal_mask"),
    (
        {"signal_mask": np.arange(310) > 50, "energy_range": (2.0, 3.0)},
        ValueError,
        "signal_mask leaves no channel of energy_range",
    ),
    # fixed_spectra
    ({"fixed_spectra": NEGATIVE}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": ZERO}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": NOT_A_NUMBER}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": np.ones((4, 310))}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": np.ones((2, 311))}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": np.ones((0, 310))}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": [[1, 2], [3]]}, TypeError, "fixed_spectra"),
    *(({"fixed_spectra": x}, TypeError, "fixed_spectra") for x in ("Fe", 1j * np.ones((2, 310)))),
    ({"fixed_spectra": other_axis}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": without_axis_units}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": shifted}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": outside}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": lambda s: s}, ValueError, "fixed_spectra"),
    ({"fixed_spectra": lambda s: s.inav[:2, 0].isig[30:]}, ValueError, "fixed_spectra"),
    (
        {"fixed_spectra": np.ones((2, 310)), "signal_mask": None, "output_dimension": 1},
        ValueError,
        "fixed_spectra",
    ),
    # the rest
    ({"tol": -1e-3}, ValueError, "tol"),
    ({"tol": np.nan}, ValueError, "tol"),
    *(({"tol": value}, (TypeError, ValueError), "tol") for value in ("x", None)),
    ({"max_iter": 0}, ValueError, "max_iter"),
    ({"max_iter": 10.0}, TypeError, "max_iter"),
    ({"max_iter": None}, TypeError, "max_iter"),
    ({"n_jobs": 0}, ValueError, "n_jobs"),
    ({"n_jobs": "x"}, TypeError, "n_jobs"),
    ({"n_jobs": 1.0}, TypeError, "n_jobs"),
    ({"n_jobs": True}, TypeError, "n_jobs"),
    ({"random_state": "x"}, ValueError, "random_state"),
    ({"random_state": -1}, ValueError, "random_state"),
    ({"random_state": 1.5}, ValueError, "random_state"),
    ({"nonsense": 1}, TypeError, "nonsense"),
    ({"nonsense": 1, "Binning": 2}, TypeError, "'Binning', 'nonsense'"),
    ({"absnt": None, "centre": None}, TypeError, "absnt"),
    # estimators
    ({"algorithm": PSNMF("3")}, TypeError, "n_components|output_dimension"),
    ({"algorithm": PSNMF(3, binning=99)}, ValueError, "binning"),
    ({"algorithm": PSNMF(3, max_iter=-1)}, ValueError, "max_iter"),
    ({"algorithm": PSNMF(400)}, ValueError, "output_dimension"),
    ({"algorithm": PSNMF(3, n_jobs="x")}, TypeError, "n_jobs"),
    ({"algorithm": PSNMF(3), "tol": 1.0}, TypeError, "tol"),
    ({"algorithm": PoissonNMF(3), "init": "random"}, TypeError, "init"),
    ({"algorithm": PoissonNMF(3), "refinement": "joint"}, TypeError, "refinement"),
    ({"algorithm": PoissonNMF(3, tol=-1)}, ValueError, "tol"),
    ({"algorithm": PoissonNMF(3, init="x")}, ValueError, "init"),
]


@pytest.fixture
def no_work(monkeypatch):
    """Fail where the factorisation is begun."""

    def work(*args, **kwargs):
        raise AssertionError("work was begun")

    monkeypatch.setattr("hyperspy_psnmf.estimators.psnmf_model.psnmf", work)


def assert_fails(signal, kwargs, error, message, state):
    options = {"algorithm": "PSNMF", "output_dimension": 3, **kwargs}
    if not isinstance(options["algorithm"], str):
        options.pop("output_dimension")
    before = state(signal)
    with pytest.raises(error, match=message):
        signal.decomposition(**options)
    assert state(signal) == before


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(("make", "error", "message"), BAD_MAPS.values(), ids=BAD_MAPS)
def test_decomposition__a_bad_map_is_refused(unmixed_copy, state, no_work, make, error, message):
    s = make(unmixed_copy)
    assert_fails(s, {"output_dimension": 1}, error, message, state)


def _id(value):
    # Not the address of an object, which differs between processes.
    values = value.items() if isinstance(value, dict) else ()
    return "-".join(f"{k}={str(v)[:24].split(' at 0x')[0]}" for k, v in values)


@pytest.mark.parametrize(("kwargs", "error", "message"), BAD_ARGUMENTS, ids=_id)
def test_decomposition__bad_argument_refused(unmixed_copy, state, no_work, kwargs, error, message):
    kwargs = {
        name: value(unmixed_copy) if callable(value) and name == "fixed_spectra" else value
        for name, value in kwargs.items()
    }
    assert_fails(unmixed_copy, kwargs, error, message, state)


@pytest.mark.parametrize(("kwargs", "error", "message"), BAD_ARGUMENTS[:3], ids=_id)
def test_decomposition__lazy_bad_argument_refused(unmixed_copy, state, kwargs, error, message):
    assert_fails(unmixed_copy.as_lazy(), kwargs, error, message, state)


def test_decomposition__bad_arguments_are_refused_before_data_are_read(unmixed_copy, monkeypatch):
    def read(*args, **kwargs):
        raise AssertionError("the data were read")

    monkeypatch.setattr("hyperspy_psnmf.eds.lazy.open_counts.read_counts", read)
    for kwargs, error, message in BAD_ARGUMENTS:
        if "fixed_spectra" in kwargs or not isinstance(kwargs.get("algorithm", ""), str):
            continue
        with pytest.raises(error, match=message):
            unmixed_copy.decomposition(**{"algorithm": "PSNMF", "output_dimension": 3, **kwargs})


def test_decomposition__energies_are_asked_for_where_there_are_none(grains, state):
    s = without_units(grains)
    assert_fails(s, {"energy_range": (0.5, 2)}, ValueError, "unit of the energy axis", state)
    spectra = grains.inav[:2, 0]
    assert_fails(s, {"fixed_spectra": spectra}, ValueError, "unit of the energy axis", state)


def test_decomposition__more_phases_than_pixels_are_refused(grains, state):
    s = grains.inav[:2, :3]
    assert_fails(s, {"output_dimension": 7}, ValueError, "output_dimension=7 is too large", state)
    mask = np.ones((26, 20), bool)
    mask[:2, 0] = False
    assert_fails(grains, {"navigation_mask": mask}, ValueError, "output_dimension=3 .*2 pix", state)


def test_decomposition__a_fourth_position_is_refused_on_tem_signals(grains, state):
    before = state(grains)
    with pytest.raises(TypeError, match="by keyword"):
        grains.decomposition(False, None, True, 3, algorithm="PSNMF")
    with pytest.raises(TypeError, match="multiple values"):
        grains.decomposition(False, None, algorithm="PSNMF", navigation_mask=None)
    assert state(grains) == before
