# SPDX-License-Identifier: GPL-3.0-or-later
"""What the estimators refuse, by name."""

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf import PSNMF, PoissonNMF
from tests.helpers.problems import MAP_SHAPE as SHAPE
from tests.helpers.problems import make_cube, make_matrix

# What is refused: (argument, value, error)

BAD_COMMON = [
    ("n_components", 2.0, TypeError),
    ("n_components", "2", TypeError),
    ("n_components", True, TypeError),
    ("n_components", None, TypeError),
    ("n_components", 0, ValueError),
    ("n_components", -1, ValueError),
    ("n_components", 32, ValueError),
    ("init", "nndsvd", ValueError),
    ("init", "Vertex", ValueError),
    ("init", None, ValueError),
    ("init", 3.0, ValueError),
    ("init", [["a"] * 31] * 3, TypeError),
    ("init", np.full((3, 31), 1 + 2j), TypeError),
    ("init", np.ones((3, 30)), ValueError),
    ("init", np.ones((2, 31)), ValueError),
    ("init", np.ones(31), ValueError),
    ("init", np.full((3, 31), -1.0), ValueError),
    ("init", np.full((3, 31), np.nan), ValueError),
    ("init", np.full((3, 31), np.inf), ValueError),
    ("init", np.zeros((3, 31)), ValueError),
    ("max_iter", 2.0, TypeError),
    ("max_iter", None, TypeError),
    ("max_iter", 0, ValueError),
    ("tol", "small", (TypeError, ValueError)),
    ("tol", None, (TypeError, ValueError)),
    ("tol", True, (TypeError, ValueError)),
    ("tol", -1e-9, ValueError),
    ("tol", np.nan, ValueError),
    ("random_state", "seed", (TypeError, ValueError)),
    ("random_state", -1, ValueError),
    ("random_state", 0.5, (TypeError, ValueError)),
    ("volume", -1, ValueError),
    ("volume", -1e-9, ValueError),
    ("volume", np.nan, ValueError),
    ("volume", np.inf, ValueError),
    ("volume", "x", ValueError),
    ("volume", True, TypeError),
    ("volume", [0.5], TypeError),
    ("n_jobs", 0, ValueError),
    ("n_jobs", 1.0, TypeError),
    ("n_jobs", "2", TypeError),
    ("n_jobs", True, TypeError),
]
BAD_PSNMF = [
    ("navigation_shape", "map", TypeError),
    ("navigation_shape", 8.5, TypeError),
    ("navigation_shape", (8.0, 9.0), TypeError),
    ("navigation_shape", 0, ValueError),
    ("navigation_shape", (), ValueError),
    ("navigation_shape", (8, -9), ValueError),
    ("navigation_shape", (8, 8), ValueError),
    ("navigation_shape", ((8, 9),), (TypeError, ValueError)),
    ("binning", "automatic", ValueError),
    ("binning", None, TypeError),
    ("binning", 2.0, TypeError),
    ("binning", True, TypeError),
    ("binning", 0, ValueError),
    ("binning", (2, -1), ValueError),
    ("binning", (2, 2.0), TypeError),
    ("binning", (2,), ValueError),
    ("binning", (2, 2, 2), ValueError),
    ("binning", (9, 1), ValueError),
    ("binning", (8, 9), ValueError),
    ("energy_binning", "auto", TypeError),
    ("energy_binning", 2.0, TypeError),
    ("energy_binning", 0, ValueError),
    ("energy_binning", 16, ValueError),
    ("fixed_spectra", "carbon", (TypeError, ValueError)),
    ("fixed_spectra", 1.0, ValueError),
    ("fixed_spectra", np.ones(31), ValueError),
    ("fixed_spectra", np.ones((1, 30)), ValueError),
    ("fixed_spectra", np.ones((0, 31)), ValueError),
    ("fixed_spectra", np.ones((4, 31)), ValueError),
    ("fixed_spectra", -np.ones((1, 31)), ValueError),
    ("fixed_spectra", np.full((1, 31), np.nan), ValueError),
    ("fixed_spectra", np.zeros((1, 31)), ValueError),
    ("fixed_spectra", np.full((1, 31), 1 + 2j), TypeError),
    ("line_width", 0, ValueError),
    ("line_width", -3, ValueError),
    ("line_width", 2.5, TypeError),
    ("line_width", "auto", TypeError),
    ("line_width", None, TypeError),
    ("line_width", True, TypeError),
    ("parsimony", "auto", TypeError),
    ("parsimony", 1, TypeError),
    ("refinement", "none", ValueError),
    ("refinement", None, (TypeError, ValueError)),
    ("refinement", 1, (TypeError, ValueError)),
]
BAD = [(PoissonNMF, *bad) for bad in (*BAD_COMMON, ("volume", None, TypeError))]
BAD += [(PSNMF, *bad) for bad in BAD_COMMON + BAD_PSNMF]


@pytest.mark.spot_checks("cls", "name")
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize(("cls", "name", "value", "error"), BAD)
def test_errors__an_argument_that_makes_no_sense_is_an_error_naming_it(cls, name, value, error):
    cube, _ = make_cube()
    cube = cube if cls is PSNMF else cube.reshape(72, 31)
    model = cls(3).set_params(**{name: value})
    with pytest.raises(error, match=name):
        model.fit(cube)


@pytest.mark.parametrize(("name", "value"), [("init", "auto"), ("volume", "auto")])
def test_PoissonNMF__a_matrix_has_no_automatic_start_or_volume(name, value):
    with pytest.raises(ValueError, match=name):
        PoissonNMF(3, **{name: value}).fit(make_matrix())


@pytest.mark.parametrize("volume", [0, 0.5])
def test_PSNMF__parsimony_and_a_volume_exclude_each_other(volume):
    with pytest.raises(ValueError, match=f"parsimony=True and volume={volume} exclude"):
        PSNMF(3, binning=2, parsimony=True, volume=volume).fit(make_cube()[0])


@pytest.mark.parametrize("value", ["map", 8.5, 0, (), (8, 8), (8.0, 9.0)])
def test_errors__a_wrong_shape_given_to_fit_is_an_error_naming_it(value):
    with pytest.raises((TypeError, ValueError), match="navigation_shape"):
        PSNMF(3).fit(make_matrix(), navigation_shape=value)


@pytest.mark.parametrize(
    "value", ["all", np.ones(71, bool), np.ones(72), np.ones((9, 8), bool), np.zeros(72, bool)]
)
def test_errors__wrong_pixels_left_out_are_an_error_naming_them(value):
    cube, _ = make_cube()
    with pytest.raises((TypeError, ValueError), match="used_pixels"):
        PSNMF(3).fit_transform(cube, used_pixels=value)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("cls", [PoissonNMF, PSNMF])
@pytest.mark.parametrize("bad", [-1, np.nan, np.inf])
def test_errors__counts_that_are_none_are_an_error(cls, convert, bad):
    X = make_matrix().astype(float)
    X[40, 17] = bad
    with pytest.raises(ValueError, match=r"[Nn]egative|NaN|infinity|finite"):
        cls(3).fit(convert(X))


@pytest.mark.parametrize("bad", [-1, np.nan, np.inf])
def test_errors__a_map_of_counts_that_are_none_is_an_error(bad):
    cube = make_cube()[0].astype(float)
    cube[5, 7, 17] = bad
    with pytest.raises(ValueError, match="X: counts must be finite and not negative"):
        PSNMF(3).fit(cube)
    with pytest.raises(ValueError, match="X: counts must be finite and not negative"):
        PSNMF(3).fit(make_matrix()).transform(cube)


@pytest.mark.parametrize("shape", [(72, 31), (*SHAPE, 31)])
def test_PoissonNMF__data_without_counts_are_an_error(shape):
    with pytest.raises(ValueError, match="X must have counts"):
        PSNMF(3).fit(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="X must have counts"):
        PoissonNMF(3).fit(np.zeros((72, 31), np.uint8))


@pytest.mark.parametrize("X", [np.ones((3, 4, 5)) * 1j, np.full((3, 4, 5), "a")])
def test_errors__a_map_of_something_else_than_numbers_is_an_error(X):
    with pytest.raises(TypeError, match="X"):
        PSNMF(2).fit(X)
