# SPDX-License-Identifier: GPL-3.0-or-later
r"""One row solved for a fixed basis: projected Newton.

The convex problem is, for :math:`v \ge 0`,

.. math:: \min_v \; a \cdot v - \sum_j x_j \log(b_j \cdot v) + \tfrac12 v^T Q v,

where :math:`a` is the column sums of the basis and any other linear terms,
and Q is positive semi-definite, mostly zero. Its gradient is
:math:`a + Q v - B^T (x / \mu)`, its Hessian
:math:`Q + B^T \mathrm{diag}(x / \mu^2) B`. Two-metric projection [1]_: components
at zero that the gradient pushes outwards are fixed there, the others take a Newton
step, cut back along the projected arc until the objective falls. The basis
comes one component after the other, so that loops over channels vectorise.

A row is done when its duality gap is below `tol` nats. With the price
:math:`p = a + Q v`, replacing the quadratic term by its tangent bounds the
objective from below, so `likelihood`'s bound holds with p in place of a.

References
----------
.. [1] D. P. Bertsekas, SIAM J. Control Optim. 20 (1982) 221.
   https://doi.org/10.1137/0320018
"""

import math

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_row
from hyperspy_psnmf.kernels.logarithm import sum_x_log

ARMIJO = 1e-4  # least decrease, as a fraction of that of the tangent
AT_ZERO = 1e-10  # fraction of the counts below which a component is at zero
RIDGE = 1e-9  # relative; a row with fewer channels than components is singular
HALVINGS = 30  # of a step, before an EM step is taken instead
TINY = 1e-300  # keeps 0 / 0 out of channels without counts
UNEXPLAINED = 1e280  # counts over a model that is TINY


@jit_row
def _gradient(x, b, v, cost, Q, mu, ratio, g, price):
    # Fills mu, ratio = x / mu, the price and g; False where the model vanishes at a count.
    for q in range(x.size):
        mu[q] = TINY
    for c in range(v.size):
        if v[c] > 0.0:
            for q in range(x.size):
                mu[q] += v[c] * b[c, q]
    largest = 0.0  # up to a factor: a maximum would not vectorise
    for q in range(x.size):
        ratio[q] = x[q] / mu[q]
        largest += ratio[q]
    for c in range(v.size):
        total = 0.0
        for q in range(x.size):
            total += b[c, q] * ratio[q]
        price[c] = cost[c]
        for r in range(Q.shape[0]):
            price[c] += Q[c, r] * v[r]
        g[c] = price[c] - total
    return largest < UNEXPLAINED


@jit_row
def _gap(v, g, cost, price, pseudo, n_counts, n_fixed):
    slope, excess, repair = 0.0, 0.0, 0.0
    for c in range(n_fixed, v.size):
        # A component left alone may have a price by others all the same.
        slope += g[c] * v[c] if cost[c] > 0.0 else 0.0
        if cost[c] > 0.0 and g[c] < 0.0:
            if pseudo[0, c] > -2.0 * g[c] * v[c]:  # its own channel can give way
                repair -= pseudo[0, c] * math.log(1.0 + g[c] * v[c] / pseudo[0, c])
            else:
                excess = max(excess, -g[c] / price[c]) if price[c] > 0.0 else math.inf
    return slope + repair + n_counts * excess


@jit_row
def _find_free(v, g, cost, price, pseudo, n_counts, n_fixed, free):
    # Lists the components that move; returns how many. Pseudo-counts may balance near zero.
    n = 0
    for c in range(n_fixed, v.size):
        is_apart = v[c] * cost[c] > AT_ZERO * n_counts
        if cost[c] > 0.0 and (is_apart or g[c] < 0.0 or g[c] * v[c] < pseudo[0, c]):
            free[n] = c
            n += 1
    return n


@jit_row
def _weighted_products(b, weight, free, n, A):
    # Fills the lower triangle of A = B' diag(weight) B. Two rows by two at a time,
    # for loading takes longer than multiplying; an odd last row pairs with itself.
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
def _direction(b, Q, mu, ratio, g, free, n, A, d):
    # Solves (Hessian + ridge) d = -g on the free components, by Cholesky.
    for q in range(mu.size):
        ratio[q] /= mu[q]
    _weighted_products(b, ratio, free, n, A)
    for r in range(n):
        for s in range(r + 1 if Q.size else 0):
            A[r, s] += Q[free[r], free[s]]
        A[r, r] += RIDGE * A[r, r] + 1e-300
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


@jit_row
def _first_step(d, free, n, v, cost, n_counts):
    # A nearly singular Hessian gives steps beyond all counts of the row. Only
    # increases need a limit: decreases end at zero.
    longest, spent = 0.0, 0.0
    for r in range(n):
        longest = max(longest, d[r] * cost[free[r]])
        spent += v[free[r]] * cost[free[r]]
    return min(1.0, max(n_counts, spent) / longest) if longest > 0.0 else 1.0


@jit_row
def _falls(x, mu, mu_new, v, v_new, price, price_new, g, g_new, change_of_mu, scratch):
    # Where the slope at the end of a step is still downhill, convexity alone
    # says that the objective fell, and no logarithm is needed.
    begin, end, change = 0.0, 0.0, 0.0
    for c in range(v.size):
        s = v_new[c] - v[c]
        begin += g[c] * s
        end += g_new[c] * s
        # For the price is linear in v, its mean gives the quadratic term exactly.
        change += 0.5 * (price[c] + price_new[c]) * s
    if begin < 0.0 and end <= 0.0:
        return True
    for q in range(x.size):
        change_of_mu[q] = mu_new[q] / mu[q]
    return change - sum_x_log(x, change_of_mu, scratch) <= ARMIJO * begin


@jit_row
def _em_step(v, g, cost, price, n_fixed):
    for c in range(n_fixed, v.size):
        if cost[c] > 0.0 and price[c] > 0.0:
            v[c] *= max(0.0, 1.0 - g[c] / price[c])


@jit_row
def _raise_to(least, v, n_fixed):
    for c in range(n_fixed, v.size):
        v[c] = max(v[c], least[c])


@jit_row
def _scale_to(n_counts, v, cost):
    # The best scale of any v spends exactly the counts there are.
    spent = 0.0
    for c in range(v.size):
        spent += v[c] * cost[c]
    if spent > 0.0:
        for c in range(v.size):
            v[c] *= n_counts / spent


@jit_row
def _start_row(x, b, v, cost, pseudo, Q, n_fixed, mu, ratio, g, price):
    # Fills the gradient at a start with a positive model at every count, if need be by
    # a floor for each component; returns how many counts can be explained
    # at all. The others, where all of the basis is zero, are dropped from x.
    n_counts = x.sum()
    if n_fixed == 0 and Q.size == 0:
        _scale_to(n_counts, v, cost)
    _raise_to(pseudo[1], v, n_fixed)
    if _gradient(x, b, v, cost, Q, mu, ratio, g, price):
        return n_counts
    total = 0.0
    for c in range(v.size):
        total += v[c] * cost[c]
    for c in range(n_fixed, v.size):
        if cost[c] > 0.0:
            v[c] = max(v[c], 1e-6 * max(total, n_counts) / cost[c])
    if not _gradient(x, b, v, cost, Q, mu, ratio, g, price):
        for q in range(x.size):
            if ratio[q] >= UNEXPLAINED:
                x[q] = 0.0
        n_counts = x.sum()
    if n_fixed == 0 and Q.size == 0:
        _scale_to(n_counts, v, cost)
    _gradient(x, b, v, cost, Q, mu, ratio, g, price)
    return n_counts


@jit_row
def _try_step(x, b, v, cost, least, Q, n_counts, n_fixed, g, price, free, n, d, mu, trial):
    # Looks along the projected arc for a lower objective; True where found.
    mu_new, ratio, v_new, g_new, price_new, change_of_mu, scratch = trial
    step = _first_step(d, free, n, v, cost, n_counts)
    for _ in range(HALVINGS):
        for c in range(v.size):
            at_zero = c >= n_fixed and cost[c] > 0.0 and v[c] * cost[c] <= AT_ZERO * n_counts
            v_new[c] = least[c] if at_zero else v[c]
        for r in range(n):
            v_new[free[r]] = max(least[free[r]], v[free[r]] + step * d[r])
        if _gradient(x, b, v_new, cost, Q, mu_new, ratio, g_new, price_new) and _falls(
            x, mu, mu_new, v, v_new, price, price_new, g, g_new, change_of_mu, scratch
        ):
            return True
        step *= 0.5
    return False


@jit_row
def solve_row(x, b, cost, pseudo, Q, v, n_fixed, tol, rtol, max_iter, rows, work, A, free):
    """Solve one row in place; return its duality gap in nats.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Counts; overwritten.
    b : ndarray of shape (n_components, at least n)
        Basis.
    cost : ndarray of shape (n_components,)
        Linear cost; a component whose cost is zero is not changed.
    pseudo : ndarray of shape (2, n_components)
        Pseudo-counts, and a lower bound of the solution: no step may end at zero.
    Q : ndarray of shape (n_components, n_components) or (0, 0)
        Quadratic cost.
    v : ndarray of shape (n_components,)
        Start, then solution; the first `n_fixed` are fixed.
    tol, rtol : float
        Gap in nats, and in nats per count, at which the row is done.
    rows, work, A, free
        Memory from `scratch`.
    """
    m = x.size
    mu, mu_new, ratio = rows[0, :m], rows[1, :m], rows[2, :m]
    g, g_new, v_new, d, price, price_new = work[0], work[1], work[2], work[3], work[4], work[5]
    n_counts = _start_row(x, b, v, cost, pseudo, Q, n_fixed, mu, ratio, g, price)
    if n_counts == 0.0:
        for c in range(n_fixed, v.size):
            if cost[c] > 0.0:
                v[c] = 0.0
        return 0.0
    gap, least = _gap(v, g, cost, price, pseudo, n_counts, n_fixed), pseudo[1]
    for _ in range(max_iter):
        if gap <= min(tol, rtol * n_counts):
            break
        n = _find_free(v, g, cost, price, pseudo, n_counts, n_fixed, free)
        _direction(b, Q, mu, ratio, g, free, n, A, d)
        trial = (mu_new, ratio, v_new, g_new, price_new, rows[3, :m], rows[4, :m])
        if _try_step(x, b, v, cost, least, Q, n_counts, n_fixed, g, price, free, n, d, mu, trial):
            for c in range(v.size):
                v[c], g[c], price[c] = v_new[c], g_new[c], price_new[c]
            for q in range(m):
                mu[q] = mu_new[q]
        else:
            _em_step(v, g, cost, price, n_fixed)
            _gradient(x, b, v, cost, Q, mu, ratio, g, price)
        gap = _gap(v, g, cost, price, pseudo, n_counts, n_fixed)
    if n_fixed == 0 and Q.size == 0:
        _scale_to(n_counts, v, cost)
    return gap


@jit
def scratch(k, n):
    """Return memory for a row of up to `n` counts and `k` components."""
    # mu, mu_new, x / mu and what _falls needs; gradients, trial, direction and prices;
    # Hessian; free list.
    return np.empty((5, n)), np.empty((6, k)), np.empty((k, k)), np.empty(k, np.int64)
