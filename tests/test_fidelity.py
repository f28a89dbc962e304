# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra and compositions found by default are as near to the truth of phantoms as they were.

Of `CASES`, the largest angle between a true and a found spectrum, and the largest error of an
element in a phase, without a correction of absorption. Bounds are the median of seeds 0 to 7 and
three times their standard deviation; each case is a seed near the median. Left out is what depends
on the seed on small maps (degrees of the worst phase): the minerals' rare phase (7 to 42 at 50
counts per pixel, 2 to 7 at 200), the boundary film at 50 (14 to 35), the core at 15 (4 to 20); and
Al2Cu, which is 40 off. Where a figure becomes better, lower its bound.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.lines import factorise
from hyperspy_psnmf.nmf.lines.alternating import LineAlternation
from tests.benchmarks.fidelity_figures import match, true_phases
from tests.helpers.compositions import truth_of
from tests.helpers.maps import unmix_quietly

SHAPE, LARGER = (64, 56), (128, 120)


@dataclass(frozen=True)
class Case:
    """A phantom, and bounds of its figures."""

    phantom: str
    counts: float  # per pixel
    seed: int
    max_angle: float  # degrees
    max_error: float  # at%
    shape: tuple[int, int] = SHAPE


CASES = [  # and medians and standard deviations over the seeds
    Case("core_shell_particles", 50, 6, 3.1, 7.7),  # 2.0 +- 0.3, 3.1 +- 1.5
    Case("embedded_spheres", 50, 5, 3.6, 9.5),  # 2.1 +- 0.5, 4.5 +- 1.7
    Case("isolated_particles", 50, 6, 2.9, 10.4),  # 2.2 +- 0.2, 2.5 +- 2.6
    Case("grain_boundary", 200, 1, 9.1, 9.7),  # 6.3 +- 0.9, 5.5 +- 1.4
    # Of bins merged into regions. One seed of the minerals' eight, 42 degrees off, is left out.
    Case("grain_boundary", 50, 7, 11.6, 10.0, LARGER),  # 6.8 +- 1.6, 5.6 +- 1.4
    Case("mineral_grains", 15, 0, 9.6, 23.0, LARGER),  # 6.3 +- 1.1, 10.4 +- 4.1
]


def composition_error(signal, component: np.ndarray) -> float:
    """Return the largest error of an element in a phase, in at%, given the component of each."""
    factors = {}  # one line of each element
    for line, factor in sorted(signal.metadata.Truth.k_factors.as_dictionary().items()):
        factors.setdefault(line.split("_")[0], (line, factor))
    result = signal.psnmf.quantify(factors=dict(factors.values()))
    found = dict(zip(result.elements, np.nan_to_num(result.atomic.values.T), strict=True))
    truth = truth_of(signal)
    return max(np.abs(found[e][component] - truth[e]).max() for e in truth)


@pytest.mark.slow("each case")
@pytest.mark.filterwarnings("ignore:features of .* are smaller than the binning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.phantom}-{case.counts}")
def test_decomposition__spectra_and_compositions_as_near_to_the_truth_as_before(case):
    make = getattr(data, case.phantom)
    signal = make(shape=case.shape, counts=case.counts, seed=case.seed)
    names, true = true_phases(signal.metadata.Truth)
    unmix_quietly(signal, len(names))
    component, angles = match(true.factors, signal.learning_results.factors)
    assert angles.max() < case.max_angle
    assert composition_error(signal, component) < case.max_error


@pytest.mark.slow
def test_decomposition__a_core_is_without_its_shell_thanks_to_loadings_that_return(monkeypatch):
    """Of many bins of many counts, where searches from all starts end at the wrong optimum."""
    s = data.core_shell_particles(shape=LARGER, counts=300, seed=21)

    def worst_angle():
        unmix_quietly(s, 3)
        return match(s.metadata.Truth.factors, s.learning_results.factors)[1].max()

    assert worst_angle() < 2.0  # degrees; 0.4 when written
    monkeypatch.setattr(factorise, "other_optima", lambda *_, **options: ())
    assert worst_angle() < 2.0  # these are other ways to the same optimum
    monkeypatch.setattr(LineAlternation, "gradient", lambda self, point: 0.0 * point.W)
    assert worst_angle() > 5.0  # 9.8
