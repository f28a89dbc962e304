# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of all benchmarks has what pytest-benchmark wrote, also where some failed."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.benchmarks import __main__ as command

FOUND = [
    {"name": "test_a__b[CSR]", "extra_info": {"ratio": 0.12345, "nats": [4920291.2, 4939866.9]}},
    {"name": "test_c", "extra_info": {"seconds": {"1": 20.0, "2": 11.04}}},
    {"name": "test_without", "extra_info": {}},
]
TABLE = """
| benchmark | what | figure |
|---|---|---|
| a__b[CSR] | ratio | 0.123 |
| a__b[CSR] | nats | 4920291, 4939867 |
| c | seconds | 1: 20, 2: 11 |
"""


class Pytest:
    """What is run instead of pytest."""

    content, code = json.dumps({"benchmarks": FOUND}), 0

    def __call__(self, command, *, env, **options):
        """Write results, and keep what was asked for."""
        self.command, self.environment = command, env
        (file,) = (each for each in command if each.startswith("--benchmark-json="))
        Path(file.split("=")[1]).write_text(self.content)
        return SimpleNamespace(returncode=self.code)


@pytest.fixture
def runs(monkeypatch):
    runs = Pytest()
    monkeypatch.setattr(command.subprocess, "run", runs)
    return runs


def test_table__each_figure_in_a_row():
    assert command.table(FOUND) == TABLE.strip()


@pytest.mark.parametrize("code", [0, 1])
def test_main__prints_the_table_and_returns_the_code_of_pytest(code, runs, capsys):
    runs.code = code
    assert command.main([]) == code
    assert capsys.readouterr().out == TABLE.lstrip()
    assert runs.command[:3] == [sys.executable, "-m", "pytest"]
    assert runs.command[-2:] == ["-k", ""]


def test_main__without_any_result_no_table(runs, capsys):
    runs.content, runs.code = "", 5
    assert command.main([]) == 5
    assert capsys.readouterr().out == ""


def test_main__quick_has_small_maps_and_leaves_out_the_largest(runs, tmp_path):
    kept = tmp_path / "all.json"
    assert command.main(["--quick", "-k", "one_sum or memory", "--json", str(kept)]) == 0
    assert runs.command[-1] == "not big_map and (one_sum or memory)"
    assert runs.environment["PSNMF_BENCH_PIXELS"] == "64"
    assert json.loads(kept.read_text()) == {"benchmarks": FOUND}
