# SPDX-License-Identifier: GPL-3.0-or-later
r"""Weights of templates in spectra, for fixed loadings: one convex problem.

.. math:: \min_{P \ge 0} D(X, W_0 H_0 + W P G)

with loadings :math:`W_0` of fixed spectra :math:`H_0`. All weights are updated at once by
Fisher scoring, or by an EM step where that does not decrease the divergence. With the
expected information of the spectra in each channel,
:math:`I_{jcd} = \sum_i W_{ic} W_{id} / \mu_{ij}`, that of the weights is
:math:`\sum_j G_{sj} I_{jcd} G_{uj}`, some hundred rows. A step leads to the minimum over
:math:`P \ge 0` of the quadratic model, found by pivoting [1]_: a Newton step cut off at zero
need not be downhill, for neighbouring splines of the continuum are nearly dependent.

References
----------
.. [1] J. J. Júdice, F. M. Pires, Comput. Oper. Res. 21 (1994) 587 (block principal pivoting).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from hyperspy_psnmf.kernels import expected
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.binning.bins import sum_groups
from hyperspy_psnmf.nmf.counts.blocks import divergence, score
from hyperspy_psnmf.nmf.lines.templates import LEAST, Templates

RIDGE = 1e-9  # relative, of the information: splines that no count distinguishes
# Of a spectrum without counts of its own, so many are fitted by templates.
SPECTRUM_COUNTS, SPECTRUM_STEPS, SPECTRUM_TOL = 1e5, 20, 0.01
MAX_HALVINGS = 10  # of a step that does not decrease the divergence
MAX_PIVOTS = 10  # of the quadratic model, with returns from zero; most need one or two


@dataclass(frozen=True, eq=False)
class LineSpectra:
    """Spectra made of templates, beside fixed ones.

    Attributes
    ----------
    templates : Templates
    weights : ndarray of shape (n_free, n_templates)
        P: fraction of the counts of each free spectrum in each template.
    allowed : ndarray of bool of shape (n_free, n_templates)
        False where a weight is zero by constraint.
    fixed : ndarray of shape (n_fixed, n_channels)
        Fixed spectra, which come first.
    """

    templates: Templates
    weights: np.ndarray
    allowed: np.ndarray
    fixed: np.ndarray

    @property
    def n_fixed(self) -> int:
        """Number of fixed spectra."""
        return len(self.fixed)

    @property
    def H(self) -> np.ndarray:
        """All spectra, of shape (n_components, n_channels)."""
        return np.vstack([self.fixed, self.weights @ self.templates.spectra])

    @property
    def B(self) -> np.ndarray:
        """The same as columns, of shape (n_channels, n_components)."""
        return np.ascontiguousarray(self.H.T)

    @property
    def has_element(self) -> np.ndarray:
        """Which elements have lines in each free spectrum, (n_free, n_elements)."""
        found = np.zeros((len(self.weights), self.templates.n_elements), dtype=bool)
        for line, element in enumerate(self.templates.elements):
            found[:, element] |= self.weights[:, line] > 0
        return found

    def grouped(self, first: np.ndarray) -> "LineSpectra":
        """Return the same with groups of channels summed, given the first one of each."""
        templates, fixed = self.templates.grouped(first), sum_groups(self.fixed, first)
        return replace(self, templates=templates, fixed=fixed)

    def binned(self, energy_binning: int) -> "LineSpectra":
        """Return the same with channels summed, `energy_binning` at a time."""
        return self.grouped(np.arange(0, self.templates.spectra.shape[1], energy_binning))

    def with_weights(self, weights: np.ndarray) -> "LineSpectra":
        """Return spectra with other weights, zero where not allowed."""
        return replace(self, weights=np.where(self.allowed, np.maximum(weights, 0.0), 0.0))


def nearest_sums(
    H: np.ndarray, templates: Templates, allowed: np.ndarray, *, tol: float = SPECTRUM_TOL
) -> LineSpectra:
    """Return the sums of templates that are most like some spectra.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    templates : Templates
    allowed : ndarray of bool of shape (n_components, n_templates)
        False where a weight is zero by constraint.
    tol : float
        Nats, of 100 000 counts of each spectrum.

    Returns
    -------
    LineSpectra
        Without fixed spectra, and not normalised.
    """
    flat = allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1)
    start = LineSpectra(templates, flat, allowed, np.empty((0, H.shape[1])))
    # Rounding leaves traces in channels that no template has.
    explained = templates.spectra.max(axis=0)[:, None] > LEAST
    counts = np.ascontiguousarray(np.where(explained, SPECTRUM_COUNTS * H.T, 0.0))
    W = SPECTRUM_COUNTS * np.eye(len(H))
    return solve_weights(counts, W, start, tol=tol, max_iter=SPECTRUM_STEPS)


def normalise_weights(W: np.ndarray, spectra: LineSpectra) -> tuple[np.ndarray, LineSpectra]:
    """Return loadings and spectra with free spectra of unit sum, the product unchanged."""
    scale = spectra.weights.sum(axis=1)
    empty = scale == 0
    scale = np.where(empty, 1.0, scale)
    weights = spectra.weights / scale[:, None]
    # A component without a spectrum: zero loadings, and the mean continuum, or template.
    is_line = spectra.templates.is_line
    usual = spectra.allowed[empty] & (is_line if is_line.all() else ~is_line)
    weights[empty] = usual / np.maximum(usual.sum(axis=1, keepdims=True), 1)
    factor = np.concatenate([np.ones(spectra.n_fixed), np.where(empty, 0.0, scale)])
    return W * factor, replace(spectra, weights=weights)


def weights_information(
    W: np.ndarray, spectra: LineSpectra, which: np.ndarray, *, n_jobs=1
) -> np.ndarray:
    """Return the expected information on some weights, for fixed loadings.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
    spectra : LineSpectra
    which : ndarray of bool of shape (n_free, n_templates)
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of shape (n, n)
        Of the weights in the order of `which`, one spectrum after the other.
    """
    n = spectra.n_fixed
    per_channel = expected.information(spectra.B, W, n_jobs=n_jobs)[:, n:, n:]
    return expected.information_of_sums(per_channel, spectra.templates.spectra, *np.nonzero(which))


def solve_weights(
    Xt, W: np.ndarray, spectra: LineSpectra, *, tol: float, max_iter: int, prices=0.0, n_jobs=1
) -> LineSpectra:
    """Return the spectra whose weights maximise the likelihood, for fixed loadings.

    Parameters
    ----------
    Xt : ndarray or csr_array of shape (n_channels, n_rows)
        Counts.
    W : ndarray of shape (n_rows, n_components)
        Loadings, those of fixed spectra first.
    spectra : LineSpectra
        Where to start. They are not normalised here: loadings are fixed.
    tol : float
        Decrease of the divergence, in nats, that a step predicts, below which iterations end.
    max_iter : int
        Steps at most.
    prices : float or ndarray of shape (n_free,)
        Cost of each spectrum's sum, in nats, which is added to the divergence.
    n_jobs : int or None
        Threads; None is all cores.
    """
    prices = np.broadcast_to(prices, len(spectra.weights))
    for _ in range(max_iter):
        loss, gradient, explained = _gradient(Xt, W, spectra, n_jobs)
        loss, gradient = loss + _cost(spectra, prices), gradient + prices[:, None]
        change = _fisher_step(W, spectra, gradient, n_jobs)
        if not -(gradient * change).sum() >= tol:
            break
        fractions = 0.5 ** np.arange(MAX_HALVINGS)
        em_step = spectra.weights * explained / np.maximum(gradient + explained, TINY)
        for weights in (*(spectra.weights + f * change for f in fractions), em_step):
            moved = spectra.with_weights(weights)
            if divergence(Xt, moved.B, W, n_jobs=n_jobs) + _cost(moved, prices) < loss:
                spectra = moved
                break
        else:
            break
    return spectra


def remaining_decrease(Xt, W: np.ndarray, spectra: LineSpectra, n_jobs: int | None = 1) -> float:
    """Return the decrease of the divergence, in nats, that a scoring step of weights predicts.

    A duality gap is no use here: a template with few counts may have a large one and gain nothing.
    """
    _, gradient, _ = _gradient(Xt, W, spectra, n_jobs)
    change = _fisher_step(W, spectra, gradient, n_jobs)
    return max(0.0, float(-(gradient * change).sum()))


def _gradient(Xt, W, spectra, n_jobs):
    """Return the divergence, its gradient by the weights, and the counts of each template."""
    n, B = spectra.n_fixed, spectra.B
    scores, losses = score(Xt, B, W, n_jobs=n_jobs)
    explained = (spectra.templates.spectra @ scores[:, n:]).T
    return losses.sum(), W[:, n:].sum(axis=0)[:, None] - explained, explained


def _cost(spectra, prices):
    return prices @ spectra.weights.sum(axis=1)


def _fisher_step(W, spectra, gradient, n_jobs):
    """Return the change of the weights to the minimum of the quadratic model."""
    P = spectra.weights
    allowed, new = spectra.allowed, np.zeros(P.shape)
    matrix = weights_information(W, spectra, allowed, n_jobs=n_jobs)
    new[allowed] = _minimise(matrix, gradient[allowed], P[allowed])
    return new - P


def _minimise(matrix, gradient, start):
    """Return the minimum over x >= 0 of the function that has this gradient at the start."""
    scale = np.sqrt(np.maximum(np.diag(matrix), TINY))
    matrix /= scale  # its own, and hundreds of kB
    matrix /= scale[:, None]
    matrix[np.diag_indices_from(matrix)] += RIDGE
    right, free = matrix @ (start * scale) - gradient / scale, start > 0
    x, n_pivots = np.zeros(len(right)), 0
    while True:
        x[~free] = 0.0
        factor = cho_factor(matrix[np.ix_(free, free)], overwrite_a=True, check_finite=False)
        x[free] = cho_solve(factor, right[free], check_finite=False)
        # Exchanges may go in circles; without returns they end.
        wrong = np.where(free, x < 0, (matrix @ x < right) & (n_pivots < MAX_PIVOTS))
        if not wrong.any():
            return x / scale
        free, n_pivots = free ^ wrong, n_pivots + 1
