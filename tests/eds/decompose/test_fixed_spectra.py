# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra handed in: kept as they are, first in the result, from signals and arrays."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.helpers.maps import FREE


@pytest.fixture
def spectra(unmixed_free):
    """The phases of a decomposed map, as a signal."""
    return unmixed_free.psnmf.phase_spectra()


def unit_sum(rows):
    return rows / rows.sum(axis=-1, keepdims=True)


def test_decomposition__a_signal_with_all_phases_needs_no_factorisation(
    spectra, unmixed_free, unmix
):
    other = data.mineral_grains(shape=(17, 23), n_channels=310, counts=100, seed=7)
    unmix(other, fixed_spectra=spectra, smoothing=0)
    lr = other.learning_results
    np.testing.assert_allclose(lr.factors, unmixed_free.learning_results.factors, rtol=1e-12)
    np.testing.assert_allclose(lr.loadings.sum(axis=1), other.data.sum(axis=2).ravel())
    assert lr.psnmf["n_iter"] == 0
    assert lr.psnmf["converged"]
    assert lr.psnmf["n_fixed"] == 3
    assert lr.psnmf["phase_counts"].shape == (3,)


def test_decomposition__the_order_of_fixed_spectra_is_kept(spectra, grains, unmix):
    order = [2, 0, 1]
    unmix(grains, fixed_spectra=spectra.data[order])
    expected = unit_sum(spectra.data[order]).T
    np.testing.assert_allclose(grains.learning_results.factors, expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.crossed("refinement", "energy_binning", "n_fixed")
@pytest.mark.parametrize("refinement", ["fixed", "joint"])
@pytest.mark.parametrize("energy_binning", [1, 4])
@pytest.mark.parametrize("n_fixed", [1, 2])
def test_decomposition__fixed_spectra_come_first_and_stay(
    spectra, grains, unmix, n_fixed, energy_binning, refinement
):
    given = spectra.inav[3 - n_fixed :]
    before = given.data.copy()
    options = {"energy_binning": energy_binning, "refinement": refinement}
    options |= FREE if refinement == "joint" else {}  # as published
    unmix(grains, fixed_spectra=given, **options)
    factors, loadings = grains.learning_results.factors, grains.learning_results.loadings
    np.testing.assert_allclose(factors[:, :n_fixed], unit_sum(given.data).T, rtol=1e-12)
    np.testing.assert_allclose(factors.sum(axis=0), 1)
    rtol = 1e-9 if refinement == "fixed" else 1e-5
    np.testing.assert_allclose(loadings.sum(), grains.data.sum(), rtol=rtol)
    assert (np.diff(loadings[:, n_fixed:].sum(axis=0)) <= 0).all()
    np.testing.assert_array_equal(given.data, before)
    assert grains.learning_results.psnmf["n_fixed"] == n_fixed


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda s: s.inav[1],
        lambda s: s.inav[1].data,
        lambda s: s.inav[1].data.tolist(),
        lambda s: s.inav[1:2].data.astype("f4").astype(float) * 1e-9,
        lambda s: s.inav[1:2].as_lazy(),
        lambda s: hs.signals.Signal1D(
            s.inav[1].data, axes=[s.axes_manager.signal_axes[0].get_axis_dictionary()]
        ),
    ],
    ids=["one spectrum", "1-D array", "list", "any scale", "lazy", "plain signal"],
)
def test_decomposition__one_spectrum_in_any_form(spectra, grains, unmix, make):
    unmix(grains, fixed_spectra=make(spectra), **FREE)
    np.testing.assert_allclose(
        grains.learning_results.factors[:, 0], unit_sum(spectra.data[1]), rtol=1e-6
    )


def test_decomposition__integer_spectra_such_as_a_sum_over_a_region(grains, unmix):
    region = grains.inav[:3, :4].sum()
    unmix(grains, fixed_spectra=region, **FREE)
    expected = unit_sum(region.data.astype(float))
    np.testing.assert_allclose(grains.learning_results.factors[:, 0], expected)


def test_phase_spectra__spectra_of_a_cropped_axis_need_an_energy_range_within(grains, unmix):
    part = grains.isig[40:250]
    spectra = unmix(part, **FREE).psnmf.phase_spectra()
    unmix(grains, fixed_spectra=spectra, energy_range=(0.4999, 2.5901))
    factors = grains.learning_results.factors
    np.testing.assert_allclose(factors[40:250], part.learning_results.factors, rtol=1e-12)
    assert np.isnan(factors[:40]).all()
    unmix(grains, fixed_spectra=spectra, energy_range=(0.8, 2.0))
    np.testing.assert_allclose(np.nansum(grains.learning_results.factors, axis=0), 1)
    with pytest.raises(ValueError, match=r"fixed_spectra covers .* pass an energy_range within"):
        unmix(grains, fixed_spectra=spectra)


@pytest.mark.parametrize("part", [slice(40, 250), slice(40, None), slice(0, 250)], ids=str)
@pytest.mark.parametrize("falls", [False, True])
def test_decomposition__spectra_reaching_beyond_the_map_are_cut(
    grains, spectra, unmix, part, falls
):
    expected = unmix(grains.isig[part], fixed_spectra=spectra.data[:, part])
    step = -1 if falls else 1
    small, spectra = grains.isig[part].isig[::step], spectra.isig[::step]
    unmix(small, fixed_spectra=spectra)
    found, expected = (s.learning_results.factors for s in (small, expected))
    np.testing.assert_allclose(found[::step], expected, rtol=1e-12)


@pytest.mark.parametrize(("scale", "offset"), [(1.01, 0), (1, 0.0033), (1, 50), (1, -50)])
def test_decomposition__spectra_of_other_channels_are_refused(
    grains, spectra, unmix, scale, offset
):
    axis = spectra.axes_manager.signal_axes[0]
    axis.scale, axis.offset = scale * axis.scale, axis.offset + offset
    with pytest.raises(ValueError, match="fixed_spectra has another energy axis"):
        unmix(grains.isig[40:250], fixed_spectra=spectra)
    assert grains.learning_results.factors is None


def test_decomposition__spectra_that_end_within_the_map_are_refused(grains, spectra, unmix):
    with pytest.raises(ValueError, match=r"fixed_spectra covers .* only"):
        unmix(grains.isig[40:], fixed_spectra=spectra.isig[:200])


def test_phase_spectra__spectra_of_masked_map_are_used_where_decomposed(grains, unmix, signal_mask):
    first = unmix(grains.deepcopy(), signal_mask=signal_mask, **FREE)
    spectra = first.psnmf.phase_spectra()
    unmix(grains, fixed_spectra=spectra, signal_mask=signal_mask)
    np.testing.assert_allclose(
        grains.learning_results.factors, first.learning_results.factors, rtol=1e-12
    )


def test_decomposition__array_is_cut_to_energy_range_and_may_be_nan_outside(grains, unmixed, unmix):
    given = unmixed.learning_results.factors.T.copy()
    given[:, :40] = given[:, 250:] = np.nan
    unmix(grains, fixed_spectra=given, energy_range=(0.4999, 2.5901))
    np.testing.assert_allclose(
        grains.learning_results.factors[40:250], unit_sum(given[:, 40:250]).T, rtol=1e-12
    )


def test_decomposition__an_axis_in_ev_fits_one_in_kev(grains, spectra, unmix):
    axis = spectra.axes_manager.signal_axes[0]
    axis.units, axis.scale, axis.offset = "eV", 1000 * axis.scale, 1000 * axis.offset
    unmix(grains, fixed_spectra=spectra)
    assert grains.learning_results.psnmf["n_fixed"] == 3


def test_decomposition__spectra_from_a_file(grains, spectra, unmix, tmp_path):
    spectra.save(tmp_path / "standards.hspy")
    unmix(grains, fixed_spectra=hs.load(tmp_path / "standards.hspy"))
    assert grains.learning_results.psnmf["n_iter"] == 0


def test_decomposition__with_the_true_spectra_the_main_phases_have_their_counts(grains, unmix):
    truth = grains.metadata.Truth
    known = grains.inav[:3, 0].deepcopy()
    known.data = 1e6 * truth.factors.T
    unmix(grains, fixed_spectra=known)
    found = grains.learning_results.loadings.sum(axis=0)
    # Non-negative maps of noisy pixels give a rare phase too much.
    np.testing.assert_allclose(found[:2], truth.loadings.sum(axis=0)[:2], rtol=0.1)


def test_decomposition__init_fills_up_what_is_not_fixed(spectra, grains, unmix):
    start = spectra.data
    unmix(grains, fixed_spectra=spectra.inav[0], init=start, energy_binning=4)
    factors = grains.learning_results.factors
    np.testing.assert_allclose(factors[:, 0], unit_sum(start[0]), rtol=1e-12)


def test_decomposition__fixed_spectra_that_are_equal_or_more_than_map_has(grains, spectra, unmix):
    twice = np.vstack([spectra.data[0], spectra.data[0]])
    unmix(grains, fixed_spectra=twice)
    np.testing.assert_allclose(grains.learning_results.loadings.sum(), grains.data.sum())


def test_decomposition__counts_that_no_fixed_spectrum_can_explain_do_not_pass_unnoticed(grains):
    # Two artificial spectra that are zero where the map has counts.
    given = np.zeros((2, 310))
    given[0, :100] = given[1, 100:200] = 1
    unexplained = int(grains.data[..., 200:].sum())
    with pytest.warns(UserWarning, match=f"{unexplained} counts .* all spectra are zero"):
        grains.decomposition(
            algorithm="PSNMF", output_dimension=2, fixed_spectra=given, print_info=False
        )
    loadings = grains.learning_results.loadings
    np.testing.assert_allclose(loadings.sum(), grains.data.sum() - unexplained)
    # The model gives these counts no probability at all.
    assert grains.learning_results.psnmf["divergence"] == np.inf
