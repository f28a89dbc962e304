# SPDX-License-Identifier: GPL-3.0-or-later
"""What the keywords of ``s.decomposition`` do."""

import warnings

import exspy
import hyperspy.api as hs
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from hyperspy_psnmf import PSNMF
from tests.helpers.maps import CALL, FREE, assert_same_results, results_of


def test_decomposition__binning_is_in_x_y_order(grains, unmix):
    record = unmix(grains, binning=(13, 4), **FREE).learning_results.psnmf
    assert record["binning"] == [13, 4]
    assert record["binned_loadings"].shape == (5, 2, 3)


@pytest.mark.parametrize("binning", [[3, 5], np.array([3, 5]), (np.int64(3), 5)], ids=str)
def test_decomposition__binning_may_be_any_sequence_of_ints(grains, unmix, binning):
    unmix(grains, binning=binning, **FREE)
    assert grains.learning_results.psnmf["binning"] == [3, 5]


@pytest.mark.parametrize(("binning", "shape"), [(3, (7, 9)), ((7, 20), (1, 4)), (20, (1, 2))])
def test_decomposition__binning_need_not_divide_map_and_drops_no_pixel(
    grains, unmix, binning, shape
):
    unmix(grains, 2, binning=binning, **FREE)
    binned = grains.learning_results.psnmf["binned_loadings"]
    assert binned.shape == (*shape, 2)
    np.testing.assert_allclose(binned.sum(), grains.data.sum(), rtol=1e-6)


def test_decomposition__energy_binning_auto_is_40_ev(unmixed_free, grains, unmix):
    assert unmixed_free.learning_results.psnmf["energy_binning"] == 4
    assert_same_results(unmix(grains, energy_binning=4, **FREE), unmixed_free)


@pytest.mark.slow
def test_decomposition__energy_range_is_what_a_crop_gives(grains, unmix):
    cropped = unmix(grains.isig[40:250])
    unmix(grains, energy_range=(0.4999, 2.5901))
    factors, loadings = results_of(grains)
    assert np.isnan(factors[:40]).all()
    assert np.isnan(factors[250:]).all()
    np.testing.assert_array_equal(factors[40:250], cropped.learning_results.factors)
    np.testing.assert_array_equal(loadings, cropped.learning_results.loadings)
    assert grains.learning_results.signal_mask.sum() == 100


def test_decomposition__energy_range_includes_both_ends_in_spite_of_rounding(grains, unmix):
    axis = grains.axes_manager.signal_axes[0]
    assert axis.axis[280] == pytest.approx(2.9)
    factors, _ = results_of(unmix(grains, energy_range=(0.3, 2.9), **FREE))
    assert np.flatnonzero(~np.isnan(factors[:, 0]))[[0, -1]].tolist() == [20, 280]


@pytest.mark.slow
@pytest.mark.parametrize("energy_range", [[0.5, 2.6], np.array([0.5, 2.6]), (0.5, np.inf)], ids=str)
def test_decomposition__energy_range_may_be_any_pair(grains, unmix, energy_range):
    factors, _ = results_of(unmix(grains, energy_range=energy_range, **FREE))
    assert np.isnan(factors[:39]).all()
    assert not np.isnan(factors[41:240]).any()


@pytest.mark.slow
def test_decomposition__an_axis_in_ev_gives_the_same(grains, unmixed, unmix):
    axis = grains.axes_manager.signal_axes[0]
    axis.units, axis.scale, axis.offset = "eV", 1000 * axis.scale, 1000 * axis.offset
    assert_same_results(unmix(grains), unmixed)
    unmix(grains, energy_range=(0.5, 2.0), **FREE)
    assert np.isnan(grains.learning_results.factors[-1]).all()


def test_decomposition__an_axis_without_units_warns_and_takes_single_channels(grains):
    s = exspy.signals.EDSTEMSpectrum(grains.data)
    with pytest.warns(UserWarning, match="energy_binning='auto' takes single channels") as caught:
        s.decomposition(**CALL)
    assert [w.filename for w in caught if "energy_binning" in str(w.message)] == [__file__]
    assert s.learning_results.psnmf["energy_binning"] == 1


def test_report__max_iter_is_kept_with_a_warning_and_the_results_are_stored(grains):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        grains.decomposition(**CALL, volume=0, max_iter=2)
    record = grains.learning_results.psnmf
    assert (record["n_iter"], record["converged"]) == (2, False)
    assert "did NOT converge" in grains.psnmf.report()


def test_decomposition__a_tighter_tol_takes_longer(grains, unmixed_free, unmix):
    tight = unmix(grains, tol=1e-8, max_iter=5000, **FREE).learning_results.psnmf
    assert tight["n_iter"] > unmixed_free.learning_results.psnmf["n_iter"]
    assert tight["kkt_residual"] <= tight["tol"] == 1e-8


@pytest.mark.slow
def test_decomposition__return_info_returns_the_fitted_estimator(grains):
    assert grains.decomposition(**CALL, **FREE) is None
    model = grains.decomposition(**CALL, smoothing=0, return_info=True)
    assert isinstance(model, PSNMF)
    np.testing.assert_array_equal(model.components_.T, grains.learning_results.factors)
    np.testing.assert_allclose(
        model.transform(grains.data.reshape(520, 310)), grains.learning_results.loadings, atol=2.0
    )


def test_decomposition__return_info_changes_no_result(grains):
    grains.decomposition(**CALL, **FREE)
    before = grains.learning_results.factors, grains.learning_results.loadings
    grains.decomposition(**CALL, **FREE, return_info=True)  # fits another class
    np.testing.assert_array_equal(grains.learning_results.factors, before[0])
    np.testing.assert_array_equal(grains.learning_results.loadings, before[1])
    assert grains.learning_results.factors is not before[0]


def test_decomposition__print_info_says_what_was_chosen_or_nothing(grains, capsys):
    grains.decomposition(**{**CALL, **FREE, "print_info": True})
    printed = capsys.readouterr().out
    for part in ("Decomposition info", "algorithm=PSNMF", "output_dimension=3", "binning=2 x 2"):
        assert part in printed
    grains.decomposition(**CALL, **FREE)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_decomposition__show_progressbar_follows_argument_then_preference(
    grains, capsys, monkeypatch
):
    def shown(**kwargs):
        grains.decomposition(**{**CALL, **FREE, **kwargs})
        captured = capsys.readouterr()
        return "PSNMF" in captured.out + captured.err

    assert shown(show_progressbar=True)
    assert not shown(show_progressbar=False)
    for preference in (True, False):
        monkeypatch.setattr(hs.preferences.General, "show_progressbar", preference)
        assert shown(show_progressbar=None) is preference


@pytest.mark.slow
@pytest.mark.parametrize("which", ["grains", "sem"])
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_decomposition__stock_keywords_are_ignored_with_one_warning(request, which, lazy):
    s = request.getfixturevalue(which)
    s = s.as_lazy() if lazy else s
    stock = {
        "normalize_poissonian_noise": True,
        "centre": None,
        "reproject": "both",
        "closing": True,
        "var_array": None,
        "var_func": None,
        "svd_solver": "full",
        "num_chunks": 2,
        "auto_transpose": True,
        "copy": False,
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        s.decomposition(**CALL, **FREE, **stock)
    ignored = [w for w in caught if "ignores" in str(w.message)]
    assert len(ignored) == 1
    assert ignored[0].filename == __file__
    assert all(name in str(ignored[0].message) for name in stock)


@pytest.mark.slow
@pytest.mark.parametrize("spectra", ["auto", "free"])
def test_decomposition__no_warning_without_stock_keywords(grains, spectra):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if spectra == "auto":  # whether tol is reached with lines is known to vary
            warnings.simplefilter("ignore", ConvergenceWarning)
        grains.decomposition(**CALL, spectra=spectra)


def test_decomposition__eager_sem_signals_take_positions(sem, unmix):
    with pytest.warns(UserWarning, match="ignores centre, normalize_poissonian_noise"):
        sem.decomposition(False, "PSNMF", 2, None, print_info=False, **FREE)
    by_position = sem.deepcopy()
    assert_same_results(unmix(sem, 2, **FREE), by_position)


@pytest.mark.slow
def test_decomposition__tem_signals_take_the_mask_by_position(grains, unmix, navigation_mask):
    with pytest.warns(UserWarning, match="ignores closing, normalize_poissonian_noise"):
        grains.decomposition(False, navigation_mask, True, **CALL, **FREE)
    by_position = grains.deepcopy()
    assert_same_results(unmix(grains, navigation_mask=navigation_mask, **FREE), by_position)


def test_decomposition__exspys_own_mask_is_never_applied_unasked(grains, unmix):
    grains.data = np.minimum(grains.data, 1)  # eXSpy's default masks all of this
    assert not np.isnan(unmix(grains, **FREE).learning_results.loadings).any()
