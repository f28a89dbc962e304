# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures are drawn for every kind of map, and hold what they should."""

import warnings

import exspy
import hyperspy.api as hs
import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt

from hyperspy_psnmf import data
from tests.helpers.figures import texts_of
from tests.helpers.maps import FREE

pytestmark = pytest.mark.usefixtures("right_axis")  # others: tests/eds/line_model


def plot(signal, k=3, **kwargs):
    """Decompose, plot and draw; return figure and axes."""
    options = {**FREE, "algorithm": "PSNMF", "print_info": False, "show_progressbar": False}
    signal.decomposition(output_dimension=k, **{"energy_binning": 4, **options, **kwargs})
    return drawn(signal, k)


def drawn(signal, k):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning)
        warnings.filterwarnings("error", category=RuntimeWarning)
        fig, axes = signal.psnmf.plot()
        fig.canvas.draw()
    assert isinstance(fig, matplotlib.figure.Figure)
    assert axes.shape == (k, 2)
    assert all(ax.figure is fig for ax in axes.flat)
    return fig, axes


@pytest.mark.slow
def test_phase_maps__each_phase_has_a_map_and_a_spectrum(grains):
    _, axes = plot(grains)
    maps, spectra = grains.psnmf.phase_maps(), grains.psnmf.phase_spectra()
    for i, (left, right) in enumerate(axes):
        np.testing.assert_array_equal(left.images[0].get_array(), maps.data[i])
        assert left.get_title() == f"Phase {i}"
        np.testing.assert_array_equal(right.lines[0].get_ydata(), spectra.data[i])
        assert any(text.endswith(" nm") for text in texts_of(left))  # of the scale bar
    assert axes[-1, 1].get_xlabel() == "Energy (keV)"


@pytest.mark.slow
def test_plot__pixels_are_where_the_axes_say(grains):
    grains.axes_manager[0].offset = 100.0
    _, axes = plot(grains)
    x, y = grains.axes_manager.navigation_axes
    left, right, bottom, top = axes[0, 0].images[0].get_extent()
    assert (left, right) == pytest.approx((100 - x.scale / 2, 100 + 13.5 * x.scale))
    assert (top, bottom) == pytest.approx((-y.scale / 2, 10.5 * y.scale))


@pytest.mark.slow
def test_plot__maps_in_pixels_have_axes(grains):
    for axis in grains.axes_manager.navigation_axes:
        axis.units = "px"
    _, axes = plot(grains)
    assert axes[0, 0].get_xlabel() == "x (px)"
    assert axes[0, 0].get_ylabel() == "y (px)"


@pytest.mark.slow
def test_names__titles_are_the_names_and_lines_are_labelled(grains):
    plot(grains)
    grains.psnmf.phase_names = ["silicate", "oxide", "$rest_3"]
    fig, axes = drawn(grains, 3)
    assert [ax.get_title() for ax in axes[:, 0]] == ["silicate", "oxide", "$rest_3"]
    labels = texts_of(fig)
    assert {"Si Kα", "Mg Kα", "Fe Lα", "Al Kα"} <= set(labels)
    for right in axes[:, 1]:
        at = {t.get_text(): t.get_position() for t in right.texts}
        assert at["Si Kα"][0] == pytest.approx(1.74, abs=0.01)
        assert all(0 < y <= right.get_ylim()[1] for _, y in at.values())


@pytest.mark.slow
def test_plot__a_logarithmic_scale_has_every_label_within(grains):
    plot(grains)
    fig, axes = grains.psnmf.plot(log=True)
    fig.canvas.draw()
    for ax in axes[:, 1]:
        low, high = ax.get_ylim()
        assert ax.get_yscale() == "log"
        assert 0 < low < high
        heights = [text.xy[1] for text in ax.texts]
        assert heights
        assert min(heights) > low
        assert max(heights) < high


@pytest.mark.slow
def test_plot__lines_that_a_phase_does_not_have_are_grey(grains):
    truth, results = grains.metadata.Truth, grains.learning_results
    results.factors, results.loadings = truth.factors, truth.loadings
    results.decomposition_algorithm, results.output_dimension = "truth", 3
    axes = drawn(grains, 3)[1]
    black = [{t.get_text(): t.get_color() == "k" for t in ax.texts} for ax in axes[:, 1]]
    assert black[0]["Si Kα"]
    assert black[1]["Mg Kα"]
    assert not black[1]["Si Kα"]
    assert not black[2]["Mg Kα"]


@pytest.mark.slow
def test_plot__a_phase_that_fills_the_map_keeps_its_colour(grains):
    image = plot(grains)[1][0, 0].images[0]
    red, _, blue, _ = image.cmap(1.0)
    assert blue > red + 0.15


@pytest.mark.slow
def test_plot__colours_are_those_of_the_phase_everywhere(grains):
    _, axes = plot(grains)
    for left, right in axes:
        assert left.title.get_color() == right.lines[0].get_color()
    assert len({right.lines[0].get_color() for _, right in axes}) == 3


def test_plot__a_single_phase(grains):
    plot(grains, k=1)


@pytest.mark.slow
def test_plot__more_phases_than_colours(grains):
    plot(grains, k=9, binning=1, tol=1e-2)


@pytest.mark.slow
def test_plot__a_line_scan(grains):
    _, axes = plot(grains.inav[:, 3].deepcopy(), k=2)
    assert axes[0, 0].get_xlabel() == "x (nm)"
    assert len(axes[0, 0].lines) == 1
    assert not axes[0, 0].images


@pytest.mark.slow
def test_phase_maps__a_series_is_summed_over_its_third_axis(grains):
    s = hs.stack([grains, grains])
    _, axes = plot(s)
    maps = s.psnmf.phase_maps()
    np.testing.assert_allclose(axes[1, 0].images[0].get_array(), maps.data[1].sum(axis=0))


@pytest.mark.slow
def test_plot__lazy_signals(grains):
    plot(grains.as_lazy())


@pytest.mark.slow
def test_plot__sem_signals():
    plot(data.sem_two_phases(shape=(11, 14), n_channels=310, counts=900, seed=2), k=2)


@pytest.mark.slow
def test_plot__energies_in_ev(grains):
    axis = grains.axes_manager.signal_axes[0]
    axis.units, axis.scale, axis.offset = "eV", 1000 * axis.scale, 1000 * axis.offset
    _, axes = plot(grains)
    at = {t.get_text(): t.get_position()[0] for t in axes[0, 1].texts}
    assert at["Si Kα"] == pytest.approx(1740, abs=10)
    assert axes[-1, 1].get_xlabel() == "Energy (eV)"


@pytest.mark.slow
@pytest.mark.parametrize("without", ["xray_lines", "Sample"])
def test_plot__without_lines_there_are_no_labels(grains, without):
    if without == "Sample":
        del grains.metadata.Sample
    else:
        del grains.metadata.Sample.xray_lines
    _, axes = plot(grains)
    assert not axes[0, 1].texts
    assert axes[0, 1].get_xlim()[1] == pytest.approx(grains.axes_manager[-1].high_value)


@pytest.mark.slow
def test_plot__lines_beyond_the_axis_are_left_out(grains):
    grains.metadata.Sample.xray_lines = ["Si_Ka", "Fe_Ka", "U_La"]
    _, axes = plot(grains)
    assert [t.get_text() for t in axes[0, 1].texts] == ["Si Kα"]


@pytest.mark.slow
def test_plot__without_units_and_names_nothing_is_called_undefined(grains):
    fig, _ = plot(exspy.signals.EDSTEMSpectrum(grains.data))
    assert not [text for text in texts_of(fig) if "undefined" in text.lower()]


def test_plot__masked_and_empty_pixels(grains):
    grains.data[2] = 0
    mask = np.zeros((14, 11), bool)
    mask[:4] = True
    _, axes = plot(grains, navigation_mask=mask)
    assert np.isnan(np.ma.filled(axes[0, 0].images[0].get_array(), np.nan)[:, :4]).all()


@pytest.mark.slow
def test_plot__masked_pixels_of_a_series_and_a_line(grains):
    series = hs.stack([grains, grains])
    mask = np.zeros((14, 11, 2), bool)
    mask[3, :, 0] = True
    _, axes = plot(series, navigation_mask=mask)
    # Counts of the other element of the series are still shown.
    assert not np.isnan(np.ma.filled(axes[0, 0].images[0].get_array(), np.nan)).any()
    plot(grains.inav[:, 3].deepcopy(), k=2, navigation_mask=np.arange(14) < 3)


@pytest.mark.slow
def test_plot__masked_channels(grains):
    plot(grains, energy_range=(0.5, 2.0))


def test_plot__a_phase_without_counts(grains):
    grains.data[:] = 0
    grains.data[3, 4, 50] = 200
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*counts")
        plot(grains, k=2)


@pytest.mark.slow
def test_plot__axes_that_are_not_uniform(grains):
    grains.axes_manager.navigation_axes[0].convert_to_non_uniform_axis()
    grains.axes_manager.signal_axes[0].convert_to_non_uniform_axis()
    plot(grains)


@pytest.mark.slow
def test_phase_spectra__the_zero_peak_does_not_set_the_scale(grains):
    grains.axes_manager.signal_axes[0].offset = -0.05
    grains.data = grains.data.astype("u2")
    grains.data[..., :10] += 500
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*zero peak")
        _, axes = plot(grains)
    spectrum = grains.psnmf.phase_spectra().data[0]
    assert axes[0, 1].get_ylim()[1] < spectrum.max() / 2


@pytest.mark.slow
def test_plot__figures_can_be_saved(grains, tmp_path):
    fig, _ = plot(grains)
    fig.savefig(tmp_path / "phases.png")
    assert (tmp_path / "phases.png").stat().st_size > 10_000


def test_plot__the_current_figure_and_settings_are_left_alone(grains):
    mine, ax = plt.subplots()
    ax.plot([1, 2])
    settings = dict(matplotlib.rcParams)
    plot(grains)
    assert len(ax.lines) == 1
    assert dict(matplotlib.rcParams) == settings
    assert plt.fignum_exists(mine.number)
