# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps and settings for which spectra cannot be made of lines."""

import re

import pytest
from hyperspy.axes import DataAxis

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf.eds.signals.learning_results import read_record
from tests.helpers.maps import unmix_quietly


def without_beam_energy(s):
    del s.metadata.Acquisition_instrument.TEM.beam_energy
    return s


def without_resolution(s):
    del s.metadata.Acquisition_instrument.TEM.Detector.EDS.energy_resolution_MnKa
    return s


def falling(s):
    axis = s.axes_manager.signal_axes[0]
    axis.offset, axis.scale = axis.high_value, -axis.scale
    return s


def not_uniform(s):
    axis = s.axes_manager.signal_axes[0]
    energies = axis.axis + 1e-3 * axis.axis**2
    new = DataAxis(axis=energies, name=axis.name, units=axis.units, navigate=False)
    s.axes_manager._axes[-1] = new
    new.axes_manager = s.axes_manager
    return s


# name: (what to do to a map, the reason in its record, what the message must hold)
BAD_MAPS = {
    "no beam energy": (without_beam_energy, "beam energy", "beam.energy"),
    "no resolution": (without_resolution, "resolution", "resolution"),
    "falling axis": (falling, "energy axis", "energy axis"),
    "not uniform": (not_uniform, "energy axis", "uniform energy axis"),
}


@pytest.fixture
def no_work(monkeypatch):
    """Fail where data are read."""

    def work(*args, **kwargs):
        raise AssertionError("work was begun")

    monkeypatch.setattr("hyperspy_psnmf.eds.decompose.decompose.open_counts", work)


def assert_refused(signal, error, message, state, **kwargs):
    options = {"algorithm": "PSNMF", "output_dimension": 3, "print_info": False, **kwargs}
    before = state(signal)
    with pytest.raises(error, match=message):
        signal.decomposition(**options)
    assert state(signal) == before


@pytest.mark.parametrize("which", BAD_MAPS)
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_spectra_lines__bad_maps_are_refused(unmixed_copy, state, no_work, which, lazy):
    make, _, message = BAD_MAPS[which]
    s = make(unmixed_copy.as_lazy() if lazy else unmixed_copy)
    assert_refused(s, ValueError, f"(?s){message}", state, spectra="lines")


@pytest.mark.parametrize("value", ["line", "Auto", None, True, 3, ["lines"]])
def test_spectra__bad_values_name_the_argument(unmixed_copy, state, no_work, value):
    assert_refused(unmixed_copy, (TypeError, ValueError), "^spectra", state, spectra=value)


@pytest.mark.parametrize("given", [{"volume": 0}, {"volume": 0.25}, {"parsimony": False}], ids=str)
def test_spectra_lines__parsimony_is_needed(unmixed_copy, state, no_work, given):
    message = f"^{next(iter(given))}=.* is for"
    assert_refused(unmixed_copy, ValueError, message, state, spectra="lines", **given)


@pytest.mark.parametrize("estimator", [PSNMF(3), PoissonNMF(3)])
def test_spectra__is_refused_with_an_estimator(unmixed_copy, state, no_work, estimator):
    given = {"spectra": "lines", "algorithm": estimator}
    assert_refused(unmixed_copy, TypeError, "^spectra must", state, **given)


@pytest.mark.parametrize("given", [{"volume": 0.25}, {"parsimony": False}], ids=str)
def test_spectra_auto__free_where_parsimony_does_not_decide(grains, capsys, given):
    unmix_quietly(grains, print_info=True, **given)
    assert grains.learning_results.psnmf["spectra"] == "free"
    assert "not made of lines" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("which", BAD_MAPS)
def test_spectra_auto__free_and_why_where_a_map_has_no_line_model(grains, capsys, which):
    make, reason, message = BAD_MAPS[which]
    unmix_quietly(make(grains), print_info=True)
    assert (read_record(grains).spectra, read_record(grains).why_free) == ("free", reason)
    assert re.search(f"not made of lines: .*{message}", capsys.readouterr().out)
    assert re.search(f"the spectra was free: [^.]*{message}", grains.psnmf.report())
