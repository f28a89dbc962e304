# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures leave the signal alone, and name the keyword of the call that was made.

More of them are in tests/trust.
"""

import warnings

import pytest

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf.nmf.validation import named
from tests.helpers.maps import CALL, FREE

REST = ["Al", "C", "Ca", "Cu", "Fe", "Mg", "Ti"]
CALLS = [
    ("element_maps", (["Si_Kb", "O_Ka"],), "; intensities='windows' "),
    ("plot_element_maps", (["Si_Kb"],), "; intensities='windows' "),
    ("quantify", (None, {"Si_Kb": 1.0, "O_Ka": 1.2}), "; intensities='windows' "),
]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hyperspy_psnmf.eds.lazy.open_counts.read_counts", MemoryError),
        ("hyperspy_psnmf.estimators.psnmf_model.PSNMFModel.fit_transform", KeyboardInterrupt),
        ("hyperspy_psnmf.eds.decompose.decompose.make_record", RuntimeError),
    ],
)
def test_decomposition__failure_anywhere_leaves_earlier_results(
    unmixed_copy, state, monkeypatch, name, error
):
    def fail(*args, **kwargs):
        raise error

    before = state(unmixed_copy)
    monkeypatch.setattr(name, fail)
    with pytest.raises(error):
        unmixed_copy.decomposition(**{**CALL, "output_dimension": 2})
    assert state(unmixed_copy) == before


def test_decomposition__interrupt_in_middle_leaves_earlier_results(
    unmixed_copy, state, monkeypatch
):
    class Bar:
        def __init__(self, *args, **kwargs): ...
        def __enter__(self):
            return self

        def __exit__(self, *exception): ...
        def set_description_str(self, *args, **kwargs): ...
        def set_postfix_str(self, *args, **kwargs): ...
        def update(self):
            raise KeyboardInterrupt

    before = state(unmixed_copy)
    monkeypatch.setattr("hyperspy_psnmf.eds.signals.progress.progressbar", Bar)
    with pytest.raises(KeyboardInterrupt):
        unmixed_copy.decomposition(**{**CALL, "output_dimension": 2, "show_progressbar": True})
    assert state(unmixed_copy) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [({"max_iter": 1}, "did not converge"), ({"binning": 1}, "counts per bin")],
)
def test_decomposition__warnings_turned_into_errors_leave_earlier_results(
    unmixed_copy, state, options, message
):
    before = state(unmixed_copy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=message):
            unmixed_copy.decomposition(**CALL, **FREE, **options)
    assert state(unmixed_copy) == before


@pytest.mark.parametrize(("call", "arguments", "words"), CALLS)
def test_line_that_the_model_lacks__advice_has_the_keyword_of_the_call(
    unmixed, call, arguments, words
):
    options = {"exclude": REST} if call == "quantify" else {}
    with pytest.raises(ValueError, match="Si_Kb recorded with its main line Si_Ka") as error:
        getattr(unmixed.psnmf, call)(*arguments, **options)
    assert words in str(error.value)
    others = {"method=", "intensities="} - {words[2:].partition("'")[0]}
    assert not any(other in str(error.value) for other in others)


def test_line_that_the_model_lacks__ambiguity_names_the_other_call(unmixed):
    with pytest.raises(ValueError, match=r"s.psnmf.quantify\(\) with intensities='windows'"):
        unmixed.psnmf.ambiguity(factors={"Si_Kb": 1.0, "O_Ka": 1.2})


@pytest.mark.parametrize(
    "options", [{"binning": 13}, {"energy_binning": 100}, {"output_dimension": 321}], ids=str
)
def test_too_many_phases__named_as_given(grains, options):
    call = {"algorithm": "PSNMF", "output_dimension": 7, "print_info": False, **options}
    with pytest.raises(ValueError, match=f"output_dimension={call['output_dimension']}") as error:
        grains.decomposition(**call)
    assert "n_components" not in str(error.value)


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (PSNMF(7, binning=13), "fewer than n_components=7"),
        (PSNMF(321), "=321, the n_components of the estimator, is too large"),
        (PoissonNMF(321), "=321, the n_components of the estimator, is too large"),
    ],
    ids=["bins", "PSNMF", "PoissonNMF"],
)
def test_too_many_phases_of_an_estimator__named_as_there(grains, estimator, words):
    with pytest.raises(ValueError, match=words):
        grains.decomposition(algorithm=estimator, print_info=False)


@pytest.mark.parametrize("kind", [TypeError, ValueError])
def test_named__whole_words_and_these_errors_only(kind):
    with pytest.raises(kind, match=r"^b=1, but not aa=2 nor a$"), named(a="b"):
        raise kind("a=1, but not aa=2 nor a")
    with pytest.raises(RuntimeError, match="a=1"), named(a="b"):
        raise RuntimeError("a=1")
