# SPDX-License-Identifier: GPL-3.0-or-later
"""Small problems with a known answer, used by many tests."""

import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.nmf.solver.initialise import initial_spectra


def rows(seed=0, n_rows=13, n_columns=17, k=3, counts=25.0):
    """Return counts X with coefficients V and a basis B to start from, not the answer."""
    rng = np.random.default_rng(seed)
    truth = rng.gamma(0.5, size=(n_rows, k)) @ rng.gamma(0.5, size=(k, n_columns))
    X = rng.poisson(truth * counts * n_rows / truth.sum())
    V = rng.uniform(0.5, 2.0, size=(n_rows, k))
    B = rng.uniform(0.1, 1.0, size=(n_columns, k))
    return X, V, B


def awkward_rows():
    """Return rows and a basis with everything that is degenerate at once."""
    X, V, B = rows(seed=5, n_rows=14, n_columns=19, k=4)
    X[2] = 0  # no count
    X[3], X[3, 7] = 0, 1  # one count
    X[4], X[4, [1, 8]] = 0, [2, 5]  # fewer channels than components
    X[5] *= 100_000  # about two million counts
    X[6], X[6, 11] = 0, 1_000_000  # all of them in one channel
    X[:, 12] = 0  # a channel without counts
    X[8, 13] = 7
    B[13] = 0.0  # a channel that no component explains
    B[:, 2] = 0.0  # a component without a spectrum
    B[:10, 1] = 0.0  # a component without an overlap with some rows
    B[[1, 8], 3] = B[[1, 8], 0]  # components that are alike where it counts
    return X, V, B


def both(X):
    """Return X as an array and as CSR."""
    return X, sp.csr_array(X)


def planted(shape=(12, 14), n_channels=40, k=3, counts=60.0, seed=0):
    """Return a cube of counts whose phases are smooth blobs with separate lines.

    Also returned are the true loadings (n_pixels, k) in counts and the true
    spectra (k, n_channels) of unit sum.
    """
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    centres = rng.permuted(np.tile((np.arange(k) + 0.5) / k, (len(shape), 1)), axis=1)
    fractions = np.stack(
        [
            np.exp(-sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)) / 0.03) + 1e-3
            for centre in centres.T
        ],
        axis=-1,
    )
    fractions /= fractions.sum(axis=-1, keepdims=True)
    channel = np.arange(n_channels)
    H = np.full((k, n_channels), 0.01)
    for c in range(k):
        for line in (c + 0.5, c + 0.5 + 0.3 * (c % 2)):
            H[c] += np.exp(-(((channel - line * n_channels / k) / 1.5) ** 2) / 2)
    H /= H.sum(axis=1, keepdims=True)
    W = fractions.reshape(-1, k) * counts * rng.uniform(0.7, 1.3, size=(fractions[..., 0].size, 1))
    return rng.poisson(W @ H).reshape(*shape, n_channels), W, H


def angles(H, truth):
    """Return the angle in degrees of every true spectrum to the nearest found one."""
    H = H / np.linalg.norm(H, axis=1, keepdims=True)
    truth = truth / np.linalg.norm(truth, axis=1, keepdims=True)
    return np.degrees(np.arccos(np.clip((truth @ H.T).max(axis=1), -1, 1)))


# Maps as rows, of phases that share lines: for what likelihood alone does not decide.

N_ROWS, N_CHANNELS = 130, 41


def spectrum(*lines, background=0.3):
    """Return a spectrum of unit sum with lines (channel, weight) on a background."""
    channel = np.arange(N_CHANNELS)
    peaks = sum(w * np.exp(-(((channel - where) / 1.3) ** 2) / 2) for where, w in lines)
    slope = np.exp(-channel / 15)
    return (1 - background) * peaks / peaks.sum() + background * slope / slope.sum()


MATRIX = spectrum((8, 1.0), (20, 0.6))
OTHER = spectrum((14, 1.0), (20, 0.5))
ALLOY = 0.6 * OTHER + 0.4 * MATRIX


def grains():
    """Return fractions of two phases, pure but for twenty rows between them."""
    first = np.clip((80.0 - np.arange(N_ROWS)) / 20, 0, 1)
    return np.stack([first, 1 - first], axis=1)


def inclusions(seed=0):
    """Return fractions of a matrix that is everywhere and of inclusions in some rows."""
    some = np.where(
        np.arange(N_ROWS) < 90, 0.0, np.random.default_rng(seed).uniform(0.1, 0.4, N_ROWS)
    )
    return np.stack([1 - some, some], axis=1)


# Small maps for estimators.

MAP_SHAPE = (8, 9)


def make_cube(seed=0, counts=80.0):
    """Return counts (8, 9, 31) and the true spectra (3, 31)."""
    cube, _, H = planted(MAP_SHAPE, n_channels=31, counts=counts, seed=seed)
    return cube, H


def make_matrix(seed=0):
    return make_cube(seed)[0].reshape(72, 31)


def start_problem(seed=0, k=3, counts=150.0):
    """Return counts (42, 29), spectra to start from and the true ones."""
    cube, _, H = planted(shape=(6, 7), n_channels=29, counts=counts, seed=seed)
    X = cube.reshape(42, 29)
    return X, initial_spectra(X, k, "nndsvdar", np.random.default_rng(seed)), H
