# SPDX-License-Identifier: GPL-3.0-or-later
"""The Newton direction of one row: the Hessian of the components that move, and its solution."""

import math

from hyperspy_psnmf.kernels._compile import jit_part, jit_row
from hyperspy_psnmf.kernels.limits import TINY

RIDGE = 1e-9  # relative; a row with fewer channels than components is singular


@jit_part
def weighted_products(b, weight, free, A):
    """Fill the lower triangle of A = b diag(weight) b' for the free components."""
    # Two rows by two at a time, for loading takes longer than multiplying; an odd last row
    # pairs with itself.
    n = free.size
    for r in range(0, n, 2):
        r_next = min(r + 1, n - 1)
        i, j = free[r], free[r_next]
        for s in range(0, r + 1, 2):
            s_next = min(s + 1, n - 1)
            u, v = free[s], free[s_next]
            iu = iv = ju = jv = 0.0
            for q in range(weight.size):
                bi, bj = b[i, q] * weight[q], b[j, q] * weight[q]
                iu += bi * b[u, q]
                iv += bi * b[v, q]
                ju += bj * b[u, q]
                jv += bj * b[v, q]
            A[r, s], A[r, s_next], A[r_next, s], A[r_next, s_next] = iu, iv, ju, jv


@jit_row
def find_direction(row, point, ratio, free, A, d):
    """Solve (Hessian + ridge) d = -g on the free components by Cholesky, in A and d.

    `ratio` is x / mu, and becomes x / mu^2.
    """
    b, Q, mu, g, n = row.b, row.Q, point.mu, point.g, free.size
    for q in range(mu.size):
        ratio[q] /= mu[q]
    weighted_products(b, ratio, free, A)
    for r in range(n):
        for s in range(r + 1 if Q.size else 0):
            A[r, s] += Q[free[r], free[s]]
        A[r, r] += RIDGE * A[r, r] + TINY
    for r in range(n):
        for s in range(r + 1):
            total = A[r, s]
            for t in range(s):
                total -= A[r, t] * A[s, t]
            if r == s:
                A[r, r] = math.sqrt(max(total, RIDGE * A[r, r]))
            else:
                A[r, s] = total / A[s, s]
    for r in range(n):
        total = -g[free[r]]
        for t in range(r):
            total -= A[r, t] * d[t]
        d[r] = total / A[r, r]
    for r in range(n - 1, -1, -1):
        total = d[r]
        for t in range(r + 1, n):
            total -= A[t, r] * d[t]
        d[r] = total / A[r, r]
