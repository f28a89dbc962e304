# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of a lazy signal: in memory while they fit, else in blocks on disk or on workers.

The data are read once, by dask's active scheduler, and brought to CSR chunk by chunk. Where
that and what is made of it fits the budget, it is gathered, and what follows is what
an eager signal gets. Otherwise chunks stay what they are: parts in a temporary folder, or in
the memory of a cluster's workers.
"""

import errno
import tempfile
from contextlib import contextmanager
from functools import partial

import dask
import dask.array as da
import numpy as np
from dask.callbacks import Callback

from hyperspy_psnmf._compat import data_in_array_order
from hyperspy_psnmf.eds.lazy.chunks import make_tasks, plan_pieces, put_away
from hyperspy_psnmf.eds.lazy.distributed import ClusterBlocks, active_client, fetch
from hyperspy_psnmf.eds.lazy.read import NAME, read_counts
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.progress import progress_bar
from hyperspy_psnmf.nmf.counts.blocks import BINNED_BYTES, BLOCK_BYTES
from hyperspy_psnmf.nmf.counts.on_disk import StoredBlocks

PEAK_PER_CSR = 11  # peak memory of a decomposition over the size of its CSR matrix, measured
BLOCKS_PER_BUDGET, SMALLEST_BLOCK = 32, 100_000  # of the budget; bytes
# The binned map: a part of the budget; bytes, below which bins would mix phases.
BINNED_PER_BUDGET, SMALLEST_BINNED = 3, 64_000_000
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def open_counts(
    signal,
    map_input: MapInput,
    *,
    max_memory: int,
    by_pixel: bool = True,
    show_progressbar=None,
    n_jobs=None,
):
    """Open the counts of a signal; temporary files are removed afterwards.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    map_input : MapInput
        What to use of it. Pixels left out are empty rows, channels left out are gone.
    max_memory : int
        Bytes that a decomposition may take; an eager signal is in memory anyway.
    by_pixel : bool
        Whether the counts of some pixels at a time are all that is needed, so that they
        can stay on the workers of a cluster.
    show_progressbar : bool, optional
        None is HyperSpy's preference.
    n_jobs : int or None
        Threads for an eager signal.

    Yields
    ------
    csr_array or CountBlocks of shape (n_pixels, n_channels_in_use)

    Raises
    ------
    OSError
        If there is no room for the temporary files.
    """
    what = {
        name: getattr(map_input, name)
        for name in ("keep_pixels", "keep_channels", "counts_per_unit")
    }
    data = data_in_array_order(signal)
    if not isinstance(data, da.Array):
        yield read_counts(signal, **what, n_jobs=n_jobs)
        return
    client = active_client()
    if client is not None and by_pixel:
        with progress_bar(show_progressbar, desc="Reading counts", unit=" blocks") as bar:
            blocks = ClusterBlocks.read(client, data, **what, name=NAME, bar=bar)
        try:
            yield blocks
        finally:
            blocks.release()
        return
    with _temporary_folder() as folder:
        options = {"folder": folder, "budget": max_memory, "show": show_progressbar}
        yield _read(data, client, **what, **options)


@contextmanager
def _temporary_folder():
    where = dask.config.get("temporary-directory", None)
    with tempfile.TemporaryDirectory(
        prefix="psnmf-", dir=where, ignore_cleanup_errors=True
    ) as folder:
        try:
            yield folder
        except OSError as error:
            if error.errno not in DISK_IS_FULL:
                raise
            raise OSError(
                error.errno,
                f"no space left for the temporary files of PSNMF in {folder}, which are removed: "
                "choose another disk with dask.config.set({'temporary-directory': ...}), or "
                "raise max_memory",
            ) from error


def _read(data, client, *, keep_pixels, keep_channels, counts_per_unit, folder, budget, show):
    """Return a csr_array, or blocks in a folder."""
    n_pixels = int(np.prod(data.shape[:-1]))
    n_channels = data.shape[-1] if keep_channels is None else int(keep_channels.sum())
    plan = plan_pieces(data, keep_pixels, keep_channels)
    # The budget per byte of chunks, so that tasks are independent; some parts may go to disk
    # although all would fit.
    max_ratio = budget / PEAK_PER_CSR / max(1, data.nbytes)
    options = {"name": NAME, "counts_per_unit": counts_per_unit}
    if client is not None:  # whose workers may not have this disk
        groups = make_tasks(data, plan, n_channels, **options)
        groups = fetch(client, groups, plan, partial(put_away, folder=folder, max_ratio=max_ratio))
    else:
        groups = make_tasks(data, plan, n_channels, folder=folder, max_ratio=max_ratio, **options)
        with _bar_of_tasks(show, sum(map(len, groups))):
            (groups,) = dask.compute(groups)
    blocks = _stored(groups, (n_pixels, n_channels), folder, budget)
    size = blocks.nnz * (4 + blocks.dtype.itemsize) + 8 * n_pixels
    return blocks.gather() if size * PEAK_PER_CSR <= budget else blocks


def _stored(groups, shape, folder, budget):
    found = [converted for group in groups for converted in group]
    row_counts, channel_counts = np.zeros(shape[0]), np.zeros(shape[1])
    for converted in found:
        row_counts[converted.part.rows] += converted.row_counts
        channel_counts += converted.channel_counts
    blocks = StoredBlocks(
        [[converted.part for converted in group] for group in groups],
        folder=folder,
        block_bytes=min(max(budget // BLOCKS_PER_BUDGET, SMALLEST_BLOCK), BLOCK_BYTES),
        shape=shape,
        dtype=np.result_type(*(converted.part.data.dtype for converted in found)),
        nnz=sum(converted.part.nnz for converted in found),
        row_counts=row_counts,
        channel_counts=channel_counts,
        is_whole=all(converted.is_whole for converted in found),
    )
    blocks.binned_bytes = min(max(budget // BINNED_PER_BUDGET, SMALLEST_BINNED), BINNED_BYTES)
    return blocks


@contextmanager
def _bar_of_tasks(show, n_tasks):
    """Show how many tasks a local scheduler has done."""
    with progress_bar(show, desc="Reading counts", unit=" blocks", total=n_tasks) as bar:
        if bar is None:
            yield
            return
        with Callback(posttask=lambda key, *_: str(key).startswith("convert-") and bar.update()):
            yield
