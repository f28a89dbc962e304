# SPDX-License-Identifier: GPL-3.0-or-later
"""What is exchanged with other methods is unchanged, and their adapters run on a map of 12 x 9."""

from dataclasses import fields, replace

import numpy as np
import pytest
import scipy.sparse as sp

from hyperspy_psnmf import data
from tests.benchmarks.rivals import __main__ as command
from tests.benchmarks.rivals import child, judge, maps, tables
from tests.benchmarks.rivals.environments import PINS
from tests.benchmarks.rivals.exchange import Returned, read_given, read_returned, write
from tests.benchmarks.rivals.methods import METHODS

HERE = ["psnmf_free", "stock_nmf", "pca", "pca_elbow", "pca_bss", "pca_bss_maps", "sklearn_kl",
        "mfwls", "mfwls_2", "mfwls_exspy", "gaussian_1"]  # fmt: skip


@pytest.fixture(scope="module")
def case():
    signal = data.mineral_grains(shape=(12, 9), counts=2000, seed=4, n_channels=810)
    return maps.Case(maps.given_map(signal, 3), signal)


def assert_same(a, b):
    for each in fields(a):
        one, other = getattr(a, each.name), getattr(b, each.name)
        if sp.issparse(one):
            assert one.dtype == other.dtype
            assert (one != other).nnz == 0
        else:
            assert type(one) is type(other), each.name
            np.testing.assert_array_equal(one, other, err_msg=each.name)


@pytest.mark.parametrize("image", [np.zeros(0), np.arange(108.0).reshape(12, 9)], ids=["", "image"])
def test_write__a_map_is_read_as_it_was(case, image, tmp_path):
    given = replace(case.given, image=image)
    write(given, tmp_path / "given.npz")
    assert_same(read_given(tmp_path / "given.npz"), given)


@pytest.mark.parametrize("failure", ["", "ValueError: of another program"])
def test_write__a_result_is_read_as_it_was(failure, tmp_path):
    found = Returned(loadings=np.ones((6, 2)), factors=np.eye(5)[:, :2], signed=True, seconds=2.5,
                     versions="espm 1.1.3", failure=failure)  # fmt: skip
    write(found, tmp_path / "found.npz")
    assert_same(read_returned(tmp_path / "found.npz"), found)


def test_given__holds_nothing_of_the_truth(case):
    assert "Truth" in case.signal.metadata
    names = {each.name for each in fields(case.given)}
    assert not names & {"truth", "factors", "loadings", "signal"}
    np.testing.assert_array_equal(case.given.cube("uint16"), case.signal.data)


def test_methods__each_has_a_file_of_pinned_versions():
    for method in METHODS.values():
        if method.environment != "here":
            pins = (PINS / f"{method.environment}.txt").read_text().splitlines()
            packages = [line for line in pins if line and not line.startswith("#")]
            assert packages
            assert all("==" in line for line in packages)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.thorough_cases("psnmf", "bss_maps", "sklearn", "exspy")
@pytest.mark.parametrize("method", HERE)
def test_adapters__run_on_a_small_map(case, method):
    found = child.timed(method, case.given)
    assert found.failure == ""
    assert found.seconds > 0
    figures = judge.figures(case, found)
    # Of 2000 counts per pixel; HyperSpy's NMF does not converge.
    assert figures["lines"] < (2.0 if method == "stock_nmf" else 0.5)
    assert ("angles" in figures) == found.phases
    assert ("reconstruction" in figures) == (found.line_maps.size == 0)


@pytest.mark.slow
def test_figures__of_the_truth_are_zero(case):
    truth = case.truth
    found = Returned(loadings=truth.loadings[:, ::-1], factors=truth.factors[:, ::-1])
    figures = judge.figures(case, found)
    for name in ("lines", "reconstruction", "angles", "at_percent"):
        np.testing.assert_allclose(figures[name], 0.0, atol=1e-5)


def test_timed__a_failure_is_returned(case, monkeypatch):
    def fails(given):
        raise ValueError("no such map")

    monkeypatch.setattr("tests.benchmarks.rivals.adapters.learn.sklearn_kl", fails)
    assert child.timed("sklearn_kl", case.given).failure == "ValueError: no such map"


def test_run__a_process_that_takes_too_long_is_a_failure(case, tmp_path):
    write(case.given, tmp_path / "given.npz")
    found = command.run("psnmf_lines", tmp_path, 0.01)
    assert found.failure == "not done in 0.01 s"
    assert command.run("psnmf_lines", tmp_path, 1e3).failure == found.failure  # kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--maps", "k412"], "--maps k412: no folder"),
        (["--maps", "minerals", "--no-runs"], "needs"),
    ],
    ids=["no files", "no results"],
)
def test_parse__what_cannot_be_done_is_refused(arguments, message, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "FOLDER", tmp_path / "nowhere")
    with pytest.raises(SystemExit):
        command.parse(arguments)
    assert message in capsys.readouterr().err


def test_tables__medians_over_seeds_and_times_relative_to_psnmf():
    about = {"map": "minerals", "counts": 50, "phases": ["a", "b"], "gigabytes": 1.0}
    records = [
        about | {"method": method, "seed": seed, "seconds": slow * seed, "angles": [seed, 2 * seed]}
        for method, slow in (("psnmf_lines", 2.0), ("pca_bss", 3.0))
        for seed in (1, 3)
    ]
    records.append(about | {"method": "espm_plain", "seed": 1, "failure": "not done in 600 s"})
    found = tables.tables(records)
    assert "| PCA + BSS of spectra | 2.0, 4.0 |" in found
    assert "| PCA + BSS of spectra | 1.5 | 1.0 |" in found
    assert "| espm, plain | not done in 600 s |" in found
