# SPDX-License-Identifier: GPL-3.0-or-later
"""How often intervals of one and of 1.96 sigma hold the truth, on phantoms.

Run with ``pytest -m statistical -s tests/statistical/test_coverage.py``. Loadings
of more than 20 true counts are judged; one that was found at zero holds the truth
if its one-sided limit of the same confidence does. Printed after each figure is its
binomial error; where spectra are estimated, pixels share their errors, so that the
scatter between seeds is printed instead. With those, most is asked of the mean over
phantoms: what a phantom's spectra are off by is one decision, right or wrong.
"""

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.binning.bins import PixelBins
from hyperspy_psnmf.nmf.solver.convex import solve_loadings, solve_spectra
from hyperspy_psnmf.nmf.uncertainty.bands import sampling_errors
from hyperspy_psnmf.nmf.uncertainty.standard_errors import loading_errors
from hyperspy_psnmf.nmf.uncertainty.upper_limits import upper_limits
from tests.statistical import seeds
from tests.statistical.unmixed import unmix

PHANTOMS = [
    "mineral_grains",
    "core_shell_particles",
    "grain_boundary",
    "sem_two_phases",
    "embedded_spheres",
]
SHAPE = (64, 48)
LEAST = 20  # counts
LEVELS = {0.6827: 1.0, 0.95: 1.96}  # confidence and half width in sigmas
N_SEEDS = min(4, seeds.N_SEEDS)  # with the spectra held
N_MAPS = min(6, seeds.N_SEEDS)  # decomposed, per phantom

pytestmark = pytest.mark.statistical


def say(*words):
    print(*words, flush=True)  # noqa: T201


def rate(hits):
    """Return a share and its binomial error, as text."""
    p = np.mean(hits)
    return f"{p:.3f} +- {np.sqrt(p * (1 - p) / np.size(hits)):.3f}"


def phantom(name, counts):
    """Return a phantom with its true spectra, of unit sum, and loadings."""
    s = getattr(data, name)(shape=SHAPE, counts=counts, seed=0)
    H = np.ascontiguousarray(s.metadata.Truth.factors.T)
    return s, H / H.sum(axis=1, keepdims=True), np.asarray(s.metadata.Truth.loadings)


def held(name, counts):
    """Return, for each level, which loadings are inside with the spectra at the truth."""
    _, H, truth = phantom(name, counts)
    judged, inside = truth > LEAST, {level: [] for level in LEVELS}
    for seed in range(N_SEEDS):
        X = np.random.default_rng([7, seed]).poisson(truth @ H)
        W = solve_loadings(X, H, n_jobs=None)
        sigma = loading_errors(W, H, n_jobs=None)
        for level, width in LEVELS.items():
            limits = upper_limits(X, W, H, confidence=level, n_jobs=None)
            hits = np.where(np.isnan(sigma), truth <= limits, np.abs(W - truth) <= width * sigma)
            inside[level].append(hits[judged])
    return {level: np.concatenate(hits) for level, hits in inside.items()}


@pytest.mark.parametrize("counts", [60, 300, pytest.param(1000, marks=pytest.mark.thorough)])
def test_solve_loadings__loadings_with_the_spectra_at_the_truth(counts):
    say(f"\nspectra at the truth, {SHAPE}, {counts} counts/px, {N_SEEDS} seeds")
    found = {name: held(name, counts) for name in PHANTOMS}
    for name, inside in found.items():
        say(f"  {name:22s}", *(f"{level:.0%}: {rate(hits)} " for level, hits in inside.items()))
    one, two = (np.concatenate([found[name][level] for name in PHANTOMS]) for level in LEVELS)
    say(f"  all: {rate(one)}, {rate(two)}")
    assert 0.66 <= one.mean() <= 0.70
    assert 0.94 <= two.mean() <= 0.96


def limits_hold(name, counts):
    """Return which upper limits at zero, or 1.645 sigma above it, hold the truth."""
    _, H, truth = phantom(name, counts)
    hits, at_zero = [], []
    for seed in range(N_SEEDS):
        X = np.random.default_rng([8, seed]).poisson(truth @ H)
        W = solve_loadings(X, H, n_jobs=None)
        sigma = loading_errors(W, H, n_jobs=None)
        limits = upper_limits(X, W, H, n_jobs=None)
        hits.append((truth <= np.where(np.isnan(sigma), limits, W + 1.645 * sigma)).ravel())
        at_zero.append(np.isnan(sigma).ravel())
    return np.tile(truth.ravel(), N_SEEDS), np.concatenate(hits), np.concatenate(at_zero)


@pytest.mark.parametrize("counts", [60, pytest.param(300, marks=pytest.mark.thorough)])
def test_upper_limits__have_the_truth(counts):
    say(f"\none-sided 95 % limits, {SHAPE}, {counts} counts/px, {N_SEEDS} seeds")
    truth, hits, at_zero = map(
        np.concatenate, zip(*(limits_hold(name, counts) for name in PHANTOMS), strict=True)
    )
    for low, high in ((0, 1), (1, 3), (3, 10), (10, 20), (20, np.inf)):
        chosen = (low < truth) & (truth <= high)
        share = at_zero[chosen].mean()
        say(f"  {low} to {high} true counts: {rate(hits[chosen])}, {share:.2f} at zero")
    assert hits[at_zero].mean() > 0.95
    assert hits[truth > 0].mean() > 0.92


def test_solve_spectra__spectra_with_the_loadings_at_the_truth():
    """Of entries with more than 20 true counts."""
    say(f"\nspectra, loadings at the truth, {SHAPE}, 300 counts/px, {N_SEEDS} seeds")
    inside = []
    for name in PHANTOMS:
        _, H, truth = phantom(name, 300)
        bins = PixelBins(SHAPE, (8, 8))
        W = np.zeros((bins.n_bins, len(H)))
        np.add.at(W, bins.index, truth)
        judged = H * truth.sum(axis=0)[:, None] > LEAST
        for seed in range(N_SEEDS):
            X = np.random.default_rng([9, seed]).poisson(W @ H).astype(float)
            _, found = solve_spectra(X, W, H, n_jobs=None)
            z = np.abs(found - H) / sampling_errors(W, found)
            inside.append(z[judged])
        say(f"  {name:22s}", rate(np.array(inside[-1]) <= 1), rate(np.array(inside[-1]) <= 1.96))
    z = np.concatenate(inside)
    say(f"  all: {rate(z <= 1)}, {rate(z <= 1.96)}")
    assert 0.66 <= np.mean(z <= 1) <= 0.70
    assert 0.94 <= np.mean(z <= 1.96) <= 0.96


def estimated(name, seed):
    """Return distances to the truth in sigmas, the spectra taken as given and as estimates."""
    s, order = unmix(name, shape=SHAPE, counts=300, seed=seed)
    truth = np.asarray(s.metadata.Truth.loadings)[:, order]
    distance = np.abs(s.learning_results.loadings - truth)
    sigmas = [
        s.psnmf.standard_errors(given_spectra=given, show_progressbar=False)
        .data.reshape(len(order), -1)
        .T
        for given in (True, False)
    ]
    judged = (truth > LEAST) & np.isfinite(sigmas[0])
    return [distance[judged] / sigma[judged] for sigma in sigmas]


def cover_with_estimated_spectra(*names):
    """Return the shares inside one and 1.96 sigma, spectra as given and as estimates."""
    say(f"\nestimated spectra, {SHAPE}, 300 counts/px, {N_MAPS} maps per phantom")
    cover = []
    for name in names:
        found = [estimated(name, seed) for seed in range(N_MAPS)]
        cover.append([[[np.mean(z <= w) for w in LEVELS.values()] for z in map_] for map_ in found])
        mean, scatter = np.mean(cover[-1], axis=0), np.std(cover[-1], axis=0, ddof=1)
        for what, p, e in zip(("given", "estimates"), mean, scatter, strict=True):
            say(f"  {name:22s} {what:10s}", *(f"{a:.2f} (scatter {b:.2f})" for a, b in zip(p, e)))  # noqa: B905
    mean = np.mean(cover, axis=(0, 1))
    say(f"  all: given {mean[0].round(3)}, estimates {mean[1].round(3)}")
    return mean


# Ambiguity is no part of these errors: spectra of the SEM casting are off by it, at least.
NOT_DETERMINED = "sem_two_phases"
DETERMINED = tuple(name for name in PHANTOMS if name != NOT_DETERMINED)


def test_standard_errors__errors_from_estimated_spectra_are_neither_too_small_nor_too_large():
    one, two = cover_with_estimated_spectra(*DETERMINED)[1]
    assert 0.60 <= one <= 0.75
    assert two >= 0.9


@pytest.mark.xfail(strict=True, reason="aluminium is subtracted from Al2Cu until none is left")
def test_standard_errors__errors_of_a_phase_that_the_counts_do_not_determine():
    assert cover_with_estimated_spectra(NOT_DETERMINED)[1, 1] >= 0.9
