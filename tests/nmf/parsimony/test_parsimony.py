# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from hyperspy_psnmf.nmf.parsimony.proportions import constant_proportions, is_ratio_reached
from hyperspy_psnmf.nmf.parsimony.simplify import are_significant
from hyperspy_psnmf.nmf.parsimony.subtract import subtract_spectra
from tests.helpers.problems import ALLOY, MATRIX, OTHER, angles, grains, inclusions, spectrum

# Where loadings are significant


def test_are_significant__from_two_standard_errors_on():
    H = np.stack([MATRIX, OTHER])
    W = np.array([[1000.0, 10.0], [1000.0, 200.0], [3.0, 900.0], [1.0, 2.0], [0.0, 0.0]])
    found = are_significant(W, H)
    np.testing.assert_array_equal(found[:3], [[True, False], [True, True], [False, True]])
    assert found[3, 1]
    assert found.any(axis=1).all()


# Constant proportions


def proportions(ratio, n=200, counts=3000.0, seed=0):
    """Return loadings with the second phase in some proportion to the first, with noise."""
    rng = np.random.default_rng(seed)
    first = counts * rng.uniform(0.5, 1.0, n)
    W = np.stack([first, ratio * first], axis=1)
    return np.maximum(W + np.sqrt(W) * rng.normal(size=W.shape), 0.0)


PURE = np.stack([spectrum((8, 1.0), background=0.01), spectrum((30, 1.0), background=0.01)])


@pytest.mark.parametrize("ratio", [0.1, 0.5, 2.0])
def test_constant_proportions__found(ratio):
    alone = np.array([[0.0, 2500.0]] * 40)
    found = constant_proportions(np.vstack([proportions(ratio), alone]), PURE)
    assert found[0, 1] == pytest.approx(ratio, rel=0.03)
    np.testing.assert_array_equal(found[[0, 1, 1], [0, 0, 1]], 0)


def test_constant_proportions__none_where_mostly_alone():
    W = np.vstack([proportions(0.5, n=60), np.array([[2500.0, 0.0]] * 140)])
    assert constant_proportions(W, PURE)[0, 1] == 0


def test_constant_proportions__none_where_ratios_vary():
    ratio = np.random.default_rng(1).uniform(0.1, 2.0, 200)
    assert not constant_proportions(proportions(ratio), PURE).any()


def test_constant_proportions__none_in_an_overlap_at_a_boundary():
    W = np.vstack([proportions(0.0, n=150), proportions(np.linspace(0, 3, 50), n=50)])
    assert not constant_proportions(np.maximum(W, 0.0), PURE).any()


def test_constant_proportions__nothing_merged_into_fixed_spectra():
    W = np.vstack([proportions(0.5), [[0.0, 2500.0]] * 40])
    assert constant_proportions(W, PURE, n_fixed=1)[0, 1] == 0
    assert constant_proportions(W[:, ::-1], PURE[::-1], n_fixed=1)[1, 0] == pytest.approx(0.5, 0.03)


@pytest.mark.parametrize("kind", ["empty", "few rows", "no rows' counts", "alike"])
def test_constant_proportions__none_where_not_determined(kind):
    W, H = proportions(0.5), PURE
    if kind == "empty":
        W[:, 0] = 0.0
    if kind == "few rows":
        W = W[:5]
    if kind == "no rows' counts":
        W[:] = 0.0
    if kind == "alike":
        H = PURE[[0, 0]]
    assert not constant_proportions(W, H).any()


@pytest.mark.parametrize(("covariance", "reached"), [(400.0, False), (-300.0, True)])
def test_is_ratio_reached__errors_are_those_of_the_difference(covariance, reached):
    # 445 counts of b where 500 are expected: off by 3.5 or by 1.8 standard errors.
    W = np.tile([1000.0, 445.0], (10, 1))
    V = np.tile([[1000.0, covariance], [covariance, 400.0]], (10, 1, 1))
    assert is_ratio_reached(W, V, 0, 1, 0.5) is reached


# Companions in varying proportions


def test_subtract__until_lines_would_be_negative():
    A, B = spectrum((8, 1.0), background=0), spectrum((14, 1.0), (26, 0.5), background=0)
    W = 4000 * inclusions()
    H, removed = subtract_spectra(W, np.stack([A, 0.5 * B + 0.5 * A]), np.zeros((2, 2)))
    assert removed[1, 0] == pytest.approx(0.5, abs=0.05)
    assert removed[0, 1] == 0
    assert angles(H, B[None])[0] < 4
    np.testing.assert_allclose(H.sum(axis=1), 1)


def test_subtract__common_background_is_no_line():
    W = 40_000 * inclusions()
    H = np.stack([MATRIX, OTHER])
    everything, removed_all = subtract_spectra(W, H, np.zeros((2, 2)), line_width=1)
    lines, removed_lines = subtract_spectra(W, H, np.zeros((2, 2)), line_width=7)
    assert removed_lines[1, 0] < removed_all[1, 0]
    assert angles(lines, OTHER[None])[0] < angles(everything, OTHER[None])[0]


def test_subtract__lines_on_a_background_vanish():
    H = np.stack([MATRIX, 0.5 * OTHER + 0.5 * MATRIX])
    found, removed = subtract_spectra(40_000 * inclusions(), H, np.zeros((2, 2)), line_width=7)
    assert removed[1, 0] == pytest.approx(0.5, abs=0.06)
    assert angles(found, OTHER[None])[0] < 8 < angles(H, OTHER[None])[0]


def test_subtract__added_back_where_background_is_missing():
    peak = spectrum((8, 1.0), (30, 0.6), background=0.01)
    inclusion = spectrum((30, 0.2), (45, 1.0), background=0.15)
    too_little = inclusion - 0.15 * peak
    H = np.stack([peak, np.maximum(too_little, 0.0) / np.maximum(too_little, 0.0).sum()])
    W = 400_000 * inclusions()
    found, removed = subtract_spectra(W, H, np.zeros((2, 2)), line_width=8)
    assert removed[1, 0] < -0.02
    assert angles(found, inclusion[None])[0] < 1.2 < angles(H, inclusion[None])[0]
    _, removed = subtract_spectra(W, H, np.zeros((2, 2)), line_width=8, fill=False)
    assert (removed >= 0).all()
    # Where the other phase is not present, nothing is added back.
    apart = 400_000.0 * (grains() > 0.5)
    assert (subtract_spectra(apart, H, np.zeros((2, 2)), line_width=8)[1] >= 0).all()


def test_subtract__none_added_back_at_a_step_of_the_background():
    step = np.where(np.arange(MATRIX.size) < 28, 2.0, 1.0)
    H = np.stack([spectrum((30, 1.0), background=0.01), step / step.sum()])
    _, removed = subtract_spectra(400_000 * inclusions(), H, np.zeros((2, 2)), line_width=8)
    assert removed[1, 0] >= 0


def test_subtract__nothing_from_a_phase_that_is_mostly_alone():
    W = np.array([[1000.0, 0.0]] * 100 + [[1000.0, 5000.0]] * 30)
    H = np.stack([0.7 * MATRIX + 0.3 * OTHER, OTHER])
    assert subtract_spectra(W, H, np.zeros((2, 2)))[1][0, 1] == 0


@pytest.mark.parametrize("kind", ["constant", "fixed", "apart", "empty"])
def test_subtract__merged_fixed_and_separate_phases_unchanged(kind):
    H, W = np.stack([MATRIX, ALLOY]), 4000 * inclusions()
    added = np.zeros((2, 2))
    if kind == "constant":
        added[1, 0] = 0.5
    if kind == "apart":
        W = 4000.0 * (grains() > 0.5)
    if kind == "empty":
        W[:, 1] = 0.0
    found, removed = subtract_spectra(W, H, added, n_fixed=2 if kind == "fixed" else 0)
    assert not removed.any()
    np.testing.assert_allclose(found, H)


def test_subtract__identical_spectra_unchanged():
    found, removed = subtract_spectra(
        4000 * inclusions(), np.stack([MATRIX, MATRIX]), np.zeros((2, 2))
    )
    assert not removed.any()
    np.testing.assert_allclose(found, [MATRIX, MATRIX])
