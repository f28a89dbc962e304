# SPDX-License-Identifier: GPL-3.0-or-later
"""What is stored in ``learning_results``, and what HyperSpy makes of it."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from tests.helpers.maps import FREE, plain, stock
from tests.helpers.versions import BEFORE_2_5, NEEDS_FLOATS

pytestmark = pytest.mark.usefixtures("close_figures")


def assert_plain(value):
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            assert_plain(item)
        return
    assert isinstance(value, str | bool | int | float | np.ndarray | np.number), type(value)
    if isinstance(value, np.ndarray):
        assert value.dtype.kind in "fiu"


def test_learning_results__every_field_is_as_agreed(unmixed):
    lr = unmixed.learning_results
    assert lr.factors.shape == (310, 3)
    assert lr.loadings.shape == (520, 3)
    assert type(lr.decomposition_algorithm) is str
    assert lr.decomposition_algorithm == "PSNMF"
    assert lr.output_dimension == lr.number_significant_components == 3
    for name in (
        "explained_variance",
        "explained_variance_ratio",
        "bss_algorithm",
        "bss_factors",
        "bss_loadings",
        "unmixing_matrix",
        "mean",
        "centre",
        "navigation_mask",
        "signal_mask",
    ):
        assert getattr(lr, name) is None, name
    assert not lr.poissonian_noise_normalized
    assert not lr.unfolded


def test_learning_results__the_record_has_plain_values_and_every_setting(unmixed):
    record = unmixed.learning_results.psnmf
    assert type(record) is dict
    assert_plain(record)
    assert {
        "version", "binning", "energy_binning", "init", "refinement", "max_iter", "tol",
        "random_state", "n_iter", "converged", "kkt_residual", "binned_loadings", "phase_names",
    } <= set(record)  # fmt: skip
    np.testing.assert_allclose(record["phase_counts"], unmixed.learning_results.loadings.sum(0))


def test_learning_results__binned_loadings_have_all_counts(unmixed_free):
    binned = unmixed_free.learning_results.psnmf["binned_loadings"]
    np.testing.assert_allclose(binned.sum(), unmixed_free.data.sum(), rtol=1e-6)


def without_entry(signal, key):
    """Return what the report raises where the record of an earlier version lacks an entry."""
    record = signal.learning_results.psnmf
    rest = {k: v for k, v in record.items() if k != key}
    signal.learning_results.psnmf = {**rest, "version": "0.0.7"}
    try:
        assert len(signal.psnmf.phase_names) == 3
        signal.psnmf.phase_maps()
        assert signal.psnmf.report()
    except ValueError as error:
        return str(error)
    finally:
        signal.learning_results.psnmf = record
    return ""


@pytest.mark.slow
def test_record__of_another_version_names_the_missing_entry(unmixed_copy, unmixed_free):
    free = unmixed_free.deepcopy()
    keys = set(free.learning_results.psnmf) - {"version"}
    found = {key: without_entry(free, key) for key in keys}
    found["prior_weights"] = without_entry(unmixed_copy, "prior_weights")
    messages = {key: message for key, message in found.items() if message}
    for key, message in messages.items():
        assert f"written by hyperspy-psnmf 0.0.7 and have no {key!r}" in message
    assert {"n_counts", "weaknesses", "kkt_residual", "prior_weights"} <= set(messages)
    assert {"phase_names", "max_iter", "navigation_shape", "binning_choice"}.isdisjoint(messages)


def test_standard_errors__errors_of_spectra_need_settings_that_an_old_record_may_lack(unmixed_copy):
    del unmixed_copy.learning_results.psnmf["line_width"]
    unmixed_copy.psnmf.standard_errors(given_spectra=True)
    with pytest.raises(ValueError, match=r"have no 'line_width', which .* decompose the map"):
        unmixed_copy.psnmf.standard_errors(given_spectra=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [np.random.default_rng(1), np.random.RandomState(1), None, np.int64(3)], ids=plain
)
def test_decomposition__the_record_is_plain_whatever_the_seed(grains, unmix, seed):
    assert_plain(unmix(grains, 1, random_state=seed).learning_results.psnmf)


@pytest.mark.slow
def test_decomposition__fields_of_earlier_decompositions_are_reset(sem, unmix):
    sem.change_dtype(float)
    mask, channels = np.zeros((26, 20), bool), np.zeros(310, bool)
    mask[3], channels[:9] = True, True
    sem.decomposition(not BEFORE_2_5, "SVD", 5, print_info=False)
    sem.blind_source_separation(number_of_components=2, print_info=False)
    assert sem.learning_results.bss_factors is not None
    assert sem.learning_results.explained_variance is not None
    unmix(sem, 2, navigation_mask=mask, signal_mask=channels, **FREE)
    assert sem.learning_results.navigation_mask.sum() == 20
    unmix(sem, 2, **FREE)
    lr = sem.learning_results
    for name in ("bss_algorithm", "bss_factors", "bss_loadings", "unmixing_matrix", "mean",
                 "explained_variance", "explained_variance_ratio", "centre",
                 "navigation_mask", "signal_mask"):  # fmt: skip
        assert getattr(lr, name) is None, name
    assert not lr.poissonian_noise_normalized
    assert not np.isnan(lr.loadings).any()
    assert not np.isnan(lr.factors).any()


def test_decomposition__a_centred_decomposition_leaves_no_mean(sem, unmix):
    sem.change_dtype(float)
    sem.decomposition(algorithm="SVD", centre="signal", output_dimension=2, print_info=False)
    unmix(sem, 2, **FREE)
    model = sem.get_decomposition_model()
    lr = sem.learning_results
    np.testing.assert_allclose(model.data.reshape(520, 310), lr.loadings @ lr.factors.T)


def test_decomposition__the_record_goes_with_the_next_stock_decomposition(unmixed_copy):
    unmixed_copy.change_dtype(float)
    unmixed_copy.psnmf.phase_names = ["a", "b", "c"]
    unmixed_copy.decomposition(
        normalize_poissonian_noise=False,
        navigation_mask=None,
        algorithm="NMF",
        output_dimension=3,
        print_info=False,
    )
    assert not [name for name in vars(unmixed_copy.learning_results) if "psnmf" in name]
    assert unmixed_copy.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]


def test_decomposition__the_record_stays_when_a_stock_decomposition_fails(unmixed_copy, state):
    before = state(unmixed_copy)
    with pytest.raises(TypeError, match=NEEDS_FLOATS):
        unmixed_copy.decomposition(algorithm="SVD")
    assert state(unmixed_copy) == before


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
def test_decomposition__masks_are_stored_as_hyperspy_stores_them(
    grains, unmix, navigation_mask, signal_mask, masked
):
    masks = {"navigation_mask": navigation_mask, "signal_mask": signal_mask} if masked else {}
    theirs = stock(grains, **masks).learning_results
    ours = unmix(grains, **masks, **FREE).learning_results
    for name in ("navigation_mask", "signal_mask"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(np.ravel(a), np.ravel(b))


# --- HyperSpy's methods on the results


def test_learning_results__the_model_is_loadings_times_factors(unmixed):
    model = unmixed.get_decomposition_model()
    lr = unmixed.learning_results
    assert model.data.dtype == float
    assert type(model) is type(unmixed)
    np.testing.assert_allclose(model.data.reshape(520, 310), lr.loadings @ lr.factors.T)
    part = unmixed.get_decomposition_model(components=[0, 2])
    np.testing.assert_allclose(
        part.data.reshape(520, 310), lr.loadings[:, [0, 2]] @ lr.factors[:, [0, 2]].T
    )


@pytest.mark.slow
def test_decomposition__factors_loadings_and_plots_of_hyperspy(
    unmixed, unmixed_copy, navigation_mask, unmix
):
    assert unmixed.get_decomposition_factors().axes_manager.shape == (3, 310)
    assert unmixed.get_decomposition_loadings().axes_manager.shape == (3, 26, 20)
    unmixed.plot_decomposition_factors()
    unmixed.plot_decomposition_loadings()
    unmixed.plot_decomposition_results()
    unmix(unmixed_copy, navigation_mask=navigation_mask, energy_range=(0.5, 2), **FREE)
    unmixed_copy.plot_decomposition_results()
    assert plt.get_fignums()


def test_phase_maps__blind_source_separation_works_on_the_results(unmixed_copy):
    unmixed_copy.blind_source_separation(number_of_components=2, print_info=False)
    assert unmixed_copy.learning_results.bss_factors.shape == (310, 2)
    assert "PSNMF" not in str(unmixed_copy.learning_results.bss_algorithm)
    assert unmixed_copy.psnmf.phase_maps().data.min() >= 0


def test_report__components_may_be_cropped(unmixed_copy):
    unmixed_copy.learning_results.crop_decomposition_dimension(2)
    assert unmixed_copy.psnmf.phase_names == ["Phase 0", "Phase 1"]
    assert unmixed_copy.psnmf.phase_maps().data.shape == (2, 20, 26)
    assert unmixed_copy.psnmf.phase_spectra().data.shape == (2, 310)
    try:
        assert "Phase 1" in unmixed_copy.psnmf.report()
    except RuntimeError as error:  # or it says so in words
        assert "PSNMF" in str(error)  # noqa: PT017


def test_names__survive_cropping(unmixed_copy):
    unmixed_copy.psnmf.phase_names = ["matrix", "grains", "rest"]
    unmixed_copy.learning_results.crop_decomposition_dimension(2)
    assert unmixed_copy.psnmf.phase_names in (["matrix", "grains"], ["Phase 0", "Phase 1"])


def test_phase_maps__a_part_of_the_map_has_no_results_and_says_so(unmixed):
    for part in (unmixed.inav[:7], unmixed.isig[:100], unmixed.rebin(scale=(2, 2, 1))):
        with pytest.raises(RuntimeError, match="no factors and loadings yet"):
            part.psnmf.phase_maps()


@pytest.mark.parametrize(
    ("axis", "start", "method"),
    [("x", 3, "phase_maps"), ("Energy", 50, "phase_spectra"), ("Energy", 50, "plot")],
)
def test_learning_results__results_of_map_cropped_since_are_refused(
    unmixed_copy, axis, start, method
):
    # HyperSpy leaves learning results as they are when a signal is cropped in place.
    unmixed_copy.crop(axis, start, None)
    with pytest.raises((RuntimeError, ValueError), match="decomposition"):
        getattr(unmixed_copy.psnmf, method)()


# --- results that have been changed


@pytest.mark.parametrize("components", [(0,), (2,), (0, 1)], ids=plain)
@pytest.mark.parametrize("algorithm", ["PSNMF", "NMF"])
def test_reversed_components__message_has_the_call_that_undoes_it(
    unmixed_copy, grains, algorithm, components
):
    s = unmixed_copy if algorithm == "PSNMF" else stock(grains)
    for i in components:
        s.reverse_decomposition_component(i)
    calls = f"{list(components) if len(components) > 1 else components[0]}"
    with pytest.raises(ValueError, match=f"of {algorithm} have been reversed") as error:
        s.psnmf.report() if algorithm == "PSNMF" else s.psnmf.phase_maps()
    assert f"s.reverse_decomposition_component({calls}) once more" in str(error.value)
    assert "algorithm=" not in str(error.value)
    s.reverse_decomposition_component(list(components))
    s.psnmf.phase_maps()


@pytest.mark.parametrize("name", ["factors", "loadings"])
def test_results_edited_below_zero__said_to_be_changed(unmixed_copy, name):
    getattr(unmixed_copy.learning_results, name)[5, 1] -= 1e5
    with pytest.raises(ValueError, match="of PSNMF have been changed since") as error:
        unmixed_copy.psnmf.phase_maps()
    assert "algorithm=" not in str(error.value)


def test_results_negative_by_nature__another_algorithm_advised(grains):
    with pytest.raises(ValueError, match=r"of SVD are negative in places.*algorithm='PSNMF'"):
        stock(grains, algorithm="SVD", random_state=None).psnmf.phase_maps()


def test_results_edited_to_different_numbers_of_phases__refused(unmixed_copy):
    results = unmixed_copy.learning_results
    results.factors = results.factors[:, :2]
    with pytest.raises(RuntimeError, match="2 factors, but 3 loadings"):
        unmixed_copy.psnmf.phase_maps()


# --- copies and files


def test_names__a_deepcopy_is_independent(unmixed_copy):
    other = unmixed_copy.deepcopy()
    other.psnmf.phase_names = ["a", "b", "c"]
    other.learning_results.psnmf["binned_loadings"][:] = 0
    other.learning_results.loadings[:] = 0
    assert unmixed_copy.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]
    assert unmixed_copy.learning_results.psnmf["binned_loadings"].sum() > 0
    assert unmixed_copy.learning_results.loadings.sum() > 0
