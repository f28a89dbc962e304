# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's Python examples run, on a phantom under the file name that they load."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from hyperspy_psnmf.__main__ import main
from hyperspy_psnmf.data import mineral_grains

README = Path(__file__).parents[1] / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def test_readme__there_are_examples():
    assert EXAMPLES


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:only .* counts per bin:UserWarning")
def test_readme__the_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    # As one session: later examples may go on with what earlier ones made.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda *args, **kwargs: None)
    files = set(re.findall(r"hs\.load\(\"([^\"]+)\"", "\n".join(EXAMPLES)))
    assert files
    for file in files:
        mineral_grains(shape=(20, 26), n_channels=800, counts=400).save(file)
    names: dict = {}
    for example in EXAMPLES:
        exec(compile(example, str(README), "exec"), names)
    assert "was unmixed into 3 phases" in capsys.readouterr().out
    plt.close("all")


def test_PSNMFAccessor__what_the_readme_says_of_the_accessor_exists():
    from hyperspy_psnmf.accessor import PSNMFAccessor

    named = set(re.findall(r"s\.psnmf\.(\w+)", README.read_text(encoding="utf-8")))
    assert len(named) > 5
    assert not [name for name in named if not hasattr(PSNMFAccessor, name)]


@pytest.mark.slow
def test_readme__compositions_are_those_that_its_first_command_prints(tmp_path, capsys):
    text = README.read_text(encoding="utf-8")
    (printed,) = re.findall(r"^<!-- printed.*?^```text\n(.*?)^```", text, re.M | re.S)
    assert printed.count("\n") == 4
    main(["-o", str(tmp_path / "output")])
    shown = capsys.readouterr().out
    assert not [line for line in printed.splitlines() if line not in shown], shown
    plt.close("all")


def test_readme__the_truth_beside_them_is_that_of_the_phantom():
    truth = mineral_grains(shape=(8, 8)).metadata.Truth.atomic_percent.as_dictionary()
    text = " ".join(README.read_text(encoding="utf-8").split())
    listed = text.partition("The truth: ")[2].partition(". ##")[0]
    phases = re.findall(r"((?:[A-Z][a-z]? [\d.]+(?:, )?)+)", listed)
    assert len(phases) == len(truth)
    for percent, of_phase in zip(truth.values(), phases, strict=True):
        found = {e: float(v) for e, v in re.findall(r"([A-Z][a-z]?) (\d+\.\d)", of_phase)}
        assert found == {e: pytest.approx(v) for e, v in percent.items() if v}
