# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf`` with arguments that make no sense: named, and the map left alone."""

import numpy as np
import pytest

from tests.helpers.hostile_maps import REFUSED_MAPS
from tests.helpers.maps import describe_state

TWO = {"Mg_Ka": 1.0, "Si_Ka": 1.0}
REST = ("Al", "Ca", "Fe", "O", "Ti")


def name(value):
    return lambda p: setattr(p, "phase_names", value)


def quantify(**kwargs):
    return lambda p: p.quantify(**{"method": "CL", "factors": TWO, "exclude": REST, **kwargs})


def lines(value):
    return lambda p: p.element_maps(value)


def number(*args, **kwargs):
    return lambda p: p.estimate_number_of_components(*args, **kwargs)


# call: (what to call, exception, what the message must hold)
CALLS = {
    "names in a dict": (name({"a": 1, "b": 2, "c": 3}), TypeError, "names"),
    "names in a set": (name({"a", "b", "c"}), TypeError, "names"),
    "names in bytes": (name([b"a", b"b", b"c"]), TypeError, "names"),
    "names, NaN": (name([np.nan, "b", "c"]), TypeError, "names"),
    "maps, an array": (lambda p: p.phase_maps(np.ones(3)), ValueError, "normalize"),
    "maps, False": (lambda p: p.phase_maps(False), ValueError, "normalize"),
    "maps, a list": (lambda p: p.phase_maps(["counts"]), ValueError, "normalize"),
    "errors of None": (lambda p: p.standard_errors(None), ValueError, "of must be one of"),
    "errors of a list": (lambda p: p.standard_errors(["maps"]), ValueError, "of must be one of"),
    "errors, given 0": (lambda p: p.standard_errors(given_spectra=0), TypeError, "given_spectra"),
    "limits, None": (lambda p: p.upper_limits(confidence=None), TypeError, "confidence"),
    "limits, 1": (lambda p: p.upper_limits(confidence=1), ValueError, "confidence"),
    "limits, NaN": (lambda p: p.upper_limits(confidence=np.nan), ValueError, "confidence"),
    "limits, True": (lambda p: p.upper_limits(confidence=True), TypeError, "confidence"),
    "limits, complex": (lambda p: p.upper_limits(confidence=0.9 + 0j), TypeError, "confidence"),
    "fractions, 0.5": (lambda p: p.phase_fractions(confidence=0.5), ValueError, "confidence"),
    "fractions, None": (lambda p: p.phase_fractions(ambiguity=None), TypeError, "ambiguity"),
    "labels, NaN": (lambda p: p.label_map(confidence=np.nan), ValueError, "confidence"),
    "labels, a word": (lambda p: p.label_map(confidence="95 %"), TypeError, "confidence"),
    "plot, 1": (lambda p: p.plot_label_map(confidence=1), ValueError, "confidence"),
    "band, array": (lambda p: p.ambiguity(confidence=np.array([0.9])), TypeError, "confidence"),
    "band, inf": (lambda p: p.ambiguity(confidence=np.inf), ValueError, "confidence"),
    "band, -k": (lambda p: p.ambiguity(factors={**TWO, "O_Ka": -1.0}), ValueError, "factors"),
    "band, no k": (lambda p: p.ambiguity(factors={**TWO, "O_Ka": 0}), ValueError, "factors"),
    "band, NaN k": (lambda p: p.ambiguity(factors={**TWO, "O_Ka": np.nan}), ValueError, "factors"),
    "band, inf k": (lambda p: p.ambiguity(factors={**TWO, "O_Ka": np.inf}), ValueError, "factors"),
    "band, True k": (lambda p: p.ambiguity(factors={**TWO, "O_Ka": True}), TypeError, "factors"),
    "band, a tuple": (lambda p: p.ambiguity(factors={"O_Ka": (1, 2, 3)}), TypeError, "factors"),
    "band, line 1": (lambda p: p.ambiguity(factors={**TWO, 1: 1.0}), ValueError, "factors: 1"),
    "band, no line": (lambda p: p.ambiguity(factors={**TWO, None: 1.0}), ValueError, "factors"),
    "plot of a line": (lambda p: p.plot_element_maps("Si_Ka"), TypeError, "xray_lines"),
    "maps, a number": (lambda p: p.element_maps(intensities=3), ValueError, "intensities"),
    "errors by none": (lambda p: p.element_map_errors(intensities=None), ValueError, "intensities"),
    "lines, a number": (lines(5), TypeError, "xray_lines"),
    "lines, numbers": (lines([5]), ValueError, "xray_lines"),
    "lines, None": (lines([None]), ValueError, "xray_lines"),
    "lines, nested": (lines([["Si_Ka"]]), ValueError, "xray_lines"),
    "lines, bytes": (lines([b"Si_Ka"]), ValueError, "xray_lines"),
    "lines, a dict": (lines({"Si_Ka": 1}), TypeError, "xray_lines"),
    "lines, an element": (lines(["Si"]), ValueError, "xray_lines: Si is no"),
    "lines, lower case": (lines(["si_ka"]), ValueError, "xray_lines: si_ka is no"),
    "lines, empty": (lines([""]), ValueError, "xray_lines"),
    "lines, no element": (lines(["_Ka"]), ValueError, "xray_lines"),
    "lines, too deep": (lines(["Si_Ka.weight"]), ValueError, "xray_lines: Si_Ka.weight is no"),
    "number, None": (number(None), TypeError, "max_components"),
    "number, True": (number(True), TypeError, "max_components"),
    "number, negative": (number(-1), ValueError, "max_components"),
    "number, folds": (number(n_folds=np.nan), TypeError, "n_folds"),
    "number, mask": (number(signal_mask="x"), ValueError, "signal_mask"),
    "number, pixels": (number(navigation_mask=np.nan), ValueError, "navigation_mask"),
    "number, range": (number(energy_range="ab"), TypeError, "energy_range"),
    "number, spectra": (number(fixed_spectra=object()), TypeError, "fixed_spectra"),
    "number, threads": (number(n_jobs="x"), TypeError, "n_jobs"),
    "number, a fourth": (number(3, 4), TypeError, "positional"),
    "method 3": (quantify(method=3), ValueError, "method"),
    "methods": (quantify(method=["CL"]), ValueError, "method"),
    "factors in a str": (quantify(factors="Mg_Ka=1"), TypeError, "factors"),
    "absorption": (quantify(absorption_correction="yes"), TypeError, "absorption_correction"),
    "reference, a str": (quantify(reference="Phase 0"), TypeError, "reference"),
    "reference, no phase": (quantify(reference={9: {"Mg": 50, "Si": 50}}), ValueError, "reference"),
    "reference, NaN": (quantify(reference={0: {"Mg": np.nan, "Si": 50}}), ValueError, "reference"),
    "reference, excluded": (quantify(reference={0: {"Mg": 50, "O": 50}}), ValueError, "reference"),
    "factor inf": (quantify(factors={"Mg_Ka": np.inf}), ValueError, "factors: Mg_Ka"),
    "factor zero": (quantify(factors={"Mg_Ka": 0}), ValueError, "factors: Mg_Ka"),
    "factor complex": (quantify(factors={"Mg_Ka": 1j}), TypeError, "factors: Mg_Ka"),
    "factor array": (quantify(factors={"Mg_Ka": np.ones(2)}), TypeError, "factors: Mg_Ka"),
    "factor None": (quantify(factors={"Mg_Ka": None}), TypeError, "factors: Mg_Ka"),
    "factor +- NaN": (quantify(factors={"Mg_Ka": (1, np.nan)}), ValueError, "factors: Mg_Ka"),
    "factor too deep": (quantify(factors={"Mg_Ka.weight": 1}), ValueError, "factors: Mg_Ka.weight"),
    "factor of 1": (quantify(factors={1: 1.0}), ValueError, "factors: 1"),
    "exclude None": (quantify(exclude=None), TypeError, "exclude"),
    "exclude 3": (quantify(exclude=[3]), ValueError, "exclude: 3"),
    "exclude too deep": (quantify(exclude=["Fe.x"]), ValueError, "exclude: Fe.x"),
    "thickness, NaN": (quantify(thickness=np.nan), ValueError, "thickness"),
    "thickness, a word": (quantify(thickness="5"), TypeError, "thickness"),
    "thickness, True": (quantify(thickness=True), TypeError, "thickness"),
    "thickness, of None": (quantify(thickness=[1, 2, None]), ValueError, "thickness"),
    "thickness, ragged": (quantify(thickness=[[1], [2, 3]]), TypeError, "thickness"),
    "density, zero": (quantify(density=0), ValueError, "density"),
    "density, complex": (quantify(density=1j), TypeError, "density"),
    "angle, NaN": (quantify(take_off_angle=np.nan), ValueError, "take_off_angle"),
    "angle, None": (quantify(take_off_angle=None), ValueError, "take_off_angle"),
    "area, inf": (quantify(method="cross_section", probe_area=np.inf), ValueError, "probe_area"),
    "area, NaN": (quantify(method="cross_section", probe_area=np.nan), ValueError, "probe_area"),
    "live time, a word": (quantify(live_time_per="frame"), ValueError, "live_time_per"),
    "live time, a number": (quantify(live_time_per=0.05), ValueError, "live_time_per"),
    "live time, a list": (quantify(live_time_per=["map"]), ValueError, "live_time_per"),
    "ambiguity, a word": (quantify(ambiguity="yes"), TypeError, "ambiguity"),
    "ambiguity, None": (quantify(ambiguity=None), TypeError, "ambiguity"),
    "region, transposed": (quantify(region=np.ones((26, 20), bool)), ValueError, "region"),
    "region, numbers": (quantify(region=np.ones((20, 26))), TypeError, "region"),
    "region, empty": (quantify(region={}), TypeError, "region"),
    "units, None": (quantify(composition_units=None), ValueError, "composition_units"),
    "intensities, a list": (quantify(intensities=["model"]), ValueError, "intensities"),
}


@pytest.mark.parametrize(("call", "error", "match"), CALLS.values(), ids=CALLS)
def test_bad_accessor_calls__wrong_argument_is_named_and_map_left_alone(
    unmixed, call, error, match
):
    before = describe_state(unmixed)
    with pytest.raises(error, match=match):
        call(unmixed.psnmf)
    assert describe_state(unmixed) == before


@pytest.mark.spot_checks("error")
@pytest.mark.parametrize(("make", "error", "match"), REFUSED_MAPS.values(), ids=REFUSED_MAPS)
def test_estimate_number_of_components__map_that_has_no_counts_has_no_number_of_phases(
    grains, make, error, match
):
    s = make(grains)
    before = describe_state(s)
    # It wants whole numbers first, but speaks of the data all the same.
    with pytest.raises(error, match=f"{match}|the signal's data"):
        s.psnmf.estimate_number_of_components(2, show_progressbar=False)
    assert describe_state(s) == before


NEED_RESULTS = {
    "phase_names": lambda p: p.phase_names,
    "phase_names, set": name(["a", "b"]),
    "phase_spectra": lambda p: p.phase_spectra(),
    "phase_maps": lambda p: p.phase_maps(),
    "phase_fractions": lambda p: p.phase_fractions(),
    "label_map": lambda p: p.label_map(),
    "element_maps": lambda p: p.element_maps(),
    "element_map_errors": lambda p: p.element_map_errors(),
    "quantify": quantify(),
    "standard_errors": lambda p: p.standard_errors(),
    "upper_limits": lambda p: p.upper_limits(),
    "ambiguity": lambda p: p.ambiguity(),
    "residuals": lambda p: p.residuals(),
    "report": lambda p: p.report(),
    "plot": lambda p: p.plot(),
    "plot_overlay": lambda p: p.plot_overlay(),
    "plot_label_map": lambda p: p.plot_label_map(),
    "plot_element_maps": lambda p: p.plot_element_maps(),
}


@pytest.mark.crossed("call", "kind")
@pytest.mark.parametrize("call", NEED_RESULTS.values(), ids=NEED_RESULTS)
@pytest.mark.parametrize("kind", ["none", "cropped", "negative", "NaN"])
def test_bad_accessor_calls__without_results_of_this_map_each_call_says_so(unmixed, call, kind):
    s = unmixed.deepcopy()
    if kind == "none":
        s.learning_results = type(s.learning_results)()
    elif kind == "cropped":
        s.crop(0, 3, 20)
    elif kind == "NaN":
        s.learning_results.factors = np.full_like(s.learning_results.factors, np.nan)
    else:
        s.learning_results.loadings = -s.learning_results.loadings
    before = describe_state(s)
    error, match = {
        "none": (RuntimeError, "no factors and loadings yet"),
        "cropped": (RuntimeError, "cropped"),
        "negative": (ValueError, "negative"),
        "NaN": (ValueError, "no finite value"),
    }[kind]
    with pytest.raises(error, match=match):
        call(s.psnmf)
    assert describe_state(s) == before


@pytest.mark.parametrize(
    ("metadata", "match"),
    [
        ({"Sample.elements": []}, "no elements"),
        ({"Sample.elements": ["Xx"]}, "no elements"),
        ({"Acquisition_instrument.TEM.beam_energy": None}, "beam energy"),
        ({"Acquisition_instrument.TEM.Detector.EDS.energy_resolution_MnKa": "x"}, "MnKa must be"),
    ],
    ids=str,
)
def test_energy_calibration__what_the_metadata_lack_is_named(unmixed, metadata, match):
    s = unmixed.deepcopy()
    for path, value in metadata.items():
        s.metadata.set_item(path, value)
    before = describe_state(s)
    with pytest.raises(ValueError, match=match):
        s.psnmf.energy_calibration()
    assert describe_state(s) == before


@pytest.mark.parametrize("value", [3, None, "x"])
def test_bad_accessor_calls__the_accessor_cannot_be_overwritten(grains, value):
    with pytest.raises(AttributeError, match="psnmf cannot be set"):
        grains.psnmf = value
    assert grains.psnmf.__class__.__name__ == "PSNMFAccessor"


@pytest.mark.slow
@pytest.mark.parametrize("value", ["x", np.nan, None, 0, True, [3]])
def test_bad_accessor_calls__maps_of_compositions_name_a_wrong_limit(unmixed, value):
    found = quantify(errors="counting")(unmixed.psnmf)
    with pytest.raises(ValueError, match="min_counts"):
        found.maps(min_counts=value)
