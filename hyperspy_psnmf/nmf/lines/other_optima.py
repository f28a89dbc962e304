# SPDX-License-Identifier: GPL-3.0-or-later
"""Other optima of the criterion: combinations of two components that would cost hardly more.

Between a core's spectrum with and without some of its shell, the criterion rises before it falls:
zeros of some loadings are given up before an element vanishes. Searches from several starts may
all end on the same side. Along each pair the whole curve is known, see `criterion`, so that its
other minima can be tried.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.nmf.lines.costs import Costs
from hyperspy_psnmf.nmf.lines.criterion import COARSE, estimate, vanishing_multiples
from hyperspy_psnmf.nmf.lines.weights import LineSpectra

# Nats by which the estimate may be higher, which is of the second order and off by a few of them,
# and optima tried at most. On 60 maps of five phantoms, none beyond was better.
MAX_INCREASE, MAX_TRIED = 10.0, 4


def other_optima(
    W: np.ndarray, spectra: LineSpectra, costs: Costs, gradient=None, n_jobs: int | None = 1
) -> Iterator[tuple[np.ndarray, LineSpectra]]:
    """Yield loadings and spectra near other minima of the criterion along pairs of components.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts, at a minimum.
    spectra : LineSpectra
        Of unit sum.
    costs : Costs
    gradient : ndarray of shape (n_rows, n_components), optional
        Of the divergence by the loadings, as for `simplest`.
    n_jobs : int or None
        Threads; None is all cores.

    Yields
    ------
    W : ndarray of shape (n_rows, n_components)
    spectra : LineSpectra
        Not of unit sum. The lowest estimate comes first.
    """
    found = estimate(W, spectra, costs, gradient, n_jobs)
    n, k = spectra.n_fixed, W.shape[1]
    pairs = [(a, b) for a in range(n, k) for b in range(k) if a != b]
    lowest = run_blocks(lambda pair: _second_minimum(found, *pair), pairs, n_jobs)
    near = sorted((*low, *pair) for low, pair in zip(lowest, pairs, strict=True))
    for increase, multiple, a, b in near[:MAX_TRIED]:
        if increase > MAX_INCREASE:
            break
        loadings, weights = found.W.copy(), found.P.copy()
        loadings[:, b] += multiple * loadings[:, a]
        weights[a] -= multiple * weights[b]
        yield loadings.clip(0.0), replace(spectra, weights=weights[n:].clip(0.0))


def _second_minimum(found, a, b) -> tuple[float, float]:
    """Return the increase of the criterion at its lowest other minimum, and the multiple there."""
    multiples = np.unique(np.concatenate([COARSE, vanishing_multiples(found, a, b), [0.0]]))
    costs = found.cost(a, b, multiples)
    higher = np.concatenate([[np.inf], costs, [np.inf]])
    is_other = (costs < higher[:-2]) & (costs < higher[2:]) & (multiples != 0)
    if not is_other.any():
        return np.inf, 0.0
    lowest = np.flatnonzero(is_other)[costs[is_other].argmin()]
    return float(costs[lowest] - costs[multiples == 0][0]), float(multiples[lowest])
