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

from hyperspy_psnmf.kernels._compile import jit, jit_part
from hyperspy_psnmf.kernels.newton.problem import Memory, RowProblem, scratch
from hyperspy_psnmf.kernels.newton.row import solve_row
from hyperspy_psnmf.kernels.parallel import row_blocks, run_blocks
from hyperspy_psnmf.kernels.row_counts import RowCounts, as_argument, load_basis, make_memory


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


@jit_part
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


@jit_part
def _find_least(x, v, n_fixed, cost, Q, pseudo):
    # A solution is never below its pseudo-counts over the highest possible price.
    # With t = v'Qv over free and q over fixed coefficients, the cost of the free ones is at
    # most N - t + sqrt(t q), so no more than N + q / 4.
    k = cost.size
    budget = 0.0
    for q in range(x.size):
        budget += x[q]
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
def _solve(start, counts, problem, row, memory, V, gaps):
    begin, columns, data = counts
    # Numba finds the types of plain tuples in a microsecond, those of others in many.
    problem, row, memory = Problem(*problem), RowProblem(*row), Memory(*memory)
    basis, (x, b, cost, pseudo, Q, n_fixed) = problem.basis, row
    for i in range(begin.size - 1):
        first, v = begin[i], V[start + i]
        m = begin[i + 1] - first
        for q in range(m):
            x[q] = data[first + q]
        load_basis(columns[first : begin[i + 1]], basis, b)
        if problem.terms[0].size:
            m = _add_terms(start + i, m, problem, v, row)
        this = RowProblem(x[:m], b, cost, pseudo, Q, n_fixed)
        gaps[start + i] = solve_row(this, v, problem.tol, problem.rtol, problem.max_iter, memory)


def _make_row(counts, problem):
    """Return memory for a row of counts, with room for pseudo-counts."""
    k, n = problem.cost.size, counts.longest
    n += k if problem.terms[0].size else 0
    size = k if problem.terms[2].size else 0
    (x,), b, Q = make_memory(1, n), make_memory(k, n), np.empty((size, size))
    if not counts.has_columns:
        b[:, : counts.longest] = problem.basis
    return RowProblem(x, b, problem.cost.copy(), np.zeros((2, k)), Q, problem.n_fixed)


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
    basis = as_argument(B.T)
    V, gaps = np.array(V, dtype=float, order="C"), np.zeros(len(V))
    terms = tuple(as_argument(term) for term in terms)
    limits = float(tol), float(rtol), int(max_iter)
    problem = Problem(basis, basis.sum(axis=1), n_fixed, terms, *limits)

    counts = RowCounts(X)

    def make():
        row = _make_row(counts, problem)
        return tuple(row), tuple(scratch(len(basis), row.x.size))

    def solve(block, memory):
        _solve(block[0], counts.take(*block), tuple(problem), *memory, V, gaps)

    run_blocks(solve, row_blocks(X, work=len(basis) / 2), n_jobs, make)
    return V, gaps
