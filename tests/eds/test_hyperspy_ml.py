# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment: results of PSNMF as those of hyperspy-ml, which is to succeed HyperSpy's own.

Its ``DecompositionResult`` (read at its revision 384067f of 2026) calls factors
``components`` and loadings ``scores``, and takes masks and the algorithm's name along. What
PSNMF noted about its run has no place but ``params``, which is saved as JSON; so `as_params`
is what an adapter beside ``eds/signals/learning_results.py`` would need.
"""

import json

import numpy as np
import pytest

ml = pytest.importorskip("hyperspy_ml.results.io", reason="hyperspy-ml is on no package index yet")


def as_params(record):
    """Return the record with arrays as lists."""
    return {k: v.tolist() if isinstance(v, np.ndarray | np.generic) else v
            for k, v in record.items()}  # fmt: skip


def back(result, signal):
    """Give a signal the learning results of another package's result."""
    lists = {k: np.array(v) if isinstance(v, list) else v for k, v in result.params.items()}
    signal.learning_results.__dict__.update(
        factors=result.components,
        loadings=result.scores,
        decomposition_algorithm=result.algorithm,
        navigation_mask=result.navigation_mask,
        signal_mask=result.signal_mask,
        psnmf=lists,
    )
    return signal


@pytest.fixture(params=[False, True], ids=["all", "masked"])
def decomposed(request, grains, unmix, navigation_mask, signal_mask):
    masks = {"navigation_mask": navigation_mask, "signal_mask": signal_mask}
    return unmix(grains, **masks) if request.param else unmix(grains)


def test_hyperspy_ml__its_result_has_ours(decomposed):
    ours, result = decomposed.learning_results, ml.extract_results(decomposed)
    np.testing.assert_array_equal(result.components, ours.factors)
    np.testing.assert_array_equal(result.scores, ours.loadings)
    assert result.algorithm == "PSNMF"
    assert result.output_dimension == result.number_significant_components == 3
    assert not result.poissonian_noise_normalized
    for name in ("navigation_mask", "signal_mask"):
        np.testing.assert_array_equal(getattr(result, name), getattr(ours, name))


def test_hyperspy_ml__its_model_is_the_expected_counts(decomposed):
    ours, result = decomposed.learning_results, ml.extract_results(decomposed)
    expected = (ours.loadings @ ours.factors.T).reshape(decomposed.data.shape)
    found = result.get_decomposition_model(source_signal=decomposed)
    np.testing.assert_allclose(found.data, expected)
    assert type(found) is type(decomposed)


def test_report__with_the_record_as_its_params_the_accessor_works_on_what_comes_back(decomposed):
    result = ml.extract_results(decomposed)
    result.params = json.loads(json.dumps(as_params(decomposed.learning_results.psnmf)))
    other = back(result, decomposed.deepcopy())
    assert other.psnmf.report() == decomposed.psnmf.report()
    np.testing.assert_array_equal(
        other.psnmf.standard_errors().data, decomposed.psnmf.standard_errors().data
    )
    assert repr(other.psnmf.ambiguity()) == repr(decomposed.psnmf.ambiguity())
