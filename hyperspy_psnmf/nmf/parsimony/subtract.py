# SPDX-License-Identifier: GPL-3.0-or-later
"""What phases hold of others that always accompany them; see `simplify`."""

import numpy as np
from scipy.ndimage import grey_opening

from hyperspy_psnmf.nmf.parsimony.proportions import HARMLESS, MOST, is_enough
from hyperspy_psnmf.nmf.solver.fisher import covariance, standard_deviation

MUCH = 0.05  # share of the counts of the rows where a phase is
NEGATIVE_NATS = 3.0
VISIBLE, CLEAR = 3.0, 4.0  # standard errors; the latter is for the largest of many
WIDTHS_PER_LINE = 4  # of a peak at half its height
BACKGROUND_ERROR = 0.1  # relative
HALVINGS = 30


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
                share_of_b = -gap if gap and is_enough(W, V, a, b, gap) else share_of_b
            left = H[a] - share_of_b * H[b]
            if left.sum() * counts[a] > VISIBLE * np.sqrt(counts[a]):
                removed[a, b], H[a] = share_of_b, np.maximum(left, 0.0)
    H[n_fixed:] /= H[n_fixed:].sum(axis=1, keepdims=True)  # known ones stay in every bit
    return H, removed


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
