# SPDX-License-Identifier: GPL-3.0-or-later
"""Bands where spectra are made of X-ray lines: elements change places between phases."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import PSNMF, data
from hyperspy_psnmf.eds.decompose.fit_sentences import sentence_on_likelihood
from hyperspy_psnmf.nmf.uncertainty import profile_likelihood
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import LikelihoodRatio
from tests.helpers.compositions import truth_of
from tests.helpers.maps import unmix_quietly

LINES = {"spectra": "lines", "n_jobs": 1}


@pytest.fixture(scope="module")
def particles():
    """Cores and shells share iron: no pixel of a core is without its shell."""
    s = data.core_shell_particles(shape=(28, 32), counts=300, n_channels=510, seed=0)
    return unmix_quietly(s, **LINES)


@pytest.fixture
def particles_copy(particles):
    return particles.deepcopy()


@pytest.fixture(scope="module")
def result(particles):
    return particles.psnmf.ambiguity(factors=particles.metadata.Truth.k_factors.as_dictionary())


@pytest.fixture
def no_paths(monkeypatch):
    """Find the most likely factorisation alone, where a test is about the result."""
    monkeypatch.setattr(profile_likelihood, "_directions", lambda W: [])


def phases_by_truth(signal):
    """Return which phase found is each true one."""
    truth, found = signal.metadata.Truth.factors, signal.learning_results.factors
    truth, found = (H / np.linalg.norm(H, axis=0) for H in (truth, found))
    return (truth.T @ found).argmax(axis=1)


def assert_around(result, slack=1e-9):
    """What was found lies inside its own bands."""
    assert (result.spectra_low.data <= result.spectra.data + slack).all()
    assert (result.spectra.data <= result.spectra_high.data + slack).all()
    low, high = result.counts_band.T
    assert ((low <= result.counts) & (result.counts <= high)).all()
    for element, found in result.compositions.items():
        low, high = result.compositions_band[element].T
        assert ((low <= found + 1e-6) & (found <= high + 1e-6)).all()


def test_ambiguity_of_lines__the_truth_is_inside_where_elements_change_places(particles, result):
    found = phases_by_truth(particles)
    assert sorted(found) == [0, 1, 2]
    low, high = result.counts_band[found].T
    truth = particles.metadata.Truth.loadings.sum(axis=0)
    # At 1200 counts per bin, loadings that noise cannot make negative have a bias of 1 to 2 %.
    assert ((low < 1.02 * truth) & (0.98 * truth < high)).all()
    for element, percent in truth_of(particles).items():
        low, high = result.compositions_band[element][found].T
        assert ((low - 0.05 < percent) & (percent < high + 0.05)).all()
    core = list(particles.psnmf.phase_names)[found[2]]
    assert core in repr(result)
    iron, platinum = (np.ptp(result.compositions_band[e][found], axis=1) for e in ("Fe", "Pt"))
    assert iron[2] > 5  # at%: the shell's, or not
    assert platinum[:2].max() < 1  # in cores only


def test_ambiguity_of_lines__the_result_is_inside_and_its_excess_is_reported(result):
    assert_around(result)
    ratio = result.likelihood_ratio
    assert 0 < ratio.excess < ratio.limit
    assert ratio.is_as_likely
    assert f"result: excess {ratio.excess:.1f} nats, limit {ratio.limit:.1f}" in repr(result)


def test_ambiguity_of_lines__the_result_is_inside_where_channels_follow_the_counts(
    particles_copy, no_paths
):
    factors = particles_copy.learning_results.factors
    factors[350:356] += 2e-4  # a peak that is of no template
    factors /= factors.sum(axis=0)
    assert_around(particles_copy.psnmf.ambiguity())


def test_ambiguity_of_lines__bands_have_no_noise_of_single_channels(particles, result):
    """Between the lines a band is as smooth as the continuum, where the spectra are sums of it."""
    energy = result.spectra.axes_manager.signal_axes[0].axis
    is_sum = np.isinf(particles.learning_results.psnmf["prior_weights"])
    between = (energy > 4.0) & (energy < 5.5) & is_sum
    assert between.sum() > 90  # of 120 channels; in the others the counts have weight
    for band in (result.spectra_low, result.spectra_high):
        counts = band.data[:, between]
        assert (np.abs(np.diff(counts, n=2)) < 0.02 * counts.max(axis=1, keepdims=True)).all()


@pytest.mark.slow
def test_ambiguity_of_lines__the_same_after_saving_and_loading(particles, result, tmp_path):
    particles.save(tmp_path / "map.hspy")
    found = hs.load(tmp_path / "map.hspy").psnmf.ambiguity()
    np.testing.assert_allclose(found.counts_band, result.counts_band, rtol=1e-6)
    assert found.likelihood_ratio.excess == pytest.approx(result.likelihood_ratio.excess)


def test_ambiguity_of_lines__lazy_is_eager(particles, no_paths):
    found, expected = (
        s.psnmf.ambiguity().likelihood_ratio for s in (particles.as_lazy(), particles)
    )
    assert (found.excess, found.limit) == pytest.approx((expected.excess, expected.limit))


@pytest.mark.slow
def test_ambiguity_of_lines__fixed_phases_have_no_band(grains):
    fixed = grains.metadata.Truth.factors.T[1:2]
    unmix_quietly(grains, 2, fixed_spectra=fixed, **LINES)
    result = grains.psnmf.ambiguity()
    np.testing.assert_allclose(result.spectra_low.data[0], result.spectra_high.data[0])
    assert (result.spectra_low.data[1:] < result.spectra_high.data[1:]).any(axis=1).all()
    assert_around(result)


@pytest.mark.slow
def test_ambiguity_of_lines__absent_elements_stay_absent(grains):
    unmix_quietly(grains, 2, absent={0: ["Mg"]}, **LINES)
    result = grains.psnmf.ambiguity()
    energy = grains.axes_manager.signal_axes[0].axis
    peak, beside = (np.abs(energy - keV) < 0.03 for keV in (1.254, 1.15))
    high = result.spectra_high.data[0]
    assert high[peak].max() < 1.3 * high[beside].max()


@pytest.mark.slow
def test_ambiguity_of_lines__masks_stay_masked(grains, navigation_mask, signal_mask):
    masks = {"navigation_mask": navigation_mask, "signal_mask": signal_mask}
    unmix_quietly(grains, 2, **masks, **LINES)
    result = grains.psnmf.ambiguity()
    inside = np.zeros(301, bool)  # nine channels are cut off at the beginning
    inside[120 - 9 : 131 - 9] = True
    assert not result.spectra_high.data[:, inside].any()
    assert result.counts_band[:, 0].sum() < grains.data[:, 4:].sum()
    assert_around(result)


def test_ambiguity_of_lines__templates_given_to_an_estimator_cannot_be_found_again(grains):
    model = grains.decomposition(
        algorithm="PSNMF", output_dimension=2, return_info=True, print_info=False, **LINES
    )
    again = PSNMF(2, templates=model.templates.spectra, energy_binning=4)
    grains.decomposition(algorithm=again, output_dimension=2, print_info=False)
    with pytest.raises(RuntimeError, match="templates that were given"):
        grains.psnmf.ambiguity()
    assert "likelihood-ratio" not in grains.psnmf.report()


def test_ambiguity_of_lines__a_result_that_is_less_likely_is_warned_of(particles_copy, no_paths):
    found = particles_copy.learning_results.psnmf["binned_loadings"]
    found[...] = found.mean(axis=-1, keepdims=True)
    with pytest.warns(UserWarning, match="likelihood-ratio test at 95 % rejects the result"):
        result = particles_copy.psnmf.ambiguity()
    ratio = result.likelihood_ratio
    assert ratio.excess > ratio.limit
    assert not ratio.is_as_likely
    assert "rejects the result" in particles_copy.psnmf.report()


@pytest.mark.parametrize(
    ("excess", "verdict"), [(3.24, "does not reject the result"), (8.1, "rejects the result")]
)
def test_sentence_on_likelihood__excess_and_limit(excess, verdict):
    sentence = sentence_on_likelihood(LikelihoodRatio(excess, 5.99), 0.95)
    assert verdict in sentence
    assert f"{excess:.1f} nats above" in sentence
    assert "up to 6.0 are not significant" in sentence
