# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.decomposition(algorithm="PSNMF")``: keywords, dtypes, shapes and memory layouts."""

import warnings

import exspy
import hyperspy.api as hs
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf.eds.axes import line_width

CALL = {"algorithm": "PSNMF", "output_dimension": 3, "print_info": False, "show_progressbar": False}


def results_of(signal):
    return signal.learning_results.factors, signal.learning_results.loadings


def assert_same_results(a, b, **tolerance):
    for x, y in zip(results_of(a), results_of(b), strict=True):
        np.testing.assert_allclose(x, y, **{"rtol": 0, "atol": 0, **tolerance})


def expected_counts(signal):
    factors, loadings = results_of(signal)
    return (loadings @ factors.T).reshape(signal._data_aligned_with_axes.shape)


def angle(a, b):
    return np.degrees(np.arccos(min(1.0, a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


# --- the contract of the result


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"output_dimension": 1},
        {"output_dimension": 2, "binning": 4},
        {"binning": (3, 7)},
        {"binning": 1, "energy_binning": 1},
        {"energy_binning": 7},
        {"refinement": "joint"},
        {"init": "random", "random_state": 3},
        {"volume": 0.5, "init": "vertex"},
        {"energy_binning": 1, "init": "nndsvdar", "volume": 0, "refinement": "joint"},
    ],
    ids=str,
)
@pytest.mark.parametrize("spatial_prior", [0, "auto"])
def test_factors_sum_to_one_and_loadings_to_the_counts(grains, unmix, options, spatial_prior):
    factors, loadings = results_of(unmix(grains, spatial_prior=spatial_prior, **options))
    k = options.get("output_dimension", 3)
    assert factors.shape == (310, k)
    assert loadings.shape == (520, k)
    assert factors.min() >= 0
    assert loadings.min() >= 0
    np.testing.assert_allclose(factors.sum(axis=0), 1, rtol=1e-12)
    if spatial_prior == 0:  # else neighbours share their counts too
        # With "joint", loadings belong to slightly other spectra than those they go with.
        rtol = 1e-4 if options.get("refinement") == "joint" else 1e-9
        np.testing.assert_allclose(loadings.sum(axis=1), grains.data.sum(axis=2).ravel(), rtol=rtol)
    np.testing.assert_allclose(loadings.sum(), grains.data.sum(), rtol=1e-12)


def test_data_dtype_axes_and_metadata_are_left_alone(grains, unmix, state):
    before = state(grains)
    unmix(grains)
    assert state(grains)[:-1] == before[:-1]


@pytest.mark.parametrize(
    "dtype",
    ["u1", "u2", "u4", "u8", "i1", "i2", "i8", "f2", "f4", "f8", ">u2", ">f4", ">f8"],
)
def test_every_real_dtype_gives_the_same(grains, unmixed, unmix, dtype):
    grains.data = grains.data.astype(dtype)
    unmix(grains)
    assert_same_results(grains, unmixed)
    assert grains.data.dtype == np.dtype(dtype)


def test_fractional_counts_are_taken_as_they_are(grains, unmixed, unmix):
    grains.data = grains.data * 0.5
    unmix(grains)
    np.testing.assert_allclose(grains.learning_results.loadings.sum(), grains.data.sum())


def test_counts_beyond_255_do_not_overflow(unmix):
    counts = np.full((5, 6, 30), 200, np.uint8)
    counts[:2, :, :11] = 255
    s = unmix(exspy.signals.EDSTEMSpectrum(counts), 2, binning=2, energy_binning=2)
    np.testing.assert_allclose(s.learning_results.loadings.sum(), counts.sum(dtype=float))


def test_same_seed_same_result_on_any_number_of_threads(grains, unmixed, unmix):
    assert_same_results(unmix(grains, n_jobs=1), unmixed)
    assert_same_results(unmix(grains, n_jobs=2), unmixed)
    assert_same_results(unmix(grains, random_state=np.random.default_rng(0)), unmixed)


def test_the_seed_matters_for_a_random_start(grains, unmix):
    first = unmix(grains, init="random", random_state=0, max_iter=1000).deepcopy()
    assert_same_results(unmix(grains, init="random", random_state=0, max_iter=1000), first)
    second = unmix(grains, init="random", random_state=1, max_iter=1000)
    assert not np.array_equal(second.learning_results.factors, first.learning_results.factors)


def test_phases_come_in_decreasing_order_of_counts(unmixed):
    counts = unmixed.learning_results.loadings.sum(axis=0)
    assert (np.diff(counts) <= 0).all()


def test_the_model_is_near_the_truth(unmixed):
    truth = unmixed.metadata.Truth
    expected = (truth.loadings @ truth.factors.T).reshape(unmixed.data.shape)
    error = np.linalg.norm(expected_counts(unmixed) - expected) / np.linalg.norm(expected)
    assert error < 0.5 * np.linalg.norm(unmixed.data - expected) / np.linalg.norm(expected)


def test_joint_refinement_combines_new_maps_with_the_same_spectra(grains, unmixed, unmix):
    unmix(grains, refinement="joint")
    # Only their order follows the new maps.
    spectra, held = ({f.tobytes() for f in results_of(s)[0].T} for s in (grains, unmixed))
    assert spectra == held
    assert not np.allclose(results_of(grains)[1], results_of(unmixed)[1], rtol=1e-3)


def test_the_divergence_of_a_joint_refinement_is_that_of_its_own_spectra(grains, unmix):
    unmix(grains)
    held = grains.learning_results.psnmf["divergence"]
    unmix(grains, refinement="joint")
    # With its own spectra it fits the counts more closely.
    assert 0 < grains.learning_results.psnmf["divergence"] < held


def test_the_divergence_on_record_is_that_of_the_results(grains, unmix):
    unmix(grains, spatial_prior=0)
    x, mu = grains.data.astype(float), expected_counts(grains)
    seen = x > 0
    expected = (x[seen] * np.log(x[seen] / mu[seen])).sum() - x.sum() + mu.sum()
    recorded = grains.learning_results.psnmf["divergence"]
    assert np.isfinite(recorded)
    np.testing.assert_allclose(recorded, expected, rtol=1e-9)


# --- keywords


def test_binning_is_in_x_y_order(grains, unmix):
    record = unmix(grains, binning=(13, 4)).learning_results.psnmf
    assert record["binning"] == [13, 4]
    assert record["binned_loadings"].shape == (5, 2, 3)


@pytest.mark.parametrize("binning", [[3, 5], np.array([3, 5]), (np.int64(3), 5)], ids=str)
def test_binning_may_be_any_sequence_of_ints(grains, unmix, binning):
    assert unmix(grains, binning=binning).learning_results.psnmf["binning"] == [3, 5]


@pytest.mark.parametrize(("binning", "shape"), [(3, (7, 9)), ((7, 20), (1, 4)), (20, (1, 2))])
def test_binning_need_not_divide_the_map_and_drops_no_pixel(grains, unmix, binning, shape):
    unmix(grains, 2, binning=binning)
    binned = grains.learning_results.psnmf["binned_loadings"]
    assert binned.shape == (*shape, 2)
    np.testing.assert_allclose(binned.sum(), grains.data.sum(), rtol=1e-6)


def test_energy_binning_auto_is_40_ev(unmixed, grains, unmix):
    assert unmixed.learning_results.psnmf["energy_binning"] == 4
    assert_same_results(unmix(grains, energy_binning=4), unmixed)


def test_energy_range_is_what_a_crop_gives(grains, unmix):
    cropped = unmix(grains.isig[40:250])
    unmix(grains, energy_range=(0.4999, 2.5901))
    factors, loadings = results_of(grains)
    assert np.isnan(factors[:40]).all()
    assert np.isnan(factors[250:]).all()
    np.testing.assert_array_equal(factors[40:250], cropped.learning_results.factors)
    np.testing.assert_array_equal(loadings, cropped.learning_results.loadings)
    assert grains.learning_results.signal_mask.sum() == 100


def test_energy_range_includes_both_ends_in_spite_of_rounding(grains, unmix):
    axis = grains.axes_manager.signal_axes[0]
    assert axis.axis[280] == pytest.approx(2.9)
    factors, _ = results_of(unmix(grains, energy_range=(0.3, 2.9)))
    assert np.flatnonzero(~np.isnan(factors[:, 0]))[[0, -1]].tolist() == [20, 280]


@pytest.mark.parametrize("energy_range", [[0.5, 2.6], np.array([0.5, 2.6]), (0.5, np.inf)], ids=str)
def test_energy_range_may_be_any_pair(grains, unmix, energy_range):
    factors, _ = results_of(unmix(grains, energy_range=energy_range))
    assert np.isnan(factors[:39]).all()
    assert not np.isnan(factors[41:240]).any()


def test_an_axis_in_ev_gives_the_same(grains, unmixed, unmix):
    axis = grains.axes_manager.signal_axes[0]
    axis.units, axis.scale, axis.offset = "eV", 1000 * axis.scale, 1000 * axis.offset
    assert_same_results(unmix(grains), unmixed)
    unmix(grains, energy_range=(0.5, 2.0))
    assert np.isnan(grains.learning_results.factors[-1]).all()


def test_an_axis_without_units_warns_and_takes_single_channels(grains):
    s = exspy.signals.EDSTEMSpectrum(grains.data)
    with pytest.warns(UserWarning, match="energy_binning='auto' takes single channels") as caught:
        s.decomposition(**CALL)
    assert [w.filename for w in caught if "energy_binning" in str(w.message)] == [__file__]
    assert s.learning_results.psnmf["energy_binning"] == 1


def test_max_iter_is_kept_with_a_warning_and_the_results_are_stored(grains):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        grains.decomposition(**CALL, volume=0, max_iter=2)
    record = grains.learning_results.psnmf
    assert (record["n_iter"], record["converged"]) == (2, False)
    assert "did NOT converge" in grains.psnmf.report()


def test_a_tighter_tol_takes_longer(grains, unmixed, unmix):
    tight = unmix(grains, tol=1e-8, max_iter=5000).learning_results.psnmf
    assert tight["n_iter"] > unmixed.learning_results.psnmf["n_iter"]
    assert tight["kkt_residual"] <= tight["tol"] == 1e-8


def test_return_info_returns_the_fitted_estimator(grains):
    assert grains.decomposition(**CALL) is None
    model = grains.decomposition(**CALL, spatial_prior=0, return_info=True)
    assert isinstance(model, PSNMF)
    np.testing.assert_array_equal(model.components_.T, grains.learning_results.factors)
    np.testing.assert_allclose(
        model.transform(grains.data.reshape(520, 310)), grains.learning_results.loadings, atol=2.0
    )


def test_print_info_says_what_was_chosen_or_nothing(grains, capsys):
    grains.decomposition(**{**CALL, "print_info": True})
    printed = capsys.readouterr().out
    for part in ("Decomposition info", "algorithm=PSNMF", "output_dimension=3", "binning=2 x 2"):
        assert part in printed
    grains.decomposition(**CALL)
    assert capsys.readouterr().out == ""


def test_show_progressbar_follows_the_argument_then_the_preference(grains, capsys, monkeypatch):
    def shown(**kwargs):
        grains.decomposition(**{**CALL, **kwargs})
        captured = capsys.readouterr()
        return "PSNMF" in captured.out + captured.err

    assert shown(show_progressbar=True)
    assert not shown(show_progressbar=False)
    for preference in (True, False):
        monkeypatch.setattr(hs.preferences.General, "show_progressbar", preference)
        assert shown(show_progressbar=None) is preference


@pytest.mark.parametrize("which", ["grains", "sem"])
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_stock_keywords_are_ignored_with_one_warning(request, which, lazy):
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
        s.decomposition(**CALL, **stock)
    ignored = [w for w in caught if "ignores" in str(w.message)]
    assert len(ignored) == 1
    assert ignored[0].filename == __file__
    assert all(name in str(ignored[0].message) for name in stock)


def test_no_warning_without_stock_keywords(grains):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grains.decomposition(**CALL)


def test_eager_sem_signals_take_positions(sem, unmix):
    with pytest.warns(UserWarning, match="ignores centre, normalize_poissonian_noise"):
        sem.decomposition(False, "PSNMF", 2, None, print_info=False)
    by_position = sem.deepcopy()
    assert_same_results(unmix(sem, 2), by_position)


def test_tem_signals_take_the_mask_by_position(grains, unmix, navigation_mask):
    with pytest.warns(UserWarning, match="ignores closing, normalize_poissonian_noise"):
        grains.decomposition(False, navigation_mask, True, **CALL)
    by_position = grains.deepcopy()
    assert_same_results(unmix(grains, navigation_mask=navigation_mask), by_position)


def test_exspys_own_mask_is_never_applied_unasked(grains, unmix):
    grains.data = np.minimum(grains.data, 1)  # eXSpy's default masks all of this
    assert not np.isnan(unmix(grains).learning_results.loadings).any()


# --- init and estimators


def test_init_may_be_spectra(grains, unmix):
    start = grains.metadata.Truth.factors.T
    unmix(grains, init=start)
    assert grains.learning_results.psnmf["init"] == "given"
    for factor in start[:2]:
        assert min(angle(factor, f) for f in grains.learning_results.factors.T) < 10


def test_init_may_be_a_signal_and_is_scale_free(grains, unmixed, unmix):
    first = unmix(grains, init=unmixed.psnmf.phase_spectra()).deepcopy()
    unmix(grains, init=unmixed.learning_results.factors.T * 7)
    assert_same_results(grains, first, atol=1e-6, rtol=1e-6)


def test_init_is_cut_to_the_energy_range(grains, unmixed, unmix):
    init = unmixed.learning_results.factors.T
    first = unmix(grains.isig[40:250], init=init[:, 40:250])
    unmix(grains, init=init, energy_range=(0.4999, 2.5901))
    np.testing.assert_array_equal(grains.learning_results.loadings, first.learning_results.loadings)


def test_a_psnmf_instance_takes_the_same_path(grains, unmixed):
    model = PSNMF(3, energy_binning=4, binning=2, line_width=line_width(grains))
    result = grains.decomposition(
        algorithm=model, return_info=True, print_info=False, show_progressbar=False
    )
    assert result is model
    assert grains.learning_results.decomposition_algorithm == "PSNMF"
    assert grains.learning_results.output_dimension == 3
    assert_same_results(grains, unmixed)


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_a_poisson_nmf_instance_takes_the_same_path(grains, lazy, navigation_mask):
    s = grains.as_lazy() if lazy else grains
    s.decomposition(algorithm=PoissonNMF(2), navigation_mask=navigation_mask, print_info=False)
    assert s.learning_results.decomposition_algorithm == "PoissonNMF"
    kept = s.learning_results.loadings.reshape(20, 26, 2)[:, 4:]
    np.testing.assert_allclose(
        kept.sum(axis=2), grains.data[:, 4:].sum(axis=2, dtype=float), rtol=1e-9
    )
    assert "Poisson non-negative matrix factorisation" in s.psnmf.report()
    assert s.psnmf.names == ["Phase 0", "Phase 1"]


def test_a_subclass_of_an_estimator_takes_the_same_path(grains, unmixed):
    class Mine(PSNMF):
        pass

    model = Mine(3, energy_binning=4, line_width=line_width(grains))
    grains.decomposition(algorithm=model, print_info=False)
    assert_same_results(grains, unmixed)


def test_an_instance_fits_one_map_after_the_other(grains, sem):
    model = PSNMF(2, energy_binning=4)
    for s in (grains, sem, grains.inav[:15, :8]):
        s.decomposition(algorithm=model, print_info=False)
        np.testing.assert_allclose(s.learning_results.loadings.sum(), s.data.sum())


def test_an_instance_is_not_given_its_parameters_twice(grains, state):
    before = state(grains)
    with pytest.raises(TypeError, match="binning, tol must be given to the estimator"):
        grains.decomposition(algorithm=PSNMF(3), binning=2, tol=1e-3)
    with pytest.raises(ValueError, match=r"output_dimension=2 .* n_components=3"):
        grains.decomposition(algorithm=PSNMF(3), output_dimension=2)
    assert state(grains) == before


def test_an_instance_may_come_with_its_own_number_of_components(grains):
    grains.decomposition(algorithm=PSNMF(3), output_dimension=3, print_info=False)
    assert grains.learning_results.output_dimension == 3


# --- shapes and layouts


def test_a_line_scan(grains, unmix):
    s = unmix(grains.inav[:, 3].deepcopy(), 2, binning=4)
    assert s.learning_results.psnmf["binning"] == [4]
    np.testing.assert_allclose(s.learning_results.loadings.sum(), s.data.sum())


@pytest.mark.parametrize(
    ("binning", "expected"), [(4, [4, 4, 1]), ((4, 2), [4, 2, 1]), ((4, 2, 3), [4, 2, 3])]
)
def test_a_third_axis_is_never_binned_by_an_int(grains, unmix, binning, expected):
    s = hs.stack([grains.inav[:14, :10]] * 3)
    s = unmix(s, 2, binning=binning)
    assert s.axes_manager.navigation_shape == (14, 10, 3)
    assert s.learning_results.psnmf["binning"] == expected
    np.testing.assert_allclose(s.learning_results.loadings.sum(), s.data.sum())


def test_automatic_binning_leaves_a_third_axis_alone(grains, unmix):
    s = unmix(hs.stack([grains] * 3), 2)
    x, y, time = s.learning_results.psnmf["binning"]
    assert x == y > 1
    assert time == 1


def _layouts(cube, tmp_path):
    path = tmp_path / "cube.dat"
    cube.tofile(path)
    strided = np.zeros((*cube.shape[:2], 2 * cube.shape[2]), cube.dtype)
    strided[..., ::2] = cube
    return {
        "Fortran": np.asfortranarray(cube),
        "memory-mapped": np.memmap(path, cube.dtype, "r", shape=cube.shape),
        "strided": strided[..., ::2],
        "reversed": np.ascontiguousarray(cube[::-1, :, ::-1])[::-1, :, ::-1],
        "energy first": np.ascontiguousarray(cube.transpose(2, 0, 1)).transpose(1, 2, 0),
    }


@pytest.mark.parametrize(
    "layout", ["Fortran", "memory-mapped", "strided", "reversed", "energy first"]
)
def test_the_memory_layout_does_not_matter(grains, unmixed, unmix, tmp_path, layout):
    cube = grains.data.copy()
    grains.data = _layouts(cube, tmp_path)[layout]
    flags = str(grains.data.flags)
    assert_same_results(unmix(grains), unmixed)
    assert str(grains.data.flags) == flags
    np.testing.assert_array_equal(grains.data, cube)


def _with_energy_first(signal):
    """The same map with an array (energy, x, y) whose axes do not follow HyperSpy's order."""
    y, x, energy = (axis.get_axis_dictionary() for axis in signal.axes_manager._axes)
    data = np.ascontiguousarray(signal.data.transpose(2, 0, 1))
    s = type(signal)(data, axes=[energy, y, x], metadata=signal.metadata.as_dictionary())
    assert not s.axes_manager.axes_are_aligned_with_data
    return s


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_data_not_aligned_with_the_axes(pristine_grains, unmix, navigation_mask, lazy):
    s = _with_energy_first(pristine_grains)
    s = s.as_lazy() if lazy else s
    options = {
        "navigation_mask": navigation_mask,
        "binning": (3, 5),
        "energy_range": (0.295, 2.905),
    }
    unmix(s, **options)
    assert_same_results(s, unmix(pristine_grains.deepcopy(), **options))
    assert s.psnmf.phase_maps().data.shape == (3, 20, 26)
    assert s.psnmf.phase_spectra().axes_manager.shape == (3, 261)


def test_the_model_of_data_not_aligned_with_the_axes(pristine_grains, unmixed, unmix):
    s = unmix(_with_energy_first(pristine_grains))
    model = s.get_decomposition_model()
    np.testing.assert_allclose(
        model.data.reshape(520, 310), expected_counts(unmixed).reshape(520, 310)
    )


def test_a_map_with_transposed_navigation(grains, unmix):
    s = grains.transpose(navigation_axes=[1, 0])
    assert s.axes_manager.navigation_shape == (20, 26)
    unmix(s, binning=(4, 2), spatial_prior=0)
    record = s.learning_results.psnmf
    assert record["binned_loadings"].shape == (13, 5, 3)
    loadings = s.learning_results.loadings.sum(axis=1).reshape(26, 20)
    np.testing.assert_allclose(loadings, grains.data.sum(axis=2).T, rtol=1e-9)


def test_an_unfolded_map_is_a_line_scan(grains, unmix):
    grains.unfold_navigation_space()
    unmix(grains, 2, binning=1)
    grains.fold()
    assert grains.psnmf.phase_maps().data.shape == (2, 20, 26)


# --- hardly any information


@pytest.mark.parametrize(
    ("kept", "k"), [((slice(3, 5), slice(4, 6)), 3), ((slice(3, 5), 4), 2)], ids=str
)
def test_a_mask_may_leave_hardly_any_pixels(grains, unmix, kept, k):
    mask = np.ones((20, 26), bool)
    mask[kept] = False
    unmix(grains, k, navigation_mask=mask.T, binning=10)
    total = grains.data[kept].sum(dtype=float)
    np.testing.assert_allclose(np.nansum(grains.learning_results.loadings), total)


def test_pixels_that_are_all_the_same(grains, unmix):
    grains.data[:] = grains.data[0, 0]
    factors, loadings = results_of(unmix(grains))
    np.testing.assert_allclose(factors.sum(axis=0), 1)
    np.testing.assert_allclose(loadings.sum(), grains.data.sum())


def test_one_count_in_the_whole_map(grains, unmix):
    grains.data[:] = 0
    grains.data[3, 4, 50] = 1
    factors, loadings = results_of(unmix(grains))
    np.testing.assert_allclose(factors.sum(axis=0), 1)
    np.testing.assert_allclose(loadings.reshape(20, 26, 3)[3, 4].sum(), 1)
    assert loadings.sum() == pytest.approx(1)


def test_as_many_phases_as_pixels(grains, unmix):
    s = unmix(grains.inav[:2, :3], 6)
    np.testing.assert_allclose(s.learning_results.loadings.sum(), s.data.sum())


def test_empty_rows_columns_and_channels(grains, unmix):
    grains.data[2] = 0
    grains.data[:, 7] = 0
    grains.data[..., 100:140] = 0
    factors, loadings = results_of(unmix(grains))
    assert (factors[100:140] == 0).all()
    assert (loadings.reshape(20, 26, 3)[2] == 0).all()
    np.testing.assert_allclose(loadings.sum(), grains.data.sum())


# --- failures leave the signal alone


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hyperspy_psnmf.eds.decompose.read_counts", MemoryError),
        ("hyperspy_psnmf.estimators.PSNMF.fit_transform", KeyboardInterrupt),
        ("hyperspy_psnmf.eds.decompose.make_record", RuntimeError),
    ],
)
def test_a_failure_anywhere_leaves_earlier_results(unmixed_copy, state, monkeypatch, name, error):
    def fail(*args, **kwargs):
        raise error

    before = state(unmixed_copy)
    monkeypatch.setattr(name, fail)
    with pytest.raises(error):
        unmixed_copy.decomposition(**{**CALL, "output_dimension": 2})
    assert state(unmixed_copy) == before


def test_an_interrupt_in_the_middle_leaves_earlier_results(unmixed_copy, state, monkeypatch):
    class Bar:
        def __init__(self, *args, **kwargs): ...
        def __enter__(self):
            return self

        def __exit__(self, *exception): ...
        def set_description_str(self, *args, **kwargs): ...
        def set_postfix_str(self, *args, **kwargs): ...
        def update(self):
            raise KeyboardInterrupt

    before = state(unmixed_copy)
    monkeypatch.setattr("hyperspy_psnmf.eds.progress.progressbar", Bar)
    with pytest.raises(KeyboardInterrupt):
        unmixed_copy.decomposition(**{**CALL, "output_dimension": 2, "show_progressbar": True})
    assert state(unmixed_copy) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [({"max_iter": 1}, "did not converge"), ({"binning": 1}, "counts per bin")],
)
def test_warnings_turned_into_errors_leave_earlier_results(unmixed_copy, state, options, message):
    before = state(unmixed_copy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=message):
            unmixed_copy.decomposition(**CALL, **options)
    assert state(unmixed_copy) == before
