# SPDX-License-Identifier: GPL-3.0-or-later
"""A missed phase, a drifting energy axis and pile-up show in the report."""

import re
import time

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.fit_check.pile_up import find_sum_peaks
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from tests.eds.on_signals import find_fit_quality
from tests.helpers.flawed_maps import drifting, piled_up
from tests.helpers.maps import FREE

SIGNIFICANT = "differ from the model by more than noise"


@pytest.fixture(scope="module")
def pristine():
    """Three phases, 43 x 39 pixels (x, y), 1980 channels of 10 eV."""
    return data.core_shell_particles(shape=(39, 43), counts=300, seed=4)


@pytest.fixture
def particles(pristine):
    return pristine.deepcopy()


@pytest.mark.slow
@pytest.mark.parametrize("spectra", ["lines", "free"])
def test_report__what_fits_is_reported_to_fit(particles, unmix, spectra):
    report = unmix(particles, spectra=spectra).psnmf.report()
    assert "the model fits" in report
    assert SIGNIFICANT not in report
    assert "Pile-up" not in report
    assert "drift" not in report
    total, scatter = map(float, re.search(r"is ([\d.]+), where .* \+- ([\d.]+)", report).groups())
    assert abs(total - 1) < 5 * scatter


@pytest.mark.slow
def test_find_fit_quality__a_missed_phase_shows(particles, unmix):
    report = unmix(particles, 2).psnmf.report()
    assert SIGNIFICANT in report
    # What is wrong is not the axis.
    assert "drifts" not in report
    quality = find_fit_quality(particles)
    assert quality.total > 1.2
    # Of the elements in the sample's metadata, where they have lines.
    assert any(place.line is not None for place in quality.places)
    assert re.search(r"near [^.]*\.\d\d keV \([A-Z][a-z]?_[KLM][ab]", report)


@pytest.mark.slow
@pytest.mark.parametrize("electronvolts", [5, 10, -10, 20])
def test_report__a_drift_of_half_a_channel_and_more_shows(particles, unmix, electronvolts):
    if electronvolts < 0:
        particles.data = np.ascontiguousarray(drifting(particles, -electronvolts).data[::-1])
    else:
        drifting(particles, electronvolts)
    # The size alone does not depend on how spectra are made, which takes longer with lines.
    options = {} if electronvolts == 10 else FREE
    report = unmix(particles, **options).psnmf.report()
    assert "the model fits" not in report
    words = r"energy axis drifts: lines move (\w+) by at least ([\d.]+) \+- ([\d.]+) eV .* along y"
    way, by, error = re.search(words, report).groups()
    assert way == ("up" if electronvolts > 0 else "down")
    assert float(by) < abs(electronvolts) + 3 * float(error)
    assert float(by) > 0.4 * abs(electronvolts)


def test_find_drift__the_axis_of_the_drift_is_found(particles, unmix):
    report = unmix(drifting(particles, 10, axis=1), **FREE).psnmf.report()
    assert "pixels along x" in report
    drift = find_fit_quality(particles).drift
    assert drift.along == "x"
    assert 4 < drift.shift < 10 + 3 * drift.error  # eV; a lower limit
    flat = particles.deepcopy()
    flat.unfold_navigation_space()
    assert "pixels along axis 1 of the array" in flat.psnmf.report()


def test_report__a_drifting_energy_axis_shows(particles, unmix):
    report = unmix(drifting(particles, 20), **FREE).psnmf.report()
    assert SIGNIFICANT in report
    assert "energy axis drifts" in report
    near = [float(e) for e in re.findall(r"([\d.]+) keV", report.split("noise near")[1])]
    assert near


@pytest.mark.slow
def test_report__pile_up_shows_though_every_spectrum_has_it(particles, unmix):
    lines = unmix(piled_up(particles, 0.08)).psnmf.report().split("pile-up")[1]
    sums = re.findall(r"([\d.]+) keV = ([\d.]+) \+ ([\d.]+) keV", lines)
    assert sums
    for at, a, b in np.array(sums, dtype=float):
        assert at == pytest.approx(a + b, abs=0.011)
    assert "(Fe_Ka + Fe_Ka)" in lines


@pytest.mark.slow
def test_find_fit_quality__masked_lazy_and_other_algorithms_are_judged_too(particles, unmix):
    mask = np.zeros((43, 39), bool)
    mask[:5] = True
    lazy = unmix(particles.as_lazy(), navigation_mask=mask, energy_range=(0.3, 12.0), **FREE)
    assert find_fit_quality(lazy).fits
    particles.change_dtype(float)
    particles.decomposition(
        normalize_poissonian_noise=False,
        navigation_mask=None,
        algorithm="NMF",
        output_dimension=2,
        print_info=False,
    )
    assert not find_fit_quality(particles).fits


@pytest.mark.slow
def test_find_fit_quality__an_axis_without_a_unit_has_no_energies_to_name(particles, unmix):
    particles.axes_manager[-1].units = "channel"
    with pytest.warns(UserWarning, match="single channels"):
        unmix(particles, 2, energy_binning="auto")
    quality = find_fit_quality(particles)
    assert not quality.fits
    assert quality.places == quality.sum_peaks == []


def test_find_sum_peaks__without_elements_no_peak_is_called_a_sum(particles):
    particles = piled_up(particles, 0.08)
    X, energy = count_matrix(particles.data), particles.axes_manager[-1].axis
    (iron,) = (p for p in find_sum_peaks(particles, X, energy) if p.lines == ("Fe_Ka", "Fe_Ka"))
    assert iron.energy == sum(iron.energies) == pytest.approx(2 * 6.404, abs=0.021)
    del particles.metadata.Sample.elements
    assert find_sum_peaks(particles, X, energy) == []


def test_find_fit_quality__the_signal_is_left_alone_and_it_is_quick(particles, unmix, state):
    before = state(unmix(particles, **FREE))
    find_fit_quality(particles)
    start = time.perf_counter()
    particles.psnmf.report()
    assert time.perf_counter() - start < 3  # 0.1 s where nothing else runs
    assert state(particles) == before
