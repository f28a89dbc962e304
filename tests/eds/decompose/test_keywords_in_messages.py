# SPDX-License-Identifier: GPL-3.0-or-later
"""The keyword that a message names is one of the call that was made."""

import pytest

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf.nmf.validation import named

REST = ["Al", "C", "Ca", "Cu", "Fe", "Mg", "Ti"]
CALLS = [
    ("element_maps", (["Si_Kb", "O_Ka"],), "; method='windows' "),
    ("plot_element_maps", (["Si_Kb"],), "; method='windows' "),
    ("quantify", (None, {"Si_Kb": 1.0, "O_Ka": 1.2}), "; intensities='windows' "),
]


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
