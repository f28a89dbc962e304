# SPDX-License-Identifier: GPL-3.0-or-later
import threading
from concurrent.futures import ThreadPoolExecutor

import hypothesis
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st

from hyperspy_psnmf.kernels import parallel
from hyperspy_psnmf.kernels.csr import csr_arrays, sum_bins
from hyperspy_psnmf.kernels.em import em_sweep
from hyperspy_psnmf.kernels.likelihood import score
from hyperspy_psnmf.kernels.newton.rows import solve_rows
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs, row_blocks, run_ahead, run_blocks
from tests.helpers.problems import rows


@pytest.mark.parametrize(
    ("n_jobs", "n_threads"),
    [(1, 1), (3, 3), (4, 4), (9, 4), (None, 4), (-1, 4), (-2, 3), (-4, 1), (-99, 1)],
)
def test_resolve_n_jobs__jobs_are_counted_as_in_scikit_learn(n_jobs, n_threads, many_blocks):
    assert resolve_n_jobs(n_jobs) == n_threads
    assert n_jobs is None or resolve_n_jobs(np.int64(n_jobs)) == n_threads


def test_resolve_n_jobs__no_more_than_the_environment_allows(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    parallel.count_cores.cache_clear()
    try:
        assert resolve_n_jobs(None) == resolve_n_jobs(7) == 1
    finally:
        parallel.count_cores.cache_clear()


CALLS = {
    "csr_arrays": lambda n_jobs: csr_arrays(np.ones((3, 4), np.uint8), n_jobs=n_jobs),
    "sum_bins": lambda n_jobs: sum_bins(
        sp.csr_array(np.eye(3)), np.arange(3), 3, np.arange(3), 3, n_jobs=n_jobs
    ),
    "em_sweep": lambda n_jobs: em_sweep(*rows(), n_jobs=n_jobs),
    "score": lambda n_jobs: score(*rows(), n_jobs=n_jobs),
    "solve_rows": lambda n_jobs: solve_rows(*(rows()[i] for i in (0, 2, 1)), n_jobs=n_jobs),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_parallel__no_jobs_at_all_is_an_error_naming_n_jobs(call):
    with pytest.raises(ValueError, match="n_jobs"):
        call(0)


@pytest.mark.parametrize("n_jobs", [1.0, "2", True, np.True_, [1]])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_parallel__a_wrong_type_is_an_error_naming_n_jobs(call, n_jobs):
    with pytest.raises(TypeError, match="n_jobs"):
        call(n_jobs)


@hypothesis.settings(max_examples=50, deadline=None, derandomize=True)
@hypothesis.given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 40))
def test_row_blocks__blocks_have_every_row_once(counts, entries):
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    X = sp.csr_array(
        (np.ones(indptr[-1]), np.concatenate([np.arange(n) for n in counts]), indptr),
        shape=(len(counts), 9),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "ENTRIES_PER_BLOCK", entries)
        for blocks in (row_blocks(X), row_blocks(X.toarray())):
            assert [i for start, stop in blocks for i in range(start, stop)] == [
                *range(len(counts))
            ]
            assert all(stop > start for start, stop in blocks)


def test_row_blocks__blocks_have_about_as_many_entries_each(monkeypatch):
    monkeypatch.setattr(parallel, "ENTRIES_PER_BLOCK", 100)
    blocks = row_blocks(np.zeros((50, 19)))
    assert len(blocks) == 10
    assert {stop - start for start, stop in blocks} == {5}


def test_row_blocks__blocks_do_not_depend_on_the_number_of_cores(many_blocks, monkeypatch):
    X = rows()[0]
    before = row_blocks(X)
    monkeypatch.setattr(parallel, "count_cores", lambda: 1)
    assert row_blocks(X) == before


def test_row_blocks__a_matrix_without_rows_has_no_block():
    assert row_blocks(np.zeros((0, 3))) == []


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_run_blocks__results_come_in_the_order_of_the_blocks(n_jobs, many_blocks):
    assert run_blocks(lambda b: b * b, range(40), n_jobs) == [b * b for b in range(40)]
    assert run_blocks(lambda b: b, [], n_jobs) == []


def test_run_blocks__blocks_run_at_the_same_time(many_blocks):
    barrier = threading.Barrier(4, timeout=20)
    assert sorted(run_blocks(lambda b: (barrier.wait(), b)[1], range(4), 4)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("n_jobs", "n_threads"), [(1, 1), (4, 4)])
def test_run_blocks__memory_is_made_once_per_thread(n_jobs, n_threads, many_blocks):
    made, barrier = [], threading.Barrier(n_threads, timeout=20)

    def make():
        made.append([])
        return made[-1]

    def task(block, memory):
        if block < n_threads:
            barrier.wait()
        memory.append(threading.get_ident())
        return 2 * block

    assert run_blocks(task, range(9), n_jobs, make) == [2 * b for b in range(9)]
    assert len(made) == n_threads
    assert all(len(set(memory)) == 1 for memory in made)
    assert run_blocks(task, [], n_jobs, make) == []
    assert len(made) == n_threads


def test_run_blocks__one_job_stays_in_the_calling_thread(many_blocks):
    found = set(run_blocks(lambda b: threading.get_ident(), range(4), 1))
    assert found == {threading.get_ident()}


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_run_blocks__an_exception_in_one_block_comes_out(n_jobs, many_blocks):
    def task(block):
        if block == 7:
            raise ZeroDivisionError("block seven")
        return block

    with pytest.raises(ZeroDivisionError, match="block seven"):
        run_blocks(task, range(30), n_jobs)


def test_run_blocks__after_an_exception_blocks_not_begun_are_dropped(many_blocks):
    done, never = [], threading.Event()

    def task(block):
        if block == 0:
            raise KeyboardInterrupt
        never.wait(0.05)
        done.append(block)

    with pytest.raises(KeyboardInterrupt):
        run_blocks(task, range(60), 2)
    assert len(done) < 59


@pytest.mark.parametrize("n_jobs", [1, 4])
@pytest.mark.parametrize("n_blocks", [0, 2, 40])
def test_run_ahead__results_of_blocks_run_ahead_come_in_their_order(n_jobs, n_blocks, many_blocks):
    found = run_ahead(lambda b: b * b, iter(range(n_blocks)), n_jobs, 6)
    assert list(found) == [b * b for b in range(n_blocks)]


def test_run_ahead__blocks_run_ahead_while_results_are_used_but_not_without_bounds(many_blocks):
    begun, enough = [], threading.Event()

    def task(block):
        begun.append(block)
        if len(begun) == 7:
            enough.set()
        return block

    found = run_ahead(task, range(50), 2, 6)
    assert next(found) == 0
    next(found)
    assert enough.wait(20)  # five at most besides the two used
    assert len(begun) == 7
    found.close()
    assert len(begun) == 7


def test_run_ahead__an_exception_in_a_block_run_ahead_comes_out_and_ends_the_others(many_blocks):
    done, never = [], threading.Event()

    def task(block):
        if block == 3:
            raise ZeroDivisionError("block three")
        never.wait(0.01)
        done.append(block)

    with pytest.raises(ZeroDivisionError, match="block three"):
        list(run_ahead(task, range(60), 2, 8))
    n_done = len(done)
    assert n_done < 15
    never.wait(0.1)
    assert len(done) == n_done


def test_csr_arrays__several_threads_may_call_kernels_at_once(many_blocks):
    X, V, B = rows(seed=8, n_rows=15, n_columns=16)
    sparse = sp.csr_array(X)

    def everything(_):
        return [
            *csr_arrays(X, n_jobs=4),
            *em_sweep(sparse, V, B, n_jobs=4),
            *score(X, V, B, n_jobs=4),
            *solve_rows(sparse, B, V, n_jobs=4),
        ]

    expected = everything(0)
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(everything, range(12)):
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)
