# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectral errors on the built-in phantoms: ``python tests/benchmarks/fidelity.py``.

Prints, for every phantom, the angle in degrees between the true and the found
spectrum of each phase (phases matched by the Hungarian algorithm), for PSNMF and
for HyperSpy's own NMF on the same counts, together with the angle of the trivial
answer, one average spectrum for all phases.
"""

import argparse
import sys
import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment

from hyperspy_psnmf import data

PHANTOMS = {
    "mineral grains": data.mineral_grains,
    "core-shell particles": data.core_shell_particles,
    "grain boundary": data.grain_boundary,
    "SEM, two phases": data.sem_two_phases,
}


def angles(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the angle in degrees of every true spectrum to the one matched to it.

    Parameters
    ----------
    truth, found : ndarray of shape (n_channels, n_phases)
    """
    truth = truth / np.linalg.norm(truth, axis=0)
    norms = np.linalg.norm(found, axis=0)
    found = found / np.where(norms > 0, norms, 1.0)
    cosine = np.clip(truth.T @ found, -1, 1)
    rows, columns = linear_sum_assignment(-cosine)
    return np.degrees(np.arccos(cosine[rows, columns]))


def psnmf(signal, k):
    signal.decomposition(
        algorithm="PSNMF", output_dimension=k, print_info=False, show_progressbar=False
    )
    return signal.learning_results.factors


def stock_nmf(signal, k):
    signal = signal.deepcopy()
    signal.change_dtype("float64")
    plain = {"normalize_poissonian_noise": False, "navigation_mask": None, "print_info": False}
    signal.decomposition(algorithm="NMF", output_dimension=k, **plain)
    return signal.learning_results.factors


def average(signal, k):
    mean = signal.data.sum(axis=(0, 1), dtype=float)
    return np.repeat(mean[:, None], k, axis=1)


METHODS = {"PSNMF": psnmf, "HyperSpy NMF": stock_nmf, "average spectrum": average}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=2, default=(128, 128), metavar=("NY", "NX"))
    parser.add_argument("--counts", type=float, default=250, help="per pixel")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    print("Spectral errors in degrees, one per phase, median over seeds", args.seeds)
    for name, phantom in PHANTOMS.items():
        found = {method: [] for method in METHODS}
        for seed in args.seeds:
            signal = phantom(shape=tuple(args.shape), counts=args.counts, seed=seed)
            truth = signal.metadata.Truth
            for method, run in METHODS.items():
                found[method].append(angles(truth.factors, run(signal, truth.factors.shape[1])))
        print(f"\n{name}: {', '.join(truth.phase_names)}")
        for method, errors in found.items():
            row = " ".join(f"{error:6.1f}" for error in np.median(errors, axis=0))
            print(f"  {method:20s} {row}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
