# SPDX-License-Identifier: GPL-3.0-or-later
"""On a cluster of two processes the answer is that of one, come what may."""

import os
import signal as signals

import dask
import numpy as np
import pytest

from hyperspy_psnmf.eds.lazy import distributed as cluster_blocks
from hyperspy_psnmf.eds.lazy.distributed import ClusterBlocks, active_client
from tests.helpers.lazy_maps import lazy, same

distributed = pytest.importorskip("distributed")

CHUNKS = {
    "ragged": ((3, 9, 8), (1, 20, 5), 310),
    "energy, ragged": ((11, 9), (7, 7, 7, 5), (300, 10)),
}


@pytest.fixture(scope="module")
def cluster():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with dask.config.set({"distributed.comm.timeouts.connect": "60s"}):
        found = distributed.LocalCluster(**options)
    with found:
        yield found


@pytest.fixture(autouse=True)
def client(cluster):
    with distributed.Client(cluster) as found:
        found.wait_for_workers(2, timeout=60)
        yield found


@pytest.fixture
def runs(monkeypatch):
    """What was run on the blocks, and how many they were."""
    seen = []

    def run(self, task, *args, **kwargs):
        seen.append((task.__name__, len(self.blocks)))
        return original(self, task, *args, **kwargs)

    original = ClusterBlocks.run
    monkeypatch.setattr(ClusterBlocks, "run", run)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(CHUNKS["ragged"], marks=pytest.mark.thorough, id="ragged"),
        pytest.param(CHUNKS["energy, ragged"], id="energy, ragged"),
    ],
)
def test_ClusterBlocks__result_is_that_of_eager_signals(
    grains, unmix, navigation_mask, signal_mask, chunks, runs
):
    masks = {"navigation_mask": navigation_mask, "signal_mask": signal_mask}
    s = unmix(lazy(grains, chunks), **masks)
    same(s, unmix(grains, **masks))
    assert {name for name, _ in runs} >= {"_bin", "_solve", "_group", "_divergence"}
    assert all(n_blocks > 1 for _, n_blocks in runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"refinement": "joint", "max_memory": "10 kB", "binning": 4},
        pytest.param({"output_dimension": "auto"}, marks=pytest.mark.thorough),
    ],
    ids=["joint", "number of phases"],
)
def test_decomposition__whatever_is_asked_for(grains, unmix, options):
    same(unmix(lazy(grains, (7, 9, 310)), **options), unmix(grains, **options))


@pytest.mark.slow
def test_ClusterBlocks__what_needs_the_counts_again_is_done_on_the_workers(grains, unmixed, runs):
    s = lazy(grains, (7, 9, 310))
    s.learning_results = unmixed.learning_results
    for get in (
        lambda s: s.psnmf.residuals().map.data,
        lambda s: s.psnmf.residuals().spectrum.data,
        lambda s: s.psnmf.upper_limits().data,
    ):
        np.testing.assert_allclose(get(s), get(unmixed), rtol=1e-4, atol=1e-3)
    assert {name for name, _ in runs} >= {"_score", "_divergence_of_columns", "upper_limits"}


def test_active_client__another_scheduler_may_be_chosen(grains, unmixed, unmix, client, runs):
    with dask.config.set(scheduler="synchronous"):
        assert active_client() is None
        s = unmix(lazy(grains, (7, 9, 310)))
    assert active_client() is client
    same(s, unmixed)
    assert not runs


@pytest.mark.slow
def test_decomposition__tasks_are_small(grains, unmix, client, monkeypatch):
    """No task drags the data along, nor what all tasks have in common."""
    sizes = []

    def submit(function, *args, **kwargs):
        if function.__name__ == "_run":
            sizes.append(len(distributed.protocol.pickle.dumps((function, *args))))
        return original(function, *args, **kwargs)

    original = client.submit
    monkeypatch.setattr(client, "submit", submit)
    unmix(lazy(grains, (7, 9, 310)))
    assert max(sizes) < 6000 < grains.data.nbytes


def kill_a_worker(client):
    """Kill the worker that holds most, and its process with it."""
    held = {address: len(keys) for address, keys in client.has_what().items()}
    pids = client.run(os.getpid)
    os.kill(pids[max(held, key=held.get)], signals.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signals, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.filterwarnings("ignore")
def test_ClusterBlocks__killed_worker_changes_nothing(grains, unmixed, unmix, client, monkeypatch):
    def run(self, task, *args, **kwargs):
        for n, found in enumerate(original(self, task, *args, **kwargs)):
            if task.__name__ == "_solve" and n == 1 and not killed:
                killed.append(True)
                kill_a_worker(client)
            yield found

    killed, original = [], ClusterBlocks.run
    monkeypatch.setattr(ClusterBlocks, "run", run)
    same(unmix(lazy(grains, (3, 4, 310))), unmixed)
    assert killed


@pytest.mark.slow
def test_decomposition__a_corrupt_chunk_raises_its_own_error(unmixed_copy, unmix):
    def load(block, block_info=None):
        if block_info and block_info[0]["chunk-location"] == (1, 1, 0):
            raise OSError("checksum of chunk 1.1.0 is wrong")
        return block

    before = unmixed_copy.learning_results.loadings.copy()
    s = lazy(unmixed_copy, (7, 9, 310))
    meta = np.empty((0, 0, 0), "u1")
    s.data = s.data.map_blocks(load, dtype=s.data.dtype, meta=meta)
    with pytest.raises(OSError, match="checksum of chunk"):
        unmix(s)
    np.testing.assert_array_equal(s.learning_results.loadings, before)


@pytest.mark.slow
def test_decomposition__workers_forget_the_counts(grains, unmix, client):
    unmix(lazy(grains, (7, 9, 310)))
    for _ in range(50):
        if not any(client.has_what().values()):
            break
        client.run_on_scheduler(lambda: None)
    assert not any(len(keys) for keys in client.has_what().values())


def test_distributed__small_chunks_of_one_worker_are_taken_together():
    sizes, holders = [7, 300, 5, 0, 11, 64], ["a", "b", "a", "b", "b", "a"]
    batches = cluster_blocks._batches(sizes, holders, 2)
    most = -(-sum(sizes) // (2 * cluster_blocks.BLOCKS_PER_THREAD))
    seen = [[] for _ in sizes]
    for batch in batches:
        assert len({holders[g] for g, *_ in batch}) == 1
        assert 0 < sum(last - first for _, first, last in batch) <= most
        for g, first, last in batch:
            seen[g].extend(range(first, last))
    assert seen == [list(range(n)) for n in sizes]  # every row once
    assert len(batches) <= sum(sizes) // most + 1 + len(set(holders))


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [None, (6, 5, 310)], ids=["as they are", "rechunked"])
def test_ClusterBlocks__persisted_map(grains, unmixed, unmix, chunks):
    s = lazy(grains, (7, 9, 310))
    s.data = s.data.persist()
    s.data = s.data if chunks is None else s.data.rechunk(chunks)
    same(unmix(s), unmixed)
