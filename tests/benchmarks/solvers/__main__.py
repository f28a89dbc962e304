# SPDX-License-Identifier: GPL-3.0-or-later
"""Solvers of Poisson NMF from one start: ``python -m tests.benchmarks.solvers``.

All minimise the Kullback-Leibler divergence of the counts from W H, without any other term, and
begin with the same positive loadings and spectra. `methods.py` says what they are, and where from.

Times are processor seconds in one thread, as other processes may use the cores. Kernels are
compiled on a small map before. Evaluations of the divergence count where the method needs them.
The optimum is not unique: a method may end above the lowest divergence for good, in another one,
so the table has the lowest divergence of each method, too, and the time to 1 nat above that.
"""

import argparse
import sys

import numpy as np
from threadpoolctl import threadpool_limits

from hyperspy_psnmf.data import mineral_grains
from hyperspy_psnmf.kernels.em import em_sweep
from hyperspy_psnmf.nmf.counts.matrix import count_matrix, total_counts
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from tests.benchmarks.solvers.methods import METHODS
from tests.benchmarks.solvers.trace import Trace

LEVELS = (1000.0, 100.0, 10.0, 1.0, 0.1)  # nats above the lowest divergence
EM_SWEEPS = 5  # from equal loadings: some way down, and all entries still positive
TINY_MAP = {"shape": (9, 12), "n_channels": 200, "counts": 50}


def start(X, k: int, seed: int = 0):
    """Return positive loadings, and spectra as columns, to start from."""
    B = np.ascontiguousarray(initial_spectra(X, k, "nndsvdar", np.random.default_rng(seed)).T)
    W = np.repeat(total_counts(X, axis=1)[:, None] / k, k, axis=1)
    for _ in range(EM_SWEEPS):
        W, B = em_sweep(X, W, B)
    return W, B


def run(methods, X, k: int, seconds: float) -> dict[str, Trace]:
    """Return what each method reached, and when."""
    W, B = start(X, k)
    return {
        name: Trace.of(METHODS[name], X, W.copy(), B.copy(), seconds=seconds) for name in methods
    }


def table(traces: dict[str, Trace], levels=LEVELS) -> str:
    """Return times to levels above the lowest divergence of all, as Markdown."""
    lowest = min(trace.lowest for trace in traces.values())
    heads = ["method", *(f"s to {level:g} nats" for level in levels)]
    heads += ["s to 1 nat above its own", "its own, above the lowest", "iterations", "seconds"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, trace in traces.items():
        times = [trace.time_to(lowest + level) for level in levels]
        times.append(trace.time_to(trace.lowest + 1.0))
        cells = ["–" if time is None else f"{time:.3g}" for time in times]
        cells += [f"{trace.lowest - lowest:.3f}", f"{trace.n_iter}", f"{trace.seconds:.3g}"]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join([*lines, "", f"Lowest divergence: {lowest:.3f} nats."])


def parse(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--shape", nargs=3, type=int, default=[128, 128, 1980], metavar=("NY", "NX", "CHANNELS"))
    add("--counts", type=float, default=250.0, help="per pixel")
    add("-k", type=int, default=10, help="components")
    add("--seconds", type=float, default=300.0, help="processor time that each method has")
    add("--levels", nargs="+", type=float, default=list(LEVELS), metavar="NATS")
    add("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="NAME",
        help=str([*METHODS]))  # fmt: skip
    return parser.parse_args(argv)


def main(argv=None) -> int:
    args = parse(argv)
    *shape, n_channels = args.shape
    signal = mineral_grains(shape=tuple(shape), counts=args.counts, n_channels=n_channels)
    with threadpool_limits(1):
        run(args.methods, count_matrix(mineral_grains(**TINY_MAP).data), 2, 0.0)  # compiled
        traces = run(args.methods, count_matrix(signal.data), args.k, args.seconds)
    print(f"{' x '.join(map(str, args.shape))}, {args.counts:g} counts per pixel, k = {args.k}:\n")
    print(table(traces, args.levels))
    return 0


if __name__ == "__main__":
    sys.exit(main())
