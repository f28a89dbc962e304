# SPDX-License-Identifier: GPL-3.0-or-later
r"""Every row solved exactly with the basis held: projected Newton.

One row is the convex problem, for :math:`v \ge 0`,

.. math:: \min_v \; a \cdot v - \sum_j x_j \log(b_j \cdot v), \qquad a = \sum_j b_j,

with gradient :math:`a - B^T (x / \mu)` and Hessian
:math:`B^T \mathrm{diag}(x / \mu^2) B`. Two-metric projection [1]_: components
at zero that the gradient pushes outwards are held, the others take a Newton
step, cut back along the projected arc until the objective falls. The row's
counts and its part of the basis are gathered once and stay in cache. A row is
done when its duality gap (see `score`) is below `tol` nats.

References
----------
.. [1] D. P. Bertsekas, SIAM J. Control Optim. 20 (1982) 221.
   https://doi.org/10.1137/0320018
"""

import math

import numpy as np

from hyperspy_psnmf.kernels._compile import jit
from hyperspy_psnmf.kernels.threads import is_csr, row_blocks, run_blocks

ARMIJO = 1e-4
AT_ZERO = 1e-10  # a component below this share of the counts is at zero
RIDGE = 1e-9  # relative; a row with fewer channels than components is singular
HALVINGS = 30


@jit
def _gather_csr(i, indptr, indices, data, B, x, b):
    # Copies row i: its counts to x and the basis at them to b, one component
    # after the other so that the loops over channels vectorise. Channels that
    # no component explains are left out: no v changes what they cost.
    m = 0
    for p in range(indptr[i], indptr[i + 1]):
        total = 0.0
        for c in range(B.shape[1]):
            b[c, m] = B[indices[p], c]
            total += b[c, m]
        if data[p] > 0 and total > 0.0:
            x[m] = data[p]
            m += 1
    return m


@jit
def _gather_dense(i, X, B, x, b):
    m = 0
    for j in range(X.shape[1]):
        if X[i, j] > 0:
            total = 0.0
            for c in range(B.shape[1]):
                b[c, m] = B[j, c]
                total += b[c, m]
            if total > 0.0:
                x[m] = X[i, j]
                m += 1
    return m


@jit
def _gradient(x, b, m, v, cost, mu, g):
    # Fills mu and g; False where the model vanishes at a count.
    for q in range(m):
        mu[q] = 0.0
    for c in range(v.size):
        if v[c] > 0.0:
            for q in range(m):
                mu[q] += v[c] * b[c, q]
    lowest = math.inf
    for q in range(m):
        lowest = min(lowest, mu[q])
    if not lowest > 0.0:
        return False
    for c in range(v.size):
        total = 0.0
        for q in range(m):
            total += b[c, q] * (x[q] / mu[q])
        g[c] = cost[c] - total
    return True


@jit
def _gap(v, g, cost, n_counts, n_fixed):
    slope, excess = 0.0, 0.0
    for c in range(n_fixed, v.size):
        slope += g[c] * v[c]
        if cost[c] > 0.0:
            excess = max(excess, -g[c] / cost[c])
    return slope + n_counts * excess


@jit
def _find_free(v, g, cost, n_counts, n_fixed, free):
    # Lists the components that move; returns how many they are.
    n = 0
    for c in range(n_fixed, v.size):
        if cost[c] > 0.0 and (v[c] * cost[c] > AT_ZERO * n_counts or g[c] < 0.0):
            free[n] = c
            n += 1
    return n


@jit
def _direction(x, b, m, mu, g, free, n, A, d):
    # Solves (Hessian + ridge) d = -g on the free components, by Cholesky.
    for r in range(n):
        for s in range(r + 1):
            total = 0.0
            for q in range(m):
                total += b[free[r], q] * b[free[s], q] * (x[q] / (mu[q] * mu[q]))
            A[r, s] = total
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


@jit
def _first_step(d, free, n, cost, n_counts):
    # A nearly singular Hessian asks for steps beyond all counts there are.
    longest = 0.0
    for r in range(n):
        longest = max(longest, abs(d[r]) * cost[free[r]])
    return min(1.0, n_counts / longest) if longest > 0.0 else 1.0


@jit
def _falls(x, m, mu, mu_new, v, v_new, cost, g, g_new):
    # Where the slope at the end of a step is still downhill, convexity alone
    # says that the objective fell, and no logarithm is needed.
    begin, end, change = 0.0, 0.0, 0.0
    for c in range(v.size):
        s = v_new[c] - v[c]
        begin += g[c] * s
        end += g_new[c] * s
        change += cost[c] * s
    if begin < 0.0 and end <= 0.0:
        return True
    for q in range(m):
        change -= x[q] * math.log(mu_new[q] / mu[q])
    return change <= ARMIJO * begin


@jit
def _em_step(v, g, cost, n_fixed):
    for c in range(n_fixed, v.size):
        if cost[c] > 0.0:
            v[c] *= max(0.0, 1.0 - g[c] / cost[c])


@jit
def _scale_to(n_counts, v, cost):
    # The best scale of any v spends exactly the counts there are.
    spent = 0.0
    for c in range(v.size):
        spent += v[c] * cost[c]
    if spent > 0.0:
        for c in range(v.size):
            v[c] *= n_counts / spent


@jit
def _start_row(v, cost, n_counts, n_fixed):
    # Every component gets a share: as things are, some count is unexplained.
    total = 0.0
    for c in range(v.size):
        total += v[c] * cost[c]
    for c in range(n_fixed, v.size):
        if cost[c] > 0.0:
            v[c] = max(v[c], 1e-6 * max(total, n_counts) / cost[c])
    if n_fixed == 0:
        _scale_to(n_counts, v, cost)


@jit
def _solve_row(rows, b, m, cost, v, n_fixed, tol, max_iter, work, A, free):
    """Solve one gathered row in place; return its duality gap in nats."""
    x, mu, mu_new = rows[0], rows[1], rows[2]
    g, g_new, v_new, d = work[0], work[1], work[2], work[3]
    n_counts = 0.0
    for q in range(m):
        n_counts += x[q]
    if m == 0:
        for c in range(n_fixed, v.size):
            if cost[c] > 0.0:
                v[c] = 0.0
        return 0.0
    if not _gradient(x, b, m, v, cost, mu, g):
        _start_row(v, cost, n_counts, n_fixed)
        _gradient(x, b, m, v, cost, mu, g)
    gap = _gap(v, g, cost, n_counts, n_fixed)
    for _ in range(max_iter):
        if gap <= tol:
            break
        n = _find_free(v, g, cost, n_counts, n_fixed, free)
        _direction(x, b, m, mu, g, free, n, A, d)
        step = _first_step(d, free, n, cost, n_counts)
        accepted = False
        for _halving in range(HALVINGS):
            for c in range(v.size):
                v_new[c] = v[c]
            for c in range(n_fixed, v.size):
                if cost[c] > 0.0 and v[c] * cost[c] <= AT_ZERO * n_counts:
                    v_new[c] = 0.0
            for r in range(n):
                v_new[free[r]] = max(0.0, v[free[r]] + step * d[r])
            if _gradient(x, b, m, v_new, cost, mu_new, g_new) and _falls(
                x, m, mu, mu_new, v, v_new, cost, g, g_new
            ):
                accepted = True
                break
            step *= 0.5
        if accepted:
            v[:] = v_new
            g[:] = g_new
            mu[:m] = mu_new[:m]
        else:
            _em_step(v, g, cost, n_fixed)
            _gradient(x, b, m, v, cost, mu, g)
        gap = _gap(v, g, cost, n_counts, n_fixed)
    if n_fixed == 0:
        _scale_to(n_counts, v, cost)
    return gap


@jit
def _scratch(k, n):
    # x, mu and mu_new; the basis; gradients, trial and direction; Hessian; free list.
    return (
        np.empty((3, n)),
        np.empty((k, n)),
        np.empty((4, k)),
        np.empty((k, k)),
        np.empty(k, np.int64),
    )


@jit
def _solve_csr(start, stop, indptr, indices, data, B, cost, V, n_fixed, tol, max_iter, gaps):
    longest = 0
    for i in range(start, stop):
        longest = max(longest, indptr[i + 1] - indptr[i])
    # One more than needed: the gather writes the basis before it decides.
    rows, b, work, A, free = _scratch(B.shape[1], longest + 1)
    for i in range(start, stop):
        m = _gather_csr(i, indptr, indices, data, B, rows[0], b)
        gaps[i] = _solve_row(rows, b, m, cost, V[i], n_fixed, tol, max_iter, work, A, free)


@jit
def _solve_dense(start, stop, X, B, cost, V, n_fixed, tol, max_iter, gaps):
    rows, b, work, A, free = _scratch(B.shape[1], X.shape[1] + 1)
    for i in range(start, stop):
        m = _gather_dense(i, X, B, rows[0], b)
        gaps[i] = _solve_row(rows, b, m, cost, V[i], n_fixed, tol, max_iter, work, A, free)


def solve_rows(
    X,
    B,
    V,
    *,
    n_fixed: int = 0,
    tol: float = 1e-3,
    max_iter: int = 100,
    n_jobs: int | None = 1,
):
    """Minimise the divergence of every row over its coefficients.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
        Counts.
    B : ndarray of shape (n_columns, n_components)
        Basis, held. Columns of X where all of it is zero are ignored.
    V : ndarray of shape (n_rows, n_components)
        Where to start; not changed.
    n_fixed : int
        The first `n_fixed` coefficients of every row are held too.
    tol : float
        Duality gap in nats at which a row is done.
    max_iter : int
        Newton steps at most.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    V : ndarray of shape (n_rows, n_components)
        The coefficients. A row without counts is zero.
    gaps : ndarray of shape (n_rows,)
        Duality gaps reached, in nats.
    """
    kernel, arrays = (
        (_solve_csr, (X.indptr, X.indices, X.data)) if is_csr(X) else (_solve_dense, (X,))
    )
    B = np.ascontiguousarray(B, dtype=float)
    V = np.array(V, dtype=float, order="C")
    cost, gaps = B.sum(axis=0), np.zeros(len(V))
    run_blocks(
        lambda block: kernel(*block, *arrays, B, cost, V, n_fixed, tol, max_iter, gaps),
        row_blocks(X),
        n_jobs,
    )
    return V, gaps
