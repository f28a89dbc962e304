# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the report finds fault with a model that is right, and with one that is not.

Run with ``pytest -m statistical -s tests/statistical/test_alarms.py``. Pile-up is found in the
map's spectrum where sum peaks rise above its noise, so the share at which that is so is
printed and only a large one asked for.
"""

import warnings

import numpy as np
import pytest

from hyperspy_psnmf import data
from tests.eds.on_signals import find_fit_quality
from tests.helpers.flawed_maps import drifting, piled_up
from tests.statistical.seeds import N_SEEDS

N_PHASES = {
    "mineral_grains": 3,
    "core_shell_particles": 3,
    "grain_boundary": 3,
    "sem_two_phases": 2,
    "embedded_spheres": 3,
}
SHAPE = (64, 48)
N_FLAWED = min(3, N_SEEDS)

pytestmark = pytest.mark.statistical


def quality(name, seed, *, n_missed=0, counts=300, flaw=lambda s: s):
    s = flaw(getattr(data, name)(shape=SHAPE, counts=counts, seed=seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        s.decomposition(
            algorithm="PSNMF",
            output_dimension=N_PHASES[name] - n_missed,
            print_info=False,
            show_progressbar=False,
        )
    return find_fit_quality(s)


def say(name, what, found):
    z = [(f.total - 1) / f.scatter for f in found]
    n = len(found)
    faults = {
        "significant deviance": sum(not f.is_within_noise for f in found),
        "drifts": sum(bool(f.drift) for f in found),
        "sum peaks": sum(bool(f.sum_peaks) for f in found),
    }
    words = ", ".join(f"{fault} {count}" for fault, count in faults.items())
    print(f"  {name:22s} {what:16s} of {n}: {words}; total {np.mean(z):.1f} sigma")  # noqa: T201


@pytest.mark.parametrize("counts", [50, 300])
def test_find_fit_quality__a_right_model_is_rarely_found_fault_with(counts):
    print(f"\nright models, {SHAPE}, {counts} counts/px, {N_SEEDS} seeds")  # noqa: T201
    alarms = []
    for name in N_PHASES:
        found = [quality(name, seed, counts=counts) for seed in range(N_SEEDS)]
        say(name, "right", found)
        alarms += [not f.fits or bool(f.sum_peaks) for f in found]
    assert np.mean(alarms) <= 0.02


@pytest.mark.parametrize("name", N_PHASES)
def test_find_fit_quality__a_missed_phase_is_a_deviance_and_no_drift(name):
    found = [quality(name, seed, n_missed=1) for seed in range(N_FLAWED)]
    say(name, "a phase too few", found)
    assert not any(f.is_within_noise for f in found)
    assert not any(f.drift for f in found)


@pytest.mark.parametrize("electronvolts", [5, 10, 20])
@pytest.mark.parametrize("name", N_PHASES)
def test_find_fit_quality__a_drift_is_found(name, electronvolts):
    def flaw(s):
        return drifting(s, electronvolts)

    found = [quality(name, seed, flaw=flaw) for seed in range(N_FLAWED)]
    say(name, f"drift of {electronvolts} eV", found)
    assert all(f.drift for f in found)


@pytest.mark.parametrize("share", [0.01, 0.02, 0.04, 0.08])
def test_find_fit_quality__pile_up_is_found_in_most_maps_where_it_is_large(share):
    shown = []
    print()  # noqa: T201
    for name in N_PHASES:
        found = [quality(name, seed, flaw=lambda s: piled_up(s, share)) for seed in range(N_FLAWED)]
        say(name, f"pile-up {share:.0%}", found)
        shown += [bool(f.sum_peaks) for f in found]
    assert share < 0.08 or np.mean(shown) >= 0.9
