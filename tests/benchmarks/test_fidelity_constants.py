# SPDX-License-Identifier: GPL-3.0-or-later
"""Constants are where the benchmark changes them, and are put back."""

import pytest

from hyperspy_psnmf.nmf.lines import factorise
from hyperspy_psnmf.nmf.method import binned_lines
from tests.benchmarks import fidelity_constants
from tests.benchmarks.fidelity_constants import COSTS, IN_MODULES, scaled


@pytest.mark.parametrize("constant", IN_MODULES)
def test_scaled__constant_of_a_module_changed_and_put_back(constant):
    module = IN_MODULES[constant]
    usual = getattr(module, constant)
    with scaled(constant, 1.5):
        assert getattr(module, constant) == pytest.approx(1.5 * usual)
        assert isinstance(getattr(module, constant), type(usual))
    assert getattr(module, constant) == usual


@pytest.mark.parametrize("constant", COSTS)
def test_scaled__one_cost_changed_and_put_back(constant):
    def of_all():
        return [vars(m.default_costs(3e5, n)) for m, n in ((factorise, None), (binned_lines, 70))]

    usual, field = of_all(), COSTS[constant]
    with scaled(constant, 0.5):
        changed = of_all()
    assert changed == [{**costs, field: 0.5 * costs[field]} for costs in usual]
    assert of_all() == usual


@pytest.mark.thorough
def test_fidelity_constants__the_command_prints_a_table(capsys):
    wanted = ["--phantoms", "sharp_interface", "--shape", "22", "25", "--seeds", "0", "1"]
    assert fidelity_constants.main([*wanted, "--constants", "cost of an element", "RIDGE"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("sharp_interface, seed 0: worst angle")
    assert "-50 %" in printed[2]
    assert [line[:20].strip() for line in printed[3:]] == ["cost of an element", "RIDGE"]
