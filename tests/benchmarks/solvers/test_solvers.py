# SPDX-License-Identifier: GPL-3.0-or-later
"""All solvers find the same optimum where there is one, and the table says when."""

import re
import time

import numpy as np
import pytest

from hyperspy_psnmf.data import mineral_grains
from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from tests.benchmarks.solvers import __main__ as command
from tests.benchmarks.solvers.coordinate_descent import descend
from tests.benchmarks.solvers.methods import METHODS
from tests.benchmarks.solvers.trace import Trace


@pytest.fixture(scope="module")
def counts():
    return count_matrix(mineral_grains(shape=(7, 9), n_channels=120, counts=3000).data)


@pytest.fixture(scope="module")
def begin(counts):
    return command.start(counts, 2)


@pytest.mark.slow
def test_descend__loadings_that_maximise_the_likelihood(counts, begin):
    W, B = begin
    best = divergence(counts, solve_loadings(counts, B.T, tol=1e-9), B)
    found, losses = W, []
    for _ in range(60):
        found = descend(counts, B, found, 4)
        losses.append(divergence(counts, found, B))
    assert losses[0] < divergence(counts, W, B)
    assert losses[-1] == pytest.approx(best, abs=1e-5)


def test_descend__dense_counts_as_sparse_ones_and_the_start_unchanged(counts, begin):
    W, B = begin
    before = W.copy()
    dense = descend(np.ascontiguousarray(counts.toarray()), B, W, 2)
    np.testing.assert_allclose(dense, descend(counts, B, W, 2), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(W, before)


class Iterations(Trace):
    """Ends after 300 iterations, on any machine."""

    def _is_stalled(self):
        return self.n_iter == 300


@pytest.mark.slow
def test_methods__one_optimum(counts, begin):
    traces = {name: Iterations.of(METHODS[name], counts, *begin, seconds=60.0) for name in METHODS}
    lowest = {name: trace.lowest for name, trace in traces.items()}
    best = lowest["psnmf"]
    assert lowest["scd"] == pytest.approx(best, abs=0.01)
    assert lowest["scd_extrapolated"] == pytest.approx(best, abs=0.01)
    assert best - 1e-6 < lowest["squarem"] < best + 1.0
    assert lowest["squarem"] + 1.0 < lowest["em"] < best + 100.0
    for name in ("psnmf", "scd_extrapolated", "squarem", "em"):
        assert np.diff(traces[name].losses).max() <= 1e-6, name


def test_trace__evaluations_take_no_time(counts, begin, monkeypatch):
    def slow(*args):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        return 5.0

    monkeypatch.setattr("tests.benchmarks.solvers.trace.divergence", slow)
    trace = Trace(counts, 10.0)
    trace.evaluate(*begin)
    assert trace.seconds < 0.04


def test_table__times_to_levels_and_dashes():
    traces = {}
    for name, losses in {"psnmf": [90.0, 20.0, 10.0], "em": [80.0, 60.0, 30.0]}.items():
        traces[name] = Trace(None, 10.0)
        traces[name].times, traces[name].losses = [1.0, 2.0, 3.0], losses
    found = command.table(traces, (50.0, 10.0))
    assert "| psnmf | 2 | 2 | 3 | 0.000 | 3 | 3 |" in found
    assert "| em | 2 | – | 3 | 20.000 | 3 | 3 |" in found


def test_main__on_a_small_map(capsys):
    arguments = "--shape 6 8 110 --counts 80 -k 2 --seconds 0.02 --levels 5 --methods psnmf scd"
    assert command.main(arguments.split()) == 0
    assert len(re.findall(r"^\| (?:psnmf|scd) \|", capsys.readouterr().out, re.M)) == 2
