# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of counts in the memory of a dask cluster's workers.

Counts never leave the workers: tasks go to them with spectra and loadings, and sums and
loadings come back. Blocks are results of the graph that reads the data, so the part of a lost
worker is read again.
"""

from collections import deque

import dask
import numpy as np
from scipy.sparse import vstack

from hyperspy_psnmf._compat import owning_client
from hyperspy_psnmf.eds.lazy.chunks import make_tasks, pixels_of, plan_pieces
from hyperspy_psnmf.nmf.counts.blocks import BLOCK_BYTES, CountBlocks
from hyperspy_psnmf.nmf.counts.csr_part import Part, as_csr, smallest_type

MAX_PIXELS = 1 << 16  # of a block
BLOCKS_PER_THREAD = 8  # for an even load, and so that little is lost with a worker


def active_client():
    """Return the distributed client that dask would compute with, or None."""
    return owning_client(dask.base.get_scheduler())


class ClusterBlocks(CountBlocks):
    """Counts on workers.

    Parameters
    ----------
    client : distributed.Client
        Connection to the cluster.
    blocks : list of (ndarray of int, Future)
        Rows of each block, and the part with them.
    shape, dtype, nnz, row_counts, channel_counts, is_whole
        As for `CountBlocks`.
    """

    def __init__(self, client, blocks, **known):
        super().__init__(**known)
        self.client, self.blocks = client, blocks
        size = self.nnz * (4 + self.dtype.itemsize) // max(1, len(blocks))
        # What is cut by this has as many parts, for an even load of few workers, too.
        self.block_bytes = max(1, min(BLOCK_BYTES, size))

    @classmethod
    def read(cls, client, data, *, keep_pixels, keep_channels, name, counts_per_unit=1.0, bar=None):
        """Read the chunks of a dask array, each once, and leave them on the workers."""
        shape = data.shape[:-1]
        n_channels = data.shape[-1] if keep_channels is None else int(keep_channels.sum())
        plan = plan_pieces(data, keep_pixels, keep_channels)
        tasks = make_tasks(data, plan, n_channels, name=name, counts_per_unit=counts_per_unit)
        n_rows = int(np.prod(shape))
        row_counts, channel_counts, blocks = np.zeros(n_rows), np.zeros(n_channels), []
        # At once, lest what tasks have in common be computed again.
        futures = iter(client.compute([task for group in tasks for task in group]))
        groups = [[next(futures) for _ in group] for group in tasks]
        sums = {
            client.submit(_sums, future, pure=False): g
            for g, group in enumerate(groups)
            for future in group
        }
        rows_of, known = [pixels_of(group[0], shape) for group in plan], []
        for future, (counts, *rest) in _as_completed(list(sums)):
            row_counts[rows_of[sums[future]]] += counts
            channel_counts += rest[0]
            known.append(rest[1:])
            if bar is not None:
                bar.update()
        dtypes, nnz, is_whole = zip(*known, strict=True)
        sizes = [len(rows) for rows in rows_of]
        for pieces in _batches(sizes, _holders(client, groups), sum(client.nthreads().values())):
            rows = np.concatenate([rows_of[g][first:last] for g, first, last in pieces])
            own = [groups[g] for g, *_ in pieces]
            limits = [of for _, *of in pieces]
            part = client.submit(_part, own, limits, n_channels, pure=False)
            blocks.append((rows, part))
        return cls(
            client,
            blocks,
            shape=(n_rows, n_channels),
            dtype=np.result_type(*dtypes),
            nnz=sum(nnz),
            row_counts=row_counts,
            channel_counts=channel_counts,
            is_whole=all(is_whole),
        )

    def run(self, task, *per_row, where=None, **common):
        """Run a task on every block, on its worker; see `CountBlocks.run`."""
        common = self._submit_common(common)
        rows_of = {}
        for rows, part in self.blocks:
            if where is None or where[rows].any():
                own = [values[rows] for values in per_row]
                future = self.client.submit(
                    _run, task, part, own, common, self.shape[1], self.dtype, pure=False
                )
                rows_of[future] = rows
        try:
            for n_done, (future, result) in enumerate(_as_completed(list(rows_of))):
                yield rows_of[future], result
                self.report_progress(n_done + 1, len(rows_of))
        finally:
            _forget(self.client, rows_of)

    def call(self, task, arguments, *, n_jobs=None, **common):
        """Yield what a task returns, computed on the workers, in as many threads as they have."""
        common = self._submit_common(common)
        # What is sent should not all be on its way at once.
        most, futures = 2 + 2 * sum(self.client.nthreads().values()), deque()
        try:
            for each in arguments:
                futures.append(self.client.submit(_call, task, each, common, pure=False))
                if len(futures) == most:
                    yield futures.popleft().result()
            while futures:
                yield futures.popleft().result()
        finally:
            _forget(self.client, futures)

    def release(self):
        """Let the workers forget the counts."""
        self.blocks = []

    def _submit_common(self, common):
        """Return a future of what all tasks need, which workers pass on to each other."""
        if "n_jobs" in common:
            common = {**common, "n_jobs": 1}  # a worker has threads of its own
        # Not scattered: the scheduler can make it again when a worker is lost.
        return self.client.submit(_as_it_is, common, pure=False)


def fetch(client, tasks: list[list], plan, put_away) -> list[list]:
    """Return the results of tasks, which leave the workers one after the other.

    Parameters
    ----------
    client : distributed.Client
        Connection to the cluster.
    tasks : list of list of Delayed
        See `make_tasks`.
    plan : list of list of list of Piece
        What they convert.
    put_away : callable
        Called with each result and its pieces; what it returns is returned.
    """
    places = [(g, i) for g, group in enumerate(tasks) for i in range(len(group))]
    futures = client.compute([tasks[g][i] for g, i in places])
    place_of = dict(zip(futures, places, strict=True))
    found = [[None] * len(group) for group in tasks]
    del futures
    for future, converted in _as_completed(list(place_of)):
        g, i = place_of.pop(future)
        found[g][i] = put_away(converted, plan[g][i])
    return found


def _as_completed(futures):
    from dask.distributed import as_completed  # part of an optional package

    return as_completed(futures, with_results=True)


def _forget(client, futures):
    """Cancel what is not done yet, after an error."""
    pending = [future for future in futures if not future.done()]
    if pending:
        client.cancel(pending)


def _as_it_is(common):
    return common


def _sums(converted):
    part, counts = converted.part, converted.row_counts
    single = counts.astype(np.float32)  # half as much to send
    if np.array_equal(single, counts):
        counts = single
    return counts, converted.channel_counts, part.data.dtype, part.nnz, converted.is_whole


def _holders(client, groups):
    """Return which worker has the first conversion of each group."""
    firsts = [group[0] for group in groups]
    where = client.who_has(firsts)
    return [next(iter(where.get(future.key, ())), "") for future in firsts]


def _batches(sizes, holders, n_threads):
    """Return lists of (group, first row, last row) for blocks of equal size.

    A task costs the scheduler some milliseconds, so small chunks are taken together. Those
    of one worker are: no counts move.
    """
    most = min(MAX_PIXELS, max(1, -(-sum(sizes) // (BLOCKS_PER_THREAD * n_threads))))
    batches, left = [], {}
    for g, (size, holder) in enumerate(zip(sizes, holders, strict=True)):
        first = 0
        while first < size:
            batch, room = left.get(holder, (None, 0))
            if not room:
                batch, room = [], most
                batches.append(batch)
            last = min(size, first + room)
            batch.append((g, first, last))
            left[holder] = batch, room - (last - first)
            first = last
    return batches


def _part(groups, limits, n_channels):
    """Return rows of groups of conversions, one after the other, with all of their channels."""
    found = [
        (group[0].part.rows[first:last], [one.part.read(first, last) for one in group])
        for group, (first, last) in zip(groups, limits, strict=True)
    ]
    if len(found) == 1 and len(found[0][1]) == 1:
        return found[0][1][0]
    dtype = np.result_type(*(part.data.dtype for _, parts in found for part in parts))
    X = vstack([as_csr(parts, n_channels, dtype) for _, parts in found], format="csr")
    indices = X.indices.astype(smallest_type(n_channels))
    rows = np.concatenate([rows for rows, _ in found])
    return Part(rows, X.indptr.astype(np.int64), indices, X.data)


def _run(task, part, per_row, common, n_channels, dtype):
    return task(as_csr([part], n_channels, dtype), *per_row, **common)


def _call(task, arguments, common):
    return task(*arguments, **common)
