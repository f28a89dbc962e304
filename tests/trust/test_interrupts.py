# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever ends a run, and wherever: earlier results stay, and nothing is half-written."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hyperspy.defaults_parser import preferences

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf.eds.signals.progress import listening, no_progress_bars
from tests.helpers.maps import FREE, describe_state, unmix_quietly

QUIET = {"algorithm": "PSNMF", "print_info": False, "show_progressbar": False}


class Stop:
    """A callback that raises at its n-th call."""

    def __init__(self, n, error=KeyboardInterrupt):
        self.n, self.error = n, error

    def __call__(self, *progress):
        self.n -= 1
        if self.n < 0:
            raise self.error


@pytest.fixture(scope="module")
def n_calls(pristine_grains):
    """Return how often a run reports its progress."""
    calls = []
    with listening(lambda *progress: calls.append(progress)):
        unmix_quietly(pristine_grains.deepcopy(), **FREE)
    assert {"bin", "binned map"} <= {step for step, *_ in calls}
    return len(calls)


@pytest.mark.slow
@pytest.mark.crossed("error", "when")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ZeroDivisionError])
@pytest.mark.parametrize("when", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_listening__callback_that_raises_leaves_earlier_results(
    grains, earlier, n_calls, when, error
):
    before, threads = earlier(grains), threading.active_count()
    with pytest.raises(error), listening(Stop(round(when * (n_calls - 1)), error)):
        unmix_quietly(grains, 3, **FREE)
    assert describe_state(grains) == before
    assert threading.active_count() == threads


@pytest.mark.parametrize("when", [0, 3, 12])
@pytest.mark.parametrize("model", [PoissonNMF(2), PSNMF(2, volume=0)], ids=["matrix", "map"])
def test_interrupts__an_estimator_interrupted_is_the_one_fitted_before(model, when):
    X = np.random.default_rng(0).poisson(2.0, size=(72, 31))
    model.fit(X)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}
    with pytest.raises(KeyboardInterrupt):
        model.set_params(tol=0).fit(2 * X, callback=Stop(when))
    model.set_params(tol=1e-5)
    after = {name: value for name, value in vars(model).items() if name.endswith("_")}
    assert before.keys() == after.keys()
    assert all(after[name] is value for name, value in before.items())


@pytest.mark.parametrize("name", ["poisson_nmf.divergence", "poisson_nmf.solve_loadings"])
def test_PoissonNMF__a_lack_of_memory_at_the_end_leaves_the_estimator(monkeypatch, name):
    X = np.random.default_rng(0).poisson(2.0, size=(72, 31))
    model = PoissonNMF(2).fit(X)
    before = dict(vars(model))

    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(f"hyperspy_psnmf.estimators.{name}", fail)
    with pytest.raises(MemoryError):
        model.fit(2 * X)
    assert all(vars(model)[attribute] is value for attribute, value in before.items())


OUT_OF_MEMORY = [
    "eds.decompose.decompose.make_record",
    "eds.signals.learning_results._expand",
    "eds.signals.learning_results._blank",
    "estimators.psnmf_model.psnmf",
    "nmf.method.psnmf.bin_counts",
    "nmf.method.psnmf.factorise_map",
    "nmf.solver.convex.solve_rows",
    "nmf.method.psnmf.divergence",
]


@pytest.mark.slow
@pytest.mark.parametrize("where", OUT_OF_MEMORY)
def test_decomposition__lack_of_memory_leaves_earlier_results(grains, earlier, monkeypatch, where):
    def fail(*args, **kwargs):
        raise MemoryError("not enough")

    before = earlier(grains)
    monkeypatch.setattr(f"hyperspy_psnmf.{where}", fail)
    with pytest.raises(MemoryError, match="not enough"):
        unmix_quietly(grains, 2)
    assert describe_state(grains) == before


SCRIPT = Path(__file__).with_name("interrupted.py")


@pytest.mark.thorough
def test_interrupts__ctrl_c_at_any_time_leaves_earlier_results():
    # In a process of its own, for a signal goes to the main thread of all of pytest.
    paths = os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, SCRIPT],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    n_interrupted = int(done.stdout.split()[-1])
    assert n_interrupted >= 3


# --- in several threads


def in_threads(*tasks):
    """Run tasks at the same time; return what they returned or raised."""
    found, start = [None] * len(tasks), threading.Barrier(len(tasks))

    def work(i, task):
        start.wait()
        try:
            found[i] = task()
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.slow
def test_decomposition__decompositions_in_several_threads_know_nothing_of_each_other(
    pristine_grains,
):
    maps = [
        pristine_grains.deepcopy(),
        pristine_grains.inav[:17, :13].deepcopy(),
        pristine_grains.isig[:200].deepcopy(),
    ]
    options = ({}, FREE, FREE)
    alone = [unmix_quietly(s.deepcopy(), 2, **o) for s, o in zip(maps, options, strict=True)]
    together = in_threads(
        *(lambda s=s, o=o: unmix_quietly(s, 2, **o) for s, o in zip(maps, options, strict=True))
    )
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.learning_results.factors, other.learning_results.factors)
        np.testing.assert_array_equal(
            one.learning_results.loadings, other.learning_results.loadings
        )


def test_listening__one_thread_that_fails_does_not_disturb_another(
    pristine_grains, unmixed_free, grains, earlier
):
    before = earlier(grains)

    def fail():
        with listening(Stop(8, MemoryError)):
            unmix_quietly(grains, 3, **FREE)

    error, good = in_threads(fail, lambda: unmix_quietly(pristine_grains.deepcopy(), **FREE))
    assert isinstance(error, MemoryError)
    assert describe_state(grains) == before
    expected = unmixed_free.learning_results.loadings
    np.testing.assert_array_equal(good.learning_results.loadings, expected)


def test_no_progress_bars__the_preference_for_progress_bars_survives_several_threads(monkeypatch):
    monkeypatch.setattr(preferences.General, "show_progressbar", True)
    first, second = no_progress_bars(), no_progress_bars()
    first.__enter__()
    second.__enter__()
    assert not preferences.General.show_progressbar
    first.__exit__(None, None, None)
    assert not preferences.General.show_progressbar
    second.__exit__(None, None, None)
    assert preferences.General.show_progressbar
