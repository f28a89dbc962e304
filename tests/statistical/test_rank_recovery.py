# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the number of phases of the phantoms is found, over many noise seeds.

Run with ``pytest -m statistical -s tests/statistical/test_rank_recovery.py``.
"""

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.selection.n_components import choose_n_components, coarse_counts
from tests.helpers.real_maps import load, needs_maps
from tests.statistical.seeds import N_SEEDS

N_PHASES = {
    "mineral_grains": 3,
    "core_shell_particles": 3,
    "grain_boundary": 3,
    "sem_two_phases": 2,
    "embedded_spheres": 3,
    "sharp_interface": 2,
}
# What is found in real maps. There is no truth to compare with, but spectra to look at.
# core_shell: FePt cores, iron oxide shells, and carbon twice, with and without silicon and
# oxygen; with 3 the report names 1.73 keV. mineral_lamella_88: silicate, (Mg,Fe)O, a rim of Ca
# and Al, and the crack; with free spectra twice: gallium, of the ion beam that cut the lamella, and
# copper lie apart in it. So both are numbers of spectra, not of minerals or particles. No
# energy axis drifts (0.1 +- 0.1 and 0.1 +- 0.2 eV), and no spectrum is another one shifted.
IN_MAPS = {"core_shell.hspy": 4, "mineral_lamella_88.hspy": 4}
CASES = [(64, 300), (64, 50), (128, 300), (128, 50)]

pytestmark = pytest.mark.statistical


def rate(hits):
    """Return a share and its binomial error, as text."""
    p, n = np.mean(hits), len(hits)
    # Add-one smoothing: ten hits of ten do not mean an error of zero.
    smooth = (np.sum(hits) + 1) / (n + 2)
    return f"{p:.2f} +- {np.sqrt(smooth * (1 - smooth) / n):.2f}"


def search(name, side, counts):
    """Return the one-standard-error and the minimum choice of every seed."""
    phantom = getattr(data, name)(shape=(side, side), counts=counts, seed=0)
    truth = phantom.metadata.Truth
    expected = truth.loadings @ truth.factors.T
    choices = []
    for seed in range(N_SEEDS):
        X = count_matrix(np.random.default_rng(seed).poisson(expected).astype(np.uint16))
        coarse = coarse_counts(X, (side, side), (True, True))
        found = choose_n_components(coarse, rng=np.random.default_rng([seed, 1]))
        choices.append((found.simplest(), found.best))
    return np.array(choices).T


@pytest.mark.parametrize(("side", "counts"), CASES)
@pytest.mark.parametrize("name", N_PHASES)
def test_count_matrix__the_number_of_phases_is_found(name, side, counts):
    simplest, best = search(name, side, counts)
    k = N_PHASES[name]
    lines = [f"\n{name} {side}x{side}, {counts} counts/px, {N_SEEDS} seeds:"]
    for rule, found in (("one standard error", simplest), ("minimum", best)):
        lines.append(f"{rule}: right {rate(found == k)}, too large {rate(found > k)};")
    print(*lines)  # noqa: T201
    assert np.mean(simplest > k) <= 0.1
    if counts == 300:
        assert np.mean(simplest == k) >= 0.9


@needs_maps(*IN_MAPS)
@pytest.mark.parametrize("name", IN_MAPS)
def test_estimate_number_of_components__the_number_in_a_real_map_is_stable(name):
    s = load(name)
    found = [
        s.psnmf.estimate_number_of_components(random_state=seed, show_progressbar=False)
        for seed in range(min(5, N_SEEDS))
    ]
    print(f"\n{name}: {[(f.best, f.minimum) for f in found]}", found[0], sep="\n")  # noqa: T201
    assert [f.best for f in found] == len(found) * [IN_MAPS[name]]
