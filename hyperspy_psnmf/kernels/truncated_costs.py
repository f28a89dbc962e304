# SPDX-License-Identifier: GPL-3.0-or-later
r"""Cost of many estimates that may each be zero, along a line in their space.

An estimate v with standard error :math:`\sigma` becomes zero at a cost of :math:`v^2 / 2 \sigma^2`
nats of likelihood; negative ones must. Estimates are in groups, which become zero together or
stay at a cost of `limit`.
"""

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.limits import TINY


@jit
def _sum_costs(values, change, variances, groups, limits, multiples, out):
    zero, negative = np.empty(limits.size), np.empty(limits.size)
    for m in range(multiples.size):
        t, total = multiples[m], 0.0
        zero[:] = 0.0
        negative[:] = 0.0
        for i in range(values.size):
            v = values[i] + t * change[i]
            variance = variances[0, i] + t * (2.0 * variances[1, i] + t * variances[2, i])
            cost = 0.5 * v * v / max(variance, TINY)
            zero[groups[i]] += cost
            if v < 0.0:
                negative[groups[i]] += cost
        for g in range(limits.size):
            total += min(zero[g], negative[g] + limits[g])
        out[m] = total


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
    arrays = (np.ascontiguousarray(a, dtype=float) for a in (values, change, variances))
    limits, multiples = (np.ascontiguousarray(a, dtype=float) for a in (limits, multiples))
    out = np.empty(multiples.size)
    _sum_costs(*arrays, np.ascontiguousarray(groups, dtype=np.int64), limits, multiples, out)
    return out
