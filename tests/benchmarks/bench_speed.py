# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed as ratios to rivals in the same run, on 128 x 128 x 1980 counts.

Not collected by default; run ``python -m pytest tests/benchmarks/bench_speed.py -s``, or
``python -m tests.benchmarks`` for a table. ``PSNMF_BENCH_PIXELS`` replaces the 128.
Rivals alternate with what they are compared to, and the median of the ratios counts:
seconds on a shared machine mean little. Ratios are printed and kept in pytest-benchmark's
``extra_info``; no test fails because of one.
"""

import os
import subprocess
import sys
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from sklearn.decomposition import NMF

from hyperspy_psnmf import PoissonNMF
from hyperspy_psnmf.data import mineral_grains
from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.binning.bins import PixelBins, bin_counts
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra

pytestmark = pytest.mark.filterwarnings("ignore")

N = int(os.environ.get("PSNMF_BENCH_PIXELS", "128"))  # along one side


@pytest.fixture(scope="module")
def signal():
    return mineral_grains(shape=(N, N))


@pytest.fixture(scope="module")
def counts(signal):
    return count_matrix(signal.data, n_jobs=None)


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


PLAIN = {"normalize_poissonian_noise": False, "navigation_mask": None, "print_info": False}
# With free spectra, as with the explicit settings.
DEFAULT = {"binning": "auto", "init": "auto", "volume": None, "smoothing": True,
           "spectra": "free"}  # fmt: skip
EXPLICIT = {"binning": 8, "init": "nndsvdar", "volume": 0, "smoothing": 0}


def decompose(signal, **kwargs):
    """Run PSNMF with nothing chosen automatically, but for what `kwargs` say."""
    kwargs = {"output_dimension": 3, **EXPLICIT, **kwargs}
    signal.decomposition(algorithm="PSNMF", print_info=False, show_progressbar=False, **kwargs)


def report(benchmark, name, ratios):
    ratio = float(np.median(ratios))
    benchmark.extra_info[name] = ratio
    print(f"\n{name}: {ratio:.3g} (median of {len(ratios)} pairs)")


def compare(benchmark, name, ours, rival, rounds=7):
    """Print how many times longer the rival takes than we do."""
    ours()
    ratios = [seconds(rival) / seconds(ours) for _ in range(rounds)]
    benchmark.pedantic(ours, rounds=rounds)
    report(benchmark, name, ratios)


def growth(benchmark, name, small, large, rounds=5):
    """Print how many times longer `large` takes than `small`."""
    small(), large()
    benchmark.pedantic(large, rounds=1)
    report(benchmark, name, [seconds(large) / seconds(small) for _ in range(rounds)])


@pytest.mark.parametrize("form", ["dense", "CSR"])
def test_PoissonNMF__against_scikit_learn(benchmark, counts, form):
    X = counts.toarray().astype(float) if form == "dense" else counts.astype(float)
    rival = NMF(3, solver="mu", beta_loss="kullback-leibler", init="nndsvdar", tol=0, max_iter=200,
                random_state=0)  # fmt: skip
    loadings = []
    time_of_rival = seconds(lambda: loadings.append(rival.fit_transform(X)))
    reached = divergence(counts, loadings[0], rival.components_.T, n_jobs=None)
    PoissonNMF(3, max_iter=1).fit(counts)  # compiled
    begin, times = time.perf_counter(), []

    def note(iteration, loss, residual):
        if loss <= reached:
            times.append(time.perf_counter() - begin)

    # Each begins with the form it was given; the conversion counts.
    given = count_matrix(X, n_jobs=None)
    start = initial_spectra(given, 3, "nndsvdar", np.random.default_rng(0))
    ours = poisson_nmf(given, start, n_jobs=None, callback=note)
    benchmark.extra_info["divergence"] = (ours.divergence, reached)
    benchmark.pedantic(lambda: PoissonNMF(3).fit(counts), rounds=1)
    report(
        benchmark,
        f"scikit-learn KL, 200 sweeps, {form} / time to reach it",
        [time_of_rival / times[0]],
    )
    print(f"divergence: scikit-learn {reached:.0f}, PoissonNMF {ours.divergence:.0f} nats")


def test_decomposition__against_stock_nmf(benchmark, signal):
    stock = signal.deepcopy()
    stock.change_dtype("float64")
    compare(
        benchmark,
        "HyperSpy's NMF / PSNMF",
        lambda: decompose(signal),
        lambda: stock.decomposition(algorithm="NMF", output_dimension=3, **PLAIN),
        rounds=3,
    )


def test_decomposition__default_against_stock_nmf(benchmark, signal):
    stock = signal.deepcopy()
    stock.change_dtype("float64")
    compare(
        benchmark,
        "HyperSpy's NMF / PSNMF by default, but for free spectra",
        lambda: decompose(signal, **DEFAULT),
        lambda: stock.decomposition(algorithm="NMF", output_dimension=3, **PLAIN),
        rounds=3,
    )


def test_decomposition__automatic_choices(benchmark, signal):
    """Against the same steps with values given: a prior is a prior, chosen or not."""
    chosen = {"binning": 4, "init": "nndsvdar", "volume": 0.25, "smoothing": 1.0}
    growth(
        benchmark,
        "all automatic choices",
        lambda: decompose(signal, **chosen),
        lambda: decompose(signal, **DEFAULT),
    )


def test_decomposition__against_one_sum(benchmark, signal):
    decompose(signal)
    ratios = [seconds(lambda: decompose(signal)) / seconds(signal.data.sum) for _ in range(15)]
    benchmark.pedantic(lambda: decompose(signal), rounds=5)
    report(benchmark, "PSNMF / one sum over the cube", ratios)


def test_decomposition__growth_with_pixels(benchmark, signal):
    large = mineral_grains(shape=(2 * N, 2 * N))
    growth(benchmark, "4x the pixels", lambda: decompose(signal), lambda: decompose(large))


def test_decomposition__growth_with_channels(benchmark, signal):
    half = signal.isig[: signal.axes_manager.signal_size // 2].deepcopy()
    growth(benchmark, "2x the channels", lambda: decompose(half), lambda: decompose(signal))


def test_decomposition__growth_with_counts(benchmark):
    few, many = (mineral_grains(shape=(N, N), counts=counts) for counts in (100, 400))
    growth(benchmark, "4x the counts", lambda: decompose(few), lambda: decompose(many))


def test_decomposition__growth_with_components(benchmark, signal):
    growth(
        benchmark,
        "k = 10 / k = 3",
        lambda: decompose(signal),
        lambda: decompose(signal, output_dimension=10),
    )


@pytest.mark.parametrize("k", [3, 10])
def test_decomposition__spectra_of_lines_against_free_ones(benchmark, signal, k):
    """Step 2 and the fit of lines and continuum to the sum, as far as it takes longer."""
    options = {"output_dimension": k, "binning": "auto", "init": "auto", "volume": None}
    growth(
        benchmark,
        f"spectra='lines' / 'free', k = {k}",
        lambda: decompose(signal, spectra="free", **options),
        lambda: decompose(signal, spectra="lines", **options),
        rounds=3,
    )


def test_count_matrix__memory_beyond_the_cube(benchmark):
    """Peak memory of the conversion, per byte of a cube with 10 % non-zeros."""
    rng = np.random.default_rng(0)
    cube = (rng.random((N, N, 1980)) < 0.1).astype(np.uint8)
    bins = PixelBins((N, N), (8, 8))

    def convert():
        bin_counts(count_matrix(cube, n_jobs=None), bins, n_jobs=None)

    convert()
    tracemalloc.start()
    benchmark.pedantic(convert, rounds=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    report(benchmark, "peak memory of conversion and binning / cube", [peak / cube.nbytes])


START = """
import time, numpy as np
from hyperspy_psnmf import PSNMF
cube = np.random.default_rng(0).poisson(0.1, size=(24, 20, 300)).astype(np.uint8)
begin = time.perf_counter()
PSNMF(3, binning=4, max_iter=1, tol=1).fit(cube)
print(time.perf_counter() - begin)
"""


def test_PSNMF__start_of_a_second_process(benchmark):
    def start():
        with warnings.catch_warnings():
            return subprocess.run(
                [sys.executable, "-W", "ignore", "-c", START], capture_output=True, text=True
            )

    start()
    benchmark.pedantic(start, rounds=1)
    report(benchmark, "seconds from call to result in a new process", [float(start().stdout)])


def test_decomposition__big_map_in_memory(benchmark):
    """512 x 512 x 2048 uint16, 100 counts per pixel."""
    big = mineral_grains(shape=(512, 512), counts=100, n_channels=2048)
    big.data = big.data.astype(np.uint16)
    elapsed = seconds(lambda: decompose(big, binning="auto"))
    benchmark.pedantic(lambda: decompose(big, binning="auto"), rounds=1)
    report(benchmark, "seconds for 512 x 512 x 2048", [elapsed])
