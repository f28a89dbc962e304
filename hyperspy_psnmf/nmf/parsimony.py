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
from scipy.ndimage import grey_opening

from hyperspy_psnmf.kernels.newton import solve_rows
from hyperspy_psnmf.kernels.score import score
from hyperspy_psnmf.nmf.convex import keep_at_zero, solve_loadings
from hyperspy_psnmf.nmf.counts import total_counts
from hyperspy_psnmf.nmf.information import covariance, standard_deviation
from hyperspy_psnmf.nmf.solve import Factorisation, poisson_nmf

SIGNIFICANT = 2.0  # standard errors
ABSENT_NATS = SIGNIFICANT**2 / 2  # what an absent loading may have explained at most
DETERMINED = 5.0  # standard errors; rows with less of a phase tell no proportion
MOST = 0.5  # share of a phase's counts
FEW = 0.05  # share of a phase's counts
MUCH = 0.05  # share of the counts of the rows where a phase is
MIN_ROWS = 8
SHARPNESS = 0.3  # a proportion this much off, relatively, must fit visibly worse,
WORSE = 0.6
HARMLESS = 0.1  # unless it is so small that little can go wrong
N_PROPORTIONS = 60
MAX_ROUNDS = 4
NEGLIGIBLE = 0.01
NEGATIVE_NATS = 3.0
VISIBLE, CLEAR = 3.0, 4.0  # standard errors; the latter is for the largest of many
WIDTHS_PER_LINE = 4  # of a peak at half its height
BACKGROUND_ERROR = 0.1  # relative
HALVINGS = 30
FLOOR = 1e-6  # of the mean spectrum
ROUNDING = 1e-12


@dataclass(frozen=True)
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
    found = present(W, H)
    terms = keep_at_zero(~found)
    left, _ = solve_rows(X, H.T, np.where(found, W, 0.0), terms=terms, n_jobs=n_jobs)
    left = np.where(found, left, 0.0)
    before, after = (score(X, each, H.T, n_jobs=n_jobs)[1] for each in (W, left))
    # Of phases that are alike none may be significant, and yet not all can be absent.
    needed = after - before > ABSENT_NATS * (~found).sum(axis=1) + ROUNDING * before.sum()
    found[needed] = True
    return np.where(needed[:, None], W, left), found


def present(W: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Tell which loadings (n_rows, n_components) are significant; the largest always is."""
    found = SIGNIFICANT * standard_deviation(W, H.T) < W
    found[np.arange(len(W)), W.argmax(axis=1)] = True
    return found


def constant_proportions(W: np.ndarray, H: np.ndarray, n_fixed: int = 0) -> np.ndarray:
    """Return which phases accompany others in constant proportion.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings, in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    n_fixed : int
        The first `n_fixed` phases are known: nothing belongs to them in addition.

    Returns
    -------
    ndarray of shape (n_components, n_components)
        In row a, column b the proportion of counts of b to counts of a; 0 where
        there is no constant one.
    """
    V = covariance(W, H.T)
    found = np.zeros((len(H), len(H)))
    for a in range(n_fixed, len(H)):
        rows = W[:, a] > DETERMINED * np.sqrt(V[:, a, a])
        for b in range(len(H)):
            if a != b and np.count_nonzero(rows) >= MIN_ROWS:
                found[a, b] = _constant_proportion(
                    W[rows][:, [a, b]], V[rows][:, [a, b]][..., [a, b]]
                )
    return found


def _constant_proportion(w, V):
    """Return the proportion that most of the counts share and few undercut, or 0."""
    ratios = np.quantile(w[:, 1] / w[:, 0], np.linspace(0.0, 0.9, N_PROPORTIONS))
    ratios = np.unique(ratios[ratios > 0])
    sharing, undercutting = _share(w, V, ratios)
    sharing[undercutting >= FEW] = 0.0
    if not sharing.size or sharing.max() < MOST:
        return 0.0
    most, r = sharing.max(), ratios[sharing.argmax()]
    at_zero, below, above = _share(w, V, r * np.array([0.0, 1 - SHARPNESS, 1 + SHARPNESS]))[0]
    is_sharp = max(below, above) < WORSE * most
    if at_zero >= MOST * most or not (is_sharp or r < HARMLESS):
        return 0.0
    return _mean_proportion(w, V, r)


def _mean_proportion(w, V, r):
    """Return the weighted mean of the proportions that agree with r."""
    z, variance = _deviation(w, V, r)
    weight = (np.abs(z) < SIGNIFICANT) / variance
    return (weight * w[:, 0] * w[:, 1]).sum() / (weight * w[:, 0] ** 2).sum()


def _deviation(w, V, r):
    """Return how many standard errors loadings are off proportions, and the variances."""
    apart = V[:, 1, 1] + r**2 * V[:, 0, 0]
    variance = np.maximum(apart - 2 * r * V[:, 0, 1], ROUNDING * apart)
    return (w[:, 1] - r * w[:, 0]) / np.sqrt(variance), variance


def _share(w, V, ratios):
    """Return the shares of the first phase's counts that fit and that undercut proportions."""
    z, _ = _deviation(w, V, ratios[:, None])
    counts = w[:, 0] / w[:, 0].sum()
    return (np.abs(z) < SIGNIFICANT) @ counts, (z < -SIGNIFICANT) @ counts


def subtract_companions(W, H, added, n_fixed: int = 0, line_width: int = 1, *, fill: bool = True):
    """Take from each phase what it holds of others that always accompany it.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings, zero where a phase is absent.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    added : ndarray of shape (n_components, n_components)
        Proportions found to be constant: these companions stay.
    n_fixed : int
        The first `n_fixed` phases are known.
    line_width : int
        Channels across which a line cannot be taken for background.
    fill : bool
        Whether a companion returns where its lines leave gaps in the background.

    Returns
    -------
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    removed : ndarray of shape (n_components, n_components)
        In row a, column b the share of b subtracted from a; below zero, what returned.
    """
    counts, together = W.sum(axis=0), W.T @ W
    # Where a spectrum is zero the information is infinite, but no count is still not less
    # than one.
    one_count = 1 / np.maximum(counts, 1.0)[:, None]
    errors = np.hypot(standard_deviation(H.T, W).T, one_count)
    beside = W.T @ (W > 0)  # counts of a in rows where b is present
    total = W.sum(axis=1, keepdims=True)
    share = W.T @ np.divide(W, total, out=np.zeros_like(W), where=total > 0)  # of b, seen by a
    V = covariance(W, H.T)
    H, removed = H.copy(), np.zeros((len(H), len(H)))
    for a in range(n_fixed, len(H)):
        for b in np.argsort(-together[a]):
            always = beside[a, b] > MOST * counts[a] and share[a, b] > MUCH * counts[a]
            if a == b or added[a, b] > HARMLESS or not always:
                continue
            lines, of_companion = (_lines(H[c], errors[c], line_width) for c in (a, b))
            share_of_b = _largest_share(lines, of_companion)
            if fill and line_width > 1:
                gap = _gap(H[a], errors[a], _visible(of_companion), line_width)
                share_of_b = -gap if gap and _is_enough(W, V, a, b, gap) else share_of_b
            left = H[a] - share_of_b * H[b]
            if left.sum() * counts[a] > VISIBLE * np.sqrt(counts[a]):
                removed[a, b], H[a] = share_of_b, np.maximum(left, 0.0)
    return H / H.sum(axis=1, keepdims=True), removed


def _lines(h, errors, line_width):
    """Return what is above the background, and standard errors of that."""
    # Where the width of a line is not known, everything counts as line.
    opened = grey_opening(h, line_width) if line_width > 1 else np.zeros_like(h)
    background = np.minimum(opened, h)
    return h - background, np.hypot(errors, BACKGROUND_ERROR * background)


def _largest_share(lines, of_companion):
    """Return how much of a companion can go before its lines turn negative."""
    (lines, errors), wanted = lines, _visible(of_companion)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        negative = np.maximum(middle * wanted - lines, 0.0) / errors
        low, high = (middle, high) if (negative**2).sum() / 2 < NEGATIVE_NATS else (low, middle)
    return low


def _visible(lines):
    values, errors = lines
    return np.where(values > VISIBLE * errors, values, 0.0)


def _gap(h, errors, lines, line_width):
    """Return how much of a companion's lines is missing from a background, or 0.

    By least squares in a window of the width of a peak, where it is most significant.
    """
    background = _around(h, lines > 0, line_width)
    weight = 1 / (errors**2 + (BACKGROUND_ERROR * background) ** 2)
    window = np.ones(max(1, line_width // WIDTHS_PER_LINE))
    sums = (weight * lines**2, weight * lines * (background - h))
    information, missing = (np.convolve(each, window, mode="same") for each in sums)
    significance = missing / np.sqrt(np.maximum(information, 1e-300))
    most = significance.argmax()
    return missing[most] / information[most] if significance[most] > CLEAR else 0.0


def _around(h, elsewhere, line_width):
    """Return a background that goes on under lines elsewhere, at the lower of both sides."""
    outside = np.flatnonzero(~elsewhere)
    beside = np.minimum(grey_opening(h[outside], line_width), h[outside]) if outside.size else h[:0]
    # Beyond either end there is none.
    beside = np.concatenate([[0.0], beside, [0.0]])
    following = np.searchsorted(outside, np.arange(h.size))
    background = np.minimum(beside[following], beside[following + 1])
    background[outside] = beside[1:-1]
    return background


def _is_enough(W, V, a, b, proportion):
    """Tell whether there is so much of b all over a that it can be a part of a."""
    rows = W[:, a] > DETERMINED * np.sqrt(V[:, a, a])
    if not rows.any():
        return False
    w, of_w = W[rows][:, [a, b]], V[rows][:, [a, b]][..., [a, b]]
    return _share(w, of_w, np.array([proportion]))[1].item() < FEW
