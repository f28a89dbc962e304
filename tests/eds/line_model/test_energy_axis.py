# SPDX-License-Identifier: GPL-3.0-or-later
"""Energy axes that are off are found from the lines of the sum spectrum."""

import functools
import re
import warnings

import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.eds.on_signals import measure_lines
from tests.helpers.compositions import as_found
from tests.helpers.real_maps import load, needs_maps

PHANTOMS = {
    "mineral_grains": 3,
    "core_shell_particles": 3,
    "grain_boundary": 3,
    "sem_two_phases": 2,
}


def moved(signal, offset, gain):
    """Move the lines of a map on its energy axis, in place."""
    axis = signal.axes_manager.signal_axes[0]
    # Line E is at (E - offset_0) / scale, which the new axis calls E (1 + gain) + offset.
    axis.offset = axis.offset * (1 + gain) + offset
    axis.scale *= 1 + gain
    return signal


@functools.cache
def truth_of(name):
    """Return a small phantom of a right axis, unmixed perfectly; not to be changed."""
    return as_found(getattr(data, name)(shape=(16, 18), counts=400, seed=1))


@functools.cache
def calibration_of_truth(name):
    return calibration(truth_of(name))


def calibration(signal):
    lines = {}
    for line in map(str, signal.metadata.Sample.xray_lines):
        lines.setdefault(line.split("_")[0], line)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = measure_lines(signal, list(lines.values()), elements=lines)
    return found, [str(w.message) for w in said]


@pytest.mark.slow
@pytest.mark.crossed("name", "offset")
@pytest.mark.thorough_cases("core_shell", "grain_boundary")
@pytest.mark.parametrize("name", PHANTOMS, scope="module")
@pytest.mark.parametrize(
    ("offset", "gain"), [(0.06, 0.0), (-0.06, 0.0), (0.03, -0.01), (-0.02, 0.01), (0.0, 0.006)]
)
def test_find_axis__offset_and_gain_are_found(name, offset, gain):
    found, said = calibration(moved(truth_of(name).deepcopy(), offset, gain))
    axis = found.fit.axis
    for energy in (0.7, 1.7, 6.4):
        error = max(0.002, 4 * axis.shift_error(energy))
        assert axis.shift(energy) == pytest.approx(offset + gain * energy, abs=error)
    assert any(re.search(r"the energy axis is [+-]\d+ ± \d+ eV off", text) for text in said)
    expected, _ = calibration_of_truth(name)
    # C Ka is cut off, in part, where channels below 0.12 keV are left out.
    whole = [i for i, line in enumerate(found.lines) if line != "C_Ka"]
    differs = np.abs(found.net - expected.net) / np.hypot(found.sigma, 1.0)
    assert (differs[:, whole] < 3).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", PHANTOMS)
def test_find_axis__a_right_axis_is_left_without_a_word(name):
    found, said = calibration_of_truth(name)
    assert abs(found.fit.axis.shift(1.5)) < 0.002
    assert not [text for text in said if "axis" in text]


def test_find_axis__few_counts_move_nothing():
    s = as_found(data.mineral_grains(shape=(7, 8), counts=3, seed=1))
    found, said = calibration(s)
    assert abs(found.fit.axis.shift(1.5)) < 0.01
    assert not [text for text in said if "axis" in text]


@pytest.mark.slow
def test_find_axis__a_strong_unlisted_peak_near_a_weak_line_moves_nothing():
    # Pt Ma lies 37 eV above P Ka, which is hardly there.
    s = as_found(data.core_shell_particles(shape=(16, 18), counts=400, seed=1))
    s.set_elements(["Fe", "P"])
    s.set_lines(["Fe_Ka", "P_Ka"])
    found, _ = calibration(s)
    assert abs(found.fit.axis.shift(2.0)) < 0.004


@pytest.mark.slow
@needs_maps("silica_spheres.hspy")
@pytest.mark.parametrize(
    "by", [-0.03, *(pytest.param(keV, marks=pytest.mark.thorough) for keV in (0.0, -0.015, 0.01))]
)
def test_find_axis__silica_spheres(by):
    s = load("silica_spheres.hspy")
    s.axes_manager.signal_axes[0].offset += by
    s.set_elements(["O", "Si", "Cu", "C"])
    s.add_lines()
    s.decomposition(
        algorithm="PSNMF", output_dimension=2, binning=8, print_info=False, show_progressbar=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure_lines(s, ["O_Ka", "Si_Ka"], elements=["Cu", "C"])
    silica = np.argmax(found.net[:, 1])
    assert 0.75 < found.net[silica, 0] / found.net[silica, 1] < 0.88
    assert found.fit.axis.shift(1.74) == pytest.approx(0.031 + by, abs=0.004)
    assert not [one for one in found.unlisted if one.kind == "unknown peak"]


@pytest.mark.slow
@pytest.mark.parametrize("decomposed", [True, False])
@pytest.mark.parametrize("lazy", [False, True])
def test_energy_calibration__before_and_after_a_decomposition(decomposed, lazy):
    s = moved(data.mineral_grains(shape=(12, 14), counts=400, seed=1), 0.02, 0.003)
    s = as_found(s) if decomposed else s
    before = s.axes_manager.signal_axes[0].offset
    found = (s.as_lazy() if lazy else s).psnmf.energy_calibration()
    assert found.shift(1.74) == pytest.approx(0.02 + 0.003 * 1.74, abs=0.001)
    assert 0 < found.shift_error(1.74) < 0.002
    assert found.resolution == pytest.approx(130, abs=2)
    assert "eV at Mn Ka" in str(found)
    assert s.axes_manager.signal_axes[0].offset == before


def test_energy_calibration__what_it_needs_is_named():
    s = data.mineral_grains(shape=(5, 6), n_channels=800, seed=1)
    s.set_elements([])
    with pytest.raises(ValueError, match=r"s\.set_elements"):
        s.psnmf.energy_calibration()
    s.set_elements(["Si"])
    s.metadata.Acquisition_instrument.TEM.beam_energy = None
    with pytest.raises(ValueError, match="beam energy"):
        s.psnmf.energy_calibration()
    falling = data.mineral_grains(shape=(5, 6), n_channels=800, seed=1).isig[::-1]
    with pytest.raises(ValueError, match="falls"):
        falling.psnmf.energy_calibration()


def test_plot__labels_are_where_lines_are_recorded(close_figures):
    s = as_found(moved(data.mineral_grains(shape=(12, 14), counts=400, seed=1), 0.04, 0.0))
    _, axes = s.psnmf.plot()
    at = {text.get_text(): text.xy[0] for text in axes[0, 1].texts}
    assert at["Si Kα"] == pytest.approx(1.74 + 0.04, abs=0.003)
