# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the printed errors of compositions hold the truth, with everything found.

Run with ``pytest -m statistical -s tests/statistical/test_total_errors.py``. On maps of other
shapes than those that constants were chosen on. The truth is the composition of the true spectra by
the same fit of lines, without absorption: what is judged is unmixing and counting. An element
that is not detected is inside if its detection limit is above the truth.
"""

import warnings

import numpy as np
import pytest

from tests.helpers.compositions import as_found
from tests.statistical import seeds
from tests.statistical.unmixed import unmix

SHAPES = ((120, 136), (144, 112))
N_MAPS = min(1, seeds.N_SEEDS)  # of each shape
EXCLUDED = {  # film and grid
    "mineral_grains": (),
    "core_shell_particles": ("C", "Cu"),
    "isolated_particles": (),
    "grain_boundary": (),
    "embedded_spheres": (),
}

pytestmark = pytest.mark.statistical


def say(*words):
    print(*words, flush=True)  # noqa: T201


def inside(name, shape, counts, seed):
    """Return whether the truth is within one and two standard errors of elements above 1 at%."""
    s, order = unmix(name, shape=shape, counts=counts, seed=seed)
    factors = s.metadata.Truth.k_factors.as_dictionary()
    options = {
        "factors": {k: v for k, v in factors.items() if k.split("_")[0] not in EXCLUDED[name]},
        "exclude": EXCLUDED[name],
        "absorption_correction": False,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = s.psnmf.quantify(**options)
        truth = as_found(s).psnmf.quantify(errors="counting", **options).atomic.values[order]
    found, budget = result.atomic, result.atomic.budget
    # Absorption is in neither of the two.
    sigma = np.sqrt(np.maximum(found.sigma**2 - budget.get("absorption", 0.0) ** 2, 0.0))
    distance = np.where(result.detected, np.abs(found.values - truth) / sigma, 0.0)
    distance = np.where(result.detected | (truth <= found.limits), distance, np.inf)
    judged = (truth > 1.0) & (truth < 99.9) & np.isfinite(found.values)
    return distance[judged][:, None] <= [1.0, 2.0]


NIGHTLY = [pytest.param(counts, marks=pytest.mark.thorough) for counts in (15, 300)]


@pytest.mark.parametrize("counts", [50, *NIGHTLY])
def test_quantify__printed_errors_hold_the_truth(counts):
    hits = {
        name: np.concatenate(
            [inside(name, shape, counts, seed) for shape in SHAPES for seed in range(N_MAPS)]
        )
        for name in EXCLUDED
    }
    say(f"\n{counts} counts per pixel, {SHAPES}, {N_MAPS} maps of each shape")
    for name, of_phantom in hits.items():
        say(f"  {name:22s} {of_phantom.mean(axis=0).round(2)} of {len(of_phantom)}")
    one, two = np.concatenate(list(hits.values())).mean(axis=0)
    say(f"  all: {one:.2f}, {two:.2f}")
    # 0.60 to 0.76 and 0.90 to 0.98 are aimed at; of some 75 elements of shared maps, the scatter
    # of a share is about 0.06.
    assert 0.58 <= one <= 0.86
    assert two >= 0.88
