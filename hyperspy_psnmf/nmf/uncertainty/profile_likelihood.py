# SPDX-License-Identifier: GPL-3.0-or-later
r"""Profile likelihood of rotational ambiguity: factorisations as likely as the best one.

Moving part of a spectrum into another one and the counts along with it,
:math:`h_a \leftarrow (h_a - t h_b) / (1 - t)`, leaves :math:`W H` as it is, until an
entry of W or H reaches zero. Here a path is followed for every ordered
pair (a, b) and both ways, with *all* of W and H free: the counts of
phase a in the pixels where phase b is strong,

.. math:: F_{ab} = \sum_i s_{ib} w_{ia}, \qquad s_{ib} = (f_{ib} / \max_i f_{ib})^{16},

f the fractions of each pixel's counts, are decreased, or increased, by
minimising :math:`D + \lambda F` with rising :math:`\lambda`, each time from the last
solution; and so is the sum over all a other than b. Solutions are kept while they
are as likely as the best one. Because all of W and H are optimised on the path, this is
the profile likelihood of F, and several phases may change at once. It is the
idea of MCR-BANDS [1]_ [2]_ with the likelihood in place of a tolerance, and
without k x k mixing matrices, which are stopped at once by clipped noise.

*As likely* is the likelihood-ratio test of `likelihood_ratio`, in which entries that became zero
on the path are degrees of freedom. Spectra are free channels, or sums of templates (see `lines`),
in which elements change places between phases and channels do not.

References
----------
.. [1] P. J. Gemperline, Anal. Chem. 71 (1999) 5398. https://doi.org/10.1021/ac990648y
.. [2] R. Tauler, J. Chemometrics 15 (2001) 627. https://doi.org/10.1002/cem.654
"""

from dataclasses import replace

import numpy as np

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import Solution
from hyperspy_psnmf.nmf.uncertainty.priced import Priced

# Chosen on the built-in phantoms; tests/statistical measures the coverage of the bands.
EXPONENT = 16  # of s: weights the purest pixels of b, where a may be truly zero
FIRST, GROWTH, LAST = 30.0, 10**0.5, 1e6  # lambda, in nats for all counts of the map
BISECTIONS = 4  # of the logarithm of the last lambda


def equally_likely(
    problem: Priced, result: Solution, *, confidence: float = 0.95, n_jobs: int | None = 1
) -> list[Solution]:
    """Return factorisations that are as likely as the one that the spectra found lead to.

    Parameters
    ----------
    problem : FreeSpectra or SpectraOfLines
        Counts of a map binned in space and energy, and what spectra are made of.
    result : Solution
        The factorisation found. It is not one of those returned.
    confidence : float
        Between 0 and 1.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    list of Solution
        The most likely one first.
    """
    start = most_likely(problem, result, n_jobs=n_jobs)
    found = [start]
    if 1 < len(start.H) > problem.n_fixed:
        # Binned maps are small: threads run paths, not blocks of rows.
        paths = run_blocks(
            lambda weights: _follow_path(problem, start, weights, confidence),
            list(_directions(start.W)),
            n_jobs,
        )
        found += [solution for path in paths for solution in path]
    # A path may pass a better optimum than the one it started from.
    best = min(found, key=lambda solution: solution.divergence)
    likely = [solution for solution in found if solution.is_as_likely(best, confidence)]
    return sorted(likely, key=lambda solution: solution.divergence)


def most_likely(problem: Priced, result: Solution, *, n_jobs: int | None = 1) -> Solution:
    """Return the most likely factorisation near the spectra found, with all loadings free."""
    W = solve_loadings(problem.X, result.H, n_jobs=n_jobs)
    return problem.with_prices(np.zeros(W.shape)).minimise(replace(result, W=W))


def _directions(W):
    """Yield the weights of loadings in F for every path."""
    k = W.shape[1]
    total = W.sum(axis=1, keepdims=True)
    fractions = np.divide(W, total, out=np.zeros_like(W), where=total > 0)
    strong = (fractions / np.maximum(fractions.max(axis=0), TINY)) ** EXPONENT
    one = np.eye(k, dtype=bool)
    for b in range(k):
        decreased = {tuple(one[a]) for a in range(k)}
        # Rows add up to their counts: less of all others is more of a.
        decreased |= {tuple(~one[a]) for a in range(k)}
        for phases in sorted(decreased):
            yield strong[:, [b]] * np.array(phases)


def _follow_path(problem, start, weights, confidence):
    """Return the solutions on a path, up to the last one that is as likely."""
    found, price = [start], FIRST / problem.n_counts
    while price * problem.n_counts < LAST:
        solution = problem.with_prices(price * weights).minimise(found[-1])
        if not solution.is_as_likely(start, confidence):
            break
        found.append(solution)
        price *= GROWTH
    else:
        return found[1:]
    step = GROWTH
    for _ in range(BISECTIONS):
        step **= 0.5
        solution = problem.with_prices(price / step * weights).minimise(found[-1])
        if solution.is_as_likely(start, confidence):
            found.append(solution)
        else:
            price /= step
    return found[1:]
