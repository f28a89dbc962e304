# SPDX-License-Identifier: GPL-3.0-or-later
"""How near compositions come to the truth of phantoms, and how often 1 sigma holds it.

Run with ``pytest -m statistical -s tests/statistical/test_composition_coverage.py``. k-factors
and absorption are those of the phantom's own physics. In three steps, each with more to
go wrong: Poisson noise on the true spectra of phases (the fit of lines alone, judged by
the counting part of the errors); spectra solved with the true maps (what unmixing adds);
and everything found by `decomposition`. Phases of more than 50 000 counts are judged,
by elements above 5 at% and from 1 to 5 at%. Each share has its binomial error.
"""

import warnings
from functools import cache

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.data import scenes
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.nmf.binning.bins import bin_counts
from hyperspy_psnmf.nmf.solver.convex import solve_spectra
from tests.helpers.compositions import as_found, truth_of
from tests.statistical import seeds
from tests.statistical.unmixed import unmix

MANY = 4 if seeds.FEW else 10  # seeds that tell a share of two thirds from one half
MAP = {"shape": (64, 64), "counts": 300}
ENOUGH = 50_000  # counts of a phase
CLASSES = {"major": (5.0, 100.0), "1 to 5 at%": (1.0, 5.0)}
# What is not of the specimen: film and grid.
SCENES = {
    "mineral_grains": (scenes.MINERALS, ()),
    "core_shell_particles": (scenes.PARTICLES, ("C", "Cu")),
    "isolated_particles": (scenes.CATALYST, ()),
}

pytestmark = pytest.mark.statistical


def say(*words):
    print(*words, flush=True)  # noqa: T201


def rate(hits):
    """Return a share and its binomial error, as text."""
    p = np.mean(hits)
    return f"{p:.3f} +- {np.sqrt(p * (1 - p) / np.size(hits)):.3f} of {np.size(hits)}"


def true_composition(signal, exclude):
    """Return {element: at% of each phase} of what is not excluded, NaN where nothing is left."""
    of_all = {e: v for e, v in truth_of(signal).items() if e not in exclude}
    total = sum(of_all.values())
    return {
        e: np.divide(100 * v, total, out=np.full_like(total, np.nan), where=total > 0)
        for e, v in of_all.items()
    }


def quantify(signal, name, order, *, with_spectra):
    """Return the composition, with absorption from the mass thickness that each phase has."""
    scene, exclude = SCENES[name]
    mass = np.array([phase.mass_thickness for phase in scene.phases])[order]
    factors = signal.metadata.Truth.k_factors.as_dictionary()
    density = 5.0  # only its product with the thickness matters
    parts = {} if with_spectra else {"errors": "counting"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return signal.psnmf.quantify(
            factors={line: k for line, k in factors.items() if line.split("_")[0] not in exclude},
            exclude=exclude,
            absorption_correction=True,
            density=density,
            thickness=list(1e7 * mass / density),
            **parts,
        )


def noisy_spectra(name, seed):
    """Return a map whose phases have their true spectra with Poisson noise."""
    s = as_found(getattr(data, name)(**MAP, seed=seed))
    results, rng = s.learning_results, np.random.default_rng([11, seed])
    counts = rng.poisson(results.factors * results.loadings.sum(axis=0))
    results.factors = counts / counts.sum(axis=0)
    return s, np.arange(counts.shape[1])


def true_maps(name, seed):
    """Return a map whose phases have the spectra that belong to their true maps."""
    s = as_found(getattr(data, name)(**MAP, seed=seed))
    found = Decomposed.read(s)
    with found.open_counts() as X:
        bins = found.bins(X)
    W = np.zeros((bins.n_bins, found.W.shape[1]))
    np.add.at(W, bins.index, found.W)
    _, H = solve_spectra(bin_counts(X, bins, n_jobs=None), W, found.H, n_jobs=None)
    s.learning_results.factors = (H / H.sum(axis=1, keepdims=True)).T
    return s, np.arange(len(H))


def everything_found(name, seed):
    """Return a decomposed map, and which true phase each found one is."""
    return unmix(name, **MAP, seed=seed)


def n_seeds(how):
    """Return how many seeds are judged: always many where nothing is decomposed."""
    return seeds.N_SEEDS if how is everything_found else MANY


@cache
def judged(how, name):
    """Return truth, difference and standard error of every element of enough counts."""
    rows = []
    for seed in range(n_seeds(how)):
        s, order = how(name, seed)
        result = quantify(s, name, order, with_spectra=how is not noisy_spectra)
        truth = true_composition(s, SCENES[name][1])
        budget = result.atomic.budget
        # Lines of phantoms are exactly where tables have them, and of their shapes: that part of
        # the errors has nothing to cover here.
        sigma = budget["counting"]
        if how is not noisy_spectra:
            sigma = np.hypot(sigma, budget["spectra"])
        if how is everything_found:
            sigma = np.hypot(sigma, budget["unmixing"])
        for e, element in enumerate(result.elements):
            for p in np.flatnonzero(result.counts > ENOUGH):
                expected = truth[element][order[p]]
                rows.append((expected, result.atomic.values[p, e] - expected, sigma[p, e], p, e))
    return np.array(rows)


def chosen(how, name, low, high):
    rows = judged(how, name)
    return rows[(rows[:, 0] > low) & (rows[:, 0] < high) & np.isfinite(rows[:, 1])]


def tell(how, name):
    """Print how far from the truth compositions are, in per cent and in sigmas."""
    for label, (low, high) in CLASSES.items():
        truth, error, sigma, p, e = chosen(how, name, low, high).T
        if truth.size == 0:
            continue
        z = error / sigma
        largest = f"{np.abs(error).max():.2f} at%, {100 * np.abs(error / truth).max():.0f} %"
        say(f"  {name:22s} {label:10s} 1 sigma: {rate(np.abs(z) <= 1)}; largest {largest}")
        for key in sorted(set(zip(p, e, truth, strict=True))):
            rows = (p == key[0]) & (e == key[1])
            say(f"      phase {key[0]:.0f} element {key[1]:.0f} ({key[2]:.1f} at%): mean "
                f"{error[rows].mean():+.3f}, scatter {error[rows].std():.3f}, told "
                f"{sigma[rows].mean():.3f}")  # fmt: skip


NOISE = pytest.mark.xfail(
    strict=True, reason="a core is told from its shell with an error of 1.8 at%: one is 2.4 off"
)
MARKS = {
    (true_maps, "core_shell_particles"): [NOISE],
}


@pytest.mark.parametrize(
    ("how", "name"),
    [
        pytest.param(how, name, marks=MARKS.get((how, name), []))
        for how in (noisy_spectra, true_maps, everything_found)
        for name in SCENES
    ],
)
def test_quantify__compositions_are_near_the_truth(how, name):
    say(f"\n{how.__name__}, {MAP}, {n_seeds(how)} seeds")
    tell(how, name)
    truth, error, *_ = chosen(how, name, *CLASSES["major"]).T
    assert np.abs(error).max() < 2.0
    truth, error, *_ = chosen(how, name, *CLASSES["1 to 5 at%"]).T
    assert (np.abs(error) < 0.2 * truth).all()


@pytest.mark.parametrize("how", [noisy_spectra, true_maps])
def test_quantify__one_sigma_has_the_truth_as_often_as_it_should(how):
    inside = []
    for label, (low, high) in CLASSES.items():
        rows = np.concatenate([chosen(how, name, low, high) for name in SCENES])
        inside.append(np.abs(rows[:, 1]) <= rows[:, 2])
        say(f"\n{how.__name__} {label}: {rate(inside[-1])}")
    share = np.mean(np.concatenate(inside))
    assert 0.60 <= share <= 0.75
