# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of lines, continuum and edges: its derivatives, and what it finds."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.data import scenes
from hyperspy_psnmf.eds.line_model.full_model import SpectrumModel
from hyperspy_psnmf.eds.line_model.linear_model import build_line_model
from hyperspy_psnmf.eds.lines.fit import fit_spectra
from tests.eds.lines.test_intensities import as_decomposed, true_intensities
from tests.eds.on_signals import measure_lines

SCENES = {
    "core_shell_particles": scenes.PARTICLES,
    "embedded_spheres": scenes.SPHERES,
    "grain_boundary": scenes.BOUNDARY,
    "isolated_particles": scenes.CATALYST,
    "mineral_grains": scenes.MINERALS,
    "sem_two_phases": scenes.CAST_ALLOY,
    "sharp_interface": scenes.INTERFACE,
}


def ideal(name, total=1e6):
    """Return a map of many counts with its true maps and spectra."""
    s = getattr(data, name)(shape=(8, 9), counts=total / 72, seed=1)
    return as_decomposed(s, s.metadata.Truth.factors, s.metadata.Truth.loadings)


def fit(s):
    spectra = s.psnmf.phase_spectra()
    elements = set(spectra.metadata.Sample.elements)
    keep = np.ones(spectra.data.shape[1], bool)
    return fit_spectra(spectra, elements, keep, np.maximum(spectra.data, 0.5)).model


@pytest.fixture(scope="module")
def oxides():
    return fit(ideal("sharp_interface"))


def test_linear__columns_are_derivatives(oxides):
    at = oxides.values + 0.01
    # Derivatives of sum peaks and skewness by shifts and widths are neglected.
    for kind in ("pile_up", "skews"):
        at[oxides.parameters.kinds[kind]] = 0.0
    model = replace(oxides, values=at)
    step = 1e-5
    for i, name in enumerate(oxides.parameters.names):
        sides = []
        for sign in (1, -1):
            moved = at.copy()
            moved[i] += sign * step
            sides.append(replace(oxides, values=moved).recorded)
        expected = (sides[0] - sides[1]) / (2 * step)
        error = np.abs(model.linear.background[:, i] - expected).max()
        # Lines get a little wider where they move to higher energies.
        within = 2e-2 if name.startswith(("shift", "gain")) else 1e-3
        assert error < within * np.abs(expected).max() + 1e-6, name


@pytest.mark.slow
@pytest.mark.thorough_cases("embedded", "boundary", "isolated", "mineral")
@pytest.mark.parametrize("name", SCENES)
def test_fit_spectra__noise_free_lines_within_their_errors(name):
    # At a million counts; splines alone miss oxygen and L lines by 5 to 12 errors.
    s, scene = ideal(name), SCENES[name]
    truth = true_intensities(scene, s.metadata.Truth, s.data.shape[-1])
    elements = s.metadata.Sample.elements
    spectra = s.psnmf.phase_spectra()
    lines = build_line_model(spectra, elements, np.ones(s.data.shape[-1], bool)).lines
    lines = [line for line in lines if any(line in phase for phase in truth)]
    found = measure_lines(s, lines, elements=elements)
    sigma = np.sqrt(np.diagonal(found.counting, axis1=1, axis2=2))
    for p, counts in enumerate(found.counts):
        for i, line in enumerate(lines):
            if counts > 1e5:
                expected = truth[p].get(line, 0.0) * counts / 1e5
                assert abs(found.net[p, i] - expected) < 1.5 * sigma[p, i], line


def test_fit_spectra__edge_depths_are_those_of_the_detector(oxides):
    values = dict(zip(oxides.parameters.names, oxides.values, strict=True))
    # 300 nm of polymer, 50 nm of silicon and 40 nm of aluminium lie before the sensor.
    for edge, mass, jump in (
        ("C at 0.28", 3.0e-5, 4.68e4),
        ("Al at 1.56", 1.08e-5, 3.70e3),
        ("Si at 1.84", 1.17e-5, 3.05e3),
    ):
        assert values[f"edge of {edge} keV"] == pytest.approx(mass * jump, rel=0.1)


@pytest.mark.slow
def test_fit_spectra__shifted_lines_and_other_ratios_are_found(oxides):
    parameters, names = oxides.parameters, oxides.parameters.names
    off = {"shift of O_Ka": -0.004, "lines below Fe_La": -0.8, "gain": 0.001, "resolution": 5.0}
    values = oxides.values.copy()
    for name, by in off.items():
        values[names.index(name)] += by
    counts = replace(oxides, values=values).recorded
    spectra = ideal("sharp_interface").psnmf.phase_spectra()
    spectra.data = np.array([0.7, 0.3])[:, None] * counts
    keep = np.ones(counts.size, bool)
    of_sum = fit_spectra(spectra, {"Fe", "O", "Mg"}, keep, spectra.data + 0.5)
    assert of_sum.unlisted == ()
    assert of_sum.converged
    found = of_sum.model
    np.testing.assert_allclose(found.lines, oxides.lines, rtol=0.02, atol=30)
    assert found.fitted.resolution == pytest.approx(oxides.fitted.resolution + 5.0, abs=0.3)
    place, ratio = (found.values[names.index(name)] for name in list(off)[:2])
    # Offset and gain have part of the shift.
    shift = place + found.fitted.offset + found.fitted.gain * 0.525
    assert shift == pytest.approx(-0.004 + 0.001 * 0.525, abs=0.001)
    assert ratio == pytest.approx(-0.8, abs=0.2)
    assert parameters.names == found.parameters.names


@pytest.mark.slow
@pytest.mark.parametrize(("predicted", "converged"), [(0.5, True), (2.0, False)])
def test_fit_sum__ends_where_no_step_is_an_improvement(monkeypatch, predicted, converged):
    improved, n_steps, n_after = SpectrumModel.improved, 4, []

    def stuck(self, counts, variance):
        if len(n_after) < n_steps:
            n_after.append(improved(self, counts, variance)[0])
            return n_after[-1], 10.0
        n_after.append(self)
        return self, predicted

    monkeypatch.setattr(SpectrumModel, "improved", stuck)
    spectra = ideal("sharp_interface").psnmf.phase_spectra()
    keep = np.ones(spectra.data.shape[1], bool)
    elements = set(spectra.metadata.Sample.elements)
    of_sum = fit_spectra(spectra, elements, keep, np.maximum(spectra.data, 0.5))
    assert n_after[n_steps] is n_after[n_steps - 1]
    # It may be fitted a second time, without what was not significant; that is stuck at once.
    assert len(n_after) <= n_steps + 2
    assert of_sum.converged == converged


def test_fit_spectra__few_counts_leave_the_prior(oxides):
    s = ideal("sharp_interface", total=72)
    found = fit(s)
    first_ratio = found.parameters.kinds["edges"].stop
    sigma = np.diag(found.parameters.precision(found.prior))[first_ratio:] ** -0.5
    assert (np.abs(found.values[first_ratio:]) < 0.2 * sigma).all()


@pytest.mark.slow
@pytest.mark.parametrize("listed", [set(), {"H"}])
def test_fit_spectra__a_spectrum_without_lines_is_all_continuum(oxides, listed):
    spectra = ideal("sharp_interface").psnmf.phase_spectra()
    continuum = replace(oxides, lines=np.zeros_like(oxides.lines)).recorded
    spectra.data = np.array([0.7, 0.3])[:, None] * continuum
    of_sum = fit_spectra(spectra, listed, continuum > 0, spectra.data + 0.5)
    assert of_sum.unlisted == ()
    found = of_sum.model
    # Of light elements, which are fitted anyway.
    assert (found.lines < 5 * of_sum.line_errors).all()
    # Without iron in the list, its edge is not modelled.
    use = found.tabulated.use
    np.testing.assert_allclose(found.recorded[use], continuum[use], rtol=0.1)


def test_for_phase__parameters_stay_near_those_of_the_sum(oxides):
    part = oxides.for_phase(0.01 * oxides.recorded)
    fraction = part.total / oxides.total
    np.testing.assert_allclose(fraction, 0.01, rtol=0.02)  # channels in use
    np.testing.assert_allclose(part.recorded, fraction * oxides.recorded, rtol=1e-2, atol=0.1)
    noisy = np.random.default_rng(3).poisson(part.recorded).astype(float)
    variance = np.maximum(part.recorded, 0.5)
    for _ in range(4):
        part = part.refined(noisy, variance)
    assert part.fitted.resolution == pytest.approx(oxides.fitted.resolution, abs=0.05)
    np.testing.assert_allclose(
        part.lines, 0.01 * oxides.lines, atol=4 * np.sqrt(oxides.lines.max() / 100)
    )
