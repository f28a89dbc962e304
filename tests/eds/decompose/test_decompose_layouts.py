# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of any shape, with data in any order."""

import hyperspy.api as hs
import numpy as np
import pytest

from tests.helpers.maps import FREE, assert_same_results, expected_counts


def test_decomposition__a_line_scan(grains, unmix):
    s = unmix(grains.inav[:, 3].deepcopy(), 2, binning=4)
    assert s.learning_results.psnmf["binning"] == [4]
    np.testing.assert_allclose(s.learning_results.loadings.sum(), s.data.sum())


@pytest.mark.parametrize(
    ("binning", "expected"), [(4, [4, 4, 1]), ((4, 2), [4, 2, 1]), ((4, 2, 3), [4, 2, 3])]
)
def test_decomposition__a_third_axis_is_never_binned_by_an_int(grains, unmix, binning, expected):
    s = hs.stack([grains.inav[:14, :10]] * 3)
    s = unmix(s, 2, binning=binning, **FREE)
    assert s.axes_manager.navigation_shape == (14, 10, 3)
    assert s.learning_results.psnmf["binning"] == expected
    np.testing.assert_allclose(s.learning_results.loadings.sum(), s.data.sum())


def test_decomposition__automatic_binning_leaves_a_third_axis_alone(grains, unmix):
    s = unmix(hs.stack([grains] * 3), 2, **FREE)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "layout", ["Fortran", "memory-mapped", "strided", "reversed", "energy first"]
)
def test_decomposition__the_memory_layout_does_not_matter(
    grains, unmixed_free, unmix, tmp_path, layout
):
    cube = grains.data.copy()
    grains.data = _layouts(cube, tmp_path)[layout]
    flags = str(grains.data.flags)
    assert_same_results(unmix(grains, **FREE), unmixed_free)
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
def test_phase_maps__data_not_aligned_with_the_axes(pristine_grains, unmix, navigation_mask, lazy):
    s = _with_energy_first(pristine_grains)
    s = s.as_lazy() if lazy else s
    options = {
        "navigation_mask": navigation_mask,
        "binning": (3, 5),
        "energy_range": (0.295, 2.905),
        **FREE,
    }
    unmix(s, **options)
    assert_same_results(s, unmix(pristine_grains.deepcopy(), **options))
    assert s.psnmf.phase_maps().data.shape == (3, 20, 26)
    assert s.psnmf.phase_spectra().axes_manager.shape == (3, 261)


def test_decomposition__model_of_data_not_aligned_with_axes(pristine_grains, unmixed_free, unmix):
    s = unmix(_with_energy_first(pristine_grains), **FREE)
    model = s.get_decomposition_model()
    np.testing.assert_allclose(
        model.data.reshape(520, 310), expected_counts(unmixed_free).reshape(520, 310)
    )


def test_decomposition__a_map_with_transposed_navigation(grains, unmix):
    s = grains.transpose(navigation_axes=[1, 0])
    assert s.axes_manager.navigation_shape == (20, 26)
    unmix(s, binning=(4, 2), smoothing=0, **FREE)
    record = s.learning_results.psnmf
    assert record["binned_loadings"].shape == (13, 5, 3)
    loadings = s.learning_results.loadings.sum(axis=1).reshape(26, 20)
    np.testing.assert_allclose(loadings, grains.data.sum(axis=2).T, rtol=1e-9)


def test_phase_maps__an_unfolded_map_is_a_line_scan(grains, unmix):
    grains.unfold_navigation_space()
    unmix(grains, 2, binning=1, **FREE)
    grains.fold()
    assert grains.psnmf.phase_maps().data.shape == (2, 20, 26)
