# SPDX-License-Identifier: GPL-3.0-or-later
"""Label maps: the right phases, unassigned and masked pixels, all kinds of maps."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.helpers.compositions import as_found
from tests.helpers.maps import FREE, describe_state, stock, unmix_quietly


def test_label_map__has_the_true_phases_and_the_axes_of_the_map(unmixed):
    before = describe_state(unmixed)
    labels = unmixed.psnmf.label_map()
    assert describe_state(unmixed) == before
    assert labels.data.dtype.kind == "i"
    assert labels.axes_manager.signal_shape == unmixed.axes_manager.navigation_shape
    assert labels.axes_manager[0].units == unmixed.axes_manager[0].units
    assert labels.metadata.Phases.names == unmixed.psnmf.phase_names
    truth = unmixed.metadata.Truth.loadings.argmax(axis=1)
    assert np.mean(labels.data.ravel() == truth) > 0.95
    assert (labels == 1).data.sum() == (labels.data == 1).sum()


@pytest.mark.slow
@pytest.mark.parametrize("counts", [15, 60])
def test_label_map__a_good_fit_leaves_few_pixels_unassigned(counts):
    bad = 0
    for seed in range(4):
        s = data.mineral_grains(shape=(20, 26), n_channels=310, counts=counts, seed=seed)
        unmix_quietly(s, 3, **FREE, fixed_spectra=s.metadata.Truth.factors.T)
        bad += (s.psnmf.label_map().data < 0).sum()
    # Between phases of similar spectra no loading may be significant.
    assert bad < 0.01 * 4 * 20 * 26


def test_label_map__counts_of_no_phase_and_too_few_are_unassigned(unmixed_free):
    s = unmixed_free.deepcopy()
    s.data[3, 5] = s.data[3, 5][::-1]  # no phase has its lines there
    s.data[8, 2] = 0
    s.data[8, 2, 40] = 1
    unmix_quietly(s, 3, **FREE, fixed_spectra=unmixed_free.learning_results.factors.T)
    labels = s.psnmf.label_map().data
    assert labels[3, 5] == labels[8, 2] == -1
    assert (labels == -1).sum() < 0.02 * labels.size


def test_label_map__masked_pixels_have_a_number_of_their_own(grains, navigation_mask):
    unmix_quietly(grains, 3, **FREE, navigation_mask=navigation_mask)
    labels = grains.psnmf.label_map().data
    np.testing.assert_array_equal(labels == -2, navigation_mask.T)


def test_label_map__a_higher_confidence_assigns_no_more_pixels():
    s = as_found(data.core_shell_particles(shape=(20, 26), counts=6, seed=1))
    many, few = (np.sum(s.psnmf.label_map(confidence=c).data >= 0) for c in (0.8, 0.999))
    assert few < many


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["line", "series", "lazy", "NMF"])
def test_label_map__every_kind_of_map(grains, unmixed_free, kind):
    s = grains
    if kind == "line":
        s = s.inav[:, 3]
    if kind == "series":
        s = hs.stack([s.inav[:7, :5]] * 2)
    if kind == "lazy":
        s = s.as_lazy()
    s = stock(s) if kind == "NMF" else unmix_quietly(s, 3, **FREE)
    labels = s.psnmf.label_map()
    assert labels.data.shape == s.axes_manager.navigation_shape[::-1]
    if kind == "lazy":
        np.testing.assert_array_equal(labels.data, unmixed_free.psnmf.label_map().data)
