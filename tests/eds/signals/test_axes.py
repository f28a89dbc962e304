# SPDX-License-Identifier: GPL-3.0-or-later
"""Energy axes without a unit, and ones that fall: what is said of them."""

import numpy as np
import pytest
from hyperspy.signals import Signal1D
from traits.api import Undefined

from hyperspy_psnmf.eds.decompose.fit_sentences import sentences_on_fit
from hyperspy_psnmf.eds.fit_check.verdict import FitQuality, SignificantResidual
from hyperspy_psnmf.eds.signals.axes import energies, format_energy
from hyperspy_psnmf.eds.signals.weaknesses import CountLikeness
from hyperspy_psnmf.plot.fit_check import _label_unknown_peaks
from tests.helpers.maps import unmix_quietly

pytestmark = pytest.mark.usefixtures("close_figures")
FACTORS = {"Si_Ka": 1.0, "O_Ka": 1.2}
REST = ["Al", "C", "Ca", "Cu", "Fe", "Mg", "Ti"]


@pytest.mark.parametrize("units", ["", " ", Undefined])
def test_axis_without_unit__said_to_have_none(grains, units):
    grains.axes_manager[-1].units = units
    with pytest.raises(
        ValueError, match="the signal must be keV or eV, but it has no unit; set it"
    ):
        energies(grains)


@pytest.mark.parametrize("units", ["nm", "MeV", "kev"])
def test_axis_in_another_unit__named(grains, units):
    grains.axes_manager[-1].units = units
    with pytest.raises(ValueError, match=f"must be keV or eV, not {units}; set it"):
        energies(grains, "the signal")


def test_decomposition_of_a_map_without_unit__warning_says_so(grains, unmix):
    grains.axes_manager[-1].units = ""
    with pytest.warns(UserWarning, match="takes single channels: .* has no unit"):
        unmix(grains, 2)


@pytest.fixture(scope="module")
def falling(pristine_grains):
    return unmix_quietly(pristine_grains.deepcopy().isig[::-1])


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("element_maps", {}),
        ("element_maps", {"intensities": "windows"}),
        ("element_maps", {"standard_errors": True}),
        ("plot_element_maps", {}),
        ("quantify", {"factors": FACTORS, "exclude": REST}),
        ("quantify", {"factors": FACTORS, "exclude": REST, "intensities": "windows"}),
    ],
)
def test_falling_axis__refused_where_lines_are_measured(falling, call, arguments):
    with pytest.raises(ValueError, match=r"energy axis of the signal falls, from .*s.isig\[::-1\]"):
        getattr(falling.psnmf, call)(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize("call", ["phase_spectra", "report", "residuals", "plot", "ambiguity"])
def test_falling_axis__everything_else_works(falling, call):
    assert getattr(falling.psnmf, call)()


@pytest.mark.parametrize(
    ("energy", "words"),
    [(-0.004, "0.00 keV"), (-0.0, "0.00 keV"), (-0.006, "-0.01 keV"), (0.2749, "0.27 keV")],
)
def test_format_energy__zero_has_no_sign(energy, words):
    assert format_energy(energy) == words


def test_peak_just_below_zero__reads_zero_in_the_report():
    places = [SignificantResidual(-0.004, 20.0, None)]
    quality = FitQuality(2.0, 0.01, places, None, [], CountLikeness(1.0))
    assert "by more than noise near 0.00 keV. " in sentences_on_fit(quality)[0]


def test_peak_just_below_zero__reads_zero_in_the_figure(grains):
    from matplotlib import pyplot as plt

    axis = {"name": "Energy", "units": "keV", "offset": -0.404, "scale": 0.2, "size": 5}
    spectrum = Signal1D(np.array([0.0, 0.0, 50.0, 0.0, 0.0]), axes=[axis])
    spectrum.metadata.set_item("Sample.xray_lines", [])
    ax = plt.figure().add_subplot()
    _label_unknown_peaks(ax, spectrum, 8.0)
    assert [text.get_text() for text in ax.texts] == ["0.00 keV"]
