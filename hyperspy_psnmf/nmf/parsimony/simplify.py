# SPDX-License-Identifier: GPL-3.0-or-later
r"""The simplest among factorisations that fit alike.

For any small t, :math:`h_a - t h_b` in place of :math:`h_a` and :math:`w_b + t w_a` in place
of :math:`w_b` leave W H as it is: within what non-negativity allows, counts cannot tell
which is true. What is more, maximum likelihood has a bias: noise makes loadings of absent
phases positive, and spectra that lie farther apart than the true ones accommodate more of
that noise. Three steps settle both.

**Absent is zero.** A loading below `SIGNIFICANT` standard errors is held at zero. Where
phases are absent in many pixels, that alone removes the bias.

**Constant proportions.** Where phase b accompanies phase a in one proportion all over, it is
no phase of its own there but a part of a: as an alloy holds the elements of its matrix.
The proportion r is the one shared, within errors, by most of the counts of a
and undercut by next to none; then :math:`h_a + r h_b` is the spectrum.

**Varying proportions.** Where b accompanies a all over but in proportions that vary, as a
matrix does a precipitate within it, they are two phases, and :math:`h_a` holds as little of
b as leaves no line of it negative. That is the subtraction of the matrix that
microscopists do by hand. A line is negative below the background on either side of it, not
below zero: where maximum likelihood has gone that far, as for a core inside a shell, some of b
returns to a.

The last two are conventions where counts alone decide nothing; `ambiguity` tells how far
other answers are possible, and known spectra decide better.
"""

from dataclasses import dataclass, replace

import numpy as np

from hyperspy_psnmf.kernels.likelihood import score
from hyperspy_psnmf.kernels.newton.rows import solve_rows
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.parsimony.proportions import constant_proportions
from hyperspy_psnmf.nmf.parsimony.subtract import subtract_companions
from hyperspy_psnmf.nmf.solver.alternating import Factorisation, poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import keep_at_zero, solve_loadings
from hyperspy_psnmf.nmf.solver.fisher import standard_deviation

SIGNIFICANT = 2.0  # standard errors
ABSENT_NATS = SIGNIFICANT**2 / 2  # what an absent loading may have explained at most
MAX_ROUNDS = 4
NEGLIGIBLE = 0.01
NEGATIVE_NATS = 3.0
FLOOR = 1e-6  # of the mean spectrum
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Simplification:
    """What `simplify` did.

    Attributes
    ----------
    fit : Factorisation
        Converged, with the absent loadings held at zero.
    added : ndarray of shape (n_components, n_components)
        Proportion of b found to belong to a.
    removed : ndarray of shape (n_components, n_components)
        Share of b subtracted from a; below zero, what returned to it.
    """

    fit: Factorisation
    added: np.ndarray
    removed: np.ndarray

    def reorder(self, order) -> "Simplification":
        """Return the same with components in another order, the factorisation left as it is."""
        pairs = np.ix_(order, order)
        return replace(self, added=self.added[pairs], removed=self.removed[pairs])


def simplify(X, fit: Factorisation, *, n_fixed: int = 0, line_width: int = 1, **options):
    """Return the simplest factorisation that explains counts as well as `fit`.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    fit : Factorisation
        Maximum of the likelihood.
    n_fixed : int
        The first `n_fixed` spectra are kept as they are.
    line_width : int
        Channels across which a line cannot be taken for background.
    **options
        Passed on to `poisson_nmf`.

    Returns
    -------
    Simplification
    """
    k = len(fit.H)
    added, mean = np.zeros((k, k)), total_counts(X, axis=0)
    if n_fixed == k:
        return Simplification(fit, added, added)
    for _ in range(MAX_ROUNDS):
        new = constant_proportions(fit.W, fit.H, n_fixed)
        H = _cover(fit.H + new @ fit.H, mean, n_fixed)
        fit = _refit(X, fit, H, n_fixed, options)
        added += new
        if new.max() <= NEGLIGIBLE:
            break
    for fill in (True, False):
        H, removed = subtract_companions(fit.W, fit.H, added, n_fixed, line_width, fill=fill)
        without = _hold_spectra(X, fit, H, n_fixed, removed, options)
        if without:
            return Simplification(without, added, removed)
    return Simplification(fit, added, np.zeros((k, k)))


def _hold_spectra(X, fit, H, n_fixed, removed, options):
    """Return the factorisation with companions removed, None if that explains too little."""
    if not removed.any():
        return None
    # Counts alone would let these spectra drift back.
    settled = (np.arange(len(H)) < n_fixed) | removed.any(axis=1)
    order = np.argsort(~settled, kind="stable")
    H = _cover(H, total_counts(X, axis=0), n_fixed)[order]
    new = _refit(X, fit, H, np.count_nonzero(settled), options)
    # The divergence is about half a chi-squared, whose standard deviation is its root.
    if new.divergence > fit.divergence + np.sqrt(max(fit.divergence, NEGATIVE_NATS**2)):
        return None
    back = np.argsort(order)
    return replace(new, W=new.W[:, back], H=new.H[back])


def _cover(H, mean, n_fixed):
    """Return spectra of unit sum; but for known ones they could all explain any count."""
    free = H[n_fixed:] / H[n_fixed:].sum(axis=1, keepdims=True)
    free = np.maximum(free, FLOOR * mean / max(mean.sum(), 1.0))
    return np.vstack([H[:n_fixed], free / free.sum(axis=1, keepdims=True)])


def _refit(X, fit, H, n_fixed, options):
    W, support = hold_absent_loadings(X, H, options.get("n_jobs", 1))
    new = poisson_nmf(X, H, W, n_fixed=n_fixed, support=support, **options)
    return replace(new, n_iter=fit.n_iter + new.n_iter)


def hold_absent_loadings(X, H, n_jobs):
    """Return the likeliest loadings with those absent at zero, and which are not absent."""
    W = solve_loadings(X, H, n_jobs=n_jobs)
    found = present(W, H, n_jobs)
    terms = keep_at_zero(~found)
    left, _ = solve_rows(X, H.T, np.where(found, W, 0.0), terms=terms, n_jobs=n_jobs)
    left = np.where(found, left, 0.0)
    before, after = (score(X, each, H.T, n_jobs=n_jobs)[1] for each in (W, left))
    # Of phases that are alike none may be significant, and yet not all can be absent.
    needed = after - before > ABSENT_NATS * (~found).sum(axis=1) + ROUNDING * before.sum()
    found[needed] = True
    return np.where(needed[:, None], W, left), found


def present(W: np.ndarray, H: np.ndarray, n_jobs: int | None = 1) -> np.ndarray:
    """Tell which loadings (n_rows, n_components) are significant; the largest always is."""
    found = SIGNIFICANT * standard_deviation(W, H.T, n_jobs) < W
    found[np.arange(len(W)), W.argmax(axis=1)] = True
    return found
