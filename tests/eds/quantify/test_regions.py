# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositions of regions: sums of phases, errors from spectra and counts, masks of any kind."""

import pickle

import numpy as np
import pytest
from hyperspy.signals import BaseSignal

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.intensities import measure_lines
from hyperspy_psnmf.eds.phase_map.regions import Regions
from tests.helpers.maps import FREE, unmix_quietly

LINES = ["Mg_Ka", "Si_Ka", "O_Ka"]


@pytest.fixture(scope="module")
def masks():
    """Three regions, one inside another."""
    left, corner = np.zeros((20, 26), bool), np.zeros((20, 26), bool)
    left[:, :11] = corner[:6, :7] = True
    return {"all": np.ones((20, 26), bool), "left": left, "corner": corner}


@pytest.fixture(scope="module")
def found(pristine, few, masks):
    return pristine.deepcopy().psnmf.quantify(**few, region=masks)


@pytest.mark.slow
def test_quantify_regions__net_counts_are_those_of_the_phases_inside(pristine, few, masks, found):
    of_phases = pristine.deepcopy().psnmf.quantify(**few)
    loadings = pristine.learning_results.loadings
    for i, mask in enumerate(masks.values()):
        sums = loadings[mask.ravel()].sum(axis=0)
        expected = sums @ (of_phases.net / of_phases.counts[:, None])
        np.testing.assert_allclose(found.net[i], expected)
        assert found.counts[i] == pytest.approx(sums.sum())
    for one, other in zip(found.maps(), of_phases.maps(), strict=True):
        np.testing.assert_array_equal(one.data, other.data)


@pytest.mark.slow
def test_quantify_regions__a_pure_region_has_the_composition_of_its_phase(pristine, few):
    s = pristine.deepcopy()
    loadings = s.learning_results.loadings
    s.learning_results.loadings = np.where(
        loadings == loadings.max(axis=1, keepdims=True), loadings, 0.0
    )
    labels = s.psnmf.label_map()
    of_phases = s.psnmf.quantify(**few)
    found = s.psnmf.quantify(**few, region=labels == 1)
    np.testing.assert_allclose(found.atomic.values[0], of_phases.atomic.values[1], rtol=1e-6)
    assert found.names == ["Region"]


def test_quantify_regions__table_rows_and_notes_are_of_regions(found):
    assert found.table().field_names[0] == found.budget().field_names[0] == "Region"
    assert [row[0] for row in found.table().rows] == ["all", "left", "corner"]
    assert found.rows()[3]["region"] == "left"
    assert "phase" not in found.rows()[0]
    assert any("compositions of regions" in note for note in found.notes)
    assert not any("ambiguity" in note for note in found.notes)
    assert str(pickle.loads(pickle.dumps(found))) == str(found)


def test_quantify_regions__a_smaller_region_has_larger_errors(found):
    assert (found.percent.sigma[2] > found.percent.sigma[0]).all()


@pytest.mark.slow
def test_quantify_regions__a_mask_may_be_a_signal_of_either_kind(pristine, few, masks):
    s = pristine.deepcopy()
    image = BaseSignal(masks["left"])
    for mask in (image, image.T, image.as_lazy()):
        found = s.psnmf.quantify(**few, region=mask)
        inside = s.learning_results.loadings[masks["left"].ravel()]
        assert found.counts[0] == pytest.approx(inside.sum())


@pytest.mark.slow
def test_quantify_regions__thickness_is_of_each_region(minerals, few, masks):
    options = {"absorption_correction": True, "density": 4.1, "region": masks}
    thick = minerals.psnmf.quantify(**few, **options, thickness=[100.0, 300.0, 100.0])
    thin = minerals.psnmf.quantify(**few, **options, thickness=100.0)
    # eXSpy iterates until all have converged to 0.05 %.
    changed = np.abs(thick.atomic.values - thin.atomic.values).max(axis=1) > 0.1
    assert changed.tolist() == [False, True, False]
    with pytest.raises(ValueError, match="thickness must have a value for each of"):
        minerals.psnmf.quantify(**few, **options, thickness={"Silicate": 100.0})


@pytest.mark.slow
def test_quantify_regions__masked_pixels_are_outside(pristine, few, masks):
    s = pristine.deepcopy()
    s.learning_results.loadings = s.learning_results.loadings.copy()
    outside = ~masks["left"].ravel()
    s.learning_results.loadings[outside] = np.nan
    found = s.psnmf.quantify(**few, region={"all": masks["all"], "left": masks["left"]})
    np.testing.assert_allclose(found.net[0], found.net[1])
    with pytest.raises(ValueError, match="region 'right' has no pixel"):
        s.psnmf.quantify(**few, region={"right": ~masks["left"]})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:net counts below zero|spectra hardly differ")
def test_Regions_intensities__errors_are_the_scatter_over_noise(masks):
    s = data.mineral_grains(shape=(20, 26), n_channels=310, counts=300, seed=2)
    truth, rng = s.metadata.Truth, np.random.default_rng(0)
    nets, sigmas = [], []
    for _ in range(16):
        s.data = rng.poisson(truth.loadings @ truth.factors.T).reshape(s.data.shape)
        unmix_quietly(s, 3, **FREE, init=truth.factors.T, binning=2)
        decomposed = Decomposed.read(s)
        measured = measure_lines(decomposed, LINES, elements={"Fe", "Al", "Ca", "Ti"})
        of_regions = Regions.read(decomposed, masks).intensities(decomposed, measured)
        nets.append(of_regions.net)
        sigmas.append(of_regions.sigma)
    ratio = np.std(nets, axis=0, ddof=1) / np.mean(sigmas, axis=0)
    assert (ratio < 1.5).all()
    assert np.median(ratio) > 0.5


@pytest.mark.parametrize(
    ("region", "error", "match"),
    [
        ({}, TypeError, "region must be a mask, or a dict"),
        ({1: np.ones((20, 26), bool)}, TypeError, "region must be a mask, or a dict"),
        ({"": np.ones((20, 26), bool)}, TypeError, "region must be a mask, or a dict"),
        (np.ones((26, 20), bool), ValueError, r"array order.*\(20, 26\), not \(26, 20\)"),
        (np.ones(520, bool), ValueError, "region 'Region' must have the map's shape"),
        (np.zeros((20, 26), bool), ValueError, "region 'Region' has no pixel"),
        (np.ones((20, 26)), TypeError, "region 'Region' must be boolean"),
        (np.ones((20, 26), int), TypeError, "region 'Region' must be boolean.*label_map"),
        ({"a": [[True], [True, False]]}, TypeError, "region must be an array"),
        ("Silicate", TypeError, "region 'Region' must be boolean"),
        (True, ValueError, "region 'Region' must have the map's shape"),
    ],
    ids=str,
)
def test_quantify_regions__what_is_no_mask_is_refused(minerals, few, region, error, match):
    with pytest.raises(error, match=match):
        minerals.psnmf.quantify(**few, region=region)


def test_quantify_regions__ambiguity_is_of_phases(minerals, few, masks):
    with pytest.raises(ValueError, match="ambiguity is for phases"):
        minerals.psnmf.quantify(**few, region=masks, ambiguity=True)
