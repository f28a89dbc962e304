# SPDX-License-Identifier: GPL-3.0-or-later
r"""Every row solved exactly with the basis held: projected Newton.

One row is the convex problem, for :math:`v \ge 0`,

.. math:: \min_v \; a \cdot v - \sum_j x_j \log(b_j \cdot v), \qquad a = \sum_j b_j,

with gradient :math:`a - B^T (x / \mu)` and Hessian
:math:`B^T \mathrm{diag}(x / \mu^2) B`. Two-metric projection [1]_: components
at zero that the gradient pushes outwards are held, the others take a Newton
step, cut back along the projected arc until the objective falls. The row's
counts and its part of the basis are gathered once, one component after the
other so that loops over channels vectorise, and stay in cache. A row is done
when its duality gap (see `score`) is below `tol` nats.

References
----------
.. [1] D. P. Bertsekas, SIAM J. Control Optim. 20 (1982) 221.
   https://doi.org/10.1137/0320018
"""

import math

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_inline
from hyperspy_psnmf.kernels.logarithm import sum_x_log
from hyperspy_psnmf.kernels.threads import is_csr, row_blocks, run_blocks

ARMIJO = 1e-4
AT_ZERO = 1e-10  # a component below this share of the counts is at zero
RIDGE = 1e-9  # relative; a row with fewer channels than components is singular
HALVINGS = 30
TINY = 1e-300  # keeps 0 / 0 out of channels without counts
UNEXPLAINED = 1e280  # counts over a model that is TINY


@jit
def _gradient(x, b, v, cost, mu, ratio, g):
    # Fills mu, ratio = x / mu and g; False where the model vanishes at a count.
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
        g[c] = cost[c] - total
    return largest < UNEXPLAINED


@jit_inline
def _gap(v, g, cost, n_counts, n_fixed):
    slope, excess = 0.0, 0.0
    for c in range(n_fixed, v.size):
        slope += g[c] * v[c]
        if cost[c] > 0.0:
            excess = max(excess, -g[c] / cost[c])
    return slope + n_counts * excess


@jit_inline
def _find_free(v, g, cost, n_counts, n_fixed, free):
    # Lists the components that move; returns how many they are.
    n = 0
    for c in range(n_fixed, v.size):
        if cost[c] > 0.0 and (v[c] * cost[c] > AT_ZERO * n_counts or g[c] < 0.0):
            free[n] = c
            n += 1
    return n


@jit
def _direction(b, mu, ratio, g, free, n, A, d, weighted):
    # Solves (Hessian + ridge) d = -g on the free components, by Cholesky.
    for q in range(mu.size):
        ratio[q] /= mu[q]
    for r in range(n):
        for q in range(mu.size):
            weighted[q] = b[free[r], q] * ratio[q]
        for s in range(r + 1):
            total = 0.0
            for q in range(mu.size):
                total += b[free[s], q] * weighted[q]
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


@jit_inline
def _first_step(d, free, n, v, cost, n_counts):
    # A nearly singular Hessian asks for steps beyond all counts there are. Only
    # upwards does that matter: downwards the step ends at zero.
    longest, spent = 0.0, 0.0
    for r in range(n):
        longest = max(longest, d[r] * cost[free[r]])
        spent += v[free[r]] * cost[free[r]]
    return min(1.0, max(n_counts, spent) / longest) if longest > 0.0 else 1.0


@jit
def _falls(x, mu, mu_new, v, v_new, cost, g, g_new, change_of_mu, scratch):
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
    for q in range(x.size):
        change_of_mu[q] = mu_new[q] / mu[q]
    return change - sum_x_log(x, change_of_mu, scratch) <= ARMIJO * begin


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
def _start_row(x, b, v, cost, n_fixed, mu, ratio, g):
    # Fills the gradient at a start that explains every count, if need be by
    # giving each component a share; returns how many counts can be explained
    # at all. The others, where all of the basis is zero, are dropped from x.
    n_counts = x.sum()
    if n_fixed == 0:
        _scale_to(n_counts, v, cost)
    if _gradient(x, b, v, cost, mu, ratio, g):
        return n_counts
    total = 0.0
    for c in range(v.size):
        total += v[c] * cost[c]
    for c in range(n_fixed, v.size):
        if cost[c] > 0.0:
            v[c] = max(v[c], 1e-6 * max(total, n_counts) / cost[c])
    if not _gradient(x, b, v, cost, mu, ratio, g):
        for q in range(x.size):
            if ratio[q] >= UNEXPLAINED:
                x[q] = 0.0
        n_counts = x.sum()
    if n_fixed == 0:
        _scale_to(n_counts, v, cost)
    _gradient(x, b, v, cost, mu, ratio, g)
    return n_counts


@jit_inline
def _try_step(x, b, v, cost, n_counts, n_fixed, g, free, n, d, mu, trial):
    # Looks along the projected arc for a lower objective; True where found.
    mu_new, ratio, v_new, g_new, change_of_mu, scratch = trial
    step = _first_step(d, free, n, v, cost, n_counts)
    for _ in range(HALVINGS):
        for c in range(v.size):
            at_zero = c >= n_fixed and cost[c] > 0.0 and v[c] * cost[c] <= AT_ZERO * n_counts
            v_new[c] = 0.0 if at_zero else v[c]
        for r in range(n):
            v_new[free[r]] = max(0.0, v[free[r]] + step * d[r])
        explained = _gradient(x, b, v_new, cost, mu_new, ratio, g_new)
        if explained and _falls(x, mu, mu_new, v, v_new, cost, g, g_new, change_of_mu, scratch):
            return True
        step *= 0.5
    return False


@jit
def _solve_row(x, b, cost, v, n_fixed, tol, rtol, max_iter, rows, work, A, free):
    """Solve one row in place; return its duality gap in nats. Writes to x."""
    m = x.size
    mu, mu_new, ratio = rows[0, :m], rows[1, :m], rows[2, :m]
    g, g_new, v_new, d = work[0], work[1], work[2], work[3]
    n_counts = _start_row(x, b, v, cost, n_fixed, mu, ratio, g)
    if n_counts == 0.0:
        for c in range(n_fixed, v.size):
            if cost[c] > 0.0:
                v[c] = 0.0
        return 0.0
    gap = _gap(v, g, cost, n_counts, n_fixed)
    for _ in range(max_iter):
        if gap <= min(tol, rtol * n_counts):
            break
        n = _find_free(v, g, cost, n_counts, n_fixed, free)
        _direction(b, mu, ratio, g, free, n, A, d, rows[4, :m])
        trial = (mu_new, ratio, v_new, g_new, rows[3, :m], rows[4, :m])
        if _try_step(x, b, v, cost, n_counts, n_fixed, g, free, n, d, mu, trial):
            v[:] = v_new
            g[:] = g_new
            mu[:] = mu_new
        else:
            _em_step(v, g, cost, n_fixed)
            _gradient(x, b, v, cost, mu, ratio, g)
        gap = _gap(v, g, cost, n_counts, n_fixed)
    if n_fixed == 0:
        _scale_to(n_counts, v, cost)
    return gap


@jit
def _scratch(k, n):
    # x; mu, mu_new, x / mu and what _falls needs; gradients, trial and direction;
    # Hessian; free list.
    free = np.empty(k, np.int64)
    return np.empty(n), np.empty((5, n)), np.empty((4, k)), np.empty((k, k)), free


@jit
def _solve_csr(
    start, stop, indptr, indices, data, basis, cost, V, n_fixed, tol, rtol, max_iter, gaps
):
    k, longest = basis.shape[0], 0
    for i in range(start, stop):
        longest = max(longest, indptr[i + 1] - indptr[i])
    x, rows, work, A, free = _scratch(k, longest)
    b = np.empty((k, longest))
    for i in range(start, stop):
        first, m = indptr[i], indptr[i + 1] - indptr[i]
        for q in range(m):
            x[q] = data[first + q]
        for c in range(k):
            for q in range(m):
                b[c, q] = basis[c, indices[first + q]]
        gaps[i] = _solve_row(
            x[:m], b, cost, V[i], n_fixed, tol, rtol, max_iter, rows, work, A, free
        )


@jit
def _solve_dense(start, stop, X, basis, cost, V, n_fixed, tol, rtol, max_iter, gaps):
    x, rows, work, A, free = _scratch(basis.shape[0], X.shape[1])
    for i in range(start, stop):
        x[:] = X[i]
        gaps[i] = _solve_row(
            x, basis, cost, V[i], n_fixed, tol, rtol, max_iter, rows, work, A, free
        )


def solve_rows(
    X,
    B,
    V,
    *,
    n_fixed: int = 0,
    tol: float = 1e-3,
    rtol: float = math.inf,
    max_iter: int = 100,
    n_jobs: int | None = 1,
):
    """Minimise the divergence of every row over its coefficients.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
        Counts.
    B : ndarray of shape (n_columns, n_components)
        Basis, held. Counts that nothing free or positive explains are ignored.
    V : ndarray of shape (n_rows, n_components)
        Where to start; not changed.
    n_fixed : int
        The first `n_fixed` coefficients of every row are held too.
    tol, rtol : float
        A row is done when its duality gap is below `tol` nats and below `rtol`
        nats per count.
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
    basis = np.ascontiguousarray(B.T, dtype=float)
    V = np.array(V, dtype=float, order="C")
    cost, gaps = basis.sum(axis=1), np.zeros(len(V))
    run_blocks(
        lambda block: kernel(*block, *arrays, basis, cost, V, n_fixed, tol, rtol, max_iter, gaps),
        row_blocks(X, work=len(basis) * (len(basis) + 1) / 12),
        n_jobs,
    )
    return V, gaps
