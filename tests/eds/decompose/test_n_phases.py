# SPDX-License-Identifier: GPL-3.0-or-later
"""How many phases: before a decomposition, and as ``output_dimension="auto"``."""

import hyperspy.api as hs
import matplotlib
import numpy as np
import pytest
from prettytable import PrettyTable

from hyperspy_psnmf import PSNMF, data
from tests.helpers.flawed_maps import drifting
from tests.helpers.maps import FREE

pytestmark = pytest.mark.slow  # most of these

QUIET = {"show_progressbar": False}


@pytest.fixture(scope="module")
def pristine():
    """A map of 3 phases, 33 x 29 pixels (x, y): smaller ones do not hold enough counts."""
    return data.core_shell_particles(shape=(29, 33), n_channels=310, counts=400, seed=2)


@pytest.fixture(scope="module")
def estimate(pristine):
    return pristine.psnmf.estimate_number_of_components(**QUIET)


@pytest.fixture
def particles(pristine):
    return pristine.deepcopy()


# --- before a decomposition


def test_estimate_number_of_components__the_number_of_phases_is_found(estimate):
    assert estimate.best == estimate.minimum == 3
    assert estimate.numbers == (1, 2, 3, 4, 5)
    assert estimate.deviances.shape == (5, 10)
    assert estimate.differences[2] == 0
    assert (estimate.standard_errors[[0, 1, 3, 4]] > 0).all()
    assert not estimate.is_limited


def test_estimate_number_of_components__the_table_marks_what_was_chosen(estimate):
    table = estimate.table()
    assert isinstance(table, PrettyTable)
    assert len(table.rows) == 5
    assert [row[0] for row in table.rows if "best" in row[-1]] == [3]
    assert str(estimate) == repr(estimate) == str(table)


def test_estimate_number_of_components__the_figure_shows_every_number(estimate):
    fig, ax = estimate.plot()
    fig.canvas.draw()
    assert isinstance(ax, matplotlib.axes.Axes)
    assert ax.get_xticks().tolist() == [1, 2, 3, 4, 5]
    # One phase too few would hide what one too many costs.
    assert ax.get_ylim()[1] < estimate.differences[1]
    matplotlib.pyplot.close(fig)


def test_estimate_number_of_components__one_number_can_be_plotted_too(particles):
    found = particles.psnmf.estimate_number_of_components(1, n_folds=2, **QUIET)
    assert found.numbers == (1,)
    assert found.is_limited
    assert found.reason() == "1 phase predicts held-out counts best"
    fig, ax = found.plot()
    assert ax.get_title() == "1 phase"
    fig.canvas.draw()
    matplotlib.pyplot.close(fig)


def test_estimate_number_of_components__it_is_reproducible_and_follows_the_seed(particles):
    a, b, c = (
        particles.psnmf.estimate_number_of_components(2, n_folds=2, random_state=seed, **QUIET)
        for seed in (0, 0, 7)
    )
    np.testing.assert_array_equal(a.deviances, b.deviances)
    assert (a.deviances != c.deviances).all()


def test_estimate_number_of_components__a_lazy_map_gives_the_same(particles, estimate, tmp_path):
    particles.save(tmp_path / "map.hspy", chunks=(10, 9, 310))
    lazy = hs.load(tmp_path / "map.hspy", lazy=True)
    found = lazy.psnmf.estimate_number_of_components(2, **QUIET)
    np.testing.assert_array_equal(found.deviances, estimate.deviances[:2])
    lazy.close_file()


def test_estimate_number_of_components__masked_pixels_and_channels_are_as_good_as_not_there(
    particles,
):
    mask = np.zeros((33, 29), bool)
    mask[:5] = True
    channels = np.zeros(310, bool)
    channels[:9] = True
    options = {"navigation_mask": mask, "signal_mask": channels, "n_folds": 3, **QUIET}
    expected = particles.psnmf.estimate_number_of_components(3, **options)
    particles.data[:, :5] = 9
    particles.data[..., :9] = 7
    found = particles.psnmf.estimate_number_of_components(3, **options)
    np.testing.assert_array_equal(found.deviances, expected.deviances)


def test_estimate_number_of_components__an_energy_range_is_the_map_cropped_to_it(particles):
    options = {"n_folds": 3, **QUIET}
    energy = particles.axes_manager[-1].axis[[50, 250]]
    found = particles.psnmf.estimate_number_of_components(3, energy_range=energy, **options)
    cropped = particles.isig[50:251]
    expected = cropped.psnmf.estimate_number_of_components(3, **options)
    np.testing.assert_array_equal(found.deviances, expected.deviances)


def test_estimate_number_of_components__fixed_spectra_count(particles):
    H = particles.metadata.Truth.factors.T
    two = particles.psnmf.estimate_number_of_components(fixed_spectra=H[:2], **QUIET)
    assert two.numbers[0] == 2
    assert two.best == 3
    three = particles.psnmf.estimate_number_of_components(fixed_spectra=H, **QUIET)
    assert three.best == three.numbers[0] == 3


def test_estimate_number_of_components__line_scans_series_and_axes_without_unit_are_accepted(
    particles,
):
    line = hs.stack([particles.inav[:, 9]], axis=None).squeeze()
    assert line.psnmf.estimate_number_of_components(2, n_folds=2, **QUIET).numbers == (1, 2)
    series = hs.stack([particles.inav[:9, :8]] * 3)
    assert series.psnmf.estimate_number_of_components(2, n_folds=2, **QUIET).numbers == (1, 2)
    particles.axes_manager[-1].units = "Bq"
    assert particles.psnmf.estimate_number_of_components(2, n_folds=2, **QUIET).best == 2


def test_estimate_number_of_components__the_progress_bar_shows_the_number(particles, capsys):
    particles.psnmf.estimate_number_of_components(2, n_folds=2, show_progressbar=True)
    printed = "".join(capsys.readouterr())
    assert "Number of phases" in printed
    assert "2 phases" in printed


@pytest.mark.parametrize("dtype", [float, np.float32])
def test_estimate_number_of_components__whole_numbers_of_any_type_are_counts(
    particles, estimate, dtype
):
    particles.change_dtype(dtype)
    found = particles.psnmf.estimate_number_of_components(1, **QUIET)
    np.testing.assert_array_equal(found.deviances[0], estimate.deviances[0])


def test_estimate_number_of_components__what_is_not_counts_is_refused_with_reason(particles, state):
    particles.change_dtype(float)
    particles.data *= 0.7
    before = state(particles)
    with pytest.raises(ValueError, match=r"signal's data must hold counts: whole.*filtered"):
        particles.psnmf.estimate_number_of_components(**QUIET)
    with pytest.raises(ValueError, match=r"signal's data must hold counts: whole.*filtered"):
        particles.decomposition(algorithm="PSNMF", output_dimension="auto", **QUIET)
    assert state(particles) == before


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_components": 0}, ValueError, "max_components must be at least 1"),
        ({"max_components": 2.0}, TypeError, "max_components must be an int"),
        ({"n_folds": 1}, ValueError, "n_folds must be at least 2"),
        ({"energy_range": (7, 3)}, ValueError, "energy_range"),
        ({"navigation_mask": np.ones((33, 29), bool)}, ValueError, "navigation_mask"),
        ({"signal_mask": np.ones(5, bool)}, ValueError, "signal_mask"),
        ({"fixed_spectra": np.ones((2, 17))}, ValueError, "fixed_spectra"),
        (
            {"fixed_spectra": np.ones((3, 310)), "max_components": 2},
            ValueError,
            "max_components must be at least 3",
        ),
        ({"random_state": "x"}, ValueError, "random_state"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
    ],
    ids=str,
)
def test_estimate_number_of_components__bad_arguments_are_named_before_any_work(
    particles, options, error, message, monkeypatch
):
    monkeypatch.setattr("hyperspy_psnmf.eds.decompose.n_phases.choose_number", None)
    with pytest.raises(error, match=message):
        particles.psnmf.estimate_number_of_components(**options, **QUIET)


def test_estimate_number_of_components__an_empty_map_is_refused(particles):
    particles.data[:] = 0
    with pytest.raises(ValueError, match="zero everywhere"):
        particles.psnmf.estimate_number_of_components(**QUIET)


# --- as a part of a decomposition


def test_estimate_number_of_components__auto_takes_best_and_is_otherwise_same(particles, unmix):
    estimate = particles.psnmf.estimate_number_of_components(spectra="free", **QUIET)
    auto = unmix(particles.deepcopy(), "auto", **FREE).learning_results
    given = unmix(particles, 3, **FREE).learning_results
    np.testing.assert_array_equal(auto.factors, given.factors)
    np.testing.assert_array_equal(auto.loadings, given.loadings)
    assert auto.output_dimension == 3
    assert auto.psnmf["numbers_tried"] == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(auto.psnmf["held_out_differences"], estimate.differences)
    np.testing.assert_array_equal(auto.psnmf["held_out_standard_errors"], estimate.standard_errors)
    assert "numbers_tried" not in given.psnmf


def test_report__the_reason_is_printed_reported_and_saved(particles, unmix, capsys, tmp_path):
    unmix(particles, "auto", print_info=True, **FREE)
    reason = "3 phases predict held-out counts best"
    assert f"output_dimension=3 (chosen among 1 to 5: {reason})" in capsys.readouterr().out
    assert reason in particles.psnmf.report()
    particles.save(tmp_path / "map.hspy")
    for lazy in (False, True):
        assert hs.load(tmp_path / "map.hspy", lazy=lazy).psnmf.report() == particles.psnmf.report()


def test_decomposition__auto_counts_fixed_spectra(particles, unmix):
    H = particles.metadata.Truth.factors.T
    results = unmix(particles, "auto", fixed_spectra=H[1:]).learning_results
    assert results.output_dimension == 3
    np.testing.assert_allclose(results.factors[:, :2], H[1:].T)
    assert results.psnmf["n_fixed"] == 2


def test_report__as_many_phases_as_were_tried_are_warned_of(particles, monkeypatch):
    monkeypatch.setattr("hyperspy_psnmf.eds.decompose.decompose.MAX_COMPONENTS", 2)
    with pytest.warns(UserWarning, match="there may be more"):
        particles.decomposition(algorithm="PSNMF", output_dimension="auto", print_info=False)
    assert "there may be more" in particles.psnmf.report()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": PSNMF(3)}, "output_dimension='auto' needs algorithm='PSNMF'"),
        ({"init": np.ones((3, 310))}, "init has a number of spectra"),
        ({"absent": {0: ["Fe"]}}, "absent names phases"),
        ({"refinement": "some"}, "refinement"),
        ({"fixed_spectra": np.ones((3, 31))}, "fixed_spectra"),
        ({"binning": 40}, "binning"),
    ],
    ids=str,
)
def test_decomposition__what_auto_cannot_do_is_reported_before_any_work(
    particles, state, options, message
):
    before = state(particles)
    with pytest.raises(ValueError, match=message):
        particles.decomposition(
            **{"algorithm": "PSNMF", "output_dimension": "auto", **QUIET, **options}
        )
    assert state(particles) == before


# --- with spectra made of lines


@pytest.fixture(scope="module")
def starved():
    return data.mineral_grains(shape=(64, 72), counts=15, seed=3)


def test_estimate_number_of_components__lines_find_a_rare_phase_at_few_counts(starved):
    assert starved.psnmf.estimate_number_of_components(**QUIET).best == 3
    assert starved.psnmf.estimate_number_of_components(spectra="free", **QUIET).best == 2


def test_estimate_number_of_components__drift_is_no_phase():
    s = drifting(data.sem_two_phases(shape=(64, 72), counts=300, seed=5), 10)
    assert s.psnmf.estimate_number_of_components(**QUIET).best == 2
    assert s.psnmf.estimate_number_of_components(spectra="free", **QUIET).best > 2


def test_decomposition__auto_uses_the_spectra_of_the_decomposition(starved, unmix):
    results = unmix(starved.deepcopy(), "auto").learning_results
    assert results.output_dimension == 3
    found = starved.psnmf.estimate_number_of_components(**QUIET)
    np.testing.assert_array_equal(results.psnmf["held_out_differences"], found.differences)


def test_estimate_number_of_components__maps_without_lines_have_free_spectra(particles):
    del particles.metadata.Acquisition_instrument
    a, b = (
        particles.psnmf.estimate_number_of_components(2, n_folds=2, spectra=spectra, **QUIET)
        for spectra in ("auto", "free")
    )
    np.testing.assert_array_equal(a.deviances, b.deviances)
    with pytest.raises(ValueError, match="beam energy"):
        particles.psnmf.estimate_number_of_components(2, spectra="lines", **QUIET)
    with pytest.raises(ValueError, match="spectra"):
        particles.psnmf.estimate_number_of_components(2, spectra="line", **QUIET)
