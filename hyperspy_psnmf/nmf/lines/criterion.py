# SPDX-License-Identifier: GPL-3.0-or-later
r"""What the likelihood leaves open: few phases per pixel, few elements per phase.

.. math::

    J = D(X, W H) + \sum_c \left[ \lambda_W m_c + \gamma \log \binom{n}{m_c} \right]
        + \lambda_P \, \#\{\text{elements in } P\},

with :math:`m_c` loadings of component c that are not zero, of n. The binomial coefficient is
the number of maps with so many: a phase that is everywhere, as a matrix, needs no description
of where it is, and does not have to be merged with the particles in it.

For any t, :math:`h_a - t h_b` in place of :math:`h_a` with :math:`w_b + t w_a` in place of
:math:`w_b` leave W H, and so the divergence, unchanged: a matrix subtracted from the spectrum of
a precipitate (t > 0), or constant companions merged into one phase (t < 0). J decides on t:
subtraction ends where an element vanishes, merging where loadings vanish.

Along t each entry of W and P is an estimate with a known standard error. One that is positive by
chance becomes zero at the cost of its likelihood, :math:`z^2 / 2`, if that is less than
:math:`\lambda`; a negative one must. The sum of these costs is J up to the second order, for
all pairs of components and all t, without solving anything. Loadings that are zero are estimated
by a Newton step: those that would be significant by now become free again.

References
----------
J. E. Cavanaugh, Stat. Probab. Lett. 42 (1999) 333 (Kullback information criterion,
:math:`\lambda_W = 3/2`).
J. Chen, Z. Chen, Biometrika 95 (2008) 759 (extended BIC; their
:math:`\gamma` is between 0 and 1).
G. Schwarz, Ann. Statist. 6 (1978) 461 (:math:`\lambda_P = \tfrac12 \log N`, N counts).
"""

from dataclasses import dataclass

import numpy as np

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.kernels.truncated_costs import best_multiples, sum_costs, sum_costs_of_number
from hyperspy_psnmf.kernels.zero_groups import zero_groups
from hyperspy_psnmf.nmf.lines.costs import Costs
from hyperspy_psnmf.nmf.lines.weights import LineSpectra, weights_information
from hyperspy_psnmf.nmf.solver.fisher import covariance

# Multiples of a spectrum subtracted from another of unit sum; negative ones are added. To these
# come those at which a line vanishes, and 25 about the best: to 1 %, far below its scatter.
COARSE = np.concatenate([-np.geomspace(4.0, 1e-3, 40), np.geomspace(1e-3, 0.98, 40)])
FINE = np.linspace(-0.12, 0.12, 25)
LEAST_SUM = 0.01  # of a spectrum after a subtraction: none is of more than 0.98
MIN_DECREASE = 0.3  # nats of J, to combine two components; far below what is significant
LEAST_INFORMATION = 1e-9  # on a weight, relative to the largest
RIDGE = 1e-6  # relative, of the information: the continuum's splines are nearly dependent


def simplest(
    W: np.ndarray,
    spectra: LineSpectra,
    costs: Costs,
    *,
    max_moves: int = 100,
    gradient: np.ndarray | None = None,
    n_jobs: int | None = 1,
):
    """Combine pairs of components as long as the criterion falls, and set entries to zero.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts.
    spectra : LineSpectra
        Of unit sum.
    costs : Costs
    max_moves : int
        Combinations at most.
    gradient : ndarray of shape (n_rows, n_components), optional
        Of the divergence by the loadings. Without it, those that are zero stay zero.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    W : ndarray of shape (n_rows, n_components)
        Loadings, zero where the criterion is lower without them.
    weights : ndarray of shape (n_free, n_templates)
        Weights; those of an element are zero where the criterion is lower without it.
    """
    found = estimate(W, spectra, costs, gradient, n_jobs)
    n_fixed, k = spectra.n_fixed, W.shape[1]
    pairs = [(a, b) for a in range(n_fixed, k) for b in range(k) if a != b]
    moves = found.best_multiples(pairs, n_jobs)
    for _ in range(max_moves if moves else 0):
        (a, b), (decrease, multiple) = max(moves.items(), key=lambda move: move[1][0])
        if decrease < MIN_DECREASE:
            break
        found.subtract(a, b, multiple)
        moves |= found.best_multiples([pair for pair in pairs if {a, b} & set(pair)], n_jobs)
    return found.significant_loadings(), found.significant_weights()[n_fixed:]


@dataclass(eq=False)
class Estimates:
    """Loadings and weights, with covariances between components; combined in place."""

    W: np.ndarray  # (n_rows, k)
    P: np.ndarray  # (k, n_templates)
    of_W: np.ndarray  # (n_rows, k, k)
    of_all: np.ndarray  # (k * n_templates, k * n_templates): covariance of all weights
    of_numbers: np.ndarray  # (n_rows + 1,): cost of so many loadings of a component
    elements: np.ndarray  # (n_templates,); each template of the continuum is one of its own
    limits: np.ndarray  # (k, n_elements): cost of an element, 0 for the continuum

    def of_weights(self, a, b):
        """Return the covariance of each weight of a with that of b, (n_templates,)."""
        t = self.P.shape[1]
        return self.of_all[a * t : (a + 1) * t, b * t : (b + 1) * t].diagonal()

    def cost(self, a, b, multiples):
        """Return the cost for multiples of b subtracted from a."""
        cost, _ = self.cost_of_loadings(a, b, multiples)
        of_weights = [self.of_weights(a, a), -self.of_weights(a, b), self.of_weights(b, b)]
        elements, limits = self.elements, self.limits[a]
        return cost + sum_costs(self.P[a], -self.P[b], of_weights, elements, limits, multiples)

    def cost_of_loadings(self, a, b, multiples):
        """Return the cost of the loadings of b with multiples of those of a, and their limits."""
        variances = [self.of_W[:, b, b], self.of_W[:, a, b], self.of_W[:, a, a]]
        loadings = self.W[:, b], self.W[:, a]
        return sum_costs_of_number(*loadings, variances, self.of_numbers, multiples)

    def best_multiples(self, pairs, n_jobs):
        """Return the decrease of the cost and the best multiple for each pair of components."""
        k = range(len(self.P))
        of_P = np.array([[self.of_weights(a, b) for b in k] for a in k])
        loadings, weights = (self.W, self.of_W, self.of_numbers), (self.P, of_P)
        found = best_multiples(
            *loadings, *weights, self.elements, self.limits, pairs,
            coarse=COARSE, fine=FINE, n_jobs=n_jobs,
        )  # fmt: skip
        return dict(zip(pairs, found, strict=True))

    def subtract(self, a, b, multiple):
        """Subtract a multiple of b from a, and add to the loadings of b what keeps W P."""
        self.W[:, b] += multiple * self.W[:, a]
        self.of_W[:, b] += multiple * self.of_W[:, a]
        self.of_W[:, :, b] += multiple * self.of_W[:, :, a]
        self.P[a] -= multiple * self.P[b]
        rows = self.of_all.reshape(*self.P.shape, -1)  # views
        columns = self.of_all.reshape(-1, *self.P.shape)
        rows[a] -= multiple * rows[b]
        columns[:, a] -= multiple * columns[:, b]
        # To unit sum again, of which the next multiples are.
        scale = max(self.P[a].sum(), LEAST_SUM)
        for of_spectrum in (self.P[a], rows[a], columns[:, a]):
            of_spectrum /= scale
        for of_loadings in (self.W[:, a], self.of_W[:, a], self.of_W[:, :, a]):
            of_loadings *= scale

    def significant_loadings(self):
        """Return the loadings without those that cost more than their likelihood.

        One after the other in each row, the others adapted: of two that are collinear, only one
        can become zero. A row's largest stays.
        """
        W, V = self.W.copy(), self.of_W.copy()
        rows, largest = np.arange(len(W)), (W * self.P.sum(axis=1)).argmax(axis=1)  # in counts
        limits = [self.cost_of_loadings(c, c, [0.0])[1][0] for c in range(W.shape[1])]
        stays = np.zeros(W.shape, dtype=bool)
        stays[rows, largest] = True
        for _ in range(W.shape[1] - 1):
            variance = np.maximum(np.einsum("icc->ic", V), TINY)
            # The most negative first.
            cost = np.sign(W) * 0.5 * W**2 / variance - limits
            cost[stays | (W == 0)] = np.inf
            least = cost.argmin(axis=1)
            zero = rows[cost[rows, least] < 0.0]
            if not zero.size:
                break
            at = least[zero]
            gain = V[zero, :, at] / variance[zero, at][:, None]
            W[zero] -= gain * W[zero, at][:, None]
            V[zero] -= gain[:, :, None] * V[zero, at][:, None, :]
            W[zero, at] = 0.0
            stays[zero, at] = True
        return W.clip(0.0)

    def significant_weights(self):
        """Return the weights without elements that cost more than their likelihood.

        One after the other, the others adapted, as for loadings.
        """
        k, t = self.P.shape
        of_lines = np.flatnonzero(self.limits[0, self.elements] > 0)
        of_elements = [
            (e, of_lines[self.elements[of_lines] == e]) for e in np.unique(self.elements[of_lines])
        ]
        groups = [c * t + lines for c in range(k) for _, lines in of_elements]
        limits = [self.limits[c, e] for c in range(k) for e, _ in of_elements]
        found = zero_groups(self.P.ravel(), self.of_all, groups, limits)
        return found.reshape(k, t).clip(0.0)


def vanishing_multiples(found: Estimates, a: int, b: int) -> np.ndarray:
    """Return the multiples of b subtracted from a at which a weight vanishes."""
    vanishing = found.P[a] / np.maximum(found.P[b], TINY)
    inside = (vanishing > COARSE[0]) & (vanishing < COARSE[-1]) & (found.P[b] > 0)
    return vanishing[inside]


def estimate(
    W: np.ndarray, spectra: LineSpectra, costs: Costs, gradient=None, n_jobs: int | None = 1
) -> Estimates:
    """Return loadings and weights with their covariances, at an optimum; see `simplest`."""
    n, templates, k = spectra.n_fixed, spectra.templates, W.shape[1]
    G = templates.spectra
    # The nearest sums of templates, without errors, stand for fixed spectra here.
    fixed = np.linalg.lstsq(G.T, spectra.fixed.T, rcond=None)[0].T if n else np.empty((0, len(G)))
    of_all = np.zeros((k * len(G),) * 2)
    of_all[n * len(G) :, n * len(G) :] = _weights_covariance(W, spectra, n_jobs)
    n_elements, n_continuum = templates.n_elements, len(templates.continuum)
    elements = np.append(templates.elements, n_elements + np.arange(n_continuum))
    limits = np.tile([costs.element] * n_elements + [0.0] * n_continuum, (k, 1))
    for c, allowed in enumerate(spectra.allowed):
        none = np.bincount(elements, allowed) == 0
        limits[n + c, none] = np.inf
    P = np.vstack([fixed, spectra.weights])
    of_W, of_numbers, W = covariance(W, spectra.B, n_jobs), costs.of_numbers(W), W.copy()
    if gradient is not None:
        # No step of the weights as well: both together go twice too far.
        W -= np.einsum("icd,id->ic", of_W, gradient)
    return Estimates(W, P, of_W, of_all, of_numbers, elements, limits)


def _weights_covariance(W, spectra, n_jobs):
    """Return the covariance of all weights of free spectra, (n_weights, n_weights)."""
    everything = np.ones(spectra.weights.shape, dtype=bool)
    matrix = weights_information(W, spectra, everything, n_jobs=n_jobs)
    diagonal = np.diag(matrix)
    # A weight that no count depends on has a large error, but a finite one.
    scale = np.sqrt(np.maximum(diagonal, LEAST_INFORMATION * max(diagonal.max(), TINY)))
    inverse = np.linalg.inv(matrix / np.outer(scale, scale) + RIDGE * np.eye(len(scale)))
    return inverse / np.outer(scale, scale)
