# SPDX-License-Identifier: GPL-3.0-or-later
r"""Weighted sums over the neighbours of every pixel that agree with it (adaptive weights).

Pixel i sums the values of pixels j with weights

.. math:: w_{ij} = l(j - i) \, \min(1, \max(0, 2 - 2 T_{ij})), \qquad
    T_{ij} = \max_o s \, t_{i+o, j+o},

o over the 3 x 3 pixels around. t is twice the logarithm of the likelihood ratio of two Poisson
samples, counts x and z with the fitted means m and r, of effectively n and q observations,

.. math:: t = 2 \sum_g x_g \log \frac{m_g}{p_g} + z_g \log \frac{r_g}{p_g}, \qquad
    p = \frac{n m + q r}{n + q};

p is not the most likely mean of both, so that t is not below the likelihood ratio; l
decreases with the distance, and w_ii = 1. T and l are the same for j and i: a pair of pixels is
compared once, and each is added to the other. A row of pixels is contiguous for each value, so
that all loops vectorise.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_part, jit_row
from hyperspy_psnmf.kernels.parallel import run_blocks
from hyperspy_psnmf.kernels.row_counts import as_argument

ROWS_PER_BLOCK = 24  # their sums stay in cache; more than the rows beside that are compared, too
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
SMALLEST = np.finfo(np.float32).tiny  # of normal numbers: others have other bits
# Bits of a float32, and the value of a unit of its exponent; mantissas are from 1 to 2.
EXPONENT, MANTISSA, BITS_OF_ONE = 0x7F800000, 0x007FFFFF, 0x3F800000
UNIT, OFFSET = np.float32(2.0**-23), np.float32(126.5)
ROOT_2, LOG_2 = np.float32(math.sqrt(2)), np.float32(math.log(2))
L3, L5, L7, L9 = (np.float32(1 / n) for n in (3, 5, 7, 9))  # series of the inverse tanh


class Samples(NamedTuple):
    """Poisson samples to compare, one per pixel; a row of pixels is contiguous.

    Attributes
    ----------
    x : ndarray of float32, shape (n_slices * n_rows, n_values, n_columns)
        Counts, sums of `n` observations.
    fits : ndarray of float32, shaped as x
        Fitted sums, in units of a reference of each value: near n, so that logarithms are
        small and need not be exact.
    own : ndarray of float32, shape (n_slices * n_rows, n_columns)
        Sum over values of x times the logarithm of fits / n.
    total : ndarray of float32, shape (n_slices * n_rows, n_columns)
        Sum of x.
    n : ndarray of float32, shape (n_slices * n_rows, n_columns)
        Effective number of observations; a pixel with 0 has no weight in any sum.
    """

    x: np.ndarray
    fits: np.ndarray
    own: np.ndarray
    total: np.ndarray
    n: np.ndarray


@jit_row
def _take_logarithms(n, buffers):
    # In place, of the first n values; math.log would not be vectorised. Absolute error 1e-7.
    values, bits, exponents = buffers
    for x in range(n):
        values[x] = max(values[x], SMALLEST)
    # One array of integers per step: arithmetic on them would be of 64 bits.
    for x in range(n):
        exponents[x] = bits[x] & EXPONENT
    for x in range(n):
        bits[x] = bits[x] & MANTISSA | BITS_OF_ONE
    for x in range(n):
        z = (values[x] - ROOT_2) / (values[x] + ROOT_2)
        zz = z * z
        series = ONE + zz * (L3 + zz * (L5 + zz * (L7 + zz * L9)))
        values[x] = LOG_2 * (UNIT * np.float32(exponents[x]) - OFFSET) + TWO * z * series


@jit_part
def _subtract_pooled(row, x, others, m, means, buffers):
    logs = buffers[0]
    for i in range(row.size):
        logs[i] = m[i] + means[i]
    _take_logarithms(row.size, buffers)
    for i in range(row.size):
        row[i] -= (x[i] + others[i]) * logs[i]


@jit_part
def _finish_ratios(row, n, others, total, totals, own, owns, scale, buffers):
    logs = buffers[0]
    for x in range(row.size):
        logs[x] = n[x] + others[x]
    _take_logarithms(row.size, buffers)
    for x in range(row.size):
        t = row[x] + own[x] + owns[x] + (total[x] + totals[x]) * logs[x]
        row[x] = max(ZERO, TWO * scale * t) if n[x] * others[x] > ZERO else ZERO


@jit_part
def _contrasts(rows, shift, pixels, scale, t, buffers):
    # t[y - top, x] of the pixels (y, x) and (y + dy, x + dx); 0 beyond the map and where
    # n is 0.
    (top, bottom, first, last), (dy, dx) = rows, shift
    _, sums, fits, own, total, n = pixels
    begin, end = max(0, -dx), min(n.shape[1], n.shape[1] - dx)
    # Slices: an index that might be negative prevents vectorisation.
    here, there = slice(begin, end), slice(begin + dx, end + dx)
    for y in range(top, bottom):
        other = y + dy
        for x in range(n.shape[1]):
            t[y - top, x] = ZERO
        if first <= other < last:
            row = t[y - top, here]
            for c in range(sums.shape[1]):
                x, z = sums[y, c, here], sums[other, c, there]
                _subtract_pooled(row, x, z, fits[y, c, here], fits[other, c, there], buffers)
            _finish_ratios(
                row,
                n[y, here],
                n[other, there],
                total[y, here],
                total[other, there],
                own[y, here],
                own[other, there],
                scale,
                buffers,
            )


@jit_part
def _largest_around(y, top, bottom, t, across, around):
    # around[x] = the largest t of the 3 x 3 pixels.
    for x in range(across.size):
        across[x] = t[y - top, x]
    for near in (y - 1, y + 1):
        if top <= near < bottom:
            for x in range(across.size):
                across[x] = max(across[x], t[near - top, x])
    for x in range(across.size):
        around[x] = across[x]
    for x in range(1, across.size):
        around[x] = max(around[x], across[x - 1])
    for x in range(across.size - 1):
        around[x] = max(around[x], across[x + 1])


@jit_part
def _find_weights(location, around, n, others, w):
    for x in range(w.size):
        weight = location * min(ONE, max(ZERO, TWO - TWO * around[x]))
        w[x] = weight if n[x] * others[x] > ZERO else ZERO


@jit_row
def _add_weighted(sums, w, values):
    for x in range(w.size):
        sums[x] += w[x] * values[x]


@jit_part
def _add_pairs(y, rows, shift, location, around, pixels, sums, weights, w):
    # Of row y and of that of its neighbours, those among the rows to sum.
    Y, n = pixels[0], pixels[-1]
    (start, stop), other, dx = rows, y + shift[0], shift[1]
    begin, end = max(0, -dx), min(n.shape[1], n.shape[1] - dx)
    here, there = slice(begin, end), slice(begin + dx, end + dx)
    w = w[here]
    _find_weights(location, around[here], n[y, here], n[other, there], w)
    if y >= start:
        for x in range(w.size):
            weights[y, begin + x] += w[x]
        for c in range(Y.shape[1]):
            _add_weighted(sums[y, c, here], w, Y[other, c, there])
    if other < stop:
        for x in range(w.size):
            weights[other, begin + dx + x] += w[x]
        for c in range(Y.shape[1]):
            _add_weighted(sums[other, c, there], w, Y[y, c, here])


@jit
def _sum_rows(start, stop, first, last, pixels, window, memory, sums, weights):
    (offsets, locations, scale), (t, across, around, w, logs, bits, exponents) = window, memory
    buffers = logs, bits, exponents
    for o in range(len(offsets)):
        dy, dx = offsets[o, 0], offsets[o, 1]
        if abs(dx) >= w.size:
            continue
        top, bottom = max(first, start - dy - 1), min(last, stop + 1)
        _contrasts((top, bottom, first, last), (dy, dx), pixels, scale, t, buffers)
        for y in range(max(first, start - dy), min(stop, last - dy)):
            _largest_around(y, top, bottom, t, across, around)
            _add_pairs(y, (start, stop), (dy, dx), locations[o], around, pixels, sums, weights, w)


def _make_memory(n_columns, reach):
    t = np.empty((ROWS_PER_BLOCK + reach + 2, n_columns), np.float32)
    rows = np.empty((4, n_columns), np.float32)
    return t, *rows, rows[3].view(np.int32), np.empty(n_columns, np.int32)


@jit
def _fit_rows(start, stop, W, ratios, samples, mean):
    x, fits, own, total, n = samples
    for y in range(start, stop):
        for i in range(mean.size):
            own[y, i], total[y, i] = ZERO, ZERO
        for j in range(ratios.shape[1]):
            for i in range(mean.size):
                mean[i] = 0.0
            for c in range(ratios.shape[0]):
                for i in range(mean.size):
                    mean[i] += ratios[c, j] * W[c, y * mean.size + i]
            for i in range(mean.size):
                fits[y, j, i] = n[y, i] * mean[i]
                own[y, i] += x[y, j, i] * math.log(max(mean[i], SMALLEST))
                total[y, i] += x[y, j, i]


def fit_samples(x, n, W, ratios, *, n_jobs: int | None = 1) -> Samples:
    """Return samples with the means that loadings give.

    Parameters
    ----------
    x : ndarray of float32, shape (n_rows, n_values, n_columns)
        Counts, sums of `n` observations.
    n : ndarray of float32, shape (n_rows, n_columns)
        Effective number of observations.
    W : ndarray of shape (n_rows * n_columns, n_components)
        Loadings, means per observation.
    ratios : ndarray of shape (n_components, n_values)
        Spectra, each value divided by its reference.
    n_jobs : int or None
        Threads; None is all cores.
    """
    W, ratios, x, n = *map(as_argument, (W.T, ratios)), as_argument(x, "f4"), as_argument(n, "f4")
    samples = Samples(x, np.empty_like(x), np.empty_like(n), np.empty_like(n), n)
    edges = [*range(0, len(x), ROWS_PER_BLOCK), len(x)]
    parts = tuple(samples)
    run_blocks(
        lambda block, memory: _fit_rows(*block, W, ratios, parts, memory),
        [*pairwise(edges)],
        n_jobs,
        lambda: np.empty(n.shape[1]),
    )
    return samples


def sum_neighbours(
    Y, samples: Samples, *, offsets, locations, scale: float, n_rows: int, n_jobs: int | None = 1
):
    """Sum the values of neighbouring pixels that agree.

    Parameters
    ----------
    Y : ndarray of float32, shape (n_slices * n_rows, n_values, n_columns)
        Values to sum.
    samples : Samples
        What to compare.
    offsets : ndarray of int, shape (n_offsets, 2)
        Rows, from 0 on, and columns from a pixel to a neighbour; each also stands for the
        neighbour in the opposite direction. The pixel itself, (0, 0), is not among them.
    locations : ndarray of shape (n_offsets,)
        l, the largest weight of each neighbour.
    scale : float
        s, so that a neighbour's weight begins to decrease at T = 1/2 and is zero at T = 1.
    n_rows : int
        Of a slice; pixels of different slices are not summed.
    n_jobs : int or None
        Threads; None is all cores. The result does not depend on it.

    Returns
    -------
    sums : ndarray of float32, shaped as Y
    weights : ndarray of float32, shaped as the numbers of observations
        Sums of the weights.
    """
    weights = (samples.n > 0).astype(np.float32)  # of the pixels themselves
    sums = Y * weights[:, None]
    pixels = tuple(as_argument(each, np.float32) for each in (Y, *samples))
    window = as_argument(offsets, np.int64), as_argument(locations, np.float32), np.float32(scale)
    blocks = [
        (start, min(start + ROWS_PER_BLOCK, first + n_rows), first, first + n_rows)
        for first in range(0, len(Y), n_rows)
        for start in range(first, first + n_rows, ROWS_PER_BLOCK)
    ]
    run_blocks(
        lambda block, memory: _sum_rows(*block, pixels, window, memory, sums, weights),
        blocks,
        n_jobs,
        lambda: _make_memory(weights.shape[1], int(window[0][:, 0].max(initial=0))),
    )
    return sums, weights
