# SPDX-License-Identifier: GPL-3.0-or-later
"""Factors from a phase of known composition in the map."""

from types import SimpleNamespace

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.quantify.exspy_call import Quantifier
from hyperspy_psnmf.eds.quantify.reference import Reference
from tests.helpers.compositions import as_found, truth_of

SILICATE = {"Mg": 17.5, "Fe": 2.0, "Al": 1.0, "Si": 19.5, "O": 60.0}
PERICLASE = {"Mg": 40.0, "Fe": 10.0, "O": 50.0}


@pytest.mark.slow
def test_quantify__factors_from_a_phase_give_the_others(minerals, factors):
    found = minerals.psnmf.quantify(reference={"Silicate": SILICATE}, exclude=("Ca", "Ti"))
    for element, expected in truth_of(minerals).items():
        if element not in ("Ca", "Ti"):
            got = found.atomic_percent[element]
            assert got[0] == pytest.approx(expected[0], abs=0.01)
            assert got[1] == pytest.approx(expected[1], abs=0.4)
    # Relative to each other they are those of the truth, in spite of the computed ones.
    ratio = found._maps.quantifier.factors / [factors[line] for line in found.lines]
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, rtol=0.03)
    assert "k-factors are from Silicate, of the composition given" in "".join(found.notes)
    assert "k-factors are computed" not in "".join(found.notes)


@pytest.mark.slow
def test_quantify__errors_of_the_reference_are_those_of_the_others(minerals):
    exclude = ("Al", "Ca", "Si", "Ti")
    found = minerals.psnmf.quantify(reference={1: PERICLASE}, exclude=exclude)
    part = found.atomic.budget["factors"]
    assert (part[1] == 0).all()
    # Of two elements: the relative errors of a ratio in the reference and elsewhere are the same.
    two = minerals.psnmf.quantify(
        reference={1: {"Mg": 80, "Fe": 20}}, exclude=(*exclude, "O"), intensities="windows"
    )
    net = np.array([two.net[1, two.lines.index(line)] for line in ("Mg_Ka", "Fe_Ka")])
    sigma = [two.net_sigma[1, two.lines.index(line)] for line in ("Mg_Ka", "Fe_Ka")]
    relative = np.hypot(*(sigma / net))
    fraction = two.atomic_percent["Fe"][0] / 100
    expected = 100 * fraction * (1 - fraction) * relative
    assert two.atomic.budget["factors"][0, 0] == pytest.approx(expected, rel=0.15)


@pytest.mark.slow
def test_quantify__scatter_of_compositions_is_their_error(pristine):
    truth, found, sigma = pristine.metadata.Truth, [], []
    rng = np.random.default_rng(7)
    for _ in range(12):
        s = as_found(pristine)
        s.data = rng.poisson((truth.loadings @ truth.factors.T).reshape(s.data.shape) * 0.02)
        s.learning_results.loadings = truth.loadings * 0.02
        counts = s.data.reshape(-1, s.data.shape[-1]).T @ truth.loadings
        s.learning_results.factors = np.maximum(
            counts @ np.linalg.inv(truth.loadings.T @ truth.loadings), 1e-12
        )
        s.learning_results.factors /= s.learning_results.factors.sum(axis=0)
        q = s.psnmf.quantify(
            reference={1: {"Mg": 80, "Fe": 20}},
            exclude=("Al", "Ca", "O", "Si", "Ti"),
            intensities="windows",
        )
        found.append(q.atomic_percent["Fe"][0])
        sigma.append(q.atomic.sigma[0, q.elements.index("Fe")])
    assert 0.5 < np.std(found) / np.mean(sigma) < 1.6


@pytest.mark.slow
def test_quantify__factors_of_other_elements_are_relative_to_a_line_given(minerals, factors):
    reference = {"Ferropericlase": PERICLASE}
    given = {line: factors[line] for line in ("Al_Ka", "Ca_Ka", "Mg_Ka", "Si_Ka", "Ti_Ka")}
    found = minerals.psnmf.quantify(reference=reference, factors=given)
    for element, expected in truth_of(minerals).items():
        np.testing.assert_allclose(found.atomic_percent[element][:2], expected[:2], atol=0.6)
    scaled = {line: 7.0 * k for line, k in given.items()}
    again = minerals.psnmf.quantify(reference=reference, factors=scaled)
    np.testing.assert_allclose(again.atomic.values, found.atomic.values, rtol=1e-9)
    del given["Mg_Ka"]
    with pytest.raises(ValueError, match="give that of one of its lines, Mg_Ka, Fe_Ka, O_Ka, too"):
        minerals.psnmf.quantify(reference=reference, factors=given)


@pytest.mark.slow
def test_quantify__unknown_absorption_in_the_reference_is_in_its_factors(minerals):
    del minerals.metadata.Sample.thickness
    options = {"exclude": ("Al", "Ca", "Ti", "Si")}
    found = minerals.psnmf.quantify(reference={1: PERICLASE}, **options)
    plain = minerals.psnmf.quantify(**options)
    assert (found.atomic.budget["absorption"][1] < 1e-9).all()
    oxygen = found.elements.index("O")
    part, whole = (q.atomic.budget["absorption"][0, oxygen] for q in (found, plain))
    assert 0 < part < whole


def test_quantify__a_phase_as_standard_in_the_sem(sem_map):
    truth = sem_map.metadata.Truth.atomic_percent.as_dictionary()["Al2Cu"]
    found = sem_map.psnmf.quantify(reference={"Al2Cu": truth}, xray_lines=["Al_Ka", "Cu_La"])
    assert found.method == "k_ratios"
    assert found.atomic_percent["Cu"][1] == pytest.approx(33.0, abs=0.01)
    assert 0 < found.atomic_percent["Cu"][0] < 5
    assert "intensities of pure standards are from Al2Cu" in "".join(found.notes)


@pytest.fixture
def sem_map():
    return as_found(data.sem_two_phases(shape=(8, 9), n_channels=900, counts=4000))


@pytest.mark.parametrize(
    ("reference", "error", "match"),
    [
        ([], TypeError, "reference must be a dict of one phase"),
        ({}, TypeError, "reference must be a dict of one phase"),
        ({0: SILICATE, 1: PERICLASE}, TypeError, "reference must be a dict of one phase"),
        ({"Olivine": PERICLASE}, ValueError, "reference names the phase 'Olivine', which is none"),
        ({3: PERICLASE}, ValueError, "reference names the phase 3"),
        ({True: PERICLASE}, ValueError, "reference names the phase True"),
        ({1: {"Mg": 100}}, TypeError, "at% of two elements or more"),
        ({1: 50}, TypeError, "at% of two elements or more"),
        ({1: {"Mg": 50, "Xx": 50}}, ValueError, "'Xx' is no element"),
        ({1: {"Mg": 50, "Ca": 50}}, ValueError, "reference: Ca is excluded"),
        ({1: {"Mg": "50", "O": 50}}, TypeError, "Mg must be a number in at%"),
        ({1: {"Mg": 120, "O": -20}}, ValueError, "Mg must be between 0 and 100 at%"),
        ({1: {"Mg": 1, "O": 1}}, ValueError, "reference must sum to 100 at%, not 2"),
        ({1: {"Mg": 50, "Be": 50}}, ValueError, "no line of Be can be measured"),
        ({1: {"Mg": 50, "Al": 50}}, ValueError, "Al_Ka of Ferropericlase has no significant"),
    ],
)
def test_quantify__a_bad_reference_is_named(minerals, reference, error, match):
    with pytest.raises(error, match=match):
        minerals.psnmf.quantify(reference=reference, exclude=("Ca", "Ti"))


def test_quantify__a_reference_is_for_ratios(minerals, factors):
    with pytest.raises(ValueError, match="reference is for 'CL' and 'k_ratios'"):
        minerals.psnmf.quantify("zeta", factors, reference={1: PERICLASE})


def test_reference__none_is_none():
    assert Reference.read(None, ["Phase 0"], (), "zeta") is None


@pytest.mark.parametrize(
    ("anchors", "magnesium", "iron", "both"),
    [(["Mg_Ka"], 0.0, 0.05**2, 0.0), ([], 0.025**2, 0.025**2, -(0.025**2))],
)
def test_reference__errors_of_factors_are_relative_to_those_that_stay(
    anchors, magnesium, iron, both
):
    net = np.array([[900.0, 500.0, 300.0], [1000.0, 200.0, 5.0]])
    # 3 % of Mg and 4 % of Fe in the reference, and 7 % of the factor given for Si.
    covariance = np.array([np.eye(3)] * 2)
    covariance[1] = np.diag([30.0, 8.0, 4.0]) ** 2
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    lines = ["Mg_Ka", "Fe_Ka", "Si_Ka"]
    measured = SimpleNamespace(net=net, covariance=covariance, sigma=sigma, lines=lines)
    quantifier = Quantifier(None, "CL", lines, np.array([1.1, 1.3, 1.0]))
    reference = Reference(1, "Oxide", {"Mg": 80.0, "Fe": 20.0}, tuple(anchors))
    found, of_factors = reference.calibrate(quantifier, measured, np.array([0.0, 0.0, 0.07]))
    expected = [[magnesium, both, 0.0], [both, iron, 0.0], [0.0, 0.0, 0.07**2]]
    np.testing.assert_allclose(of_factors[0], expected, atol=1e-12)
    np.testing.assert_allclose(of_factors[1], np.diag([0.0, 0.0, 0.07**2]), atol=1e-12)
    weights = found.factors * net[1]
    ratio = 80 * 24.305 / (20 * 55.845)
    assert weights[0] / weights[1] == pytest.approx(ratio, rel=1e-4)
    if anchors:
        assert found.factors[0] == pytest.approx(1.1)
    assert found.factors[2] == 1.0
    # Other spectra are quantified with the factors that they themselves would give.
    other = net * [[1.2, 0.9, 1.0], [0.8, 1.1, 1.0]]
    again = SimpleNamespace(net=other, covariance=covariance, sigma=sigma, lines=lines)
    theirs, _ = reference.calibrate(quantifier, again, np.zeros(3))
    expected = other * theirs.factors
    followed = reference.follow(other[None], measured)[0] * found.factors
    np.testing.assert_allclose(followed, expected, rtol=1e-12)


@pytest.mark.slow
def test_quantify__a_region_is_a_reference(minerals):
    # Of the first phase there is most in its purest pixels.
    first = minerals.learning_results.loadings[:, 0].reshape(20, 26)
    masks = {"pure": first >= np.quantile(first, 0.8), "rest": first < np.quantile(first, 0.3)}
    options = {"region": masks, "exclude": ("Ca", "Ti")}
    whole = minerals.psnmf.quantify(**options)
    composition = {e: float(v[0]) for e, v in whole.atomic_percent.items()}
    found = minerals.psnmf.quantify(reference={"pure": composition}, **options)
    np.testing.assert_allclose(found.atomic.values, whole.atomic.values, atol=1e-6)
    errors = [q.atomic.budget["factors"][1].max() for q in (found, whole)]
    assert errors[0] < 0.5 * errors[1]
