# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf``: names, and phases of HyperSpy's own decompositions too."""

import warnings

import exspy
import numpy as np
import pytest

import hyperspy_psnmf
from hyperspy_psnmf import data
from hyperspy_psnmf.accessor import PSNMFAccessor
from tests.helpers.versions import BEFORE_2_5

N_CHANNELS = 310


@pytest.fixture(scope="module")
def grains():
    return data.mineral_grains(shape=(11, 14), n_channels=N_CHANNELS, counts=900, seed=2)


@pytest.fixture(scope="module")
def unmixed(grains):
    s = grains.deepcopy()
    s.decomposition(algorithm="PSNMF", output_dimension=3, print_info=False)
    return s


@pytest.fixture
def signal(unmixed):
    return unmixed.deepcopy()


def decomposed_by_hyperspy(signal, **kwargs):
    s = signal.deepcopy()
    s.change_dtype(float)
    options = {
        "algorithm": "NMF",
        "output_dimension": 3,
        "normalize_poissonian_noise": False,
        "navigation_mask": None,
        "print_info": False,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's NMF does not converge
        s.decomposition(**{**options, **kwargs})
    return s


# --- the attribute


def test_PSNMFAccessor__the_accessor_belongs_to_its_signal(signal, grains):
    assert isinstance(signal.psnmf, PSNMFAccessor)
    assert type(signal).psnmf is PSNMFAccessor
    assert "PSNMF" in repr(signal.psnmf)
    assert "no decomposition yet" in repr(grains.psnmf)
    assert "EDSTEMSpectrum" in repr(signal.psnmf)


def test_PSNMFAccessor__the_accessor_is_documented(signal):
    for name in (n for n in dir(PSNMFAccessor) if not n.startswith("_")):
        assert getattr(type(signal.psnmf), name).__doc__, name


def test_names__a_copy_has_its_own_accessor(signal):
    other = signal.deepcopy()
    other.psnmf.phase_names = ["a", "b", "c"]
    assert signal.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]


# --- names


def test_names__are_phase_0_and_so_on_unless_set(signal):
    assert signal.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]


@pytest.mark.slow
@pytest.mark.parametrize("make", [list, tuple, np.array], ids=["list", "tuple", "array"])
def test_names__are_used_everywhere(signal, make):
    names = ["silicate", "(Mg,Fe)O", "β-Ca"]
    signal.psnmf.phase_names = make(names)
    assert signal.psnmf.phase_names == names
    assert all(type(name) is str for name in signal.psnmf.phase_names)
    assert signal.psnmf.phase_spectra().metadata.Phases.names == names
    assert signal.psnmf.phase_maps().metadata.Phases.names == names
    assert all(name in signal.psnmf.report() for name in names)


def test_names__the_list_returned_is_a_copy(signal):
    signal.psnmf.phase_names[0] = "changed"
    assert signal.psnmf.phase_names[0] == "Phase 0"
    given = ["a", "b", "c"]
    signal.psnmf.phase_names = given
    given[0] = "changed"
    assert signal.psnmf.phase_names == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (["a", "b"], ValueError),
        (["a", "b", "c", "d"], ValueError),
        ([], ValueError),
        (["a", "b", "b"], ValueError),
        (["a", "b", ""], (TypeError, ValueError)),
        (["a", "b", 3], TypeError),
        (["a", "b", None], TypeError),
        ("abc", TypeError),
        (None, TypeError),
        (3, TypeError),
    ],
    ids=str,
)
def test_names__bad_names_are_refused_and_the_old_ones_kept(signal, names, error):
    signal.psnmf.phase_names = ["x", "y", "z"]
    with pytest.raises(error, match="names"):
        signal.psnmf.phase_names = names
    assert signal.psnmf.phase_names == ["x", "y", "z"]


@pytest.mark.slow
def test_names__a_new_decomposition_has_new_names(signal):
    signal.psnmf.phase_names = ["a", "b", "c"]
    signal.decomposition(algorithm="PSNMF", output_dimension=2, print_info=False)
    assert signal.psnmf.phase_names == ["Phase 0", "Phase 1"]


def test_names__need_a_decomposition(grains):
    with pytest.raises(RuntimeError, match="no factors and loadings yet"):
        _ = grains.psnmf.phase_names
    with pytest.raises(RuntimeError, match="no factors and loadings yet"):
        grains.psnmf.phase_names = ["a"]


# --- other algorithms


@pytest.mark.parametrize(
    "method",
    [
        "ambiguity",
        "phase_maps",
        "phase_spectra",
        "plot",
        "plot_ambiguity",
        "plot_residuals",
        "report",
        "residuals",
    ],
)
def test_accessor__without_a_decomposition_the_way_out_is_named(grains, method):
    with pytest.raises(RuntimeError, match=r"decomposition\(algorithm='PSNMF'"):
        getattr(grains.psnmf, method)()


@pytest.mark.parametrize(
    "method", ["ambiguity", "phase_maps", "phase_spectra", "plot", "residuals"]
)
def test_decomposition__negative_components_are_refused(grains, method):
    s = decomposed_by_hyperspy(grains, algorithm="SVD")
    with pytest.raises(ValueError, match=r"SVD are negative .* use algorithm='PSNMF'"):
        getattr(s.psnmf, method)()


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"normalize_poissonian_noise": True}, {"return_info": True}, {"output_dimension": 1}],
    ids=str,
)
def test_report__hyperspys_own_nmf_gives_phases(grains, kwargs):
    s = decomposed_by_hyperspy(grains, **kwargs)
    k = s.learning_results.factors.shape[1]
    lr = s.learning_results
    model = (lr.loadings @ lr.factors.T).sum()
    spectra, maps = s.psnmf.phase_spectra(), s.psnmf.phase_maps()
    assert isinstance(spectra, exspy.signals.EDSTEMSpectrum)
    np.testing.assert_allclose(spectra.data.sum(), model)
    np.testing.assert_allclose(maps.data.sum(), model)
    assert maps.data.shape == (k, 11, 14)
    s.psnmf.phase_names = [f"NMF {i}" for i in range(k)]
    assert s.psnmf.phase_spectra().metadata.Phases.names == s.psnmf.phase_names
    assert s.psnmf.phase_names[0] == "NMF 0"
    with pytest.raises(RuntimeError, match="those of NMF"):
        s.psnmf.report()


def test_phase_spectra__nmf_with_masks_gives_phases(grains):
    mask, channels = np.zeros((14, 11), bool), np.zeros(N_CHANNELS, bool)
    mask[:3], channels[:9] = True, True
    s = decomposed_by_hyperspy(grains, navigation_mask=mask, signal_mask=channels)
    spectra = s.psnmf.phase_spectra()
    assert spectra.axes_manager.shape == (3, N_CHANNELS - 9)
    live_time = "Acquisition_instrument.TEM.Detector.EDS.live_time"
    expected = (14 - 3) * 11 * grains.metadata.get_item(live_time)
    assert spectra.metadata.get_item(live_time) == pytest.approx(expected)
    maps = s.psnmf.phase_maps(normalize="counts")
    assert np.isnan(maps.data[:, :, :3]).all()


@pytest.mark.skipif(BEFORE_2_5, reason="lazy signals have no NMF")
def test_phase_spectra__lazy_nmf_gives_phases(grains):
    s = grains.deepcopy()
    s.change_dtype(float)
    s = s.as_lazy()
    s.decomposition(
        normalize_poissonian_noise=False,
        navigation_mask=None,
        algorithm="NMF",
        output_dimension=3,
        random_state=0,
        print_info=False,
    )
    assert s.psnmf.phase_maps().data.shape == (3, 11, 14)
    assert isinstance(s.psnmf.phase_spectra(), exspy.signals.EDSTEMSpectrum)


def test_report__poisson_nmf_gives_phases_and_a_report(signal):
    model = hyperspy_psnmf.PoissonNMF(2)
    signal.decomposition(algorithm=model, print_info=False)
    np.testing.assert_allclose(signal.psnmf.phase_maps().data.sum(), signal.data.sum())
    assert "Poisson non-negative matrix factorisation" in signal.psnmf.report()


# --- delegation


def test_phase_maps__phases_do_not_depend_on_the_scale_of_factors(signal):
    maps, spectra = signal.psnmf.phase_maps(), signal.psnmf.phase_spectra()
    scale = np.array([2.0, 0.1, 5.0])
    signal.learning_results.factors *= scale
    signal.learning_results.loadings /= scale
    np.testing.assert_allclose(signal.psnmf.phase_maps().data, maps.data)
    np.testing.assert_allclose(signal.psnmf.phase_spectra().data, spectra.data)


def test_plot__an_empty_component_is_an_empty_phase(signal):
    signal.learning_results.factors[:, 2] = 0
    signal.learning_results.loadings[:, 2] = 0
    assert (signal.psnmf.phase_spectra().data[2] == 0).all()
    assert (signal.psnmf.phase_maps().data[2] == 0).all()
    fig, _ = signal.psnmf.plot()
    assert fig is not None
