# SPDX-License-Identifier: GPL-3.0-or-later
r"""Weighted sums over the neighbours of every pixel that agree with it (adaptive weights).

Pixel i sums the values of pixels j with weights

.. math:: w_{ij} = l(j - i) \, \min(1, \max(0, 2 - 2 T_{ij})), \qquad
    T_{ij} = \max_o s \frac{n_{i+o} n_{j+o}}{n_{i+o} + n_{j+o}}
             \lVert u_{i+o} - u_{j+o} \rVert^2,

o over the 3 x 3 pixels around. u are features with the same variance per observation
everywhere, n is the effective number of observations, so T is the squared contrast of
two pixels over its variance; l decreases with the distance, and w_ii = 1. A row of pixels
is contiguous for each feature, so that all loops vectorise.
"""

import math
from itertools import pairwise

import numpy as np

from hyperspy_psnmf.kernels._compile import jit, jit_row
from hyperspy_psnmf.kernels.parallel import run_blocks

ROWS_PER_BLOCK = 8  # their sums stay in cache


@jit_row
def _add_squares(row, values, others):
    for x in range(row.size):
        difference = values[x] - others[x]
        row[x] += difference * difference


@jit_row
def _weigh(row, n, others, scale):
    for x in range(row.size):
        row[x] *= scale * n[x] * (others[x] / (n[x] + others[x] + np.float32(1e-30)))


@jit_row
def _contrasts(rows, shift, u, n, scale, t):
    # t[y - top, x] of the pixels (y, x) and (y + dy, x + dx); 0 beyond the map and where
    # n is 0.
    (top, bottom, first, last), (dy, dx) = rows, shift
    begin, end = max(0, -dx), min(n.shape[1], n.shape[1] - dx)
    for y in range(top, bottom):
        for x in range(n.shape[1]):
            t[y - top, x] = 0.0
        if first <= y + dy < last:
            # Slices: an index that might be negative prevents vectorisation.
            row = t[y - top, begin:end]
            for c in range(u.shape[1]):
                _add_squares(row, u[y, c, begin:end], u[y + dy, c, begin + dx : end + dx])
            _weigh(row, n[y, begin:end], n[y + dy, begin + dx : end + dx], scale)


@jit_row
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


@jit_row
def _find_weights(location, around, n, others, w, total):
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    for x in range(w.size):
        weight = location * min(one, max(zero, two - two * around[x]))
        w[x] = weight if n[x] * others[x] > zero else zero
        total[x] += w[x]


@jit_row
def _add_weighted(sums, w, values):
    for x in range(w.size):
        sums[x] += w[x] * values[x]


@jit_row
def _add_row(y, shift, location, around, pixels, sums, weights, w):
    Y, _, n = pixels
    other, dx = y + shift[0], shift[1]
    begin, end = max(0, -dx), min(n.shape[1], n.shape[1] - dx)
    here, there = slice(begin, end), slice(begin + dx, end + dx)
    w = w[here]
    _find_weights(location, around[here], n[y, here], n[other, there], w, weights[y, here])
    for c in range(Y.shape[1]):
        _add_weighted(sums[y, c, here], w, Y[other, c, there])


@jit
def _sum_rows(start, stop, first, last, pixels, window, sums, weights):
    _, u, n = pixels
    offsets, locations, scale = window
    n_columns = n.shape[1]
    top, bottom = max(first, start - 1), min(last, stop + 1)
    t = np.empty((bottom - top, n_columns), np.float32)
    across, around = np.empty(n_columns, np.float32), np.empty(n_columns, np.float32)
    w = np.empty(n_columns, np.float32)
    for o in range(len(offsets)):
        dy, dx = offsets[o]
        if abs(dx) >= n_columns:
            continue
        _contrasts((top, bottom, first, last), (dy, dx), u, n, scale, t)
        for y in range(start, stop):
            if first <= y + dy < last:
                _largest_around(y, top, bottom, t, across, around)
                _add_row(y, (dy, dx), locations[o], around, pixels, sums, weights, w)


@jit_row
def _add_times(row, factor, values):
    for x in range(row.size):
        row[x] += factor * values[x]


@jit_row
def _take_root(row):
    for x in range(row.size):
        row[x] = math.sqrt(row[x])


@jit
def _project_roots(start, stop, W, B, axes, u):
    n_columns = u.shape[2]
    loadings, root = np.empty((len(B), n_columns)), np.empty(n_columns)
    found = np.empty((u.shape[1], n_columns))
    for y in range(start, stop):
        loadings[:] = W[y * n_columns : (y + 1) * n_columns].T
        found[:] = 0.0
        for j in range(B.shape[1]):
            root[:] = 0.0
            for c in range(B.shape[0]):
                _add_times(root, B[c, j], loadings[c])
            _take_root(root)
            for f in range(u.shape[1]):
                _add_times(found[f], axes[j, f], root)
        u[y] = found


def project_roots(W, B, axes, *, n_columns: int, n_jobs: int | None = 1) -> np.ndarray:
    r"""Return :math:`\sqrt{W B}` projected on directions, in the layout of `sum_neighbours`.

    Parameters
    ----------
    W : ndarray of shape (n_rows * n_columns, n_components)
        Loadings of all pixels.
    B : ndarray of shape (n_components, n_groups)
        Spectra.
    axes : ndarray of shape (n_groups, n_features)
        Directions.
    n_columns : int
        Of the map.
    n_jobs : int or None
        Threads; None is all cores.

    Returns
    -------
    ndarray of float32, shape (n_rows, n_features, n_columns)
    """
    W, B, axes = (np.ascontiguousarray(each, dtype=float) for each in (W, B, axes))
    u = np.empty((len(W) // n_columns, axes.shape[1], n_columns), np.float32)
    edges = [*range(0, len(u), ROWS_PER_BLOCK), len(u)]
    run_blocks(lambda block: _project_roots(*block, W, B, axes, u), [*pairwise(edges)], n_jobs)
    return u


def sum_neighbours(
    Y, u, n, *, offsets, locations, scale: float, n_rows: int, n_jobs: int | None = 1
):
    """Sum the values of neighbouring pixels that agree.

    Parameters
    ----------
    Y : ndarray of float32, shape (n_slices * n_rows, n_values, n_columns)
        Values to sum.
    u : ndarray of float32, shape (n_slices * n_rows, n_features, n_columns)
        Features to compare.
    n : ndarray of float32, shape (n_slices * n_rows, n_columns)
        Effective number of observations; a pixel with 0 has no weight in any sum.
    offsets : ndarray of int, shape (n_offsets, 2)
        Rows and columns from a pixel to its neighbours, (0, 0) among them.
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
    weights : ndarray of float32, shaped as n
        Sums of the weights.
    """
    sums, weights = np.zeros_like(Y), np.zeros_like(n)
    pixels = (Y, u, n)
    window = (offsets, np.asarray(locations, dtype=np.float32), np.float32(scale))
    blocks = [
        (start, min(start + ROWS_PER_BLOCK, first + n_rows), first, first + n_rows)
        for first in range(0, len(Y), n_rows)
        for start in range(first, first + n_rows, ROWS_PER_BLOCK)
    ]
    run_blocks(
        lambda block: _sum_rows(*block, pixels, window, sums, weights),
        blocks,
        n_jobs,
    )
    return sums, weights
