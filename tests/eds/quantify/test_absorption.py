# SPDX-License-Identifier: GPL-3.0-or-later
"""Absorption in the specimen: as eXSpy corrects for it, or an error where it is not known."""

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.quantify.absorption import Absorber
from hyperspy_psnmf.eds.quantify.exspy_call import _intensity
from hyperspy_psnmf.eds.signals.progress import no_progress_bars
from tests.helpers.compositions import LAMELLA, as_found, truth_of


def forget(signal, *names):
    for name in names:
        delattr(signal.metadata.Sample, name)
    return signal


@pytest.mark.slow
def test_quantify__absorption_is_corrected_for_as_by_exspy(minerals, factors):
    # Of its own eXSpy takes the mean of the elements' densities.
    forget(minerals, "density")
    found = minerals.psnmf.quantify(factors=factors, absorption_correction=True, thickness=100.0)
    net = np.maximum(found.net, 0.0)
    net *= 1e6 / net.sum(axis=1, keepdims=True)
    signals = [_intensity(column, line) for column, line in zip(net.T, found.lines, strict=True)]
    with no_progress_bars():
        expected, _ = minerals.psnmf.phase_spectra().quantification(
            signals, "CL", [factors[line] for line in found.lines], composition_units="atomic",
            navigation_mask=None, absorption_correction=True, thickness=np.full(3, 100.0),
            convergence_criterion=1e-3,
        )  # fmt: skip
    expected = np.array([np.ravel(e.data) for e in expected]).T
    np.testing.assert_allclose(found.atomic.values, expected, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [data.mineral_grains, data.grain_boundary, data.sharp_interface],
    ids=lambda f: f.__name__,
)
def test_quantify__films_are_right_within_three_per_cent(make):
    s = as_found(make(shape=(20, 26), counts=2000, seed=3))
    found = s.psnmf.quantify(factors=s.metadata.Truth.k_factors.as_dictionary())
    assert "absorption in the specimen is corrected for" in "".join(found.notes)
    assert (found.atomic.budget["absorption"] == 0).all()
    for element, expected in truth_of(s).items():
        major = expected > 10
        np.testing.assert_allclose(found.atomic_percent[element][major], expected[major], rtol=0.03)


@pytest.mark.slow
def test_quantify__unknown_thickness_is_an_error_that_has_the_truth(minerals, factors):
    forget(minerals, "thickness", "density")
    found = minerals.psnmf.quantify(factors=factors)
    assert "errors include that of up to 200 nm" in "".join(found.notes)
    expected = truth_of(minerals)
    off = np.array([found.atomic_percent[e] - expected[e] for e in found.elements]).T
    part = found.atomic.budget["absorption"]
    # 100 of 0 to 200 nm is about one standard error off.
    oxygen, calcium = found.elements.index("O"), found.elements.index("Ca")
    assert 2 < part[0, oxygen] < 6
    assert 0.5 < -off[0, oxygen] / part[0, oxygen] < 1.5
    assert 0.5 < off[2, calcium] / part[2, calcium] < 1.5
    assert (abs(off) < 2 * found.atomic.sigma + 0.05).all()
    np.testing.assert_allclose(
        found.atomic.sigma**2, sum(part**2 for part in found.atomic.budget.values()), rtol=1e-6
    )
    without = minerals.psnmf.quantify(factors=factors, absorption_correction=False)
    np.testing.assert_array_equal(without.atomic.values, found.atomic.values)
    rows = found.rows()
    assert rows[0]["at%_absorption"] == part[0, 0]


@pytest.mark.slow
def test_quantify__lines_of_high_energy_are_hardly_absorbed():
    s = as_found(forget(data.grain_boundary(shape=(20, 26), counts=2000), "thickness", "density"))
    factors = s.metadata.Truth.k_factors.as_dictionary()
    found = s.psnmf.quantify(
        factors=factors, exclude=("Mo", "P"), xray_lines=["Fe_Ka", "Cr_Ka", "Ni_Ka"]
    )
    assert (found.atomic.budget["absorption"] < 0.4).all()


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["thickness", "density", "angle"])
def test_quantify__automatic_correction_needs_everything(minerals, few, missing):
    if missing == "angle":
        del minerals.metadata.Acquisition_instrument.TEM.Detector.EDS.elevation_angle
    else:
        forget(minerals, missing)
    found = minerals.psnmf.quantify(**few)
    assert not found._maps.quantifier.absorption_correction
    given = {"angle": {"take_off_angle": 22}}.get(missing, {missing: 4.0})
    assert minerals.psnmf.quantify(**few, **given)._maps.quantifier.absorption_correction


@pytest.mark.slow
def test_quantify__arguments_precede_the_metadata(minerals, few, factors):
    quantifier = minerals.psnmf.quantify(**few, thickness=[50, 60, 70])._maps.quantifier
    assert quantifier.absorption_correction
    np.testing.assert_array_equal(quantifier.thickness, [50, 60, 70])
    assert quantifier.density == pytest.approx(4.1667, abs=1e-4)
    minerals.metadata.Sample.thickness = 0.0  # as files have it
    assert not minerals.psnmf.quantify(**few)._maps.quantifier.absorption_correction
    with pytest.raises(ValueError, match="thickness in nm is needed"):
        minerals.psnmf.quantify(**few, absorption_correction=True)
    minerals.metadata.Sample.thickness = "thin"
    with pytest.raises(ValueError, match=r"s\.metadata\.Sample\.thickness must be a number"):
        minerals.psnmf.quantify(**few)


def test_quantify__absorption_needs_a_take_off_angle(minerals, few):
    del minerals.metadata.Acquisition_instrument.TEM.Detector.EDS.elevation_angle
    with pytest.raises(ValueError, match="the metadata have no take-off angle"):
        minerals.psnmf.quantify(**few, **LAMELLA)


@pytest.mark.slow
@pytest.mark.parametrize(("elevation", "tilt"), [(0.0, 0.0), (20.0, -40.0), (-5.0, 0.0)])
def test_quantify__take_off_angle_that_cannot_be(minerals, few, elevation, tilt):
    minerals.set_microscope_parameters(
        elevation_angle=elevation, azimuth_angle=0.0, tilt_stage=tilt
    )
    angle = f"{minerals.get_take_off_angle():.3g}°"
    with pytest.raises(ValueError, match=f"take-off angle of the metadata is {angle}.*pass take_o"):
        minerals.psnmf.quantify(**few, **LAMELLA, errors="counting")
    found = minerals.psnmf.quantify(**few, errors="counting")
    assert not found._maps.quantifier.absorption_correction
    assert found.atomic.budget["absorption"][1, 0] > 1  # Fe in an oxide of Mg
    assert f"take-off angle of the metadata is {angle}" in "".join(found.notes)
    found = minerals.psnmf.quantify(**few, errors="counting", take_off_angle=22)
    assert found._maps.quantifier.absorption_correction
    assert "take-off angle of the metadata" not in "".join(found.notes)


def test_absorber__corrected_intensities_agree_with_their_own_absorption():
    absorber = Absorber.of(["O_Ka", "Mg_Ka"], 22.0)
    net, k = np.array([[300.0, 500.0], [200.0, 700.0]]), np.array([2.3, 1.1])
    thin = absorber.correct(net, k, np.array([1e-6, 100.0]), np.array([3.6, 3.6]))
    np.testing.assert_allclose(thin[0], net[0], rtol=1e-8)
    assert thin[1, 0] > 1.1 * net[1, 0]
    assert 1 < thin[1, 1] / net[1, 1] < 1.1
    weight = thin * k / (thin * k).sum(axis=1, keepdims=True)
    again = net * absorber.factors(weight, np.array([1e-6, 100.0]), np.array([3.6, 3.6]))
    np.testing.assert_allclose(again, thin, rtol=1e-6)
