# SPDX-License-Identifier: GPL-3.0-or-later
r"""Absorption edges in the continuum, and in the line ratios within a shell.

.. math:: T(E) = \exp\left(-\sum_s d_s \, g_s(E)\right)

The detector's window and dead layer and the specimen itself absorb more just above an
absorption edge of their elements than just below it. The shapes :math:`g_s` are mass
absorption coefficients of one shell, less those of the element's outer shells, normalised to a
maximum of 1. The depths :math:`d_s` are fitted, with priors of the size that films of some
:math:`10^{-5}` g/cm² have. Absorption without an edge is left to the smooth splines.

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

# Elements of polymer and silicon nitride windows, their coatings and the detector's dead layer.
WINDOW = ("C", "N", "O", "Al", "Si")
WITHOUT_EDGES = {"H", "He"}  # and not in the tables
LOWEST_EDGE = 0.2  # keV; little is counted below
# Typical mass thickness of one element, g/cm²: of a window or lamella, and of the depth from
# which a bulk specimen emits.
THIN, BULK = 3e-5, 3e-4
MAX_DEPTH = 1.0  # of the expected depth of an edge (an exponent)
MIN_DEPTH = 0.002  # of the expected depth of an edge; smaller ones are not significant
EDGE_JUMP = 1.01  # ratio of coefficients at successive energies that marks an edge
ONE_SHELL = 1.35  # ratio of energies; the edges of one L or M shell are nearer
DECAY = -2.8  # power of the energy with which coefficients fall beyond an edge
STEP = 0.002  # keV, energy step of the tables
RESPONSE_REACH = 4.0  # standard deviations of the detector's response
OVERSAMPLING = 2  # energies per channel


@dataclass(frozen=True, eq=False)
class Edges:
    """Absorption edges between two energies.

    Attributes
    ----------
    names : list of str
        Element and energy of the lowest edge of each shell.
    depths : ndarray of shape (n_edges,)
        Expected depths, for layers of typical thickness.
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
        Whether the specimen is thicker than the range of the beam's electrons.
    """
    low = max(low, LOWEST_EDGE)
    energy = np.arange(low - 10 * STEP, 1.1 * high, STEP)
    mass = BULK if bulk else THIN
    names, depths, columns = [], [], []
    for element in sorted({*elements, *WINDOW} - WITHOUT_EDGES):
        coefficient = mass_absorption_coefficient(element, energy)
        for at, shape in _shells(energy, coefficient, low, high):
            if mass * shape.max() > MIN_DEPTH:
                names.append(f"{element} at {at:.2f} keV")
                depths.append(min(mass * shape.max(), MAX_DEPTH))
                columns.append(shape / shape.max())
    return Edges(names, np.array(depths), np.column_stack([energy, *columns]))


def _shells(energy, coefficient, low, high):
    """Yield the energy of each shell's lowest edge, and the shell's absorption coefficient."""
    rises = np.flatnonzero(coefficient[1:] > EDGE_JUMP * coefficient[:-1])
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
    """Return an oversampled energy axis and the detector's response matrix.

    Parameters
    ----------
    energy, sigma : ndarray of shape (n_channels,)
        Centres of channels of equal width, and standard deviations of peaks there, in keV.

    Returns
    -------
    finer : ndarray of shape (n_energies,)
        In keV, extending a little beyond the axis.
    spread : csr_matrix of shape (n_channels, n_energies)
        Rows sum to 1.
    """
    width = energy[1] - energy[0]
    beyond = int(np.ceil(RESPONSE_REACH * sigma.max() / width)) * OVERSAMPLING
    n = energy.size * OVERSAMPLING
    finer = energy[0] - width / 2 + width / OVERSAMPLING * (np.arange(-beyond, n + beyond) + 0.5)
    at = np.interp(finer, energy, sigma)
    near = int(np.ceil(RESPONSE_REACH * sigma.max() / width))
    channel = (np.arange(finer.size) - beyond) // OVERSAMPLING
    to = channel[:, None] + np.arange(-near, near + 1)
    edge = energy[0] + width * (to - 0.5)
    fraction = ndtr((edge + width - finer[:, None]) / at[:, None])
    fraction -= ndtr((edge - finer[:, None]) / at[:, None])
    inside = (to >= 0) & (to < energy.size)
    source = np.broadcast_to(np.arange(finer.size)[:, None], to.shape)
    spread = csr_matrix((fraction[inside], (to[inside], source[inside])), (energy.size, finer.size))
    return finer, csr_matrix(spread.multiply(1.0 / spread.sum(axis=1)))
