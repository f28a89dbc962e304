# SPDX-License-Identifier: GPL-3.0-or-later
r"""Cost of many estimates that may each be zero, along a line in their space.

An estimate v with standard error :math:`\sigma` becomes zero at a cost of :math:`v^2 / 2 \sigma^2`
nats of likelihood; negative ones must. Estimates either are in groups, which become zero
together or stay at a cost of `limit`, or their number has a cost.
"""

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_part
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.row_counts import as_argument

CELLS = 128  # of costs that may be worth an estimate: 0.05 nats wide, far below what matters


@jit_part
def _cost(values, change, variances, i, t):
    v = values[i] + t * change[i]
    variance = variances[0, i] + t * (2.0 * variances[1, i] + t * variances[2, i])
    return v, 0.5 * v * v / max(variance, TINY)


@jit_part
def _clear(memory):
    for i in range(memory.shape[0]):
        for j in range(memory.shape[1]):
            memory[i, j] = 0.0


@jit
def _sum_costs(values, change, variances, groups, limits, multiples, memory, out):
    zero, negative = memory[0], memory[1]
    for m in range(multiples.size):
        t, total = multiples[m], 0.0
        _clear(memory)
        for i in range(values.size):
            v, cost = _cost(values, change, variances, i, t)
            zero[groups[i]] += cost
            if v < 0.0:
                negative[groups[i]] += cost
        for g in range(limits.size):
            total += min(zero[g], negative[g] + limits[g])
        out[m] = total


@jit
def _sum_costs_of_number(
    values, change, variances, of_number, width, multiples, memory, out, limits
):
    n, number, lost = values.size, memory[0], memory[1]
    for m in range(multiples.size):
        _clear(memory)
        total = 0.0  # of those that are zero or negative
        for i in range(n):
            v, cost = _cost(values, change, variances, i, multiples[m])
            if v < 0.0:
                total += cost
                cost = 0.0
            cell = int(min(cost / width, CELLS))
            number[cell] += 1.0
            lost[cell] += cost
        left, out[m] = n, np.inf
        for cell in range(CELLS):
            left -= int(number[cell])
            total += lost[cell]
            if total + of_number[left] < out[m]:
                out[m], limits[m] = total + of_number[left], (cell + 1) * width


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
    out, memory = np.empty(multiples.size), np.empty((2, limits.size))
    _sum_costs(*arrays, as_argument(groups, np.int64), limits, multiples, memory, out)
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
    memory = np.empty((2, CELLS + 1))
    width = max(np.diff(of_number).max(initial=0.0), TINY) / CELLS
    costs, limits = np.empty((2, multiples.size))
    _sum_costs_of_number(*arrays, of_number, float(width), multiples, memory, costs, limits)
    return costs, limits
