# SPDX-License-Identifier: GPL-3.0-or-later
"""Every name of earlier versions still works: it warns, names the new one, and gives the same."""

import warnings

import numpy as np
import pytest
from hyperspy.exceptions import VisibleDeprecationWarning

from hyperspy_psnmf import PSNMF
from tests.helpers.maps import CALL, FREE, assert_same_results

QUICK = {**CALL, **FREE, "binning": 4}

# Keywords of a decomposition: the old, the new, and what the warning says.
KEYWORDS = [
    ({"volume": "auto"}, {"parsimony": True}, "volume='auto' .* use parsimony=True"),
    ({"spatial_prior": 0}, {"smoothing": 0}, "spatial_prior=0 .* use smoothing=0"),
    ({"spatial_prior": "auto"}, {"smoothing": True}, "spatial_prior='auto' .* use smoothing=True"),
    ({"spatial_prior": 0.5}, {"smoothing": 0.5}, "spatial_prior=0.5 .* use smoothing=0.5"),
]


def run(signal, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", VisibleDeprecationWarning)
        signal.decomposition(**{**QUICK, **keywords})
    return signal


@pytest.mark.parametrize(("old", "new", "words"), KEYWORDS, ids=str)
def test_decomposition__an_old_keyword_warns_and_means_the_new_one(grains, old, new, words):
    expected = run(grains.deepcopy(), **new)
    with pytest.warns(VisibleDeprecationWarning, match=words) as caught:
        grains.decomposition(**{**QUICK, **old})
    assert [w.filename for w in caught if "deprecated" in str(w.message)] == [__file__]
    assert_same_results(grains, expected)
    assert grains.psnmf.report() == expected.psnmf.report()
    assert grains.learning_results.psnmf.keys() == expected.learning_results.psnmf.keys()


@pytest.mark.parametrize(("old", "new", "words"), KEYWORDS, ids=str)
def test_decomposition__an_old_keyword_beside_the_new_one_is_refused(grains, old, new, words):
    with pytest.raises(TypeError, match=f"^{next(iter(old))}=.* is the old form of"):
        grains.decomposition(**{**QUICK, **old, **new})


def test_decomposition__no_parsimony_is_no_volume(grains):
    expected = run(grains.deepcopy(), volume=0)
    assert_same_results(run(grains, parsimony=False), expected)
    record = grains.learning_results.psnmf
    assert (record["parsimony"], record["volume"]) == (False, 0.0)


def test_PSNMF__old_parameters_warn_and_mean_the_new_ones():
    cube = np.random.default_rng(3).poisson(2.0, size=(9, 8, 31))
    for old, new in ((0, False), ("auto", True), (0.5, 0.5)):
        expected = PSNMF(2, volume=0, smoothing=new).fit_transform(cube)
        with pytest.warns(FutureWarning, match="spatial_prior is deprecated .* use smoothing"):
            found = PSNMF(2, volume=0, spatial_prior=old).fit_transform(cube)
        np.testing.assert_array_equal(found, expected)
    with pytest.warns(FutureWarning, match="volume='auto' is deprecated .* leave out volume"):
        found = PSNMF(2, volume="auto").fit_transform(cube)
    np.testing.assert_array_equal(found, PSNMF(2).fit_transform(cube))
    with pytest.raises(ValueError, match="spatial_prior is the old name of smoothing"):
        PSNMF(2, smoothing=0.5, spatial_prior=0).fit(cube)
