# SPDX-License-Identifier: GPL-3.0-or-later
"""Run kernels on blocks of rows in Python threads.

Kernels release the GIL, so plain threads use all cores. The blocks depend on
the data only, never on the number of threads, so sums over blocks come out the
same for any ``n_jobs``; nothing global is set, hence nothing needs restoring.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise

import joblib
import numpy as np

# A block of this many entries takes a few times as long as waking a thread, and a binned
# map has enough of them for two threads.
ENTRIES_PER_BLOCK = 60_000


@cache  # joblib reads files for the quota, and kernels ask hundreds of times a second
def count_cores() -> int:
    """Return the number of cores that this process may use.

    By its affinity, by the quota of a container (cgroups), and by the environment variable
    ``LOKY_MAX_CPU_COUNT``. They are read once.
    """
    return joblib.cpu_count()


def resolve_n_jobs(n_jobs: int | None) -> int:
    """Return the number of threads meant by `n_jobs`.

    None stands for all cores this process may use, as does -1; -2 stands for
    all but one, and so on, as in scikit-learn. More threads than cores are
    never started.
    """
    n_cores = count_cores()
    if n_jobs is None:
        return n_cores
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int | np.integer):
        raise TypeError(f"n_jobs must be an int or None, not {type(n_jobs).__name__}")
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0; use 1 for a single thread or None for all cores")
    return min(int(n_jobs), n_cores) if n_jobs > 0 else max(1, n_cores + 1 + int(n_jobs))


def is_csr(X) -> bool:
    """Return whether X is a CSR matrix, not a dense array."""
    return getattr(X, "format", None) == "csr"


def row_blocks(X, work: float = 1.0) -> list[tuple[int, int]]:
    """Split the rows of X into ranges ``(start, stop)`` of about equal work.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
        Counts.
    work : float
        How much an entry costs, in units of a sweep with three components.
    """
    n_rows = X.shape[0]
    # A row costs something even when it is empty.
    total = n_rows + (int(X.indptr[-1]) if is_csr(X) else X.size)
    n_blocks = max(1, int(work * total // ENTRIES_PER_BLOCK))
    if is_csr(X):
        before = X.indptr + np.arange(n_rows + 1)
        edges = np.searchsorted(before, np.linspace(0, total, n_blocks + 1))
        edges = [0, *map(int, edges[1:-1]), n_rows]
    else:  # for a binned map that is done hundreds of times a second
        edges = [n_rows * i // n_blocks for i in range(n_blocks + 1)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def run_blocks(
    task: Callable, blocks: Sequence, n_jobs: int | None = None, make: Callable | None = None
) -> list:
    """Return ``[task(block) for block in blocks]``, computed in `n_jobs` threads.

    What `make` returns, called once per thread, is passed to its tasks as second argument: memory
    to work in, for that of each block would take longer to allocate than many to compute.
    """
    n_threads = min(resolve_n_jobs(n_jobs), len(blocks))
    if n_threads <= 1:
        own = () if make is None or not blocks else (make(),)
        return [task(block, *own) for block in blocks]
    waiting, results = deque(enumerate(blocks)), [None] * len(blocks)

    def take_turns():
        try:
            own = () if make is None else (make(),)
            while (turn := _next(waiting)) is not None:
                i, block = turn
                results[i] = task(block, *own)
        except BaseException:
            waiting.clear()
            raise

    # The calling thread works too, so one of two threads need not be woken.
    others = [_pool(n_threads - 1).submit(take_turns) for _ in range(n_threads - 1)]
    try:
        take_turns()
    finally:
        # After an error or an interrupt, no thread may still write to the arrays.
        begun = [other for other in others if not other.cancel()]
        wait(begun)
    for other in begun:
        other.result()
    return results


def run_ahead(task: Callable, blocks: Iterable, n_jobs: int | None, n_ahead: int) -> Iterator:
    """Yield ``task(block)`` of one block after the other, and run the next ones meanwhile.

    Parameters
    ----------
    task : callable
        Of one block.
    blocks : iterable
        In the order of the results.
    n_jobs : int or None
        Threads besides the calling one, which only uses the results; 1 is none.
    n_ahead : int
        Results in memory at most, unfinished ones included.
    """
    n_threads = resolve_n_jobs(n_jobs)
    if n_threads == 1:
        yield from map(task, blocks)
        return
    waiting: deque[Future] = deque()
    try:
        for block in blocks:
            waiting.append(_pool(n_threads).submit(task, block))
            if len(waiting) == n_ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        wait([each for each in waiting if not each.cancel()])


def call_in_threads(task: Callable, arguments: Iterable[tuple], *, n_jobs, **common) -> Iterator:
    """Yield ``task(*each, **common)`` for each of the arguments, two per thread ahead."""
    n_ahead = 2 * resolve_n_jobs(n_jobs)
    yield from run_ahead(lambda each: task(*each, **common), arguments, n_jobs, n_ahead)


def _next(waiting: deque):
    try:
        return waiting.popleft()
    except IndexError:
        return None


@cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    # Kept, for starting threads takes longer than a sweep over a binned map.
    return ThreadPoolExecutor(n_threads, thread_name_prefix="psnmf")


if hasattr(os, "register_at_fork"):
    # A forked child inherits the pool without its threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
