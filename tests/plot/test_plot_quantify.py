# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of compositions and element maps show what they are given."""

import hyperspy.api as hs
import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.container import ErrorbarContainer

from hyperspy_psnmf import data, plot
from hyperspy_psnmf.results import Percent, Quantification


def percent(values, band=None):
    values = np.array(values)
    return Percent(values, np.full_like(values, 0.5), np.full_like(values, 0.2), {}, band)


@pytest.fixture
def result():
    """Two phases of three elements; one element is below its limit in the second phase."""
    values = percent([[50.0, 30.0, 20.0], [99.9, 0.1, np.nan]])
    band = np.stack([values.values - 5, values.values + 5], axis=-1)
    return Quantification(
        names=["Ore", "Metal"], elements=["O", "Mg", "Fe"], lines=["O_Ka", "Mg_Ka", "Fe_Ka"],
        method="CL", composition_units="atomic", counts=np.array([1e4, 2e3]),
        net=np.ones((2, 3)), net_sigma=np.ones((2, 3)),
        detected=np.array([[True, True, True], [True, False, False]]),
        atomic=percent(values.values, band), weight=values, confidence=0.95, _maps=lambda n: [],
    )  # fmt: skip


def test_plot_composition__bars_are_as_high_as_the_contents(result):
    fig, ax = plot.plot_composition(result)
    fig.canvas.draw()
    heights = [[bar.get_height() for bar in group.patches] for group in ax.containers
               if isinstance(group, matplotlib.container.BarContainer)]  # fmt: skip
    np.testing.assert_allclose(heights, [[50, 30, 20], [99.9, 0, 0]])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["O", "Mg", "Fe"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Ore", "Metal"]
    assert ax.get_ylabel() == "Content (at%)"


def test_plot_composition__k_ratios_say_that_nothing_was_corrected(result):
    from dataclasses import replace

    _, ax = plot.plot_composition(replace(result, method="k_ratios", composition_units="weight"))
    assert "without any ZAF" in ax.get_title()
    assert ax.get_ylabel() == "Content (wt%)"


def test_plot_composition__bars_say_which_errors_they_have(result):
    from dataclasses import replace

    assert "errors: 1 sigma, without unmixing" in plot.plot_composition(result)[1].get_title()
    total = replace(result.atomic, budget={"unmixing": result.atomic.sigma})
    title = plot.plot_composition(replace(result, atomic=total))[1].get_title()
    assert title.endswith("errors: 1 sigma")


def test_plot_composition__one_interval_per_bar_that_ends_at_nothing_and_everything(result):
    from dataclasses import replace

    wide = replace(result.atomic, sigma=np.full((2, 3), 25.0))
    for log in (False, True):
        fig, ax = plot.plot_composition(replace(result, atomic=wide), log=log)
        fig.canvas.draw()
        assert ax.get_yscale() == ("log" if log else "linear")
        intervals = [g for g in ax.containers if isinstance(g, ErrorbarContainer)]
        ends = np.array([line.get_segments() for line in intervals[0][2]])[0, :, :, 1]
        np.testing.assert_allclose(ends, [[25, 75], [5, 55], [0, 45]])
        assert len(intervals) == 2 * 2  # and the arrows of those not detected


def test_plot_composition__a_phase_without_composition_says_so_in_the_legend(result):
    from dataclasses import replace

    values = result.atomic.values.copy()
    values[1] = np.nan
    _, ax = plot.plot_composition(replace(result, atomic=replace(result.atomic, values=values)))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["Ore", "Metal (no composition)"]


def element_map(values, line="Fe_Ka"):
    axes = [
        {"name": name, "size": size, "scale": 0.5, "units": "nm", "navigate": True}
        for name, size in zip("tyx"[-values.ndim :], values.shape, strict=True)
    ]
    signal = hs.signals.BaseSignal(values, axes=axes)
    signal.metadata.set_item("Sample.xray_lines", [line])
    signal.metadata.set_item("Signal.quantity", "Counts")
    return signal


@pytest.mark.slow
def test_plot_element_maps__element_maps_stand_in_a_grid():
    rng = np.random.default_rng(0)
    maps = [element_map(rng.poisson(9, (5, 7)).astype(float), f"Ca_K{i}") for i in "abgde"]
    maps[1].data[2] = np.nan
    fig, axes = plot.plot_element_maps(maps)
    fig.canvas.draw()
    assert axes.shape == (5,)
    assert [ax.get_title() for ax in axes[:2]] == ["Ca Kα", "Ca Kβ"]
    assert "500 pm" in [text.get_text() for text in axes[0].findobj(plt.Text)]
    np.testing.assert_array_equal(axes[2].images[0].get_array(), maps[2].data)
    assert axes[1].images[0].get_extent() == [-0.25, 3.25, 2.25, -0.25]


def test_plot_element_maps__a_map_of_noise_below_zero_has_a_scale_that_can_be_read():
    _, axes = plot.plot_element_maps([element_map(np.full((5, 7), -0.01))])
    assert axes[0].images[0].get_clim() == (0, 1)


def test_plot_element_maps__line_scans_are_lines_and_series_are_averaged():
    values = np.arange(24.0).reshape(2, 3, 4)
    _, axes = plot.plot_element_maps([element_map(values[0, 0]), element_map(values)])
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), values[0, 0])
    np.testing.assert_array_equal(axes[1].images[0].get_array(), values.mean(axis=0))


def test_plot_element_maps__the_accessor_draws_both(result):
    s = data.sem_two_phases(shape=(11, 14), n_channels=310, counts=900, seed=2)
    truth = s.metadata.Truth
    s.learning_results.factors, s.learning_results.loadings = truth.factors, truth.loadings
    s.learning_results.decomposition_algorithm = "truth"
    _, axes = s.psnmf.plot_element_maps(["Al_Ka"], intensities="windows")
    assert len(axes) == 1
    _, ax = result.plot()
    assert ax.containers
