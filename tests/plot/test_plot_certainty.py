# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of how sure a result is: bands of ambiguity, and residuals."""

import warnings

import hyperspy.api as hs
import matplotlib
import numpy as np
import pytest

from tests.helpers.figures import texts_of
from tests.helpers.maps import FREE


@pytest.fixture(scope="module")
def unmixed(pristine):
    s = pristine.deepcopy()
    options = {"output_dimension": 3, "print_info": False, "energy_binning": 4, **FREE}
    s.decomposition(algorithm="PSNMF", **options)
    return s


@pytest.fixture(scope="module")
def ambiguity(unmixed):
    return unmixed.psnmf.ambiguity(factors={"Mg_Ka": 1.1, "Si_Ka": 1.0, "Al_Ka": 0.9})


def quietly(method, **kwargs):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning)
        warnings.filterwarnings("error", category=RuntimeWarning)
        fig, axes = method(**kwargs)
        fig.canvas.draw()
    assert isinstance(fig, matplotlib.figure.Figure)
    return fig, axes


def test_ambiguity__bands_of_ambiguity_are_drawn_around_what_was_found(unmixed, ambiguity):
    fig, axes = quietly(ambiguity.plot)
    assert axes.shape == (3, 2)
    for i, (left, right) in enumerate(axes):
        assert left.get_title() == f"Phase {i}"
        np.testing.assert_array_equal(left.lines[0].get_ydata(), ambiguity.spectra.data[i])
        top = left.collections[0].get_paths()[0].vertices[:, 1].max()
        assert top == pytest.approx(ambiguity.spectra_high.data[i].max())
        labels = [label.get_text() for label in right.get_yticklabels()]
        assert labels == ["counts", *(f"{el} (at%)" for el in ambiguity.compositions)]
        share = 100 * ambiguity.counts_band[i] / ambiguity.counts.sum()
        np.testing.assert_allclose(right.lines[0].get_xdata(), share)
        row = 1 + list(ambiguity.compositions).index("Mg")
        mg = ambiguity.compositions_band["Mg"][i]
        np.testing.assert_allclose(right.lines[2 * row].get_xdata(), mg)
    assert "Si Kα" in texts_of(fig)


def test_plot_ambiguity__without_factors_only_counts_have_a_bar(grains):
    grains.decomposition(algorithm="PSNMF", output_dimension=1, print_info=False, **FREE)
    fig, axes = quietly(grains.psnmf.ambiguity(confidence=0.9).plot)
    assert [label.get_text() for label in axes[0, 1].get_yticklabels()] == ["counts"]
    assert "Per cent (90 % bands)" in texts_of(fig)


@pytest.mark.slow
def test_residuals__are_a_map_and_two_spectra(unmixed):
    result = unmixed.psnmf.residuals()
    fig, axes = quietly(result.plot)
    assert axes.shape == (3,)
    np.testing.assert_array_equal(axes[0].images[0].get_array(), result.map.data)
    low, high = axes[0].images[0].get_clim()
    assert low + high == pytest.approx(2)  # white is 1
    np.testing.assert_array_equal(axes[1].lines[1].get_ydata(), result.spectrum.data)
    np.testing.assert_array_equal(axes[2].lines[2].get_ydata(), result.binned.data)
    assert axes[2].lines[1].get_ydata()[0] == 8  # above which the report names lines
    assert any(text.endswith(" nm") for text in texts_of(axes[0]))  # of the scale bar
    assert axes[1].get_xlabel() == "Energy (keV)"
    assert texts_of(fig).count("Deviance per degree of freedom") == 2


def test_plot_residuals__lines_that_are_significant_are_labelled(grains):
    grains.decomposition(algorithm="PSNMF", output_dimension=1, print_info=False, **FREE)
    _, axes = quietly(grains.psnmf.residuals().plot)
    for ax in axes[1:]:
        assert "Mg Kα" in [text.get_text() for text in ax.texts]


@pytest.mark.slow
def test_plot_residuals__a_peak_that_is_no_line_of_the_sample_is_labelled_by_its_energy(grains):
    grains.data[:3, :3, 250:253] += 60
    grains.decomposition(algorithm="PSNMF", output_dimension=2, print_info=False, **FREE)
    _, axes = quietly(grains.psnmf.residuals().plot)
    energy = grains.axes_manager[-1].axis[251]
    labels = [t.get_text() for t in axes[2].texts if t.get_text().endswith(" keV")]
    assert len(labels) == 1
    assert float(labels[0].split()[0]) == pytest.approx(energy, abs=0.04)  # a coarse channel
    grains.axes_manager[-1].units = ""
    grains.metadata.Sample.xray_lines = []
    _, axes = quietly(grains.psnmf.residuals().plot)
    assert not axes[2].texts


@pytest.mark.slow
def test_plot_residuals__residuals_of_a_line_scan_of_a_series_and_with_masks(grains):
    line = grains.inav[:, 3].deepcopy()
    line.decomposition(algorithm="PSNMF", output_dimension=1, print_info=False, **FREE)
    _, axes = quietly(line.psnmf.residuals().plot)
    assert not axes[0].images
    series, mask = hs.stack([grains, grains]), np.zeros((14, 11, 2), bool)
    mask[:3] = True
    series.decomposition(
        algorithm="PSNMF", output_dimension=2, navigation_mask=mask, print_info=False, **FREE
    )
    _, axes = quietly(series.psnmf.residuals().plot)
    assert axes[0].images[0].get_array().shape == (11, 14)
