# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates from the sum of a map: 26 x 20 pixels (x, y), 310 channels of silicates."""

import numpy as np
import pytest

from hyperspy_psnmf.eds.lines.templates import NoLineModel, check_line_model, find_templates
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.nmf.lines.templates import common_ratio
from hyperspy_psnmf.nmf.lines.weights import LineSpectra, solve_weights


def templates_of(signal, keep_channels=None):
    """Return the templates of a map, and its sum in the channels in use."""
    map_input = MapInput.of(signal, keep_channels=keep_channels)
    counts = np.asarray(signal.data).sum(axis=(0, 1), dtype=float)
    counts = counts if keep_channels is None else counts[keep_channels]
    return find_templates(signal, map_input, counts), counts


def fitted(templates, counts):
    """Return the sum of templates that is most likely for a spectrum, in counts."""
    flat = np.full((1, len(templates)), 1 / len(templates))
    start = LineSpectra(templates, flat, flat > 0, np.empty((0, counts.size)))
    total = np.array([[counts.sum()]])
    return solve_weights(counts[:, None], total, start, tol=1e-3, max_iter=200).H[0] * counts.sum()


@pytest.fixture(scope="module")
def of_grains(pristine_grains):
    return templates_of(pristine_grains)


def energy_of(signal):
    return signal.axes_manager.signal_axes[0].axis


def test_find_templates__of_unit_sum_and_not_negative(of_grains):
    templates, _ = of_grains
    assert templates.spectra.shape[1] == 310
    assert templates.lines.min() >= 0
    assert templates.continuum.min() >= 0
    np.testing.assert_allclose(templates.spectra.sum(axis=1), 1.0)
    assert templates.elements.shape == (len(templates.lines),)
    np.testing.assert_array_equal(np.unique(templates.elements), range(templates.n_elements))


def test_find_templates__a_line_of_each_listed_element_at_its_energy(of_grains, pristine_grains):
    templates, _ = of_grains
    energy = energy_of(pristine_grains)
    peaks = energy[templates.lines.argmax(axis=1)]
    for line, expected in {"O_Ka": 0.525, "Mg_Ka": 1.254, "Si_Ka": 1.740}.items():
        assert line in pristine_grains.metadata.Sample.xray_lines
        assert np.abs(peaks - expected).min() < 0.02
    # Lines are narrow, and the continuum is not.
    assert (np.sort(templates.lines, axis=1)[:, -40:].sum(axis=1) > 0.95).all()


def test_find_templates__their_sum_is_that_of_the_map(of_grains):
    templates, counts = of_grains
    expected = fitted(templates, counts)
    filled = counts > 0
    deviance = 2 * (counts * np.log(np.where(filled, counts / expected, 1.0)) - counts + expected)
    assert deviance.sum() / counts.size < 1.5
    assert np.abs(common_ratio(counts, expected) - 1).max() < 0.1


def test_find_templates__any_count_has_a_template(of_grains, pristine_sem):
    for templates, counts in (of_grains, templates_of(pristine_sem)):
        assert (templates.spectra.max(axis=0)[counts > 0] > 0).all()
        assert templates.covering(counts) is templates


def test_find_templates__of_the_channels_in_use(pristine_grains):
    energy = energy_of(pristine_grains)
    keep = (energy > 0.4) & (energy < 2.5)
    keep[100:104] = False
    templates, counts = templates_of(pristine_grains, keep)
    assert templates.spectra.shape[1] == np.count_nonzero(keep) == counts.size
    np.testing.assert_allclose(templates.spectra.sum(axis=1), 1.0)
    peaks = energy[keep][templates.lines.argmax(axis=1)]
    assert np.abs(peaks - 1.740).min() < 0.02


@pytest.mark.slow
def test_find_templates__elements_that_are_not_listed_are_found(grains, of_grains):
    grains.metadata.Sample.set_item("elements", ["O"])
    grains.metadata.Sample.set_item("xray_lines", ["O_Ka"])
    templates, _ = templates_of(grains)
    peaks = energy_of(grains)[templates.lines.argmax(axis=1)]
    for expected in (0.525, 1.254, 1.740):
        assert np.abs(peaks - expected).min() < 0.02
    assert grains.metadata.Sample.elements == ["O"]
    assert templates.n_elements >= 3


@pytest.mark.slow
def test_find_templates__without_metadata_of_elements(grains):
    del grains.metadata.Sample.elements
    del grains.metadata.Sample.xray_lines
    templates, _ = templates_of(grains)
    peaks = energy_of(grains)[templates.lines.argmax(axis=1)]
    assert np.abs(peaks - 1.740).min() < 0.02


def test_find_templates__lines_of_one_element_are_together(pristine_sem):
    """Al and Cu, whose K and L lines are families of their own."""
    templates, _ = templates_of(pristine_sem)
    energy = energy_of(pristine_sem)
    peaks = energy[templates.lines.argmax(axis=1)]
    assert np.abs(peaks - 1.487).min() < 0.02
    assert len(templates.lines) >= templates.n_elements
    al = templates.elements[np.abs(peaks - 1.487).argmin()]
    cu = templates.elements[np.abs(peaks - 0.93).argmin()]
    assert al != cu


def test_check_line_model__a_map_with_all_it_needs_passes(pristine_grains, pristine_sem):
    for signal in (pristine_grains, pristine_sem):
        check_line_model(signal, MapInput.of(signal))


def test_check_line_model__no_unit_of_energy_is_an_error(grains):
    grains.axes_manager.signal_axes[0].units = ""
    with pytest.raises(ValueError, match="energy axis"):
        check_line_model(grains, MapInput.of(grains))


def test_find_templates__too_many_counts_are_refused(pristine_grains):
    map_input = MapInput.of(pristine_grains)
    with pytest.raises(NoLineModel, match="spectra='lines' needs fewer than 9e") as caught:
        find_templates(pristine_grains, map_input, np.full(310, 1e15))
    assert caught.value.reason == "counts"


def test_find_templates__a_fit_that_fails_is_no_model(pristine_grains, monkeypatch):
    def fail(*args):
        raise ValueError("residuals are not finite")

    monkeypatch.setattr("hyperspy_psnmf.eds.lines.templates.fit_spectra", fail)
    with pytest.raises(NoLineModel, match="residuals are not finite") as caught:
        templates_of(pristine_grains)
    assert caught.value.reason == "fit"
