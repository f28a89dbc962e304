# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps on disk: time against one sum over the same file, peak memory, and two workers.

Not collected by default; run ``python -m pytest tests/benchmarks/bench_lazy.py -s``. The map
is made chunk by chunk in the folder of pytest's temporary files. ``PSNMF_BENCH_GB`` sets the
size of the dense cube, 1 by default; the bars of the project are for 10. Figures are printed
and kept in pytest-benchmark's ``extra_info``; no test fails because of one.
"""

import json
import os
import subprocess
import sys
import time

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from exspy.signals import LazyEDSTEMSpectrum

from hyperspy_psnmf.data import mineral_grains

pytestmark = pytest.mark.filterwarnings("ignore")

GIGABYTES = float(os.environ.get("PSNMF_BENCH_GB", "1"))
N_CHANNELS = 2048
WIDTH = 1600
CHUNK = (64, 80)
HEIGHT = max(1, round(GIGABYTES * 1e9 / (2 * N_CHANNELS * WIDTH) / CHUNK[0])) * CHUNK[0]
GRAIN = 50  # pixels
COUNTS = 100  # per pixel


def simulate(spectra, seeds, phases, block_info=None):
    """Return counts of one chunk of a map of grains with soft edges."""
    (top, bottom), (left, right), _ = block_info[None]["array-location"]
    y, x = np.mgrid[top:bottom, left:right].reshape(2, -1)
    distance = np.hypot(y[:, None] - seeds[:, 0], x[:, None] - seeds[:, 1])
    nearest = np.argpartition(distance, 3, axis=1)[:, :3]
    distance = np.take_along_axis(distance, nearest, axis=1)
    share = np.exp(distance.min(axis=1, keepdims=True) - distance)
    share /= share.sum(axis=1, keepdims=True)
    rng, counts = np.random.default_rng([top, left]), np.zeros((y.size, N_CHANNELS), np.uint16)
    for n, kind in zip(rng.poisson(COUNTS * share).T, phases[nearest].T, strict=True):
        pixel = np.repeat(np.arange(y.size), n)
        for k, cumulative in enumerate(np.cumsum(spectra, axis=1)):
            here = pixel[kind[pixel] == k]
            channel = np.searchsorted(cumulative, rng.random(here.size) * cumulative[-1])
            np.add.at(counts, (here, channel), 1)
    return counts.reshape(bottom - top, right - left, N_CHANNELS)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A map in a .zspy file, with HyperSpy's own compression."""
    small = mineral_grains(shape=(64, 64), counts=COUNTS, n_channels=N_CHANNELS)
    small.decomposition(
        algorithm="PSNMF", output_dimension=3, print_info=False, show_progressbar=False
    )
    rng = np.random.default_rng(0)
    n_grains = max(8, HEIGHT * WIDTH // GRAIN**2)
    seeds = rng.uniform(size=(n_grains, 2)) * [HEIGHT, WIDTH]
    phases = rng.choice(3, n_grains, p=[0.5, 0.35, 0.15])
    data = da.map_blocks(
        simulate,
        small.learning_results.factors.T,
        seeds,
        phases,
        chunks=da.core.normalize_chunks((*CHUNK, N_CHANNELS), (HEIGHT, WIDTH, N_CHANNELS)),
        dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )
    axes = [axis.get_axis_dictionary() for axis in small.axes_manager._axes]
    for axis, size in zip(axes, data.shape, strict=True):
        axis["size"] = size
    path = tmp_path_factory.mktemp("lazy") / "map.zspy"
    LazyEDSTEMSpectrum(data, axes=axes).save(path, show_progressbar=False)
    return path


RUN = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import hyperspy.api as hs
s = hs.load(sys.argv[1], lazy=True)
begin = time.perf_counter()
if sys.argv[2] == "sum":
    s.sum().compute(show_progressbar=False)
else:
    s.decomposition(algorithm="PSNMF", output_dimension=3, print_info=False,
                    show_progressbar=False, **json.loads(sys.argv[2]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
print(json.dumps([time.perf_counter() - begin, peak]))
"""


def run(file, what):
    """Return seconds and peak memory in GB of a process of its own."""
    what = what if isinstance(what, str) else json.dumps(what)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(file), what], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"spectra": "free"},
        {"spectra": "free", "smoothing": 0},
        {"smoothing": 0, "binning": 8, "volume": 0},
    ],
    ids=["default", "free spectra", "no prior", "nothing automatic"],
)
def test_decomposition__against_one_sum(benchmark, file, options):
    run(file, options)  # compiled
    sums = [run(file, "sum")]
    ours = benchmark.pedantic(lambda: run(file, options), rounds=1)
    sums.append(run(file, "sum"))
    seconds = np.mean([found[0] for found in sums])
    figures = {
        "GB": HEIGHT * WIDTH * N_CHANNELS * 2 / 1e9,
        "seconds of a sum": seconds,
        "seconds": ours[0],
        "ratio": ours[0] / seconds,
        "peak memory in GB": ours[1],
    }
    benchmark.extra_info.update(figures)
    print("\n" + ", ".join(f"{name}: {value:.3g}" for name, value in figures.items()))


def test_decomposition__two_workers(benchmark, file, monkeypatch):
    """The whole run with all defaults, and step 3: the loadings of all pixels.

    Counts and spectra are on the workers. The client computes, too, and the scheduler is in its
    process: the ratio of times is that of a cluster only if there is a core left for them.
    """
    distributed = pytest.importorskip("distributed")
    from hyperspy_psnmf.eds.lazy.distributed import ClusterBlocks

    def timed(self, task, *args, **kwargs):
        begin = time.perf_counter()
        yield from original(self, task, *args, **kwargs)
        if task.__name__ == "_solve":
            seconds.append(time.perf_counter() - begin)

    seconds, original = [], ClusterBlocks.run
    monkeypatch.setattr(ClusterBlocks, "run", timed)
    s = hs.load(file, lazy=True)
    options = {"output_dimension": 3, "print_info": False, "show_progressbar": False}
    found = {"whole run": {}, "step 3": {}}
    for n_workers in (1, 2):
        kwargs = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": None}
        with distributed.LocalCluster(**kwargs) as cluster, distributed.Client(cluster):
            for _ in range(2):  # compiled
                begin = time.perf_counter()
                s.decomposition(algorithm="PSNMF", **options)
                found["whole run"][n_workers] = time.perf_counter() - begin
        found["step 3"][n_workers] = seconds[-1]
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.extra_info["seconds"] = found
    for what, of in found.items():
        print(f"\n{what}, 1 and 2 workers: {of[1]:.3g} and {of[2]:.3g} s, "
              f"{of[1] / of[2]:.2f} times faster", end="")  # fmt: skip
    print()
