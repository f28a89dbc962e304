# SPDX-License-Identifier: GPL-3.0-or-later
"""``phases=``: what is known of phases, by name, in one call."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.helpers.maps import FREE, assert_same_results, results_of, unmix_quietly
from tests.helpers.problems import angles
from tests.helpers.versions import ZSPY

# On the map of minerals, in the order of their counts.
ELEMENTS = {"silicate": ["Ca"], "oxide": ["Si"]}


@pytest.fixture
def film(unmixed_free):
    """The spectrum of a phase, as a signal."""
    return unmixed_free.psnmf.phase_spectra().inav[1]


def energies_of(signal):
    return signal.axes_manager.signal_axes[0].axis


def stored(signal):
    return signal.learning_results.psnmf


@pytest.mark.slow
@pytest.mark.parametrize("given", ["signal", "array", "row"])
def test_phases__a_spectrum_is_one_of_fixed_spectra(grains, unmix, film, given):
    spectrum = {"signal": film, "array": film.data, "row": film.data[None]}[given]
    expected = unmix(grains.deepcopy(), 3, fixed_spectra=film, **FREE)
    found = unmix(grains, 3, phases={"film": {"spectrum": spectrum}}, **FREE)
    assert_same_results(found, expected)
    assert found.psnmf.phase_names == ["film", "Phase 1", "Phase 2"]
    assert expected.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [FREE, {**FREE, "energy_binning": 1}, {"spectra": "lines"}])
def test_phases__elements_are_excluded_from_the_phase_that_loses_least(grains, unmix, options):
    phases = {name: {"absent": elements} for name, elements in ELEMENTS.items()}
    found = unmix(grains.deepcopy(), 3, phases=phases, **options)
    names = found.psnmf.phase_names
    assert set(names) > {"silicate", "oxide"}
    by_hand = {names.index(name): elements for name, elements in ELEMENTS.items()}
    # Given by hand, of that result.
    expected = unmix(found.deepcopy(), 3, absent=by_hand, **options)
    for one, other in zip(results_of(found), results_of(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * other.max())
    assert stored(found)["absent"].shape == stored(expected)["absent"].shape
    np.testing.assert_array_equal(stored(found)["absent"], stored(expected)["absent"])
    assert stored(found)["absent_elements"] == stored(expected)["absent_elements"]


@pytest.mark.slow
def test_phases__the_phase_is_found_whatever_its_number(grains, unmix, unmixed_free):
    # The spectra of the result without: the phase with the least fraction of an element's counts.
    centre = grains.axes_manager.signal_axes[0].value2index(1.74)  # of Si Ka, in keV
    of_si = unmixed_free.learning_results.factors[centre - 4 : centre + 5].sum(axis=0)
    found = unmix(grains, 3, phases={"no silicon": {"absent": ["Si"]}}, **FREE)
    names = found.psnmf.phase_names
    assert names.index("no silicon") == int(of_si.argmin())


@pytest.mark.slow
def test_phases__spectra_elements_and_the_rest_have_their_names(grains, unmix, film):
    phases = {"rest": {}, "no calcium": {"absent": ["Ca"]}, "film": {"spectrum": film}}
    unmix(grains, None, phases=phases, **FREE)  # as many phases as names
    names = grains.psnmf.phase_names
    assert names[0] == "film"
    assert sorted(names) == ["film", "no calcium", "rest"]
    counts = results_of(grains)[1].sum(axis=0)
    assert counts[1] >= counts[2]
    assert stored(grains)["n_components"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_report__says_what_was_excluded_after_saving_too(grains, unmix, tmp_path, extension):
    unmix(grains, 3, phases={"core": {"absent": ["Ca", "Fe"]}, "film": {"absent": ["Si"]}}, **FREE)
    said = "Elements were excluded by the user: "
    report = grains.psnmf.report()
    sentence = report[report.index(said) :].partition(".")[0]
    assert "Ca, Fe from core" in sentence
    assert "Si from film" in sentence
    assert sentence.endswith("which lost least of its counts by that")
    grains.save(tmp_path / f"a.{extension}")
    again = hs.load(tmp_path / f"a.{extension}")
    assert again.psnmf.phase_names == grains.psnmf.phase_names
    assert again.psnmf.report() == report
    again.psnmf.phase_names = ["a", "b", "c"]
    assert "Si from film" not in again.psnmf.report()


@pytest.mark.slow
def test_report__says_what_was_excluded_by_hand(grains, unmix):
    unmix(grains, 3, absent={1: ["Si"]}, **FREE)
    assert "excluded by the user: Si from Phase 1." in grains.psnmf.report()


@pytest.fixture(scope="module")
def particles():
    """A map of particles of which two phases have nearly as many counts, and its result."""
    signal = data.core_shell_particles(shape=(40, 44), counts=20, n_channels=500, seed=2)
    signal = unmix_quietly(signal)
    signal.psnmf.phase_names = ["film", "shell", "core"]
    return signal


@pytest.mark.slow
@pytest.mark.parametrize("phase", [0, "core"])
def test_absent__is_of_a_phase_of_the_earlier_result_and_the_order_stays(particles, unmix, phase):
    found, iron = particles.deepcopy(), abs(energies_of(particles) - 0.705) < 0.06
    unmix(found, absent={phase: ["Fe"]})
    row = particles.psnmf.phase_names.index(phase) if isinstance(phase, str) else phase
    before, after = (results_of(s)[0] for s in (particles, found))
    lost = (before - after)[iron].sum(axis=0) / before[iron].sum(axis=0)
    assert lost[row] > 0.4
    assert np.delete(lost, row).max() < 0.05
    others = np.delete(np.arange(3), row)
    assert angles(after[~iron].T[others], before[~iron].T[others]).max() < 15
    assert found.psnmf.phase_names == ["film", "shell", "core"]
    # Once more, as where a cell is run again, is the same.
    again = unmix(found.deepcopy(), absent={phase: ["Fe"]})
    assert_same_results(again, found)
    assert again.psnmf.phase_names == found.psnmf.phase_names


@pytest.mark.slow
def test_absent__no_names_are_kept_of_other_phases(grains, unmix, film):
    unmix(grains, **FREE)
    grains.psnmf.phase_names = ["a", "b", "c"]
    unmix(grains, fixed_spectra=film, absent={"c": ["Si"]}, **FREE)
    assert grains.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]
    unmix(grains, 2, absent={"Phase 1": ["Si"]}, **FREE)
    assert grains.psnmf.phase_names == ["Phase 0", "Phase 1"]


@pytest.mark.slow
def test_absent__earlier_results_of_other_channels_will_do(grains, unmix):
    unmix(grains, energy_range=(0.2, 2.5), **FREE)
    unmix(grains, absent={2: ["Si"]}, **FREE)
    grains.crop_signal(0.1, 2.9)
    unmix(grains, absent={2: ["Si"]}, **FREE)


FILM = np.ones(310)
BAD = [
    ({"phases": ["film"]}, TypeError, "^phases must be a dict by name"),
    ({"phases": {}}, TypeError, "^phases must be a dict by name"),
    ({"phases": {0: {"absent": ["Si"]}}}, TypeError, "^phases must have names"),
    ({"phases": {"": {"absent": ["Si"]}}}, TypeError, "^phases must have names"),
    ({"phases": {"Phase 1": {"absent": ["Si"]}}}, ValueError, "^phases must not have the name"),
    ({"phases": {"a": ["Si"]}}, TypeError, r"^phases\['a'\] must be a dict of either"),
    ({"phases": {"a": {"elements": ["Si"]}}}, TypeError, r"^phases\['a'\] must be a dict of"),
    (
        {"phases": {"a": {"absent": ["Si"], "spectrum": FILM}}},
        TypeError,
        r"^phases\['a'\] must be a dict of either",
    ),
    ({"phases": {"a": {"absent": "Si"}}}, TypeError, r"^phases\['a'\]\['absent'\] must be a list"),
    ({"phases": {"a": {"absent": []}}}, ValueError, r"^phases\['a'\]\['absent'\] has no element"),
    ({"phases": {"a": {"absent": ["Xx"]}}}, ValueError, "^phases names 'Xx', which is no element"),
    ({"phases": {"a": {"absent": ["H"]}}}, ValueError, "^phases names H, which has no X-ray line"),
    ({"phases": {"a": {"spectrum": FILM[:-1]}}}, ValueError, r"^phases\['a'\]\['spectrum'\] must"),
    ({"phases": {"a": {"spectrum": None}}}, (TypeError, ValueError), r"^phases\['a'\]"),
    (
        {"phases": {"a": {"spectrum": np.ones((2, 310))}}},
        ValueError,
        r"^phases\['a'\]\['spectrum'\] must be one spectrum, not 2",
    ),
    ({"phases": {"a": {}, "b": {}}}, ValueError, "^phases does not say which are 'a', 'b'"),
    ({"phases": {"a": {}}}, ValueError, "^phases does not say which is 'a': 3 are left"),
    ({"phases": {n: {"absent": ["Si"]} for n in "abcd"}}, ValueError, "^output_dimension=3 is"),
    ({"phases": {"a": {}}, "output_dimension": "auto"}, ValueError, "^phases needs a number"),
    ({"phases": {"a": {}}, "absent": {0: ["Si"]}}, ValueError, "^phases has what absent would"),
    ({"phases": {"a": {}}, "fixed_spectra": FILM}, ValueError, "^phases has what fixed_spectra"),
]


@pytest.mark.parametrize(("given", "error", "match"), BAD)
def test_phases__what_makes_no_sense_is_named_and_the_map_left_alone(
    unmixed_copy, unmix, state, given, error, match
):
    before = state(unmixed_copy)
    with pytest.raises(error, match=match):
        unmix(unmixed_copy, **given)
    assert state(unmixed_copy) == before
