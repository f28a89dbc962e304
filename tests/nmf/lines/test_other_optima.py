# SPDX-License-Identifier: GPL-3.0-or-later
"""Other minima of the criterion along pairs of components."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_psnmf.nmf.lines.costs import default_costs
from hyperspy_psnmf.nmf.lines.factorise import factorise_lines
from hyperspy_psnmf.nmf.lines.other_optima import other_optima
from hyperspy_psnmf.nmf.lines.weights import LineSpectra
from tests.helpers.problems import angles
from tests.nmf.lines.line_problems import N_CHANNELS, make_templates

MIXED = 0.12  # of the shell in the core's spectrum


def core_and_shell(counts=3000.0):
    """Return counts of cores, which have a shell each, loadings and spectra, and a mixture of them.

    In the mixture the shells of some rows are zero; in the truth an element of the core is.
    """
    rng = np.random.default_rng(4)
    templates = make_templates()
    weights = np.zeros((2, len(templates)))
    weights[0, [0, 2, 5]] = 0.55, 0.25, 0.2  # the core
    weights[1, [2, 4, 6]] = 0.4, 0.3, 0.3
    truth = LineSpectra(templates, weights, weights >= 0, np.empty((0, N_CHANNELS)))
    W = np.zeros((90, 2))
    W[:40, 0] = counts * rng.uniform(0.3, 1.0, 40)
    W[:40, 1] = W[:40, 0] * np.concatenate([np.full(8, MIXED), rng.uniform(0.2, 1.0, 32)])
    W[40:, 1] = counts * rng.uniform(0.1, 0.8, 50)
    X = rng.poisson(W @ truth.H).astype(float)
    core = weights[0] + MIXED * weights[1]
    mixed = truth.with_weights(np.array([core / core.sum(), weights[1]]))
    W_mixed = np.column_stack([W[:, 0] * core.sum(), W[:, 1] - MIXED * W[:, 0]]).clip(0.0)
    return X, (W, truth), (W_mixed, mixed)


def test_other_optima__a_core_without_its_shell_is_near_the_one_with_it():
    X, (W, truth), (W_mixed, mixed) = core_and_shell()
    found = list(other_optima(W_mixed, mixed, default_costs(X.sum())))
    assert 1 <= len(found) <= 2
    loadings, spectra = found[0]
    normal = spectra.weights / spectra.weights.sum(axis=1, keepdims=True)
    assert normal[0, 4] == pytest.approx(0.0, abs=1e-6)
    assert angles(replace(spectra, weights=normal).H, truth.H).max() < 1.0
    np.testing.assert_allclose(loadings[:, 1], W[:, 1], atol=1e-6 * W.max())


def test_factorise_lines__the_same_optimum_from_either_side():
    X, right, wrong = core_and_shell()
    costs = default_costs(X.sum())
    found = [factorise_lines(X, [start], costs=costs) for start in (right, wrong)]
    assert found[0].criterion == pytest.approx(found[1].criterion, abs=0.1)
    for fit in found:
        assert angles(fit.spectra.H, right[1].H).max() < 1.0


def test_other_optima__none_of_a_single_component():
    X, (W, truth), _ = core_and_shell()
    one = replace(truth, weights=truth.weights[:1], allowed=truth.allowed[:1])
    assert not list(other_optima(W[:, :1], one, default_costs(X.sum())))
