# SPDX-License-Identifier: GPL-3.0-or-later
r"""Rotational ambiguity resolved by parsimony: sparse loadings, merged and subtracted spectra.

For any small t, :math:`h_a - t h_b` in place of :math:`h_a` and :math:`w_b + t w_a` in place
of :math:`w_b` leave W H unchanged: within what non-negativity allows, the likelihood does not
distinguish them. Maximum likelihood is biased besides: noise makes loadings positive where a
phase is not present, and spectra farther apart than the true ones fit more of that noise.
Three steps:

**Sparse loadings.** A loading that is not significant, below `SIGNIFICANT` standard errors, is
set to zero. Where phases are not present in many pixels, that alone removes the bias.

**Merge.** Where the ratio r of the loadings of b to those of a is constant all over a, b is no
phase of its own there but belongs to the spectrum of a, as the elements of an alloy's
matrix do. Constant: most of the counts of a agree with r within standard errors, and next to
none are below; then :math:`h_a + r h_b` is the spectrum of a.

**Subtract.** Where b is present all over a but in ratios that vary, as a matrix around a
precipitate is, they are two phases, and as much of :math:`h_b` is subtracted from
:math:`h_a` as leaves none of its lines negative: the subtraction of the matrix that
microscopists do by hand. A line is negative where it is below the background on either
side, not below zero. Where maximum likelihood has subtracted too much already, as from a
core inside a shell, the background is missing there, and some of :math:`h_b` is added back.

The last two are conventions, which the counts do not decide. `ambiguity` reports the
confidence bands, and fixed spectra resolve the ambiguity.
"""

from dataclasses import dataclass, replace

import numpy as np

from hyperspy_psnmf.kernels.likelihood import score
from hyperspy_psnmf.kernels.newton.rows import solve_rows
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.parsimony.proportions import constant_proportions
from hyperspy_psnmf.nmf.parsimony.subtract import subtract_spectra
from hyperspy_psnmf.nmf.solver.alternating import Factorisation, poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import SPECTRUM_FLOOR, freeze_at_zero, solve_loadings
from hyperspy_psnmf.nmf.solver.fisher import standard_deviation

# Chosen on the built-in phantoms, but for the two that follow from others.
SIGNIFICANT = 2.0  # standard errors of a loading
MAX_LOSS_PER_ZERO = SIGNIFICANT**2 / 2  # nats of likelihood lost by one loading set to zero
MAX_MERGE_ROUNDS = 4  # of looking for ratios and refitting
MIN_RATIO = 0.01  # counts of b per count of a; merging stops when no new ratio is larger
MIN_LOSS_TESTED = 3.0  # nats; the least divergence whose scatter a subtraction may add
ROUNDING = 1e-12  # relative, of a row's divergence


@dataclass(frozen=True, eq=False)
class Simplification:
    """What `simplify` did.

    Attributes
    ----------
    fit : Factorisation
        Converged, with loadings that are not significant at zero.
    added : ndarray of shape (n_components, n_components)
        In row a, column b the counts of b merged into a, per count of a.
    removed : ndarray of shape (n_components, n_components)
        In row a, column b the fraction of b subtracted from a; negative where it was added
        back.
    """

    fit: Factorisation
    added: np.ndarray
    removed: np.ndarray

    def reorder(self, order) -> "Simplification":
        """Return the same with components in another order, the factorisation left as it is."""
        pairs = np.ix_(order, order)
        return replace(self, added=self.added[pairs], removed=self.removed[pairs])


def simplify(X, fit: Factorisation, *, n_fixed: int = 0, line_width: int = 1, **options):
    """Set loadings to zero, merge and subtract spectra, as far as the fit stays as good.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts.
    fit : Factorisation
        Maximum of the likelihood.
    n_fixed : int
        The first `n_fixed` spectra are kept as they are.
    line_width : int
        Channels; wider structures than that are background.
    **options
        Passed to `poisson_nmf`.

    Returns
    -------
    Simplification
    """
    k = len(fit.H)
    added, mean = np.zeros((k, k)), total_counts(X, axis=0)
    if n_fixed == k:
        return Simplification(fit, added, added)
    for _ in range(MAX_MERGE_ROUNDS):
        new = constant_proportions(fit.W, fit.H, n_fixed)
        H = _normalise_and_floor(fit.H + new @ fit.H, mean, n_fixed)
        fit = _refit(X, fit, H, n_fixed, options)
        added += new
        if new.max() <= MIN_RATIO:
            break
    for fill in (True, False):
        H, removed = subtract_spectra(fit.W, fit.H, added, n_fixed, line_width, fill=fill)
        subtracted = _refit_subtracted(X, fit, H, n_fixed, removed, options)
        if subtracted:
            return Simplification(subtracted, added, removed)
    return Simplification(fit, added, np.zeros((k, k)))


def _refit_subtracted(X, fit, H, n_fixed, removed, options):
    """Return the fit with the subtracted spectra frozen, None if it is significantly worse."""
    if not removed.any():
        return None
    # The likelihood alone would let these spectra drift back.
    frozen = (np.arange(len(H)) < n_fixed) | removed.any(axis=1)
    order = np.argsort(~frozen, kind="stable")
    H = _normalise_and_floor(H, total_counts(X, axis=0), n_fixed)[order]
    new = _refit(X, fit, H, np.count_nonzero(frozen), options)
    # The divergence is about half a chi-squared, whose standard deviation is its root.
    if new.divergence > fit.divergence + np.sqrt(max(fit.divergence, MIN_LOSS_TESTED**2)):
        return None
    back = np.argsort(order)
    return replace(new, W=new.W[:, back], H=new.H[back])


def _normalise_and_floor(H, mean, n_fixed):
    """Normalise the free spectra and floor them so that no observed count has zero likelihood."""
    free = H[n_fixed:] / H[n_fixed:].sum(axis=1, keepdims=True)
    free = np.maximum(free, SPECTRUM_FLOOR * mean / max(mean.sum(), 1.0))
    return np.vstack([H[:n_fixed], free / free.sum(axis=1, keepdims=True)])


def _refit(X, fit, H, n_fixed, options):
    W, pattern = solve_sparse_loadings(X, H, options.get("n_jobs", 1))
    new = poisson_nmf(X, H, W, n_fixed=n_fixed, pattern=pattern, **options)
    return replace(new, n_iter=fit.n_iter + new.n_iter)


def solve_sparse_loadings(X, H, n_jobs):
    """Return the most likely loadings with zeros where not significant, and their pattern."""
    W = solve_loadings(X, H, n_jobs=n_jobs)
    pattern = are_significant(W, H, n_jobs)
    terms = freeze_at_zero(~pattern)
    sparse, _ = solve_rows(X, H.T, np.where(pattern, W, 0.0), terms=terms, n_jobs=n_jobs)
    sparse = np.where(pattern, sparse, 0.0)
    before, after = (score(X, each, H.T, n_jobs=n_jobs)[1] for each in (W, sparse))
    # Of phases with similar spectra none may be significant by itself, but their sum is.
    loss = MAX_LOSS_PER_ZERO * (~pattern).sum(axis=1) + ROUNDING * before.sum()
    needed = after - before > loss
    pattern[needed] = True
    return np.where(needed[:, None], W, sparse), pattern


def are_significant(W: np.ndarray, H: np.ndarray, n_jobs: int | None = 1) -> np.ndarray:
    """Return which loadings (n_rows, n_components) are significant; a row's largest always is."""
    significant = SIGNIFICANT * standard_deviation(W, H.T, n_jobs) < W
    significant[np.arange(len(W)), W.argmax(axis=1)] = True
    return significant
