# SPDX-License-Identifier: GPL-3.0-or-later
"""Exponents are those of powers, and one process of each kind measures a small map."""

import json

import pytest

from tests.benchmarks.growth import __main__ as command


@pytest.fixture
def child():
    pytest.importorskip("resource", reason="peak memory is read where there is Unix")
    from tests.benchmarks.growth import child

    return child


def test_exponent__of_powers():
    sizes = [10, 40, 90]
    assert command.exponent(sizes, [3 * x**1.5 for x in sizes]) == pytest.approx(1.5)
    assert command.exponent([10, 40, 90], [0.0, 8.0, 18.0]) == pytest.approx(1.0)
    assert command.exponent([10, 40], [0.0, 8.0]) is None
    assert command.exponent([10], [8.0]) is None


def test_table__pixels_are_those_of_the_map():
    runs = [{"seconds": 2.0, "megabytes": 0.0}, {"seconds": 8.0, "megabytes": 30.0}]
    found = command.table("pixels", (512, 1024), runs, lazy=True)
    assert "| pixels, lazy | seconds | peak memory, MB |" in found
    assert "| 1048576 | 8 | 30 |" in found
    assert "| exponent | 1.00 | – |" in found


def test_parse__unknown_setting_refused(capsys):
    with pytest.raises(SystemExit):
        command.parse(["--base", '{"pixel": 3}'])
    assert "--base has no pixel" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_child__measures_a_small_map(child, lazy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(child, "WARM_UP", {"shape": (6, 8), "counts": 60.0})
    settings = {"pixels": 10, "channels": 200, "counts": 40.0, "phases": 2, "lazy": lazy}
    child.make(settings, str(tmp_path / "map.hspy"))
    child.unmix(settings, str(tmp_path / "map.hspy"))
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["seconds"] > 0
    assert found["megabytes"] >= 0
