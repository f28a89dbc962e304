# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solver of one row works on. Numba passes these tuples at no cost."""

from typing import NamedTuple

import numpy as np

from hyperspy_psnmf.kernels.row_counts import make_memory


class RowProblem(NamedTuple):
    """The problem of one row.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Counts. Those that cannot be explained become zero.
    b : ndarray of shape (n_components, at least n)
        Basis.
    cost : ndarray of shape (n_components,)
        Linear cost; a component whose cost is zero is not changed.
    pseudo : ndarray of shape (2, n_components)
        Pseudo-counts, and a lower bound of the solution: no step may end at zero.
    Q : ndarray of shape (n_components, n_components) or (0, 0)
        Quadratic cost.
    n_fixed : int
        The first `n_fixed` coefficients are fixed.
    """

    x: np.ndarray
    b: np.ndarray
    cost: np.ndarray
    pseudo: np.ndarray
    Q: np.ndarray
    n_fixed: int


class Point(NamedTuple):
    """Coefficients v, and there the model mu, the gradient g and the price of each component."""

    v: np.ndarray
    mu: np.ndarray
    g: np.ndarray
    price: np.ndarray


class Memory(NamedTuple):
    """What solving a row needs: arrays per count and per component, a matrix, indices."""

    per_count: np.ndarray
    per_component: np.ndarray
    A: np.ndarray
    free: np.ndarray


def scratch(k, n):
    """Return memory for a row of up to `n` counts and `k` components."""
    # mu, mu_new, x / mu and what _falls needs; direction, gradients, prices and the trial.
    return Memory(make_memory(5, n), np.empty((6, k)), np.empty((k, k)), np.empty(k, np.int64))
