# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of counts that are parts in memory or in files of a folder."""

import os
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hyperspy_psnmf.kernels.parallel import call_in_threads, resolve_n_jobs, run_ahead
from hyperspy_psnmf.nmf.counts.blocks import BLOCK_BYTES, CountBlocks
from hyperspy_psnmf.nmf.counts.csr_part import Part, as_csr, join, smallest_type

BLOCKS_PER_THREAD = 4  # read ahead of the one whose result is used next


class StoredBlocks(CountBlocks):
    """Counts as parts of a CSR matrix.

    Parameters
    ----------
    groups : sequence of sequence of Part
        All parts. Those of a group have the same rows, those of different groups no row in
        common; within a group, columns ascend from part to part.
    folder : str
        Where to put more files.
    shape, dtype, nnz, row_counts, channel_counts, is_whole, block_bytes
        As for `CountBlocks`.
    """

    def __init__(self, groups: Sequence, *, folder: str, block_bytes: int = BLOCK_BYTES, **totals):
        super().__init__(**totals)
        self.groups, self.folder, self.block_bytes = groups, folder, block_bytes
        self.blocks = [(g, *rows) for g in range(len(groups)) for rows in self._split(groups[g])]

    def _split(self, parts):
        """Yield ranges of rows of about equal sizes."""
        before = sum(part.indptr for part in parts) * (4 + self.dtype.itemsize)
        before = before + np.arange(len(before)) * 8  # rows cost something even when empty
        n_blocks = max(1, -(-int(before[-1]) // self.block_bytes))
        edges = np.searchsorted(before, np.linspace(0, before[-1], n_blocks + 1))
        edges[0], edges[-1] = 0, len(before) - 1
        edges = np.unique(edges).tolist()
        return pairwise(edges)

    def run(self, task, *per_row, where=None, **common):
        """Do something with every block, some of them at a time; see `CountBlocks.run`."""
        n_jobs, common = self._share_threads(len(self.blocks), common)

        def read_and_run(block):
            g, first, last = block
            rows = self.groups[g][0].rows[first:last]
            if where is not None and not where[rows].any():
                return rows, None
            own = (values[rows] for values in per_row)
            return rows, task(self._read(self.groups[g], first, last), *own, **common)

        n_ahead = BLOCKS_PER_THREAD * resolve_n_jobs(n_jobs)
        found = run_ahead(read_and_run, self.blocks, n_jobs, n_ahead)
        for n_done, (rows, result) in enumerate(found, start=1):
            if result is not None:
                yield rows, result
            if not n_done % n_ahead or n_done == len(self.blocks):
                self.report_progress(n_done, len(self.blocks))

    def call(self, task, arguments, *, n_jobs, **common):
        """Yield what a task returns; several run at a time."""
        return call_in_threads(task, arguments, n_jobs=n_jobs, **common)

    def gather(self):
        """Return all counts as one csr_array."""
        return join((p for parts in self.groups for p in parts), *self.shape, self.dtype)

    def transpose(self):
        """Return the same counts in blocks of channels, whose parts are stored as well."""
        channels, parts = np.arange(self.shape[1]), []
        for rows, block in self.run(_as_it_is):
            columns = block.tocsc()
            ids = rows.astype(smallest_type(self.shape[0]))[columns.indices]
            part = Part(channels, columns.indptr.astype(np.int64), ids, columns.data)
            file = os.path.join(self.folder, f"transposed-{id(self)}-{len(parts)}")
            parts.append(part.write(file))
        totals = {"dtype": self.dtype, "nnz": self.nnz, "is_whole": self.is_whole}
        totals |= {"row_counts": self.channel_counts, "channel_counts": self.row_counts}
        options = {"folder": self.folder, "block_bytes": self.block_bytes}
        return StoredBlocks([parts], shape=self.shape[::-1], **options, **totals)

    def _share_threads(self, n_tasks, common):
        """Return how many tasks run at a time, and their keywords: one thread each, if several."""
        if "n_jobs" not in common or n_tasks == 1:
            return 1, common
        return common["n_jobs"], {**common, "n_jobs": 1}

    def _read(self, parts, first, last):
        return as_csr([part.read(first, last) for part in parts], self.shape[1], self.dtype)


def _as_it_is(X):
    return X
