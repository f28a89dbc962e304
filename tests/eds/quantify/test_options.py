# SPDX-License-Identifier: GPL-3.0-or-later
"""What quantification asks for, by name, and what it does with next to nothing."""

import warnings

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.quantify import quantify as quantify_module
from hyperspy_psnmf.eds.quantify.exspy_call import Quantifier


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"factors": None, "exclude": "Xx"}, ValueError, "exclude: Xx is no element"),
        ({"factors": None, "xray_lines": "Mg_Ka"}, TypeError, "xray_lines must be a list"),
        ({"factors": "computed", "xray_lines": ["Mg_Ka"]}, ValueError, "none for Al, Ca, Fe, O,"),
        ({"factors": "measured"}, TypeError, "factors must be a dict"),
        ({"factors": {"Mg_Kz": "computed"}}, ValueError, "Mg_Kz is no X-ray line"),
        ({"factors": {"Mg_Ka": "computed", "Si_Ka": 0}}, ValueError, "Si_Ka must be positive"),
        ({"factors": {}}, TypeError, "factors must be a dict"),
        ({"factors": [1.0, 2.0]}, TypeError, "factors must be a dict"),
        ({"factors": {"Mg_Ka": "1"}}, TypeError, "Mg_Ka must be a number"),
        ({"factors": {"Mg_Ka": True}}, TypeError, "Mg_Ka must be a number"),
        ({"factors": {"Mg_Ka": (1.0, 2.0, 3.0)}}, TypeError, "Mg_Ka must be a number"),
        ({"factors": {"Mg_Ka": -1.0}}, ValueError, "Mg_Ka must be positive"),
        ({"factors": {"Mg_Ka": np.nan}}, ValueError, "Mg_Ka must be positive"),
        ({"factors": {"Mg_Ka": (1.0, -0.1)}}, ValueError, "Mg_Ka must be positive"),
        ({"factors": {"Mg_Kz": 1.0}}, ValueError, "Mg_Kz is no X-ray line"),
        ({"factors": {"Nonsense": 1.0}}, ValueError, "Nonsense is no X-ray line"),
        ({"factors": {"Mg_Ka": 1.0, "Si_Ka": 1.0}}, ValueError, "none for Al, Ca, Fe, O, Ti"),
        ({"add": {"Fe_La": 1.0}}, ValueError, "one line per element, but two of Fe"),
        ({"add": {"Zn_Ka": 1.0}}, ValueError, "Zn_Ka not on the energy axis"),
        ({"exclude": ["Al", "Ca", "Fe", "O", "Ti", "Mg"]}, ValueError, "at least two lines"),
        ({"exclude": "Xx"}, ValueError, "exclude: Xx is no element"),
        ({"exclude": 5}, TypeError, "exclude must be a list"),
        ({"xray_lines": "Mg_Ka"}, TypeError, "xray_lines must be a list"),
        ({"xray_lines": ["Mg_Ka", "Na_Ka"]}, ValueError, "none for Na_Ka, Al"),
        ({"method": "ZAF"}, ValueError, "method must be one of"),
        ({"composition_units": "mass"}, ValueError, "composition_units must be one of"),
        ({"intensities": "guess"}, ValueError, "intensities must be one of"),
        ({"absorption_correction": 1}, TypeError, "absorption_correction must be True, False or"),
        ({"absorption_correction": "on"}, TypeError, "absorption_correction must be True, False"),
        ({"thickness": -5}, ValueError, "thickness must be positive"),
        ({"thickness": [5, 6]}, ValueError, "thickness must be positive, one number or one per"),
        ({"thickness": {"Silicate": 5}}, ValueError, "thickness must have a value for each of"),
        ({"density": "high"}, TypeError, "density must be a number"),
        ({"take_off_angle": 100}, ValueError, "take_off_angle must be"),
        ({"take_off_angle": 0}, ValueError, "take_off_angle must be"),
        ({"method": "cross_section", "probe_area": 0}, ValueError, "probe_area must be"),
        ({"confidence": 2}, ValueError, "confidence must lie"),
        ({"no_such": 2}, TypeError, "no_such"),
    ],
)
def test_quantify__bad_arguments_are_named_before_any_work(
    minerals, factors, monkeypatch, change, error, match
):
    def work(*args, **kwargs):
        raise AssertionError("lines were measured")

    monkeypatch.setattr(quantify_module, "measure_lines", work)
    arguments = {"factors": {**factors, **change.pop("add", {})}} | change
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=match):
            minerals.psnmf.quantify(**arguments)


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("CL", "beam_energy", "beam_energy"),
        ("CL", "Detector.EDS.energy_resolution_MnKa", "energy_resolution_MnKa"),
        ("zeta", "beam_current", "beam_current"),
        ("zeta", "Detector.EDS.live_time", "live_time"),
        ("cross_section", "beam_current", "beam_current"),
        ("cross_section", "Detector.EDS.live_time", "live_time"),
    ],
)
def test_quantify__what_metadata_lack_is_named_with_call_that_sets_it(
    minerals, factors, method, path, call
):
    *parents, last = path.split(".")
    node = minerals.metadata.Acquisition_instrument.TEM
    for name in parents:
        node = node[name]
    delattr(node, last)
    with pytest.raises(ValueError, match=rf"set_microscope_parameters\({call}"):
        minerals.psnmf.quantify(method, factors)


@pytest.mark.slow
def test_quantify__a_probe_area_is_asked_for_where_axes_have_no_length(minerals, factors):
    for axis in minerals.axes_manager.navigation_axes:
        axis.units = "s"
    with pytest.raises(ValueError, match=r"probe_area is not known.*pass probe_area"):
        minerals.psnmf.quantify("cross_section", factors)
    assert minerals.psnmf.quantify("cross_section", factors, probe_area=2.0).detected.any()


@pytest.mark.slow
def test_quantify__phases_without_counts_are_nan_and_no_hundred_per_cent(minerals, factors):
    loadings = minerals.learning_results.loadings.copy()
    loadings[:, 1] = 0.0
    minerals.learning_results.loadings = loadings
    with pytest.warns(UserWarning, match="Ferropericlase: too few counts"):
        found = minerals.psnmf.quantify(factors=factors)
    assert np.isnan(found.atomic.values[1]).all()
    assert np.isnan(found.atomic.sigma[1]).all()
    assert found.table().rows[1][2:] == ["too few counts"] * 7
    assert np.isfinite(found.atomic.values[[0, 2]]).all()


def test_quantify__lines_of_which_a_phase_has_none_are_no_composition(minerals, factors):
    # Ca and Ti are in the third phase only: the others must not read 100 % of noise.
    with pytest.warns(UserWarning, match="too few counts"):
        found = minerals.psnmf.quantify(
            factors={line: factors[line] for line in ("Ca_Ka", "Ti_Ka")},
            exclude=("Al", "Fe", "Mg", "O", "Si"),
        )
    assert np.isnan(found.atomic.values[:2]).all()
    assert found.atomic_percent["Ca"][2] == pytest.approx(18.5 / 19.5 * 100, abs=1)


def test_phase_spectra__intensities_below_exspys_threshold_are_no_zeros(pristine):
    # eXSpy's Cliff-Lorimer takes less than 0.1 counts for none, and one line for 100 %.
    quantifier = Quantifier(
        pristine.psnmf.phase_spectra(), "CL", ["Mg_Ka", "Si_Ka"], np.array([1.0, 1.0]),
        options={"take_off_angle": 22.0},
    )  # fmt: skip
    tiny = np.array([[0.02, 0.06], [0.05, 0.0], [0.0, -1.0]])
    np.testing.assert_allclose(quantifier.atomic(tiny), quantifier.atomic(1e4 * tiny))
    assert np.isnan(quantifier.atomic(tiny)[2]).all()


def test_quantify__nothing_decomposed_yet_is_reported(factors):
    s = data.mineral_grains(shape=(5, 6), n_channels=800)
    with pytest.raises(RuntimeError, match="no factors and loadings yet"):
        s.psnmf.quantify(factors=factors)


@pytest.mark.slow
def test_quantify__the_signal_is_left_alone(minerals, few, state):
    before = state(minerals)
    found = minerals.psnmf.quantify("zeta", **few, absorption_correction=True)
    found.maps()
    assert state(minerals) == before
