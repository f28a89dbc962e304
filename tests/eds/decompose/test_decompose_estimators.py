# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra to start from, and estimators in place of a name."""

import numpy as np
import pytest

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf.eds.signals.map_input import MapInput
from tests.helpers.maps import FREE, angle, assert_same_results


def test_decomposition__init_may_be_spectra(grains, unmix):
    start = grains.metadata.Truth.factors.T
    unmix(grains, init=start)
    assert grains.learning_results.psnmf["init"] == "given"
    for factor in start[:2]:
        assert min(angle(factor, f) for f in grains.learning_results.factors.T) < 10


def test_phase_spectra__init_may_be_a_signal_and_is_scale_free(grains, unmixed, unmix):
    # Whether neighbours agree is a yes or no, which the last digit can decide.
    options = {"smoothing": 0, **FREE}
    first = unmix(grains, init=unmixed.psnmf.phase_spectra(), **options).deepcopy()
    unmix(grains, init=unmixed.learning_results.factors.T * 7, **options)
    assert_same_results(grains, first, atol=1e-6, rtol=1e-6)


def test_decomposition__init_is_cut_to_the_energy_range(grains, unmixed, unmix):
    init = unmixed.learning_results.factors.T
    first = unmix(grains.isig[40:250], init=init[:, 40:250], **FREE)
    unmix(grains, init=init, energy_range=(0.4999, 2.5901), **FREE)
    np.testing.assert_array_equal(grains.learning_results.loadings, first.learning_results.loadings)


def test_line_width__a_psnmf_instance_takes_the_same_path(grains, unmixed_free):
    model = PSNMF(3, energy_binning=4, binning=2, line_width=MapInput.of(grains).line_width)
    result = grains.decomposition(
        algorithm=model, return_info=True, print_info=False, show_progressbar=False
    )
    assert result is model
    assert grains.learning_results.decomposition_algorithm == "PSNMF"
    assert grains.learning_results.output_dimension == 3
    assert_same_results(grains, unmixed_free)


@pytest.mark.parametrize("options", [{}, {"fixed_spectra": np.eye(2, 310)}])
def test_decomposition__results_share_no_memory_with_the_estimator_returned(grains, options):
    model = grains.decomposition(
        algorithm=PSNMF(2, **options), return_info=True, print_info=False, show_progressbar=False
    )
    before = model.components_.copy()
    grains.reverse_decomposition_component(0)
    np.testing.assert_array_equal(model.components_, before)
    np.testing.assert_array_equal(grains.learning_results.factors[:, 0], -before[0])


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_PoissonNMF__a_poisson_nmf_instance_takes_the_same_path(grains, lazy, navigation_mask):
    s = grains.as_lazy() if lazy else grains
    s.decomposition(algorithm=PoissonNMF(2), navigation_mask=navigation_mask, print_info=False)
    assert s.learning_results.decomposition_algorithm == "PoissonNMF"
    kept = s.learning_results.loadings.reshape(20, 26, 2)[:, 4:]
    np.testing.assert_allclose(
        kept.sum(axis=2), grains.data[:, 4:].sum(axis=2, dtype=float), rtol=1e-9
    )
    assert "Poisson non-negative matrix factorisation" in s.psnmf.report()
    assert s.psnmf.phase_names == ["Phase 0", "Phase 1"]


def test_line_width__a_subclass_of_an_estimator_takes_the_same_path(grains, unmixed_free):
    class Mine(PSNMF):
        pass

    model = Mine(3, energy_binning=4, line_width=MapInput.of(grains).line_width)
    grains.decomposition(algorithm=model, print_info=False)
    assert_same_results(grains, unmixed_free)


def test_decomposition__an_instance_fits_one_map_after_the_other(grains, sem):
    model = PSNMF(2, energy_binning=4)
    for s in (grains, sem, grains.inav[:15, :8]):
        s.decomposition(algorithm=model, print_info=False)
        np.testing.assert_allclose(s.learning_results.loadings.sum(), s.data.sum())


def test_decomposition__an_instance_is_not_given_its_parameters_twice(grains, state):
    before = state(grains)
    with pytest.raises(TypeError, match="binning, tol must be given to the estimator"):
        grains.decomposition(algorithm=PSNMF(3), binning=2, tol=1e-3)
    with pytest.raises(ValueError, match=r"output_dimension=2 .* n_components=3"):
        grains.decomposition(algorithm=PSNMF(3), output_dimension=2)
    assert state(grains) == before


def test_decomposition__an_instance_may_come_with_its_own_number_of_components(grains):
    grains.decomposition(algorithm=PSNMF(3), output_dimension=3, print_info=False)
    assert grains.learning_results.output_dimension == 3
