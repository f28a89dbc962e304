# SPDX-License-Identifier: GPL-3.0-or-later
"""What is printed, reported and warned of."""

import re
import warnings

import numpy as np
import pytest

import hyperspy_psnmf
from hyperspy_psnmf import data
from hyperspy_psnmf.eds.decompose.notes import notes
from hyperspy_psnmf.eds.signals.learning_results import read_record
from tests.helpers.maps import FREE


def weaknesses_of(signal, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        options = {"output_dimension": 2, "print_info": False, "show_progressbar": False}
        signal.decomposition(algorithm="PSNMF", **{**options, **kwargs})
    messages = [str(w.message) for w in caught if w.filename == __file__]
    record = read_record(signal)
    assert messages == notes(record, record.phase_names)
    return " / ".join(messages)


def numbers_in(text):
    return [float(number) for number in re.findall(r"\d+\.?\d*", text)]


def test_names__the_report_names_every_setting(grains, unmix):
    unmix(grains, binning=(3, 4), energy_binning=2, random_state=7, **FREE)
    grains.psnmf.phase_names = ["silicate", "oxide", "rest"]
    report = grains.psnmf.report()
    for part in (
        hyperspy_psnmf.__version__,
        "3 phases",
        "3 x 4 pixels",
        "45 bins",
        "2 channels",
        "seed 7",
        "520 pixels",
        "Nano Letters",
        f"{grains.data.sum()} counts",
        "silicate (",
        "oxide (",
        "rest (",
        "converged",
        "1e-05",
    ):
        assert part in report, part
    assert "\n" not in report


@pytest.mark.parametrize("seed", [np.random.default_rng(1), np.random.PCG64(1)], ids=["", "bits"])
def test_report__a_generator_is_named_without_its_address(grains, unmix, seed):
    report = unmix(grains, 1, random_state=seed).psnmf.report()
    assert "(seed from a generator given by the user)" in report
    assert " at 0x" not in report


def test_report__fractions_add_up_to_100_percent(unmixed):
    report = unmixed.psnmf.report()
    percents = numbers_in(" ".join(re.findall(r"\(([\d.]+) %\)", report)))
    assert len(percents) == 3
    assert sum(percents) == pytest.approx(100, abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"refinement": "joint", **FREE}, "updated too"),
        ({}, "the spectra fixed"),
        ({"init": "random", **FREE}, "random spectra"),
        ({"tol": 1e-3, **FREE}, "tolerance 1e-03"),
    ],
    ids=str,
)
def test_report__follows_the_settings(grains, unmix, options, expected):
    assert expected in unmix(grains, **options).psnmf.report()


def test_report__of_fixed_phases_claims_no_factorisation(grains, unmixed, unmix):
    unmix(grains, fixed_spectra=unmixed.psnmf.phase_spectra())
    report = grains.psnmf.report()
    assert "All 3 spectra were given" in report
    # Nothing was found by binning, started or seeded.
    assert "SVD" not in report
    assert "Spectra were found" not in report


@pytest.mark.slow
def test_report__a_single_phase_is_in_the_singular(grains, unmix):
    assert "1 phases" not in unmix(grains, 1).psnmf.report()


def test_summary__binning_chosen_or_as_given(grains, capsys):
    for binning, expected in (("auto", "chosen for"), (3, "as given")):
        grains.decomposition(algorithm="PSNMF", output_dimension=3, binning=binning, **FREE)
        assert expected in capsys.readouterr().out


@pytest.mark.slow
def test_decomposition__good_data_have_no_weakness():
    s = data.mineral_grains(shape=(20, 26), n_channels=310, counts=2000, seed=2)
    assert weaknesses_of(s) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sem_two_phases", "sharp_interface", "embedded_spheres"])
def test_report__a_phase_cut_in_two_is_warned_of_and_right_ones_are_not(name):
    s = getattr(data, name)(shape=(32, 48), counts=300, seed=1)
    k = len(s.metadata.Truth.phase_names)
    options = {} if name == "embedded_spheres" else FREE
    assert "hardly differ" not in weaknesses_of(s, output_dimension=k, **options)
    message = weaknesses_of(s, output_dimension=k + 1, **FREE)
    assert re.search(r"spectra hardly differ: Phase \d and Phase \d.*number_of_comp", message)
    assert "hardly differ" in s.psnmf.report()


@pytest.mark.slow
def test_decomposition__zero_peaks_make_no_spectra_alike(sem):
    sem.axes_manager.signal_axes[0].offset = -0.05
    sem.data[..., :15] += 60
    message = weaknesses_of(sem)
    assert "zero peak" in message
    assert "hardly differ" not in message


def test_report__few_counts_per_bin_are_warned_of(grains):
    assert "counts per bin on average: spectra will be poor in detail; bin more" in weaknesses_of(
        grains, binning=1
    )
    assert "counts per bin" in grains.psnmf.report()


def test_decomposition__bins_that_were_compared_with_larger_ones_are_not_to_be_larger(grains):
    message = weaknesses_of(grains.inav[:8, :8], output_dimension=2)
    assert "poor in detail; lower output_dimension" in message
    assert "bin more" not in message


def test_decomposition__the_average_is_over_bins_that_have_counts(grains, unmix):
    mask = np.ones((26, 20), bool)
    mask[:8, :8] = False
    unmix(grains, 2, binning=4, navigation_mask=mask)
    per_bin = grains.learning_results.psnmf["counts_per_bin"]
    assert per_bin == pytest.approx(grains.data[:8, :8].sum() / 4)


def test_decomposition__phases_of_few_counts_are_warned_of_by_name(grains):
    s = grains.inav[:3, :2]
    assert re.search(r"Phase 1 has \d+ counts only", weaknesses_of(s, output_dimension=2))


def test_decomposition__the_zero_peak_is_warned_of_until_it_is_left_out(sem):
    sem.axes_manager.signal_axes[0].offset = -0.05
    sem.data[..., :15] += 20
    message = weaknesses_of(sem, **FREE)
    low, high = numbers_in(re.search(r"energy_range=\((.*)\)", message)[1])
    assert low == 0.12
    energy = sem.axes_manager.signal_axes[0].axis
    # The advice must leave out nothing else.
    assert high >= energy[-1] - 1e-9
    assert "zero peak" not in weaknesses_of(sem, energy_range=(low, high), **FREE)


@pytest.mark.slow
@pytest.mark.parametrize("offset", [-0.475, 0.004, 0.0])
def test_decomposition__the_advised_range_reaches_the_last_channel(grains, offset):
    axis = grains.axes_manager.signal_axes[0]
    axis.offset, axis.scale = offset, 0.0661
    grains.data[..., axis.axis < 0.12] += 30
    message = weaknesses_of(grains, **FREE)
    high = numbers_in(re.search(r"energy_range=\((.*)\)", message)[1])[1]
    options = {"energy_range": (0.12, high), "print_info": False, **FREE}
    grains.decomposition(algorithm="PSNMF", output_dimension=2, **options)
    assert not np.isnan(grains.learning_results.factors[-1]).any()


def test_report__a_report_needs_psnmf(grains):
    with pytest.raises(RuntimeError, match="no factors and loadings yet"):
        grains.psnmf.report()
    grains.change_dtype(float)
    grains.decomposition(
        normalize_poissonian_noise=False,
        navigation_mask=None,
        algorithm="NMF",
        output_dimension=2,
        print_info=False,
    )
    with pytest.raises(RuntimeError, match="those of NMF"):
        grains.psnmf.report()


def test_report__the_summary_says_why_a_binning_was_taken(grains, unmix, capsys):
    unmix(grains, print_info=True, **FREE)
    assert re.search(r"rule of thumb is 2 x 2; 1 x 1 has a held-out", capsys.readouterr().out)
    assert "the rule of thumb is 2 x 2" in grains.psnmf.report()
    grains.change_dtype(float)
    grains.data *= 0.9
    unmix(grains, print_info=True, **FREE)
    assert "the rule of thumb; the data are no whole numbers" in capsys.readouterr().out


@pytest.mark.slow
def test_decomposition__small_particles_are_not_lost_in_bins(unmix):
    s = data.isolated_particles(shape=(72, 88), n_channels=400, counts=50, seed=0)
    auto = unmix(s.deepcopy(), 2, energy_binning=1, **FREE)
    assert auto.learning_results.psnmf["binning"] == [4, 4]
    truth = s.metadata.Truth.factors
    truth = truth / np.linalg.norm(truth, axis=0)

    def worst(signal):
        found = signal.learning_results.factors
        return (truth.T @ (found / np.linalg.norm(found, axis=0))).max(axis=1).min()

    assert worst(auto) > worst(unmix(s, 2, binning=8, energy_binning=1, **FREE)) + 0.1


@pytest.mark.slow
def test_report__energies_at_which_spectra_are_not_made_of_lines(unmixed_copy):
    energy = unmixed_copy.axes_manager[-1].axis
    weights = np.full(energy.size, np.inf)
    unmixed_copy.learning_results.psnmf["prior_weights"] = weights
    assert "0 % the counts have more weight. Among" in unmixed_copy.psnmf.report()
    weights[[20, 40, 41, 43, 90, 120, 150, 180]] = 0.3
    words = (
        f"more weight, at {energy[20]:.2f}, {energy[40]:.2f} to {energy[43]:.2f}, {energy[90]:.2f}"
    )
    assert words in unmixed_copy.psnmf.report()
    assert "keV, among others. Among" in unmixed_copy.psnmf.report()
