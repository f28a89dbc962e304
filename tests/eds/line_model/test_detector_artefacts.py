# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums and escapes of strong lines are named as such, and no element is taken for one."""

import warnings

import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.eds.on_signals import measure_lines
from tests.helpers.compositions import as_found
from tests.helpers.flawed_maps import piled_up
from tests.helpers.real_maps import load, needs_maps


def measure(signal, left_out=()):
    """Return the intensities of all lines but those of elements left out."""
    lines = {}
    for line in map(str, signal.metadata.Sample.xray_lines):
        if line.split("_")[0] not in left_out:
            lines.setdefault(line.split("_")[0], line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measure_lines(signal, list(lines.values()), elements=lines)


def unmixed_with_pile_up(name, share):
    """Return a phantom whose spectra hold sum peaks, unmixed by its true maps."""
    clean = getattr(data, name)(shape=(32, 32), counts=800, seed=1)
    s = as_found(piled_up(clean.deepcopy(), share))
    counts = s.data.reshape(-1, s.data.shape[-1]).astype(float)
    loadings = s.metadata.Truth.loadings
    spectra = np.linalg.lstsq(loadings, counts, rcond=None)[0].clip(0)
    s.learning_results.factors = (spectra / spectra.sum(axis=1, keepdims=True)).T
    s.learning_results.loadings = loadings * spectra.sum(axis=1)
    return s


def with_peak(signal, at, share):
    """Add a peak at an energy in keV with a share of the Fe Ka counts of each phase."""
    s = as_found(signal)
    energy = s.axes_manager.signal_axes[0].axis
    factors = s.learning_results.factors
    iron = factors[np.abs(energy - 6.40) < 0.15].sum(axis=0)
    peak = np.exp(-0.5 * ((energy - at) / 0.055) ** 2)
    factors = factors + share * iron * (peak / peak.sum())[:, None]
    s.learning_results.factors = factors / factors.sum(axis=0)
    return s


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("sem_two_phases", "Al_Ka and Al_Ka"),
        ("sharp_interface", "Mg_Ka and Mg_Ka"),
        ("isolated_particles", "Al_Ka and O_Ka"),
    ],
)
def test_measure_lines__sum_peaks_are_named_by_their_lines(name, lines):
    found = measure(unmixed_with_pile_up(name, 0.05))
    assert {one.kind for one in found.unlisted} == {"sum peak"}
    assert any(f"the sum peak of {lines}" in str(one) for one in found.unlisted)
    (note,) = (note for note in found.notes if "Sample.elements" in note)
    assert f"that is likely the sum peak of {lines}" in note
    assert "add_elements" not in note


@pytest.mark.slow
def test_measure_lines__an_element_that_a_sum_peak_may_be_is_named_too():
    _, peak = measure(unmixed_with_pile_up("isolated_particles", 0.05)).unlisted
    assert peak.rivals == ("P",)  # P Ka lies 2 eV beside the sum


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sem_two_phases", "sharp_interface"])
def test_measure_lines__net_intensities_stay_right_beside_sum_peaks(name):
    s = unmixed_with_pile_up(name, 0.05)
    clean = as_found(getattr(data, name)(shape=(32, 32), counts=800, seed=1))
    lost, expected = measure(s), measure(clean)
    strong = expected.net > 20 * expected.sigma
    # 5 % of the photons met another, and some met one that made them something else.
    ratio = lost.net[strong] / expected.net[strong]
    np.testing.assert_array_less(np.abs(ratio - 0.95), 0.04)


@pytest.mark.slow
def test_measure_lines__escape_peaks_are_named_by_their_line():
    particles = data.core_shell_particles(shape=(24, 26), counts=800, seed=1)
    found = measure(with_peak(particles, 6.40 - 1.74, 0.02))
    (peak,) = found.unlisted
    assert peak.kind == "escape peak"
    assert "the escape peak of Fe_Ka" in str(peak)


@pytest.mark.slow
def test_measure_lines__what_is_too_large_for_the_detector_is_an_element_or_unknown():
    particles = data.core_shell_particles(shape=(24, 26), counts=800, seed=1)
    found = measure(with_peak(particles, 6.40 - 1.74, 0.3))
    assert len(found.unlisted) == 1
    assert found.unlisted[0].kind in ("element", "unknown peak")


@pytest.mark.slow
@needs_maps("bcf_v2_50x50px.bcf")
def test_decomposition__silver_in_aluminium_is_no_sum_peak():
    s = load("bcf_v2_50x50px.bcf")
    s.set_elements(["Al"])
    s.set_lines(["Al_Ka"])
    s.decomposition(algorithm="PSNMF", output_dimension=2, print_info=False)
    unlisted = measure(s).unlisted
    # Ag La, 2.98 keV, lies 11 eV beside twice Al Ka.
    assert "Ag" in [one.element for one in unlisted]
    assert not [one for one in unlisted if one.kind in ("sum peak", "escape peak")]
