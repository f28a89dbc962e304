# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of a quantification when the map is gone, or when it has been pickled."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

from hyperspy_psnmf import plot

pytestmark = pytest.mark.usefixtures("close_figures")

WAYS = {
    "pickled": lambda result: pickle.loads(pickle.dumps(result)),
    "pickled twice": lambda result: pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(result)))),
    "copied": copy.copy,
    "copied deeply": copy.deepcopy,
}
HOW = {
    "atomic": {},
    "weight": {"composition_units": "weight"},
    "windows": {"intensities": "windows"},
    "ambiguity": {"ambiguity": True},
}


@pytest.fixture(scope="module")
def quantified(pristine, factors):
    """Compositions by how they were made."""
    return {
        how: pristine.deepcopy().psnmf.quantify(factors=factors, **HOW[how])
        for how in ("atomic", "weight", "windows")
    }


def assert_same_results(result, expected):
    assert str(result) == str(expected)
    assert result.table().get_string() == expected.table().get_string()
    assert result.rows() == expected.rows() or "nan" in str(expected.rows())
    maps, known = result.maps(min_counts=5), expected.maps(min_counts=5)
    for a, b in zip(maps, known, strict=True):
        np.testing.assert_allclose(a.data, b.data)
        assert a.metadata.as_dictionary() == b.metadata.as_dictionary()
        assert str(a.axes_manager) == str(b.axes_manager)


@pytest.mark.slow
@pytest.mark.thorough_cases("twice", "weight")
@pytest.mark.crossed("way", "how")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["atomic", "weight", "windows"])
def test_quantification__can_be_pickled_and_copied(minerals, quantified, how, way):
    result = quantified[how]
    other = WAYS[way](result)
    assert_same_results(other, result)
    if how != "windows":
        other.plot_line_fit()
        spectra, known = other.fit.spectra, result.fit.spectra
        assert type(spectra) is type(known)
        np.testing.assert_array_equal(spectra.data, known.data)
        variance = spectra.metadata.Signal.Noise_properties.variance
        np.testing.assert_array_equal(
            variance.data, known.metadata.Signal.Noise_properties.variance.data
        )


@pytest.mark.slow
@pytest.mark.thorough_cases("weight", "windows")
@pytest.mark.parametrize("how", HOW)
def test_quantification__does_not_keep_the_map(minerals, factors, how):
    s = minerals.deepcopy()
    result, expected = s.psnmf.quantify(factors=factors, **HOW[how]), None
    expected = result.maps()
    signal, counts = weakref.ref(s), weakref.ref(s.data)
    del s
    gc.collect()
    assert signal() is None
    assert counts() is None
    for a, b in zip(result.maps(), expected, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert len(result.rows()) == len(result.names) * len(result.elements)
    assert result.table()
    pytest.importorskip("pandas")
    assert len(result.to_dataframe()) == len(result.rows())


def test_pickled_quantification__smaller_than_the_map(minerals, plain):
    assert len(pickle.dumps(plain)) < minerals.data.nbytes / 2


@pytest.mark.slow
@pytest.mark.parametrize("call", ["residuals", "ambiguity"])
def test_other_results_with_signals__can_be_pickled_and_copied(minerals, call):
    result = getattr(minerals.psnmf, call)()
    draw = getattr(plot, f"plot_{call}")
    for way in WAYS.values():
        other = way(result)
        assert repr(other) == repr(result)
        draw(other)


@pytest.mark.slow
def test_maps__as_quantified_whatever_comes_after(minerals, factors):
    result = minerals.psnmf.quantify(factors=factors)
    expected = [m.data for m in result.maps()]
    minerals.psnmf.phase_names = ["a", "b", "c"]
    minerals.learning_results.loadings[:] = 0
    minerals.metadata.General.title = "another"
    del minerals.metadata.Acquisition_instrument
    np.testing.assert_array_equal([m.data for m in result.maps()], expected)
    assert "another" not in result.maps()[0].metadata.General.title
