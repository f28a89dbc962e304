# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow, readable references for the kernels: plain loops and plain numpy, no Numba."""

import math

import numpy as np


def csr_lists(cube, keep_rows=None, keep_channels=None):
    """Return data, indices and indptr as lists, read entry by entry."""
    data, indices, indptr = [], [], [0]
    n_channels = cube.shape[-1]
    channels = [j for j in range(n_channels) if keep_channels is None or keep_channels[j]]
    for i, pixel in enumerate(np.ndindex(cube.shape[:-1])):
        if keep_rows is None or keep_rows[i]:
            for new_j, j in enumerate(channels):
                if cube[pixel][j] != 0:
                    data.append(cube[pixel][j].item())
                    indices.append(new_j)
        indptr.append(len(data))
    return data, indices, indptr


def sum_bins(X, row_bin, n_row_bins, column_bin, n_column_bins):
    """Sum a dense matrix over bins; a negative bin of a row is no bin."""
    out = np.zeros((n_row_bins, n_column_bins))
    for i, j in np.ndindex(X.shape):
        if row_bin[i] >= 0:
            out[row_bin[i], column_bin[j]] += float(X[i, j])
    return out


def em_sweep(X, V, B):
    """Share every count out between the components, then divide by what each could have got."""
    n_rows, n_columns = X.shape
    k = V.shape[1]
    share = np.zeros((n_rows, n_columns, k))
    for i, j in np.ndindex(X.shape):
        mu = sum(V[i, c] * B[j, c] for c in range(k))
        if mu > 0:
            for c in range(k):
                share[i, j, c] = float(X[i, j]) * V[i, c] * B[j, c] / mu
    V_new, B_new = np.zeros(V.shape), np.zeros(B.shape)
    for c in range(k):
        if B[:, c].sum() > 0:
            V_new[:, c] = share[:, :, c].sum(axis=1) / B[:, c].sum()
        if V_new[:, c].sum() > 0:
            B_new[:, c] = share[:, :, c].sum(axis=0) / V_new[:, c].sum()
    return V_new, B_new


def divergence_of_row(x, v, B):
    """Return sum x log(x / mu) - x + mu, infinite where mu = 0 < x."""
    total = 0.0
    for j in range(len(x)):
        mu = sum(v[c] * B[j, c] for c in range(len(v)))
        total += mu
        if x[j] > 0:
            if not mu > 0:
                return math.inf
            total += float(x[j]) * math.log(float(x[j]) / mu) - float(x[j])
    return total


def divergences(X, V, B):
    return np.array([divergence_of_row(x, v, B) for x, v in zip(X, V, strict=True)])


def score_of_row(x, v, B):
    s = np.zeros(len(v))
    for j in range(len(x)):
        mu = sum(v[c] * B[j, c] for c in range(len(v)))
        if x[j] > 0 and mu > 0:
            s += float(x[j]) / mu * B[j]
    return s


def scores(X, V, B):
    return np.array([score_of_row(x, v, B) for x, v in zip(X, V, strict=True)])


def gap_of_row(x, v, B, n_fixed=0):
    """Return how much the divergence could fall over the free coefficients, at most."""
    s, cost = score_of_row(x, v, B), B.sum(axis=0)
    free = [c for c in range(n_fixed, len(v)) if cost[c] > 0]
    slope = sum((cost[c] - s[c]) * v[c] for c in free)
    return slope + x.sum() * max([0.0] + [s[c] / cost[c] - 1 for c in free])


def solve_row(x, B, *, v_fixed=(), gap=1e-7, max_iter=200_000):
    """Return the best coefficients of a row by EM steps alone, the first ones held.

    Counts that none of the coefficients can explain are left out.
    """
    n_fixed, cost = len(v_fixed), B.sum(axis=0)
    v = np.concatenate([v_fixed, np.ones(B.shape[1] - n_fixed)])
    v[n_fixed:][cost[n_fixed:] == 0] = 0.0
    used = (x > 0) & (B @ v > 0)
    x, B = x[used].astype(float), B[used]
    free = np.arange(n_fixed, len(v))[cost[n_fixed:] > 0]
    if not len(x) or not len(free):
        v[free] = 0.0
        return v
    for _ in range(max_iter):
        ratio = B[:, free].T @ (x / (B @ v)) / cost[free]
        if cost[free] @ (v[free] * (1 - ratio)) + x.sum() * max(0, ratio.max() - 1) < gap:
            return v
        v[free] *= ratio
    raise AssertionError("the reference did not converge")


def solve_rows(X, B, V=None, n_fixed=0, **options):
    """Return the best coefficients of all rows; `V` holds the fixed ones."""
    fixed = np.zeros((len(X), 0)) if V is None else V[:, :n_fixed]
    return np.array([solve_row(x, B, v_fixed=f, **options) for x, f in zip(X, fixed, strict=True)])


def objective_of_row(x, v, B, linear, pseudo_counts, Q):
    """Return the divergence of a row with all that `RowTerms` adds."""
    logs = [g * math.log(c) for g, c in zip(pseudo_counts, v, strict=True) if g > 0]
    return divergence_of_row(x, v, B) + linear @ v - sum(logs) + v @ Q @ v / 2


def solve_row_with_terms(x, B, linear, pseudo_counts, Q, *, v_fixed=(), max_iter=200_000):
    """Return the best coefficients of a row by majorisation, the first ones held.

    Jensen's inequality makes one problem for every coefficient: minimise
    p v - s log v + q v^2 / 2, which has a closed solution.
    """
    n_fixed = len(v_fixed)
    v = np.concatenate([v_fixed, np.ones(B.shape[1] - n_fixed)])
    # |Q| with the sums of its rows on the diagonal is above Q.
    q = np.abs(Q).sum(axis=1)
    for _ in range(max_iter):
        s = v * (B.T @ (x / (B @ v))) + pseudo_counts
        p = B.sum(axis=0) + linear + Q @ v - q * v
        root = np.sqrt(p**2 + 4 * q * s)
        new = np.where(
            p > 0, 2 * s / np.maximum(root + p, 1e-300), (root - p) / 2 / np.maximum(q, 1e-300)
        )
        new[:n_fixed] = v_fixed
        if np.abs(new - v).max() <= 1e-13 * np.abs(v).max():
            return new
        v = new
    raise AssertionError("the reference did not converge")


def cost_of_number(values, change, variances, of_number, t):
    """Return the least cost of ``values + t * change``, of all numbers that are not zero."""
    negative, gains = 0.0, []
    for i in range(len(values)):
        v = values[i] + t * change[i]
        variance = variances[0][i] + 2 * t * variances[1][i] + t**2 * variances[2][i]
        negative += v**2 / (2 * variance) if v < 0 else 0.0
        gains.append(v**2 / (2 * variance) if v > 0 else 0.0)
    gains = sorted(gains, reverse=True)
    return negative + min(of_number[m] + sum(gains[m:]) for m in range(len(gains) + 1))


def cost(values, change, variances, groups, limits, t):
    """Return the cost in nats of ``values + t * change``, group by group."""
    total = 0.0
    for g, limit in enumerate(limits):
        as_zero, of_negative = 0.0, 0.0
        for i in range(len(values)):
            if groups[i] == g:
                v = values[i] + t * change[i]
                variance = variances[0][i] + 2 * t * variances[1][i] + t**2 * variances[2][i]
                as_zero += v**2 / (2 * variance)
                of_negative += v**2 / (2 * variance) if v < 0 else 0.0
        total += min(as_zero, of_negative + limit)
    return total


def zero_groups(x, C, groups, limits):
    """Return estimates without groups that cost more than their likelihood, by pseudo-inverses."""
    x, C, left = np.array(x, dtype=float), np.array(C, dtype=float), dict(enumerate(groups))
    while left:
        excess = {}
        for g, at in left.items():
            zero = 0.5 * x[at] @ np.linalg.pinv(C[np.ix_(at, at)]) @ x[at]
            negative = sum(0.5 * x[i] ** 2 / C[i, i] for i in at if x[i] < 0)
            excess[g] = zero - min(negative, zero) - limits[g]
        g = min(excess, key=excess.get)
        if excess[g] > 0:
            break
        at = left.pop(g)
        gain = C[:, at] @ np.linalg.pinv(C[np.ix_(at, at)])
        x, C = x - gain @ x[at], C - gain @ C[at]
        x[at] = 0.0
    return x


def corrected_row(x, mu, G, sigma):
    """Return the expected counts of a row plus one scoring step of corrections (n_templates,)."""
    matrix, right = np.diag(1.0 / sigma**2), np.zeros(len(G))
    for j in range(len(x)):
        right += G[:, j] * (x[j] / mu[j] - 1.0)
        matrix += np.outer(G[:, j], G[:, j]) / mu[j]
    return mu + np.linalg.solve(matrix, right) @ G
