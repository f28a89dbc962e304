# SPDX-License-Identifier: GPL-3.0-or-later
r"""Absorption edges, which bend the continuum and the ratios of lines within a shell.

.. math:: T(E) = \exp\left(-\sum_s d_s \, g_s(E)\right)

Window and dead layer of the detector and the specimen itself absorb more of what is just
above an edge of their elements than of what is just below. The shapes :math:`g_s` are mass
absorption coefficients of one shell, less what its element's outer shells absorb, with a
maximum of 1. The depths :math:`d_s` are fitted, and held to what films of some
:math:`10^{-5}` g/cm² have: what absorbs without an edge, smooth splines hold.

References
----------
Chantler et al., X-Ray Form Factor, Attenuation and Scattering Tables (2005): the
coefficients, as eXSpy has them. Fiori, Myklebust, Heinrich & Yakowitz, Analytical
Chemistry 48 (1976) 172 (the continuum behind window and specimen).
"""

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from exspy.material import mass_absorption_coefficient
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix
from scipy.special import ndtr

# Of polymer and silicon nitride windows, their coatings and the detector's dead layer.
WINDOW = ("C", "N", "O", "Al", "Si")
WITHOUT_EDGES = {"H", "He"}  # and not in the tables
LOWEST_EDGE = 0.2  # keV; little is counted below
THIN, BULK = 3e-5, 3e-4  # g/cm² of one element: what a window, lamella or beam's reach has
MOST = 1.0  # of a depth expected
LEAST = 0.002  # of a depth expected; less is in no spectrum
RISE = 1.01  # of the coefficient from one energy to the next: an edge
ONE_SHELL = 1.35  # ratio of energies; the edges of one L or M shell are nearer
DECAY = -2.8  # power of the energy with which coefficients fall beyond an edge
STEP = 0.002  # keV, of the tables
REACH = 4.0  # standard deviations of the response
FINER = 2  # points in a channel


@dataclass(frozen=True, eq=False)
class Edges:
    """Absorption edges between two energies.

    Attributes
    ----------
    names : list of str
        Element and energy of the lowest edge of each shell.
    depths : ndarray of shape (n_edges,)
        Of typical layers.
    table : ndarray of shape (n_energies, 1 + n_edges)
        Energies in keV, and the shapes there.
    """

    names: list[str]
    depths: np.ndarray
    table: np.ndarray

    def shapes(self, energy: ArrayLike) -> np.ndarray:
        """Return the shapes at energies in keV, of shape (n_energies, n_edges)."""
        at, *shapes = self.table.T
        columns = [np.interp(energy, at, shape, left=0.0) for shape in shapes]
        return np.array(columns).reshape(len(columns), -1).T


def find_edges(elements, low: float, high: float, *, bulk: bool) -> Edges:
    """Return the edges of elements, and of the detector's, between two energies in keV.

    Parameters
    ----------
    elements : iterable of str
        In the specimen.
    low, high : float
        In keV.
    bulk : bool
        Whether the specimen is thicker than the reach of the beam.
    """
    low = max(low, LOWEST_EDGE)
    energy = np.arange(low - 10 * STEP, 1.1 * high, STEP)
    mass = BULK if bulk else THIN
    names, depths, columns = [], [], []
    for element in sorted({*elements, *WINDOW} - WITHOUT_EDGES):
        coefficient = mass_absorption_coefficient(element, energy)
        for at, shape in _shells(energy, coefficient, low, high):
            if mass * shape.max() > LEAST:
                names.append(f"{element} at {at:.2f} keV")
                depths.append(min(mass * shape.max(), MOST))
                columns.append(shape / shape.max())
    return Edges(names, np.array(depths), np.column_stack([energy, *columns]))


def _shells(energy, coefficient, low, high):
    """Yield the energy of each shell's lowest edge, and what the shell absorbs."""
    rises = np.flatnonzero(coefficient[1:] > RISE * coefficient[:-1])
    first = [
        i for n, i in enumerate(rises) if n == 0 or energy[i] > ONE_SHELL * energy[rises[n - 1]]
    ]
    for i, next_one in zip_longest(first, first[1:]):
        if not low < energy[i] < high:
            continue
        outer = coefficient[i] * (energy / energy[i]) ** DECAY
        shape = np.where(energy > energy[i], coefficient - outer, 0.0)
        if next_one is not None:
            shape[next_one:] = shape[next_one] * (energy[next_one:] / energy[next_one]) ** DECAY
        yield float(energy[i]), np.maximum(shape, 0.0)


def response(energy: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, csr_matrix]:
    """Return energies finer than channels and what spreads them over channels.

    Parameters
    ----------
    energy, sigma : ndarray of shape (n_channels,)
        Centres of channels of equal width, and standard deviations of peaks there, in keV.

    Returns
    -------
    finer : ndarray of shape (n_energies,)
        In keV, a little beyond the axis.
    spread : csr_matrix of shape (n_channels, n_energies)
        Rows sum to 1.
    """
    width = energy[1] - energy[0]
    beyond = int(np.ceil(REACH * sigma.max() / width)) * FINER
    n = energy.size * FINER
    finer = energy[0] - width / 2 + width / FINER * (np.arange(-beyond, n + beyond) + 0.5)
    at = np.interp(finer, energy, sigma)
    near = int(np.ceil(REACH * sigma.max() / width))
    channel = (np.arange(finer.size) - beyond) // FINER
    to = channel[:, None] + np.arange(-near, near + 1)
    edge = energy[0] + width * (to - 0.5)
    share = ndtr((edge + width - finer[:, None]) / at[:, None])
    share -= ndtr((edge - finer[:, None]) / at[:, None])
    inside = (to >= 0) & (to < energy.size)
    come_from = np.broadcast_to(np.arange(finer.size)[:, None], to.shape)
    spread = csr_matrix((share[inside], (to[inside], come_from[inside])), (energy.size, finer.size))
    return finer, csr_matrix(spread.multiply(1.0 / spread.sum(axis=1)))
