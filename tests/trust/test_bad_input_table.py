# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile maps and arguments: the error that names them, or the result that is documented.

These come on top of ``tests/eds/decompose/test_bad_input.py``, which tries the arguments one by
one; the other tables here are for the accessor, estimators, widget, command line and phantoms, and
for metadata.
"""

import re
import warnings

import numpy as np
import pytest
from hyperspy.signals import BaseSignal, Signal1D, Signal2D

from hyperspy_psnmf import PSNMF, PoissonNMF
from tests.helpers.hostile_maps import REFUSED_MAPS, TAKEN_MAPS
from tests.helpers.maps import describe_state
from tests.helpers.versions import NEEDS_FLOATS

QUIET = {"algorithm": "PSNMF", "print_info": False, "show_progressbar": False}


@pytest.mark.parametrize(("make", "error", "match"), REFUSED_MAPS.values(), ids=REFUSED_MAPS)
def test_decomposition__map_that_has_no_counts_is_refused_and_left_alone(
    grains, earlier, make, error, match
):
    s = make(grains)
    before = earlier(s)
    with pytest.raises(error, match=match):
        s.decomposition(**QUIET, output_dimension=2)
    assert describe_state(s) == before


@pytest.mark.slow
@pytest.mark.thorough_cases("channels all zero")  # peaks of combs are fitted
@pytest.mark.parametrize(("make", "warning"), TAKEN_MAPS.values(), ids=TAKEN_MAPS)
def test_decomposition__an_awkward_map_keeps_its_counts_and_is_left_alone(grains, make, warning):
    s = make(grains)
    before = describe_state(s)[:-1]
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        s.decomposition(**QUIET, output_dimension=2)
    if warning is not None:
        assert any(re.search(warning, str(w.message)) for w in record)
    assert describe_state(s)[:-1] == before
    factors, loadings = s.learning_results.factors, s.learning_results.loadings
    assert np.isfinite(factors).all()
    assert np.isfinite(loadings).all()
    assert min(factors.min(), loadings.min()) >= 0
    assert loadings.sum() == pytest.approx(np.asarray(s.data).sum(dtype=float), rel=1e-9)


MASK = BaseSignal(np.zeros((3, 4), bool)).T
HALVES = BaseSignal(np.full((20, 26), 0.5)).T
REFUSED_ARGUMENTS = [
    ({"algorithm": "psnmf"}, ValueError, "^algorithm must be written 'PSNMF', not 'psnmf'"),
    ({"algorithm": "PSNMF "}, ValueError, "^algorithm must be written 'PSNMF', not 'PSNMF '"),
    ({"algorithm": PSNMF}, TypeError, r"^algorithm .* PSNMF\(n_components\), not the class PSNMF"),
    ({"algorithm": PoissonNMF}, TypeError, r"^algorithm .* not the class PoissonNMF"),
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
    ({"smoothing": -1}, ValueError, "smoothing"),
    ({"smoothing": "much"}, ValueError, "smoothing"),
    ({"smoothing": None}, TypeError, "smoothing"),
    ({"smoothing": [1.0]}, TypeError, "smoothing"),
    ({"guide": "HAADF"}, TypeError, "guide"),
    ({"guide": []}, ValueError, "guide"),
    ({"guide": np.ones((3, 4))}, ValueError, "guide"),
    ({"energy_binning": True}, TypeError, "energy_binning"),
    ({"counts_per_unit": 0}, ValueError, "counts_per_unit"),
    ({"counts_per_unit": -4.0}, ValueError, "counts_per_unit"),
    ({"counts_per_unit": np.inf}, ValueError, "counts_per_unit"),
    ({"counts_per_unit": "4"}, TypeError, "counts_per_unit"),
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
def test_decomposition__wrong_argument_is_named_before_any_work(
    grains, earlier, monkeypatch, kwargs, error, match
):
    def work(*args, **kwargs):
        raise AssertionError("work was begun")

    monkeypatch.setattr("hyperspy_psnmf.estimators.psnmf_model.psnmf", work)
    before = earlier(grains)
    with pytest.raises(error, match=match):
        grains.decomposition(**{**QUIET, "output_dimension": 2, **kwargs})
    assert describe_state(grains) == before


@pytest.mark.parametrize(
    "word",
    ["psnmf2", "", None, 3, object()],
    ids=lambda word: type(word).__name__ + str(word)[:6],
)
def test_decomposition__what_is_not_psnmf_is_left_to_hyperspy(grains, earlier, word):
    before = earlier(grains)
    # Which refuses integers before it looks at the algorithm.
    with pytest.raises(TypeError, match=NEEDS_FLOATS):
        grains.decomposition(algorithm=word, output_dimension=2)
    assert describe_state(grains) == before
