# SPDX-License-Identifier: GPL-3.0-or-later
r"""Every row of counts solved to a duality gap, for a fixed basis.

See `row` for the problem of one row. A row's counts and its part of the
basis are gathered once and stay in cache. The terms of a prior or a penalty
(`RowTerms`) have the same form: :math:`-\gamma_c \log v_c` is one more
channel, with :math:`\gamma_c` counts, in which only component c is positive.
"""

import math
from typing import NamedTuple

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_row
from hyperspy_psnmf.kernels.newton.problem import RowProblem, scratch
from hyperspy_psnmf.kernels.newton.row import solve_row
from hyperspy_psnmf.kernels.parallel import is_csr, row_blocks, run_blocks


class RowTerms(NamedTuple):
    r"""Terms of the objective of row i besides the likelihood.

    .. math:: l_i \cdot v - \sum_c \gamma_{ic} \log v_c
              + \tfrac12 s_i v^T M v + \tfrac12 \sum_c q_{ic} v_c^2

    Parameters
    ----------
    linear : ndarray of shape (n_rows, n_components)
        l.
    pseudo_counts : ndarray of shape (n_rows, n_components)
        :math:`\gamma \ge 0`.
    scale : ndarray of shape (n_rows,)
        :math:`s \ge 0`. Empty where no row has a quadratic term; q is not
        looked at then.
    matrix : ndarray of shape (n_components, n_components)
        M, positive semi-definite.
    diagonal : ndarray of shape (n_rows, n_components)
        :math:`q \ge 0`.
    """

    linear: np.ndarray
    pseudo_counts: np.ndarray
    scale: np.ndarray = np.empty(0)
    matrix: np.ndarray = np.empty((0, 0))
    diagonal: np.ndarray = np.empty((0, 0))


NO_TERMS = RowTerms(np.empty((0, 0)), np.empty((0, 0)))


class Problem(NamedTuple):
    """What is the same for all rows, and when a row is done; see `solve_rows`.

    `basis` has shape (n_components, n_columns), `cost` are its sums.
    """

    basis: np.ndarray
    cost: np.ndarray
    n_fixed: int
    terms: tuple
    tol: float
    rtol: float
    max_iter: int


@jit_row
def _add_terms(i, m, problem, v, row):
    # Fills cost, Q and pseudo of row i and appends its pseudo-counts; returns the number
    # of counts.
    x, b, cost, pseudo, Q, n_fixed = row
    basis_cost, k = problem.cost, cost.size
    linear, pseudo_counts, scale, matrix, diagonal = problem.terms
    for c in range(k):
        # A component whose basis is zero is not changed, prior or not.
        cost[c] = basis_cost[c] + linear[i, c] if basis_cost[c] > 0.0 else 0.0
        x[m + c] = pseudo_counts[i, c] if basis_cost[c] > 0.0 else 0.0
        for q in range(k):
            b[q, m + c] = 1.0 if q == c else 0.0
    for r in range(Q.shape[0]):
        for c in range(k):
            Q[r, c] = scale[i] * matrix[r, c]
        Q[r, r] += diagonal[i, r]
    _find_least(x[: m + k], v, n_fixed, cost, Q, pseudo)
    return m + k


@jit_row
def _find_least(x, v, n_fixed, cost, Q, pseudo):
    # A solution is never below its pseudo-counts over the highest possible price.
    # With t = v'Qv over free and q over fixed coefficients, the cost of the free ones is at
    # most N - t + sqrt(t q), so no more than N + q / 4.
    k = cost.size
    budget = x.sum()
    for r in range(n_fixed if Q.size else 0):
        for c in range(n_fixed):
            budget += 0.25 * v[r] * Q[r, c] * v[c]
    for c in range(k):
        price = cost[c]
        for r in range(Q.shape[0]):
            is_free = r >= n_fixed and cost[r] > 0.0
            price += max(Q[c, r], 0.0) * (budget / cost[r] if is_free else v[r])
        pseudo[0, c] = x[x.size - k + c]
        pseudo[1, c] = pseudo[0, c] / price if price > 0.0 else 0.0


@jit
def _row_memory(n, problem):
    # A row of up to n counts, with room for pseudo-counts.
    k = problem.cost.size
    n += k if problem.terms[0].size else 0
    size = k if problem.terms[2].size else 0
    x, b, Q = np.empty(n), np.empty((k, n)), np.empty((size, size))
    return RowProblem(x, b, problem.cost.copy(), np.zeros((2, k)), Q, problem.n_fixed)


@jit
def _solve_csr(start, stop, counts, problem, V, gaps):
    indptr, indices, data = counts
    basis, longest = problem.basis, 0
    for i in range(start, stop):
        longest = max(longest, indptr[i + 1] - indptr[i])
    row = _row_memory(longest, problem)
    x, b, cost, pseudo, Q, n_fixed = row
    memory = scratch(cost.size, x.size)
    for i in range(start, stop):
        first, m = indptr[i], indptr[i + 1] - indptr[i]
        for q in range(m):
            x[q] = data[first + q]
        for c in range(cost.size):
            for q in range(m):
                b[c, q] = basis[c, indices[first + q]]
        if problem.terms[0].size:
            m = _add_terms(i, m, problem, V[i], row)
        this = RowProblem(x[:m], b, cost, pseudo, Q, n_fixed)
        gaps[i] = solve_row(this, V[i], problem.tol, problem.rtol, problem.max_iter, memory)


@jit
def _solve_dense(start, stop, counts, problem, V, gaps):
    (X,) = counts
    n = X.shape[1]
    row = _row_memory(n, problem)
    memory = scratch(row.cost.size, row.x.size)
    row.b[:, :n] = problem.basis
    for i in range(start, stop):
        row.x[:n] = X[i]
        if problem.terms[0].size:
            _add_terms(i, n, problem, V[i], row)
        gaps[i] = solve_row(row, V[i], problem.tol, problem.rtol, problem.max_iter, memory)


def solve_rows(
    X,
    B,
    V,
    *,
    n_fixed: int = 0,
    tol: float = 1e-3,
    rtol: float = math.inf,
    max_iter: int = 100,
    terms: RowTerms = NO_TERMS,
    n_jobs: int | None = 1,
):
    """Minimise the divergence of every row over its coefficients.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
        Counts.
    B : ndarray of shape (n_columns, n_components)
        Basis, fixed. Counts where no free or positive component has any are ignored.
    V : ndarray of shape (n_rows, n_components)
        Where to start; not changed.
    n_fixed : int
        The first `n_fixed` coefficients of every row are fixed too.
    tol, rtol : float
        A row is converged when its duality gap is below `tol` nats and below `rtol`
        nats per count.
    max_iter : int
        Newton steps at most.
    terms : RowTerms
        Terms of the objective besides the likelihood.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    V : ndarray of shape (n_rows, n_components)
        The coefficients. A row without counts is zero.
    gaps : ndarray of shape (n_rows,)
        Duality gaps reached, in nats.
    """
    kernel, counts = (
        (_solve_csr, (X.indptr, X.indices, X.data)) if is_csr(X) else (_solve_dense, (X,))
    )
    basis = np.ascontiguousarray(B.T, dtype=float)
    V, gaps = np.array(V, dtype=float, order="C"), np.zeros(len(V))
    terms = tuple(np.ascontiguousarray(term, dtype=float) for term in terms)
    problem = Problem(basis, basis.sum(axis=1), n_fixed, terms, tol, rtol, max_iter)
    run_blocks(
        lambda block: kernel(*block, counts, problem, V, gaps),
        row_blocks(X, work=len(basis) / 2),
        n_jobs,
    )
    return V, gaps
