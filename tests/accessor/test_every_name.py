# SPDX-License-Identifier: GPL-3.0-or-later
"""Every name of earlier versions still works: it warns, names the new one, and gives the same."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from hyperspy.exceptions import VisibleDeprecationWarning

from hyperspy_psnmf import PSNMF, results
from hyperspy_psnmf.accessor.old_names import OldNames
from tests.helpers.maps import CALL, FREE, assert_same_results

pytestmark = pytest.mark.filterwarnings(
    "ignore:(spectra hardly|in the spectra, but|net counts below|lines that the spectra|only )"
)
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


@pytest.mark.slow
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


LINES = ["Si_Ka", "Mg_Ka"]
FACTORS = {"factors": {"Mg_Ka": 1.0, "Si_Ka": 1.0}, "exclude": ("Al", "Ca", "Fe", "O", "Ti")}

# Calls of the accessor with its result for a signal: the old, the new, and what the warning says.
CALLS = {
    "names": (lambda p, r: p.names, lambda p, r: p.phase_names, "s.psnmf.phase_names"),
    "method": (
        lambda p, r: p.element_maps(LINES, method="windows"),
        lambda p, r: p.element_maps(LINES, intensities="windows"),
        "use intensities=",
    ),
    "method, by position": (
        lambda p, r: p.element_maps(LINES, "windows"),
        lambda p, r: p.element_maps(LINES, intensities="windows"),
        "use intensities=",
    ),
    "standard_errors": (
        lambda p, r: p.element_maps(LINES, standard_errors=True),
        lambda p, r: (p.element_maps(LINES), p.element_map_errors(LINES)),
        "element_map_errors",
    ),
    "no standard_errors": (
        lambda p, r: p.element_maps(LINES, standard_errors=False),
        lambda p, r: p.element_maps(LINES),
        "element_map_errors",
    ),
    "plot_element_maps": (
        lambda p, r: p.plot_element_maps(LINES, "windows"),
        lambda p, r: p.plot_element_maps(LINES, intensities="windows"),
        "use intensities=",
    ),
    "plot_composition": (
        lambda p, r: p.plot_composition(r["quantify"], log=True),
        lambda p, r: r["quantify"].plot(log=True),
        r"result\.plot\(\)",
    ),
    "plot_line_fit": (
        lambda p, r: p.plot_line_fit(r["quantify"]),
        lambda p, r: r["quantify"].plot_line_fit(),
        r"result\.plot_line_fit\(\)",
    ),
    "plot_ambiguity": (
        lambda p, r: p.plot_ambiguity(result=r["ambiguity"]),
        lambda p, r: r["ambiguity"].plot(),
        r"ambiguity\(\)\.plot\(\)",
    ),
    "plot_ambiguity, computed": (
        lambda p, r: p.plot_ambiguity(confidence=0.95),
        lambda p, r: r["ambiguity"].plot(),
        r"ambiguity\(\)\.plot\(\)",
    ),
    "plot_residuals": (
        lambda p, r: p.plot_residuals(),
        lambda p, r: r["residuals"].plot(),
        r"residuals\(\)\.plot\(\)",
    ),
}


@pytest.fixture(scope="module")
def found(unmixed_free):
    """Results of the map, by the method of the accessor that returns them."""
    p = unmixed_free.psnmf
    return {
        "quantify": p.quantify(**FACTORS, errors="counting"),
        "ambiguity": p.ambiguity(),
        "residuals": p.residuals(),
    }


def drawn(result):
    """Return names, signals and figures as what can be compared."""
    if isinstance(result, list | tuple):
        return [drawn(each) for each in result]
    if hasattr(result, "findobj"):
        lines = result.findobj(lambda artist: hasattr(artist, "get_xydata"))
        return [np.nan_to_num(line.get_xydata()).tolist() for line in lines]
    if isinstance(result, np.ndarray):
        return drawn(list(result.ravel()))
    return np.nan_to_num(result.data).tolist() if hasattr(result, "data") else result


@pytest.mark.slow
@pytest.mark.usefixtures("close_figures")
@pytest.mark.parametrize(("old", "new", "words"), CALLS.values(), ids=CALLS)
def test_accessor__an_old_name_warns_and_gives_the_same(unmixed_free, found, old, new, words):
    with pytest.warns(VisibleDeprecationWarning, match=words) as caught:
        before = old(unmixed_free.psnmf, found)
    assert [w.filename for w in caught if "deprecated" in str(w.message)] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error", VisibleDeprecationWarning)
        now = new(unmixed_free.psnmf, found)
    assert type(before) is type(now)
    assert drawn(before) == drawn(now)


def test_names__set_by_the_old_name(unmixed_free):
    signal = unmixed_free.deepcopy()
    with pytest.warns(VisibleDeprecationWarning, match="phase_names"):
        signal.psnmf.names = ["a", "b", "c"]
    assert signal.psnmf.phase_names == ["a", "b", "c"]


def test_accessor__every_old_name_is_tried():
    names = {name for name in vars(OldNames) if not name.startswith("_")}
    assert names <= CALLS.keys()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda p: p.element_maps(LINES, "model", "windows"), TypeError, "one intensities"),
        (lambda p: p.element_maps(LINES, "model", method="model"), TypeError, "one intensities"),
        (lambda p: p.element_maps(LINES, "model", intensities="model"), TypeError, "one intens"),
        (lambda p: p.element_maps(LINES, standard_errors="yes"), TypeError, "standard_errors"),
        (lambda p: p.plot_element_maps(LINES, standard_errors=True), TypeError, "standard_errors"),
        (lambda p: p.plot_ambiguity(result="x"), TypeError, "result.*Ambiguity"),
        (lambda p: p.plot_residuals(result=p), TypeError, "result.*Residuals"),
        (lambda p: p.plot_composition(None), TypeError, "result.*Quantification"),
        (lambda p: p.plot_line_fit({}), TypeError, "result.*Quantification"),
    ],
)
@pytest.mark.filterwarnings("ignore::hyperspy.exceptions.VisibleDeprecationWarning")
def test_accessor__old_names_with_bad_arguments_name_them(unmixed_free, call, error, match):
    with pytest.raises(error, match=match):
        call(unmixed_free.psnmf)


@pytest.mark.slow
@pytest.mark.usefixtures("close_figures")
@pytest.mark.parametrize("how", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
@pytest.mark.parametrize("name", ["quantify", "ambiguity", "residuals"])
def test_results__copied_and_pickled_they_are_what_they_were(found, name, how):
    kind = {"quantify": "Quantification", "ambiguity": "Ambiguity", "residuals": "Residuals"}[name]
    cls, again = getattr(results, kind), how(found[name])
    assert type(again) is type(found[name]) is cls
    assert isinstance(again, cls.__mro__[2])  # the result of `eds`
    assert drawn(again.plot()[1]) == drawn(found[name].plot()[1])


def test_results__its_names_are_those_of_what_it_has():
    assert [name for name in results.__all__ if getattr(results, name).__name__ != name] == []
