# SPDX-License-Identifier: GPL-3.0-or-later
"""One row's problem, and the steps of its solver as plain Python functions."""

import numpy as np

from hyperspy_psnmf.kernels.newton import row

K, N = 4, 7


def plain(name):
    """Return a kernel as the Python function it is compiled from."""
    function = getattr(row, name)
    return getattr(function, "py_func", function)


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
        mu, ratio, g, price = (np.full(size, np.nan) for size in (self.x.size, self.x.size, K, K))
        all_explained = plain("_gradient")(
            self.x, self.b, v, self.cost, self.Q, mu, ratio, g, price
        )
        return all_explained, mu, ratio, g, price

    def gap(self, v, n_fixed=0):
        _, _, _, g, price = self.fill_gradient(v)
        arguments = (v, g, self.cost, price, self.pseudo, self.n_counts, n_fixed)
        return plain("_gap")(*arguments)

    def free(self, v, g=None, n_fixed=0):
        """Return the components that may move."""
        _, _, _, own_g, price = self.fill_gradient(v)
        free = np.full(K, -1)
        n = plain("_find_free")(
            v,
            own_g if g is None else g,
            self.cost,
            price,
            self.pseudo,
            self.n_counts,
            n_fixed,
            free,
        )
        return free[:n].tolist()
