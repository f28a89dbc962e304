# SPDX-License-Identifier: GPL-3.0-or-later
"""``psnmf doctor``: what it prints, and when it fails."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from rsciio import IO_PLUGINS

import hyperspy_psnmf
from hyperspy_psnmf import doctor
from hyperspy_psnmf.__main__ import main
from hyperspy_psnmf._version import __version__


@pytest.fixture
def quick(monkeypatch):
    """Do not unmix anything."""
    monkeypatch.setattr(doctor, "_unmix_a_phantom", lambda: None)


@pytest.fixture
def inactive():
    hyperspy_psnmf.deactivate()
    yield
    hyperspy_psnmf.activate()


def rows(text):
    """Return what is printed, by name."""
    return {line[:15].strip(): line[15:] for line in text.splitlines()}


@pytest.mark.parametrize("arguments", [["doctor"], ["--check"], ["doctor", "-o", "nowhere"]])
def test_main__doctor_and_check_do_the_same(arguments, quick, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 0
    printed = rows(capsys.readouterr().out)
    assert printed["hyperspy-psnmf"].startswith(__version__)
    assert set(doctor.PACKAGES) < set(printed)
    assert {"threads", "kernels", "file readers", "widget", "activation"} < set(printed)
    assert printed[""].startswith("passed in ")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_self_test__passes():
    problem, text = doctor.self_test()
    assert problem is None
    assert re.match(r"passed in \d+\.\d s", text)


@pytest.mark.slow
def test_self_test__lost_counts_fail(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "MAX_LOSS", -1)
    assert main(["doctor"]) == 1
    assert "failed: the phases have" in capsys.readouterr().out


@pytest.mark.slow
def test_self_test__wrong_spectra_fail(monkeypatch):
    monkeypatch.setattr(doctor, "MAX_ANGLE", 0.01)
    assert "degrees from the truth" in doctor.self_test()[0]


@pytest.mark.parametrize("error", [ValueError("no"), OSError("no"), ImportError("no")])
def test_self_test__errors_fail(monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr(doctor, "_unmix_a_phantom", fail)
    assert doctor.self_test()[0] == f"failed: {type(error).__name__}: no"


def test_angles__nearest_spectrum_in_any_order_and_scale():
    truth = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    found = np.array([[0.0, 3.0, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(doctor._angles(truth, found), [45, 0], atol=1e-5)


def test_run__without_activation_it_fails(inactive, capsys):
    assert main(["doctor"]) == 1
    printed = rows(capsys.readouterr().out)
    assert printed["activation"].startswith("off")
    assert "switched off" in printed[""]


def test_describe_activation__names_the_variable(inactive, monkeypatch):
    monkeypatch.setenv("HYPERSPY_PSNMF_DISABLE", "1")
    assert "HYPERSPY_PSNMF_DISABLE=1" in doctor.describe_activation()


def test_describe_readers__one_that_lacks_a_package_is_named(monkeypatch):
    found = doctor.describe_readers()
    assert f"of {len(IO_PLUGINS)}" in found

    def lacking(name):
        if name == "rsciio.bruker":
            raise ModuleNotFoundError("No module named 'lxml'", name="lxml")

    monkeypatch.setattr("importlib.import_module", lacking)
    assert "without Bruker (lxml): pip install" in doctor.describe_readers()


@pytest.mark.parametrize("exists", [True, False])
def test_describe_cache__a_folder_that_cannot_be_written(tmp_path, monkeypatch, exists):
    (tmp_path / "file").touch()  # where the folder would be, as a superuser may write anywhere
    folder = tmp_path / "cache" if exists else tmp_path / "file" / "cache"
    monkeypatch.setattr(doctor, "find_cache_folder", lambda: str(folder))
    assert ("can be written" in doctor.describe_cache()) == exists
    assert ("cannot be written" in doctor.describe_cache()) != exists


def test_describe_cache__nowhere(monkeypatch):
    monkeypatch.setattr(doctor, "find_cache_folder", lambda: None)
    assert "each session compiles" in doctor.describe_cache()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "expected"),
    [("NUMBA_DISABLE_JIT", "plain Python"), ("NUMBA_CACHE_DIR", "can be written")],
)
def test_describe_cache__as_the_environment_says(tmp_path, variable, expected):
    value = "1" if variable == "NUMBA_DISABLE_JIT" else str(tmp_path)
    code = "from hyperspy_psnmf import doctor; print(doctor.describe_cache())"
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, variable: value}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert expected in shown
    assert str(tmp_path) in shown or variable != "NUMBA_CACHE_DIR"
