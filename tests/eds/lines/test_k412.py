# SPDX-License-Identifier: GPL-3.0-or-later
"""Net intensities in spectra of a real detector: k-ratios of a glass to its standards."""

import warnings

import pytest

from tests.eds.lines.k412 import K_RATIOS, STANDARDS, one_phase
from tests.eds.on_signals import measure_lines
from tests.helpers.real_maps import needs_maps

FILES = [f"k412/{standard}{'_std'}.msa" for standard, _ in STANDARDS.values()]


def intensities(names, elements):
    """Return counts per nA s in the K alpha line of each element."""
    s, dose = one_phase(names, elements)
    lines = [f"{e}_Ka" for e in elements]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure_lines(s, lines, elements=elements)
    return dict(zip(elements, found.net[0] / (2 * dose), strict=True))


@pytest.fixture(scope="module")
def glass():
    return intensities([f"K412_{i}" for i in range(5)], ["O", "Mg", "Al", "Si", "Ca", "Fe"])


@needs_maps(*FILES, "k412/K412_0.msa", "k412/K412_4.msa")
@pytest.mark.parametrize("element", K_RATIOS)
def test_measure_lines__k_ratios_of_k412(glass, element):
    standard, other = STANDARDS[element]
    found = intensities([f"{standard}_std"], [element, other] if other else [element])
    assert glass[element] / found[element] == pytest.approx(K_RATIOS[element], rel=0.015)
