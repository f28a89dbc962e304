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

from hyperspy_psnmf.kernels._compile import jit_part, jit_row
from hyperspy_psnmf.kernels.limits import TINY, UNEXPLAINED
from hyperspy_psnmf.kernels.logarithm import sum_x_log
from hyperspy_psnmf.kernels.newton.direction import find_direction
from hyperspy_psnmf.kernels.newton.problem import Point

ARMIJO = 1e-4  # least decrease, as a fraction of that of the tangent
AT_ZERO = 1e-10  # fraction of the counts below which a component is at zero
HALVINGS = 30  # of a step, before an EM step is taken instead
FLOOR = 1e-6  # fraction of the counts, in a start whose model is zero at a count


@jit_row
def _gradient(row, point, ratio):
    # Fills the point at its v, and ratio = x / mu; False where the model vanishes at a count.
    x, b, cost, Q = row.x, row.b, row.cost, row.Q
    v, mu, g, price = point
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
def _gap(row, point, n_counts):
    cost, pseudo, n_fixed = row.cost, row.pseudo, row.n_fixed
    v, g, price = point.v, point.g, point.price
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
def _find_free(row, point, n_counts, free):
    # Lists the components that move; returns how many. Pseudo-counts may balance near zero.
    cost, pseudo, n_fixed = row.cost, row.pseudo, row.n_fixed
    v, g = point.v, point.g
    n = 0
    for c in range(n_fixed, v.size):
        is_apart = v[c] * cost[c] > AT_ZERO * n_counts
        if cost[c] > 0.0 and (is_apart or g[c] < 0.0 or g[c] * v[c] < pseudo[0, c]):
            free[n] = c
            n += 1
    return n


@jit_row
def _first_step(d, free, v, cost, n_counts):
    # A nearly singular Hessian gives steps beyond all counts of the row. Only
    # increases need a limit: decreases end at zero.
    longest, spent = 0.0, 0.0
    for r in range(free.size):
        longest = max(longest, d[r] * cost[free[r]])
        spent += v[free[r]] * cost[free[r]]
    return min(1.0, max(n_counts, spent) / longest) if longest > 0.0 else 1.0


@jit_part
def _falls(x, point, new, change_of_mu, scratch):
    # Where the slope at the end of a step is still downhill, convexity alone
    # says that the objective fell, and no logarithm is needed.
    v, mu, g, price = point
    v_new, mu_new, g_new, price_new = new
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
def _em_step(row, point, v_new):
    v, g, price, cost = point.v, point.g, point.price, row.cost
    for c in range(v.size):
        v_new[c] = v[c]
        if c >= row.n_fixed and cost[c] > 0.0 and price[c] > 0.0:
            v_new[c] *= max(0.0, 1.0 - g[c] / price[c])


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
def _raise_to_floor(row, v, n_counts):
    cost, total = row.cost, 0.0
    for c in range(v.size):
        total += v[c] * cost[c]
    for c in range(row.n_fixed, v.size):
        if cost[c] > 0.0:
            v[c] = max(v[c], FLOOR * max(total, n_counts) / cost[c])


@jit_row
def _drop_unexplained(x, ratio):
    # Returns the sum of those that are left.
    total = 0.0
    for q in range(x.size):
        if ratio[q] >= UNEXPLAINED:
            x[q] = 0.0
        total += x[q]
    return total


@jit_part
def _start_row(row, point, ratio):
    # Fills the gradient at a start with a positive model at every count, if need be by
    # a floor for each component; returns how many counts can be explained
    # at all. The others, where all of the basis is zero, are dropped from x.
    v, n_counts = point.v, 0.0
    for q in range(row.x.size):
        n_counts += row.x[q]
    for attempt in range(3):
        if attempt == 1:
            _raise_to_floor(row, v, n_counts)
        elif attempt == 2:
            n_counts = _drop_unexplained(row.x, ratio)
        if row.n_fixed == 0 and row.Q.size == 0:
            _scale_to(n_counts, v, row.cost)
        if attempt == 0:
            _raise_to(row.pseudo[1], v, row.n_fixed)
        if _gradient(row, point, ratio):
            break
    return n_counts


@jit_row
def _move(row, point, n_counts, free, d, step, v_new):
    # A step along the projected arc; components at zero go to the least there may be.
    cost, v, least = row.cost, point.v, row.pseudo[1]
    for c in range(v.size):
        at_zero = c >= row.n_fixed and cost[c] > 0.0 and v[c] * cost[c] <= AT_ZERO * n_counts
        v_new[c] = least[c] if at_zero else v[c]
    for r in range(free.size):
        v_new[free[r]] = max(least[free[r]], v[free[r]] + step * d[r])


@jit_part
def _try_step(row, point, new, n_counts, free, d, buffers):
    # Looks along the projected arc for a lower objective; True where found. If there is
    # none, `new` is an EM step, which never increases it.
    ratio, change_of_mu, scratch = buffers
    found, step = False, _first_step(d, free, point.v, row.cost, n_counts)
    for trial in range(HALVINGS + 1):
        if trial < HALVINGS:
            _move(row, point, n_counts, free, d, step, new.v)
        else:
            _em_step(row, point, new.v)
        found = _gradient(row, new, ratio) and trial < HALVINGS
        found = found and _falls(row.x, point, new, change_of_mu, scratch)
        if found:
            break
        step *= 0.5
    return found


@jit_part
def solve_row(row, v, tol, rtol, max_iter, memory):
    """Solve one row in place; return its duality gap in nats.

    Parameters
    ----------
    row : RowProblem
        The problem; its counts may be overwritten.
    v : ndarray of shape (n_components,)
        Start, then solution.
    tol, rtol : float
        Gap in nats, and in nats per count, at which the row is done.
    max_iter : int
        Newton steps at most.
    memory : Memory
        From `scratch`.
    """
    m, gap, n_steps = row.x.size, 0.0, 0
    rows, work, A, free = memory
    d, ratio = work[0], rows[2, :m]
    point = Point(v, rows[0, :m], work[1], work[2])
    new = Point(work[3], rows[1, :m], work[4], work[5])
    buffers = (ratio, rows[3, :m], rows[4, :m])
    n_counts = _start_row(row, point, ratio)
    while n_counts > 0.0:
        gap = _gap(row, point, n_counts)
        if n_steps >= max_iter or gap <= min(tol, rtol * n_counts):
            break
        moving = free[: _find_free(row, point, n_counts, free)]
        find_direction(row, point, ratio, moving, A, d)
        _try_step(row, point, new, n_counts, moving, d, buffers)
        _copy(new, point)
        n_steps += 1
    if n_counts == 0.0:
        _clear(row, v)
    elif row.n_fixed == 0 and row.Q.size == 0:
        _scale_to(n_counts, v, row.cost)
    return gap


@jit_row
def _clear(row, v):
    for c in range(row.n_fixed, v.size):
        if row.cost[c] > 0.0:
            v[c] = 0.0


@jit_row
def _copy(new, point):
    v, mu, g, price = point
    for c in range(v.size):
        v[c], g[c], price[c] = new.v[c], new.g[c], new.price[c]
    for q in range(mu.size):
        mu[q] = new.mu[q]
