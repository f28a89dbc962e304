# SPDX-License-Identifier: GPL-3.0-or-later
"""One row's problem, and the steps of its solver as plain Python functions."""

import numpy as np

from hyperspy_psnmf.kernels.newton import direction, row
from hyperspy_psnmf.kernels.newton.problem import Point, RowProblem
from tests.kernels.plain import plain as as_python

K, N = 4, 7


def plain(name):
    """Return a kernel as the Python function it is compiled from."""
    return as_python(getattr(row, name, None) or getattr(direction, name))


class Row:
    """Counts x, basis b, coefficients v > 0, their linear and their quadratic cost.

    The last channels hold pseudo-counts where `pseudo` gives them: one channel each.
    """

    def __init__(self, seed=0, *, quadratic=True, pseudo=None):
        rng = np.random.default_rng(seed)
        self.x, self.b = rng.poisson(4.0, N).astype(float), rng.uniform(0.1, 1.0, (K, N))
        self.v = rng.uniform(0.5, 2.0, K)
        self.cost = self.b.sum(axis=1) + rng.gamma(0.5, size=K)
        root = rng.normal(size=(K, K))
        self.Q = 0.1 * root @ root.T if quadratic else np.empty((0, 0))
        self.pseudo = np.zeros((2, K))
        if pseudo is not None:
            self.pseudo[0] = pseudo
            self.x, self.b = np.append(self.x, pseudo), np.hstack([self.b, np.eye(K)])

    @property
    def n_counts(self):
        return self.x.sum()

    def problem(self, n_fixed=0):
        return RowProblem(self.x, self.b, self.cost, self.pseudo, self.Q, n_fixed)

    def objective(self, v):
        used = self.x > 0
        total = self.cost @ v - self.x[used] @ np.log(self.b[:, used].T @ v)
        return total + (v @ self.Q @ v / 2 if self.Q.size else 0.0)

    def slopes(self, v):
        """Return the gradient and the price of each component."""
        price = self.cost + (self.Q @ v if self.Q.size else 0.0)
        return price - self.b @ (self.x / np.maximum(self.b.T @ v, 1e-300)), price

    def hessian(self, v):
        curvature = (self.b * (self.x / (self.b.T @ v) ** 2)) @ self.b.T
        return curvature + (self.Q if self.Q.size else 0.0)

    def fill_gradient(self, v):
        """Return what the kernel finds: whether all counts are explained, mu, x / mu, g, price."""
        point, ratio = self.no_point(v), np.full(self.x.size, np.nan)
        all_explained = plain("_gradient")(self.problem(), point, ratio)
        return all_explained, point.mu, ratio, point.g, point.price

    def no_point(self, v=None):
        """Return a point at v whose other values have not been computed."""
        v = np.full(K, np.nan) if v is None else v
        return Point(v, np.full(self.x.size, np.nan), np.full(K, np.nan), np.full(K, np.nan))

    def point(self, v):
        """Return v, and what the kernel finds there."""
        _, mu, _, g, price = self.fill_gradient(v)
        return Point(v, mu, g, price)

    def gap(self, v, n_fixed=0):
        return plain("_gap")(self.problem(n_fixed), self.point(v), self.n_counts)

    def free(self, v, g=None, n_fixed=0):
        """Return the components that may move."""
        point, free = self.point(v), np.full(K, -1)
        point = point if g is None else point._replace(g=g)
        n = plain("_find_free")(self.problem(n_fixed), point, self.n_counts, free)
        return free[:n].tolist()
