# SPDX-License-Identifier: GPL-3.0-or-later
r"""Cost of many estimates that may each be zero, along a line in their space.

An estimate v with standard error :math:`\sigma` becomes zero at a cost of :math:`v^2 / 2 \sigma^2`
nats of likelihood; negative ones must. Estimates either are in groups, which become zero
together or stay at a cost of `limit`, or their number has a cost.
"""

from itertools import pairwise

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_part
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.kernels.row_counts import as_argument

CELLS = 128  # of costs that may be worth an estimate: 0.05 nats wide, far below what matters
COSTS_PER_BLOCK = 1_000_000  # of estimates at a multiple; takes some ms


@jit_part
def _signed_costs(n, values, change, variances, t, signed):
    """Fill `signed` with the costs of n estimates, those of negative estimates negative."""
    for i in range(n):
        v = values[i] + t * change[i]
        variance = variances[0, i] + t * (2.0 * variances[1, i] + t * variances[2, i])
        signed[i] = 0.5 * v * abs(v) / max(variance, TINY)


@jit
def _sum_costs(values, change, variances, groups, limits, multiples, memory, signed, out):
    zero, negative = memory[0], memory[1]
    for m in range(multiples.size):
        _signed_costs(values.size, values, change, variances, multiples[m], signed)
        for g in range(limits.size):
            zero[g] = 0.0
            negative[g] = 0.0
        for i in range(values.size):
            zero[groups[i]] += abs(signed[i])
            negative[groups[i]] -= min(signed[i], 0.0)
        total = 0.0
        for g in range(limits.size):
            total += min(zero[g], negative[g] + limits[g])
        out[m] = total


@jit_part
def _sum_negative(first, stop, signed):
    """Return the total cost of negative estimates, and how many there are."""
    total, n = 0.0, 0
    for i in range(first, stop):
        total -= min(signed[i], 0.0)
        n += signed[i] < 0.0
    return total, n


@jit_part
def _sum_positive(n, signed, limit):
    """Return the total cost of positive estimates, each `limit` at most."""
    total = 0.0
    for i in range(n):
        total += min(max(signed[i], 0.0), limit)
    return total


@jit_part
def _sort(first, stop, signed, width, cells):
    """Add the costs of positive estimates to cells."""
    for i in range(first, stop):
        cost = signed[i]
        if 0.0 <= cost < CELLS * width:
            cell = min(int(cost / width), CELLS - 1)
            cells[0, cell] += 1.0
            cells[1, cell] += cost


@jit
def _sum_costs_of_number(
    n_changed, values, change, variances, of_number, width, multiples, known, excess,
    memory, signed, out, limits,
):  # fmt: skip
    # The first estimates change with t; where most loadings are zero, these are few.
    n, cells, of_others = values.size, memory[:2], memory[2:]
    for cell in range(CELLS):
        of_others[0, cell] = 0.0
        of_others[1, cell] = 0.0
    _signed_costs(n, values, change, variances, 0.0, signed)
    of_negative, n_negative = _sum_negative(n_changed, n, signed)
    _sort(n_changed, n, signed, width, of_others)
    lowest = np.inf  # costs that are above it by `excess` are not needed
    for m in range(multiples.size):
        out[m], limits[m] = np.inf, 0.0
        if known[m] + of_negative >= lowest + excess:
            continue
        _signed_costs(n_changed, values, change, variances, multiples[m], signed)
        of_changed, n_of_changed = _sum_negative(0, n_changed, signed)
        total, left = of_negative + of_changed, n - n_negative - n_of_changed
        # As the cost of a number is concave, none costs less than its part of that of all. To sort
        # costs takes most of the time.
        of_each = of_number[left] / max(left, 1)
        if known[m] + total + _sum_positive(n, signed, of_each) >= lowest + excess:
            continue
        for cell in range(CELLS):
            cells[0, cell] = of_others[0, cell]
            cells[1, cell] = of_others[1, cell]
        _sort(0, n_changed, signed, width, cells)
        for cell in range(CELLS):
            # No more can be zero than up to the last cell that has any.
            if cells[0, cell] > 0.0 or cell == 0:
                left -= int(cells[0, cell])
                total += cells[1, cell]
                if total + of_number[left] < out[m]:
                    out[m], limits[m] = total + of_number[left], (cell + 1) * width
        out[m] += known[m]
        lowest = min(lowest, out[m])


@jit
def _best_multiples(
    W, of_W, of_number, width, P, of_P, groups, limits, pairs, coarse, between, fine, memory, out
):
    cells, of_rows, of_groups, of_templates, tried, costs, known, of_no_use = memory
    n = W.shape[1]
    for p in range(pairs.shape[0]):
        a, b = pairs[p, 0], pairs[p, 1]
        first, last = 0, n  # which meet; the type of the first one is a constant's for Numba
        for i in range(n):
            if W[a, i] != 0.0 or of_W[a, a, i] != 0.0:
                at = first
                first += 1
            else:
                last -= 1
                at = last
            of_rows[0, at] = of_W[b, b, i]
            of_rows[1, at] = of_W[a, b, i]
            of_rows[2, at] = of_W[a, a, i]
            of_rows[4, at] = W[b, i]
            of_rows[5, at] = W[a, i]
        n_tried = coarse.size
        for m in range(n_tried):
            tried[m] = coarse[m]
        for i in range(P.shape[1]):
            of_templates[0, i] = of_P[a, a, i]
            of_templates[1, i] = -of_P[a, b, i]
            of_templates[2, i] = of_P[b, b, i]
            of_templates[4, i] = -P[b, i]
            vanishing = P[a, i] / max(P[b, i], TINY)
            if P[b, i] > 0.0 and between[0] < vanishing < between[1]:
                tried[n_tried] = vanishing
                n_tried += 1
        for is_fine in range(2):
            _sum_costs(
                P[a], of_templates[4], of_templates[:3], groups, limits[a], tried[:n_tried],
                of_groups, of_templates[3], known,
            )  # fmt: skip
            _sum_costs_of_number(
                last, of_rows[4], of_rows[5], of_rows[:3], of_number, width, tried[:n_tried],
                known, 0.0, cells, of_rows[3], costs, of_no_use,
            )  # fmt: skip
            best = 0
            for m in range(n_tried):
                if costs[m] < costs[best]:
                    best = m
            if is_fine == 0:
                n_tried = fine.size + 1
                multiple = tried[best]
                tried[0] = 0.0  # the first, of which the cost is always known
                for m in range(fine.size):
                    tried[m + 1] = multiple * (1.0 + fine[m])
        out[p, 0] = costs[0] - costs[best]
        out[p, 1] = tried[best]


def sum_costs(values, change, variances, groups, limits, multiples) -> np.ndarray:
    """Return the cost of ``values + t * change`` for every multiple t, in nats.

    Parameters
    ----------
    values, change : ndarray of shape (n,)
        Estimates.
    variances : ndarray of shape (3, n)
        Variance of the values, their covariance with the change, and its variance.
    groups : ndarray of int of shape (n,)
        Group of each estimate, from 0.
    limits : ndarray of shape (n_groups,)
        Cost of a group that is not zero, in nats.
    multiples : ndarray of shape (n_multiples,)

    Returns
    -------
    ndarray of shape (n_multiples,)
    """
    arrays = (as_argument(a) for a in (values, change, variances))
    limits, multiples = as_argument(limits), as_argument(multiples)
    out, memory, signed = (
        np.empty(multiples.size),
        np.empty((2, limits.size)),
        np.empty(len(values)),
    )
    _sum_costs(*arrays, as_argument(groups, np.int64), limits, multiples, memory, signed, out)
    return out


def sum_costs_of_number(values, change, variances, of_number, multiples):
    """Return the cost of ``values + t * change`` for every multiple t, in nats.

    Parameters
    ----------
    values, change, variances, multiples
        As for `sum_costs`.
    of_number : ndarray of shape (n + 1,)
        Cost of so many estimates that are not zero, in nats: concave, from 0 to all n.

    Returns
    -------
    costs : ndarray of shape (n_multiples,)
        Least cost, to a small fraction of the cost of one estimate.
    limits : ndarray of shape (n_multiples,)
        Estimates that are zero for less are zero there.
    """
    arrays = (as_argument(a) for a in (values, change, variances))
    of_number, multiples = as_argument(of_number), as_argument(multiples)
    memory, signed = np.empty((4, CELLS)), np.empty(len(values))
    known, (costs, limits) = np.zeros(multiples.size), np.empty((2, multiples.size))
    problem = (len(values), *arrays, of_number, _cell_width(of_number), multiples, known, np.inf)
    _sum_costs_of_number(*problem, memory, signed, costs, limits)
    return costs, limits


def _cell_width(of_number):
    return float(max(np.diff(of_number).max(initial=0.0), TINY)) / CELLS


def best_multiples(
    W, of_W, of_number, P, of_P, groups, limits, pairs, *, coarse, fine, n_jobs=1
) -> np.ndarray:
    """Return what subtracting one spectrum from another saves, at the best multiple.

    With multiples t of spectrum b subtracted from spectrum a, the loadings of b are those plus t
    times those of a, which leaves all expected counts unchanged. Their costs, by
    `sum_costs_of_number`, and those of the weights of a, by `sum_costs`, are added up for
    multiples given, for those at which a weight vanishes, and for some about the best of these. A
    multiple is left early where costs are above the lowest before, as those of negative estimates
    often are.

    Parameters
    ----------
    W : ndarray of shape (n_rows, k)
        Loadings.
    of_W : ndarray of shape (n_rows, k, k)
        Their covariances.
    of_number : ndarray of shape (n_rows + 1,)
        Cost of so many loadings of a component, in nats.
    P : ndarray of shape (k, n_templates)
        Weights.
    of_P : ndarray of shape (k, k, n_templates)
        Covariances of the weights of a template.
    groups : ndarray of int of shape (n_templates,)
        Group of each template, from 0.
    limits : ndarray of shape (k, n_groups)
        Cost of a group that is not zero, in nats.
    pairs : ndarray of int of shape (n_pairs, 2)
        Components a and b.
    coarse : ndarray of shape (n_coarse,)
        Multiples.
    fine : ndarray of shape (n_fine,)
        Relative distances of multiples from the best of all others.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n_pairs, 2)
        Decrease of the cost, in nats, and the multiple.
    """
    W, of_W = as_argument(np.transpose(W)), as_argument(np.transpose(of_W, (1, 2, 0)))
    of_number, P, of_P, limits = (as_argument(a) for a in (of_number, P, of_P, limits))
    groups, pairs = as_argument(groups, np.int64), as_argument(pairs, np.int64)
    coarse = as_argument(np.asarray(coarse)[np.argsort(np.abs(coarse))])  # the likely ones first
    fine, between = as_argument(fine), (float(coarse.min()), float(coarse.max()))
    width, n_tried = _cell_width(of_number), max(coarse.size + P.shape[1], fine.size + 1)
    problem = (W, of_W, of_number, width, P, of_P, groups, limits)
    found = np.empty((len(pairs), 2))

    def make_memory():
        shapes = [(4, CELLS), (6, W.shape[1]), (2, limits.shape[1]), (5, P.shape[1])]
        return (*map(np.empty, shapes), *np.empty((4, n_tried)))

    def search(block, memory):
        some = slice(*block)
        _best_multiples(*problem, pairs[some], coarse, between, fine, memory, found[some])

    n_blocks = max(1, len(pairs) * n_tried * W.shape[1] // COSTS_PER_BLOCK)
    edges = np.linspace(0, len(pairs), min(n_blocks, len(pairs)) + 1).astype(int)
    run_blocks(search, [(a, b) for a, b in pairwise(edges) if b > a], n_jobs, make_memory)
    return found
