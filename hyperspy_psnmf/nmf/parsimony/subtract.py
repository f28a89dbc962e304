# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra subtracted from others where their phases always overlap; see `simplify`."""

import numpy as np
from scipy.ndimage import grey_opening

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.parsimony.proportions import MIN_AGREEING, SMALL_RATIO, is_ratio_reached
from hyperspy_psnmf.nmf.solver.fisher import covariance, standard_deviation

# All chosen on the built-in phantoms, together.
MIN_MEAN_FRACTION = 0.05  # of b in the rows of a, weighted by the counts of a
MAX_NEGATIVE_NATS = 3.0  # half the sum of squares of what is below the background, in sigma
SIGNIFICANT = 3.0  # standard errors of a channel
SIGNIFICANT_MAXIMUM = 4.0  # standard errors of the largest of all windows
FWHM_PER_LINE_WIDTH = 4  # `line_width` is about four FWHM
BACKGROUND_ERROR = 0.1  # relative systematic error of an opened background
HALVINGS = 30  # of the subtracted fraction: bisection to 1e-9


def subtract_spectra(W, H, added, n_fixed: int = 0, line_width: int = 1, *, fill: bool = True):
    """Subtract from each spectrum those of phases that overlap it everywhere.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings, zero where not significant.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    added : ndarray of shape (n_components, n_components)
        Ratios of merged spectra; these are not subtracted again.
    n_fixed : int
        The first `n_fixed` spectra are fixed.
    line_width : int
        Channels; wider structures than that are background.
    fill : bool
        Whether to add a spectrum back where background is missing under its lines.

    Returns
    -------
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum.
    removed : ndarray of shape (n_components, n_components)
        In row a, column b the fraction of b subtracted from a; negative where it was added
        back.
    """
    counts, together = W.sum(axis=0), W.T @ W
    # Where a spectrum is zero the information is infinite, but zero counts do not exclude
    # an expectation of one.
    one_count = 1 / np.maximum(counts, 1.0)[:, None]
    errors = np.hypot(standard_deviation(H.T, W).T, one_count)
    beside = W.T @ (W > 0)  # counts of a in rows where b is present
    total = W.sum(axis=1, keepdims=True)
    # Counts of a, times the fraction of b in their rows.
    mixed = W.T @ np.divide(W, total, out=np.zeros_like(W), where=total > 0)
    V = covariance(W, H.T)
    H, removed = H.copy(), np.zeros((len(H), len(H)))
    for a in range(n_fixed, len(H)):
        for b in np.argsort(-together[a]):
            overlaps = (
                beside[a, b] > MIN_AGREEING * counts[a]
                and mixed[a, b] > MIN_MEAN_FRACTION * counts[a]
            )
            if a == b or added[a, b] > SMALL_RATIO or not overlaps:
                continue
            lines, lines_of_b = (_lines(H[c], errors[c], line_width) for c in (a, b))
            fraction = _largest_fraction(lines, lines_of_b)
            if fill and line_width > 1:
                missing = _missing_background(H[a], errors[a], _significant(lines_of_b), line_width)
                if missing and is_ratio_reached(W, V, a, b, missing):
                    fraction = -missing
            left = H[a] - fraction * H[b]
            if left.sum() * counts[a] > SIGNIFICANT * np.sqrt(counts[a]):
                removed[a, b], H[a] = fraction, np.maximum(left, 0.0)
    H[n_fixed:] /= H[n_fixed:].sum(axis=1, keepdims=True)  # fixed ones stay bit for bit
    return H, removed


def _lines(h, errors, line_width):
    """Return a spectrum above its background (grey opening), and the standard errors."""
    # Without an energy axis there is no line width: all of the spectrum is lines.
    opened = grey_opening(h, line_width) if line_width > 1 else np.zeros_like(h)
    background = np.minimum(opened, h)
    return h - background, np.hypot(errors, BACKGROUND_ERROR * background)


def _largest_fraction(lines, lines_of_b):
    """Return the fraction of b at which its lines in a become significantly negative."""
    (lines, errors), subtracted = lines, _significant(lines_of_b)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        negative = np.maximum(middle * subtracted - lines, 0.0) / errors
        is_positive = (negative**2).sum() / 2 < MAX_NEGATIVE_NATS
        low, high = (middle, high) if is_positive else (low, middle)
    return low


def _significant(lines):
    values, errors = lines
    return np.where(values > SIGNIFICANT * errors, values, 0.0)


def _missing_background(h, errors, lines, line_width):
    """Return the fraction of a spectrum's lines that is missing from a background, or 0.

    By least squares in a window of the width of a peak, where it is most significant.
    """
    background = _background_under(h, lines > 0, line_width)
    weight = 1 / (errors**2 + (BACKGROUND_ERROR * background) ** 2)
    window = np.ones(max(1, line_width // FWHM_PER_LINE_WIDTH))
    sums = (weight * lines**2, weight * lines * (background - h))
    information, missing = (np.convolve(each, window, mode="same") for each in sums)
    significance = missing / np.sqrt(np.maximum(information, TINY))
    most = significance.argmax()
    is_significant = significance[most] > SIGNIFICANT_MAXIMUM
    return missing[most] / information[most] if is_significant else 0.0


def _background_under(h, is_line, line_width):
    """Return the background, under lines the lower one of that on either side."""
    outside = np.flatnonzero(~is_line)
    beside = np.minimum(grey_opening(h[outside], line_width), h[outside]) if outside.size else h[:0]
    # Beyond either end of the axis there is no background.
    beside = np.concatenate([[0.0], beside, [0.0]])
    following = np.searchsorted(outside, np.arange(h.size))
    background = np.minimum(beside[following], beside[following + 1])
    background[outside] = beside[1:-1]
    return background
